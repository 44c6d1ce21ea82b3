"""A small edition of every data set: pictures, archives, and a server on this machine that plays Cityscapes' site."""

import hashlib
import io
import json
import tarfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import av
import numpy as np
from shipped import PARAMS
from web import Handler, serving

from pix2street.core.classes import cityscapes_classes
from pix2street.core.images import EdgeSettings, edges, jpeg_bytes, png_bytes
from pix2street.core.limits import Limits
from pix2street.datasets.synthetic_streets.scene import draw_scene
from pix2street.settings.download import Download, OwnImages, PairedFolder, SplitShares

LIMITS = Limits(max_files=1000, max_gib=1.0, max_ratio=100.0)
SHIPPED = PARAMS.download
PIX2PIX_SETS = ("facades", "maps", "night2day", "edges2shoes", "edges2handbags")
HEIGHT_PX, WIDTH_PX = 64, 128


def own_and_paired(**changes) -> tuple[OwnImages, PairedFolder]:
    """Return the shipped settings of a user's own images with changes, unchecked, in either section."""
    if changes.get("split_shares"):
        changes["split_shares"] = SplitShares(**changes["split_shares"])
    sections = (SHIPPED.own_images, SHIPPED.paired_folder)
    assert changes.keys() <= {key for section in sections for key in type(section).model_fields}
    return tuple(
        section.model_copy(update={key: value for key, value in changes.items() if key in type(section).model_fields})
        for section in sections
    )


def scene(index: int) -> tuple[np.ndarray, np.ndarray]:
    """Return a photo `[H, W, 3]` and its class ids `[H, W]`."""
    return draw_scene(0, index, HEIGHT_PX, WIDTH_PX)


def frames(train: int, val: int) -> Iterator[tuple[str, str, np.ndarray, np.ndarray]]:
    """Yield (split, pair_id, photo, ids) under names like those of Cityscapes, a city for each split."""
    for index in range(train + val):
        split, city = ("train", "aachen") if index < train else ("val", "lindau")
        yield split, f"{city}_{index:06d}_000019", *scene(index)


def cityscapes_files(train: int = 12, val: int = 4) -> dict[str, dict[str, bytes]]:
    """Return the files of the two official archives, frames and others, by part and name."""
    files = {"gtFine": {"README": b"r"}, "leftImg8bit": {"license.txt": b"l"}}
    for split, pair_id, photo, ids in frames(train, val):
        stem = f"{split}/{pair_id.split('_')[0]}/{pair_id}"
        files["leftImg8bit"][f"leftImg8bit/{stem}_leftImg8bit.png"] = png_bytes(photo)
        files["gtFine"][f"gtFine/{stem}_gtFine_labelIds.png"] = png_bytes(ids)
        files["gtFine"][f"gtFine/{stem}_gtFine_color.png"] = png_bytes(cityscapes_classes().to_colors(ids))
        files["gtFine"][f"gtFine/{stem}_gtFine_polygons.json"] = b"{}"
    blank = png_bytes(np.zeros((HEIGHT_PX, WIDTH_PX), np.uint8))
    files["gtFine"]["gtFine/test/berlin/berlin_000000_000019_gtFine_labelIds.png"] = blank
    files["leftImg8bit"]["leftImg8bit/test/berlin/berlin_000000_000019_leftImg8bit.png"] = png_bytes(scene(99)[0])
    return files


