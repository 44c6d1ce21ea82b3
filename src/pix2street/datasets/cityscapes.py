"""Cityscapes (Cordts et al. 2016): the official archives, extracted or not, or fetched with an official login."""

import json
import os
import re
from functools import lru_cache, partial
from pathlib import Path
from typing import NamedTuple

import requests
from platformdirs import user_data_path
from tqdm import tqdm

from pix2street.core.accounting import row_of, settle
from pix2street.core.archives import open_source, random_reader
from pix2street.core.classes import cityscapes_classes
from pix2street.core.decoding import decode
from pix2street.core.errors import UserError
from pix2street.core.fetching import cache_folder, fetch_file
from pix2street.core.images import resize_labels, resize_photo, write_png
from pix2street.core.limits import Limits
from pix2street.core.pairs import Dataset
from pix2street.core.workers import in_processes
from pix2street.settings.download import Cityscapes

ARCHIVES = {"gtFine": "gtFine_trainvaltest.zip", "leftImg8bit": "leftImg8bit_trainvaltest.zip"}
SIZES = {"gtFine": "241 MB", "leftImg8bit": "11 GB"}
# The labels of `test` are withheld: they are blank, so that its photos are of no use.
FRAME = re.compile(
    r"(?:^|/)(gtFine|leftImg8bit)/(train|val)/[^/]+/([^/_]+_\d{6}_\d{6})_(?:gtFine_labelIds|leftImg8bit)\.png$"
)
OF_TEST = re.compile(r"(?:^|/)(?:gtFine|leftImg8bit)/test/.*\.(?:png|json)$")
OF_A_FRAME = re.compile(r"((?:^|.*/)(?:train|val|test)/)[^/]+/[^/_]+_\d{6}_\d{6}(_[^/]+)$")
SITE = "https://www.cityscapes-dataset.com"
SILENCE_S = 60.0
FAULTS_SHOWN = 10


def fetch(folder: Path, path: Path, limits: Limits, settings: Cityscapes) -> Dataset:
    """Write every frame of train and val, reduced to the size that is set, to `<split>/{inputs,targets}/`.

    Frames are read inside the archives, on all cores, and nothing else is unpacked. Labels are the ids of
    `*_labelIds.png`, resized by nearest neighbour; photos are antialiased. The pair_id is `<city>_<sequence>_<frame>`.

    Args:
        path: a folder with the two official archives or with the extracted `gtFine/` and `leftImg8bit/`. Missing
            ones are taken from the cache, else from the site.

    Raises:
        UserError: data are missing, a label map or photo has no partner, there are more or fewer frames than set, or a
            frame is broken.
    """
    sources = _locate(path, settings.site.rstrip("/"))
    listed = {part: _frames(part, source, limits) for part, source in sources.items()}
    names = {part: found for part, (found, _) in listed.items()}
    frames = _pair_up(names, {"train": settings.train_pairs, "val": settings.val_pairs})
    for split in ("train", "val"):
        for side in ("inputs", "targets"):
            (folder / split / side).mkdir(parents=True)
    faults = []
    reduce = partial(_reduce, sources, folder, settings)
    for fault in tqdm(in_processes(reduce, frames), desc="reduce", total=len(frames), unit=" frames"):
        faults += [fault] if fault else []
    if faults:
        shown = "\n".join(f"  {fault}" for fault in faults[:FAULTS_SHOWN])
        raise UserError(f"{len(faults)} frames cannot be used; get the archives again:\n{shown}")
    _settle(folder, path, sources, frames, {part: others for part, (_, others) in listed.items()})
    return Dataset(
        name="cityscapes",
        title="Cityscapes",
        direction="labels to street",
        licence="Cityscapes, non-commercial research and education",
        home_page=SITE,
        input_from="file",
        group_pattern="^([^_]+)_",
        classes=cityscapes_classes(),
        label_pixels="ids",
    )


class Frame(NamedTuple):
    """One pair: its split, its pair_id and the names of its two files."""

    split: str
    pair_id: str
    labels: str
    photo: str


