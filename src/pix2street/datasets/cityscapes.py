"""Cityscapes (Cordts et al. 2016): the official archives or an extracted tree, or fetched with an official login."""

import json
import os
import re
from concurrent.futures import ProcessPoolExecutor
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

ARCHIVES = {"gtFine": "gtFine_trainvaltest.zip", "leftImg8bit": "leftImg8bit_trainvaltest.zip"}
SIZES = {"gtFine": "241 MB", "leftImg8bit": "11 GB"}
# The labels of `test` are withheld: they are blank, and no photo of it is needed.
FRAME = re.compile(
    r"(?:^|/)(gtFine|leftImg8bit)/(train|val)/[^/]+/([^/_]+_\d{6}_\d{6})_(?:gtFine_labelIds|leftImg8bit)\.png$"
)
OF_TEST = re.compile(r"(?:^|/)(?:gtFine|leftImg8bit)/test/.*\.(?:png|json)$")
OF_A_FRAME = re.compile(r"((?:^|.*/)(?:train|val|test)/)[^/]+/[^/_]+_\d{6}_\d{6}(_[^/]+)$")
SITE = "https://www.cityscapes-dataset.com"
SILENCE_S = 60.0
FAULTS_SHOWN = 10


def fetch(
    folder: Path,
    *,
    path: Path,
    limits: Limits,
    height_px: int,
    width_px: int,
    train_pairs: int,
    val_pairs: int,
    site: str,
) -> Dataset:
    """Write every frame of train and val, reduced to `height_px` x `width_px`, to `<split>/{inputs,targets}/`.

    Frames are read where they lie, on all cores, and nothing else is unpacked. Labels are the ids of `*_labelIds.png`,
    resized by nearest neighbour; photos are antialiased. The pair_id is `<city>_<sequence>_<frame>`.

    Args:
        path: a folder with the two official archives or with the extracted `gtFine/` and `leftImg8bit/`; the cache is
            looked through next, and the site asked last.
        train_pairs, val_pairs: how many there must be: 2,975 and 500 in the official set.
        site: the address of the Cityscapes site.

    Raises:
        UserError: data are missing, a label map or photo stands alone, the numbers are others, or a frame is broken.
    """
    sources = _locate(path, site.rstrip("/"))
    listed = {part: _frames(part, source, limits) for part, source in sources.items()}
    names = {part: found for part, (found, _) in listed.items()}
    frames = _pair_up(names, {"train": train_pairs, "val": val_pairs})
    for split in ("train", "val"):
        for side in ("inputs", "targets"):
            (folder / split / side).mkdir(parents=True)
    faults = []
    reduce = partial(_reduce, sources, folder, height_px, width_px)
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        for fault in tqdm(pool.map(reduce, frames, chunksize=4), desc="reduce", total=len(frames), unit=" frames"):
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
    """One pair, by the names of its two files."""

    split: str
    pair_id: str
    labels: str
    photo: str


def _locate(path: Path, site: str) -> dict[str, Path]:
    """Where labels and photos lie: an extracted tree or an archive in `path`, else in the cache, else fetched there."""
    cache = cache_folder() / "cityscapes"
    found = {}
    for part, archive in ARCHIVES.items():
        # The tree's own folder is the source, so that nothing beside it is looked at.
        places = [path / part, path / archive, cache / archive]
        found[part] = next((place for place in places if place.exists()), None)
    missing = [part for part, place in found.items() if place is None]
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
    """The file of each (split, pair_id), by its name in the source; and every other file with its reason."""
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
                others[name] = f"the frame stands twice, as {frames[match[2], match[3]]}"
    return frames, others


def _settle(folder: Path, path: Path, sources: dict[str, Path], frames: list[Frame], others: dict[str, dict]) -> None:
    """Account for all files of both sources; those of one kind, such as the polygons of train, share a row."""
    labels, photos = (sources[part].name for part in ARCHIVES)
    places = {f"{labels}/{frame.labels}": f"{frame.split}/inputs/{frame.pair_id}" for frame in frames}
    places |= {f"{photos}/{frame.photo}": f"{frame.split}/targets/{frame.pair_id}" for frame in frames}
    left_out = {f"{sources[part].name}/{name}": why for part, some in others.items() for name, why in some.items()}
    settle(folder, path, {*places, *left_out}, places, left_out, lambda name: OF_A_FRAME.sub(r"\1*/*\2", row_of(name)))


def _pair_up(names: dict[str, dict[tuple[str, str], str]], expected: dict[str, int]) -> list[Frame]:
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


# A worker process reads an archive's list of files once, not once a frame.
_reader = lru_cache(random_reader)


def _reduce(sources: dict[str, Path], folder: Path, height_px: int, width_px: int, frame: Frame) -> str | None:
    """Write one frame's two images and return None, or what is wrong with it."""
    try:
        labels = decode(_reader(sources["gtFine"])(frame.labels), frame.labels)
        photo = decode(_reader(sources["leftImg8bit"])(frame.photo), frame.photo)
    # A broken member is reported as any of many errors, depending on where it breaks.
    except Exception as error:  # noqa: BLE001
        return f"{frame.pair_id}: {type(error).__name__}: {error}".splitlines()[0]
    if labels.ndim != 2 or photo.shape != (*labels.shape, 3):
        return f"{frame.pair_id}: labels are {labels.shape}, photo is {photo.shape}; expected (H, W) and (H, W, 3)"
    place = folder / frame.split
    write_png(place / "inputs" / f"{frame.pair_id}.png", resize_labels(labels, height_px, width_px))
    write_png(place / "targets" / f"{frame.pair_id}.png", resize_photo(photo, height_px, width_px))
    return None


def _credentials() -> tuple[str, str] | None:
    """The environment's, else those that `csDownload` of cityscapesscripts has stored; None where there are none."""
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
        # The error's own words could quote the password.
        raise UserError(
            f"{stored}: no username and password in it; remove it or let csDownload write it again"
        ) from error


class _Session(requests.Session):
    """A session of cityscapesscripts' downloader, whose addresses are fixed, with a site of ours and a time-out."""

    def __init__(self, site: str):
        super().__init__()
        self._site = site

    def request(self, method, url, **arguments):
        if url.startswith(SITE):
            url = self._site + url.removeprefix(SITE)
        return super().request(method, url, **{"timeout": SILENCE_S, **arguments})


def _login(site: str, username: str, password: str) -> requests.Session:
    """A session that the site knows; raises UserError where it refuses the login or does not answer."""
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
    """The archive in the cache, fetched and checked against the site's MD5."""
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