def zipped(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def tarred(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def pix2pix_archive(name: str, train: int = 12, val: int = 4) -> bytes:
    """Return an archive like those of the authors' server: side-by-side JPEGs, numbered from 1 in each split."""
    files = {}
    for index in range(train + val):
        split, number = ("train", index + 1) if index < train else ("val", index - train + 1)
        photo, ids = scene(index)
        drawing = cityscapes_classes().to_colors(ids)
        if name.startswith("edges"):
            halves = [edges(photo, EdgeSettings(1.0, 0.8, 0.9)), photo]
        elif name == "night2day":
            halves = [photo // 3 + np.array([0, 5, 20], np.uint8), photo]
        else:
            halves = [photo, drawing]
        files[f"{name}/{split}/{number}.jpg"] = jpeg_bytes(np.concatenate(halves, axis=1))
    return tarred(files)


USERNAME, PASSWORD = "canary-user-7f3a", "canary-password-91c2"


class CityscapesSite:
    """A player of www.cityscapes-dataset.com: login form, package list, MD5 and file handling, with a session cookie.

    Args:
        break_after: the number of bytes of a file after which an answer ends; None for whole files.
    """

    def __init__(self, archives: dict[str, bytes], break_after: int | None = None):
        self.archives = archives
        self.asked: list[str] = []
        self._break_after = break_after
        self._names = list(archives)

    def __call__(self, request: Handler) -> None:
        address = urlsplit(request.path)
        self.asked.append(f"{request.command} {address.path}")
        query = parse_qs(address.query, keep_blank_values=True)
        known = "PHPSESSID=s3ss10n" in request.headers.get("Cookie", "")
        if address.path == "/login":
            self._login(request)
        elif not known:
            request.send(302, Location="/login")
        elif address.path == "/downloads/" and "list" in query:
            listed = [{"name": n, "packageID": str(i), "size": "1MB"} for i, n in enumerate(self._names)]
            request.send(200, json.dumps(listed).encode(), Content_Type="application/json")
        else:
            name = self._names[int(query["packageID"][0])]
            if address.path == "/md5-sum/":
                request.send(200, f"{hashlib.md5(self.archives[name]).hexdigest()}  {name}\n".encode())
            else:
                request.send_file(self.archives[name], self._break_after)

    def _login(self, request: Handler) -> None:
        if request.command == "GET":
            request.send(200, b"<!DOCTYPE html><form>Log in</form>", Content_Type="text/html")
            return
        form = parse_qs(request.rfile.read(int(request.headers["Content-Length"])).decode())
        if (form["username"], form["password"], form["submit"]) == ([USERNAME], [PASSWORD], ["Login"]):
            request.send(302, Location="/", Set_Cookie="PHPSESSID=s3ss10n; Path=/")
        else:
            request.send(200, b"<html>Bad credentials</html>", Content_Type="text/html")


@contextmanager
def cityscapes_site(**settings) -> Iterator[tuple[str, CityscapesSite]]:
    """Yield the address of the site, and the site."""
    files = cityscapes_files()
    site = CityscapesSite({f"{part}_trainvaltest.zip": zipped(content) for part, content in files.items()}, **settings)
    with serving(site) as url:
        yield url, site


@contextmanager
def small_download(name: str, folder: Path) -> Iterator[Download]:
    """Yield the section `download` for a small edition of one data set, its source in `folder` or on the loopback."""
    changes = {"dataset": name, "path": str(folder)}
    if name in PIX2PIX_SETS:
        archive = pix2pix_archive(name)
        with serving(lambda request: request.send_file(archive)) as url:
            sets = SHIPPED.pix2pix_sets.model_copy(update={"base_url": url})
            yield SHIPPED.model_copy(update={**changes, "pix2pix_sets": sets})
        return
    if name == "cityscapes":
        for part, files in cityscapes_files().items():
            (folder / f"{part}_trainvaltest.zip").write_bytes(zipped(files))
    elif name in ("unpaired_folders", "domain_folders"):
        for index, (split, pair_id, photo, _) in enumerate(frames(12, 4)):
            kind = folder / f"{split}{'AB'[index % 2]}"
            kind.mkdir(exist_ok=True)
            (kind / f"{pair_id}.png").write_bytes(png_bytes(photo))
    elif name == "frames":
        for split, pair_id, photo, _ in frames(12, 4):
            video = folder / split / pair_id
            video.mkdir(parents=True)
            for number in range(8):
                (video / f"{number}.png").write_bytes(png_bytes(np.roll(photo, number, axis=1)))
    elif name != "synthetic_streets":
        for split, pair_id, photo, ids in frames(12, 4):
            (folder / split).mkdir(exist_ok=True)
            drawing = [cityscapes_classes().to_colors(ids)] if name == "paired_folder" else []
            (folder / split / f"{pair_id}.png").write_bytes(png_bytes(np.concatenate([photo, *drawing], axis=1)))
    small = {"height_px": HEIGHT_PX, "width_px": WIDTH_PX, "train_pairs": 12, "val_pairs": 4}
    yield SHIPPED.model_copy(
        update={
            **changes,
            "cityscapes": SHIPPED.cityscapes.model_copy(update=small),
            "synthetic_streets": SHIPPED.synthetic_streets.model_copy(update=small),
        }
    )


def film(count: int, height: int = 48, width: int = 64, kind: str = "mp4") -> bytes:
    """Return a film whose upper half is white, and whose lower half gets brighter by 20 levels in every frame."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=kind) as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.height, stream.width, stream.pix_fmt = height, width, "yuv420p"
        for number in range(count):
            pixels = np.full((height, width, 3), 20 * number, np.uint8)
            pixels[: height // 2] = 255
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode())
    return buffer.getvalue()