def _locate(path: Path, site: str) -> dict[str, Path]:
    """Return the sources of labels and photos: a tree or archive in `path`, else one of the cache or of the site."""
    cache = cache_folder() / "cityscapes"
    found = {}
    for part, archive in ARCHIVES.items():
        # The folder of the tree is the source, so that nothing beside it is read.
        paths = [path / part, path / archive, cache / archive]
        found[part] = next((source for source in paths if source.exists()), None)
    missing = [part for part, source in found.items() if source is None]
    if missing:
        credentials = _credentials()
        if credentials is None:
            listed = "\n".join(f"  {ARCHIVES[part]} ({SIZES[part]})" for part in missing)
            raise UserError(
                f"Cityscapes is not there. Missing in {path} and in {cache}:\n{listed}\n"
                f"Register at {SITE}/register/ and put the archives into one of these folders, or set "
                "CITYSCAPES_USERNAME and CITYSCAPES_PASSWORD to have them fetched. To try the pipeline without them:\n"
                "  dvc exp run -S download.dataset=synthetic_streets"
            )
        session = _login(site, *credentials)
        for part in missing:
            found[part] = _fetch_package(session, site, ARCHIVES[part], cache)
    return found


def _frames(part: str, source: Path, limits: Limits) -> tuple[dict[tuple[str, str], str], dict[str, str]]:
    """Return the name of each (split, pair_id) in the source, and the reason why every other file is left out."""
    prefix = f"{part}/" if source.is_dir() else ""
    frames: dict[tuple[str, str], str] = {}
    with open_source(source, limits) as opened:
        others = dict(opened.left_out)
        for name in opened.names:
            match = FRAME.search(prefix + name)
            if match is None or match[1] != part:
                withheld = OF_TEST.search(prefix + name)
                others[name] = "the labels of test are withheld" if withheld else "no labelIds and no photo of a frame"
            elif frames.setdefault((match[2], match[3]), name) != name:
                others[name] = f"the frame occurs twice, also as {frames[match[2], match[3]]}"
    return frames, others


def _settle(folder: Path, path: Path, sources: dict[str, Path], frames: list[Frame], others: dict[str, dict]) -> None:
    """Account for all files of both sources; files of one kind, such as the polygons of train, share a row."""
    labels, photos = (sources[part].name for part in ARCHIVES)
    destinations = {f"{labels}/{frame.labels}": f"{frame.split}/inputs/{frame.pair_id}" for frame in frames}
    destinations |= {f"{photos}/{frame.photo}": f"{frame.split}/targets/{frame.pair_id}" for frame in frames}
    left_out = {f"{sources[part].name}/{name}": why for part, some in others.items() for name, why in some.items()}
    settle(
        folder,
        path,
        {*destinations, *left_out},
        destinations,
        left_out,
        lambda name: OF_A_FRAME.sub(r"\1*/*\2", row_of(name)),
    )


def _pair_up(names: dict[str, dict[tuple[str, str], str]], expected: dict[str, int]) -> list[Frame]:
    """Return the frames in the order of their names; raise an error where one lacks a half or a split lacks frames."""
    labels, photos = names["gtFine"], names["leftImg8bit"]
    lonely = sorted(labels.keys() ^ photos.keys())
    if lonely:
        listed = "\n".join(
            f"  {split}/{pair_id}: no {'photo' if (split, pair_id) in labels else 'labels'}"
            for split, pair_id in lonely[:FAULTS_SHOWN]
        )
        raise UserError(f"Cityscapes: {len(lonely)} frames lack one half; get the archives again:\n{listed}")
    frames = [Frame(*key, labels[key], photos[key]) for key in sorted(labels)]
    for split, count in expected.items():
        found = sum(frame.split == split for frame in frames)
        if found != count:
            raise UserError(
                f"Cityscapes: {found:,} frames in {split}, expected {count:,}; get the archives again, or set "
                f"download.cityscapes.{split}_pairs: {found} for a part of the set"
            )
    return frames


# A worker process reads an archive's list of files once, and not for each frame.
_reader = lru_cache(random_reader)


