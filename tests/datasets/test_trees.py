"""Any tree of files through doctor, download and split: each file is accounted for, or one message refuses the tree."""

import io
import os
import shutil
from contextlib import suppress
from pathlib import Path

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from shipped import PARAMS, changed

from pix2street.core.accounting import read_left_out
from pix2street.core.errors import UserError
from pix2street.core.pairs import read_left_out as left_out_in_manifest
from pix2street.core.pairs import read_manifest
from pix2street.datasets.doctor import diagnose
from pix2street.params import parse_params
from pix2street.steps.download import download
from pix2street.steps.split import split_pairs

DOWNLOAD = parse_params(Path("params.yaml").read_text(encoding="utf-8"), "params.yaml").download
EXAMPLES = int(os.environ.get("TREE_EXAMPLES", "60"))
"""The number of trees; more make the search longer."""


def image(mode: str, kind: str, size: tuple[int, int] = (16, 8)) -> bytes:
    pixels = np.random.default_rng(len(mode + kind)).integers(0, 256, (size[1], size[0], 3)).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).convert(mode).save(buffer, kind)
    return buffer.getvalue()


CONTENTS = st.sampled_from([
    image("RGB", "png"), image("RGB", "jpeg"), image("L", "png"), image("RGBA", "png"), image("P", "gif"),
    image("RGB", "png", (15, 8)), image("RGB", "png")[:60], b"", b"text", b"%PDF-1.4", b"\0" * 30,
])  # fmt: skip
SPLITS = st.sampled_from(["train", "Train", "val", "validation", "test", "train_A", "train_B", "val_A", "val_B", ""])
SIDES = st.sampled_from(["inputs", "targets", "labels", "images", "seq 1", "@eaDir", ".git", ""])
NAMES = st.sampled_from(["1", "2", "3", "a_label", "a_photo", "NA", "null", " x", "é", "x" * 60]) | st.integers(0, 20)
ENDINGS = st.sampled_from([".png", ".jpg", ".JPG", ".jfif", ".gif", "", ".txt", ".png.bak"])
FILES = st.lists(st.tuples(SPLITS, SIDES, NAMES, ENDINGS, CONTENTS), min_size=1, max_size=14)


def regular(names: set[int], form: str, content: bytes) -> list[tuple]:
    """Return the files of a tree that can be read: both splits, one layout."""
    sides = ("inputs", "targets") if form == "folders" else ("",)
    splits = ("train", "val")
    return [(split, side, f"{split}{name}", ".png", content) for split in splits for name in names for side in sides]


REGULAR = st.builds(
    regular, st.sets(st.integers(0, 30), min_size=1, max_size=4), st.sampled_from(["folders", "right"]), CONTENTS
)
LINKS = st.lists(st.sampled_from(["file", "folder", "circle", "dangling", "outside"]), max_size=3)


def lay(root: Path, files: list[tuple], links: list[str]) -> None:
    for split, side, name, ending, content in files:
        path = root / split / side / f"{name}{ending}"
        with suppress(FileExistsError, IsADirectoryError, NotADirectoryError):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    (root.parent / "elsewhere").mkdir()
    (root.parent / "elsewhere/far.png").write_bytes(image("RGB", "png"))
    somewhere = next(path for path in sorted(root.rglob("*")) if path.is_file())
    targets = {
        "file": somewhere, "folder": somewhere.parent, "circle": root, "dangling": root / "gone",
        "outside": root.parent / "elsewhere",
    }  # fmt: skip
    for number, kind in enumerate(links):
        (somewhere.parent / f"link{number}{'.png' if kind in ('file', 'dangling') else ''}").symlink_to(targets[kind])


@settings(
    derandomize=True, deadline=None, max_examples=EXAMPLES, database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip
@given(files=st.one_of(FILES, REGULAR, st.builds(lambda a, b: a + b[:3], REGULAR, FILES)), links=LINKS)
def test_every_file_of_any_tree_is_accounted_for_or_the_tree_is_refused(tmp_path, files, links):
    work = tmp_path / "work"
    shutil.rmtree(work, ignore_errors=True)
    (work / "source").mkdir(parents=True)
    lay(work / "source", files, links)
    before = {path: path.lstat().st_mtime_ns for path in work.rglob("*")}
    with suppress(UserError):
        diagnosis = diagnose(work / "source", DOWNLOAD)
        assert diagnosis.settings or diagnosis.problem
    assert {path: path.lstat().st_mtime_ns for path in work.rglob("*")} == before
    form = "folders" if any(side == "inputs" for _, side, *_ in files) else "right"
    paired = DOWNLOAD.paired_folder.model_copy(update={"form": form, "classes": "none"})
    asked = DOWNLOAD.model_copy(update={"dataset": "paired_folder", "path": "source", "paired_folder": paired})
    (work / "downloaded").mkdir()
    try:
        download(asked, work, work / "downloaded")
    except UserError:
        pass
    else:
        (work / "split").mkdir()
        split_pairs(work / "downloaded", work / "split", changed(PARAMS.split, height_px=32, width_px=32))
        manifest, left_out = read_manifest(work / "split"), left_out_in_manifest(work / "split")
        copied = [path for path in (work / "downloaded").rglob("*") if path.is_file()]
        listed = sum(row["files"] for row in read_left_out(work / "downloaded"))
        assert manifest["files"].sum() == len(copied) - 1 - (work / "downloaded/left_out.csv").exists()
        assert left_out["files"].sum() == listed
    outside = {path for path in work.rglob("*") if not path.is_relative_to(work / "downloaded")}
    assert {path for path in outside if not path.is_relative_to(work / "split")} - {work / "downloaded"} == {*before}