def _reduce(sources: dict[str, Path], folder: Path, settings: Cityscapes, frame: Frame) -> str | None:
    """Write one frame's two images and return None, or return the fault that it has."""
    try:
        labels = decode(_reader(sources["gtFine"])(frame.labels), frame.labels)
        photo = decode(_reader(sources["leftImg8bit"])(frame.photo), frame.photo)
    # The class of the error depends on the byte at which a file is broken.
    except Exception as error:  # noqa: BLE001
        return f"{frame.pair_id}: {type(error).__name__}: {error}".splitlines()[0]
    if labels.ndim != 2 or photo.shape != (*labels.shape, 3):
        return f"{frame.pair_id}: labels are {labels.shape}, photo is {photo.shape}; expected (H, W) and (H, W, 3)"
    subset = folder / frame.split
    write_png(subset / "inputs" / f"{frame.pair_id}.png", resize_labels(labels, settings.height_px, settings.width_px))
    write_png(subset / "targets" / f"{frame.pair_id}.png", resize_photo(photo, settings.height_px, settings.width_px))
    return None


def _credentials() -> tuple[str, str] | None:
    """Return the login in the environment, else the one that `csDownload` (cityscapesscripts) has stored, else None."""
    names = ("CITYSCAPES_USERNAME", "CITYSCAPES_PASSWORD")
    if all(os.environ.get(name) for name in names):
        return tuple(os.environ[name] for name in names)
    stored = user_data_path("cityscapesscripts", "cityscapes") / "credentials.json"
    if not stored.exists():
        return None
    if stored.stat().st_mode & 0o077:
        raise UserError(f"{stored}: others may read this password; run chmod 600 on it")
    try:
        fields = json.loads(stored.read_text(encoding="utf-8"))
        return fields["username"], fields["password"]
    except (ValueError, KeyError, TypeError) as error:
        # The words of the error could quote the password.
        raise UserError(
            f"{stored}: no username and password in it; remove it or let csDownload write it again"
        ) from error


class _Session(requests.Session):
    """A session for the downloader of cityscapesscripts, with a time-out and another address than its fixed one."""

    def __init__(self, site: str):
        super().__init__()
        self._site = site

    def request(self, method, url, **arguments):
        if url.startswith(SITE):
            url = self._site + url.removeprefix(SITE)
        return super().request(method, url, **{"timeout": SILENCE_S, **arguments})


def _login(site: str, username: str, password: str) -> requests.Session:
    """Return a session that is logged in; raise UserError where the site refuses the login or does not answer."""
    session = _Session(site)
    form = {"username": username, "password": password, "submit": "Login"}
    try:
        session.get(f"{SITE}/login", allow_redirects=False).raise_for_status()
        answer = session.post(f"{SITE}/login", data=form, allow_redirects=False)
        answer.raise_for_status()
    except requests.RequestException as error:
        raise UserError(f"{site}: no login possible ({type(error).__name__}); try again later") from error
    if not answer.is_redirect:
        raise UserError(f"{site}: the login was refused; check CITYSCAPES_USERNAME and CITYSCAPES_PASSWORD")
    return session


def _fetch_package(session: requests.Session, site: str, archive: str, cache: Path) -> Path:
    """Fetch an archive into the cache, check it against the site's MD5, and return its path."""
    from cityscapesscripts.download.downloader import get_available_packages

    try:
        packages = {package["name"]: package["packageID"] for package in get_available_packages(session=session)}
        if archive not in packages:
            raise UserError(f"{site}: this account may not fetch {archive}; ask for access on the site")
        answer = session.get(f"{SITE}/md5-sum/?packageID={packages[archive]}", allow_redirects=False)
        answer.raise_for_status()
        md5 = answer.text.split()[0]
    except (requests.RequestException, IndexError, KeyError, TypeError) as error:
        raise UserError(f"{site}: the list of packages is not readable ({type(error).__name__})") from error
    url = f"{site}/file-handling/?packageID={packages[archive]}"
    return fetch_file(url, cache / archive, session=session, checksum=f"md5:{md5}", silence_s=SILENCE_S)
