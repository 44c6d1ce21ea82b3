"""The findings of doctor on a source, compared with the files that the stages then read."""

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from project import merge
from ruamel.yaml import YAML
from sources import LIMITS

from pix2street.cli import main
from pix2street.core.class_tables import cityscapes_train_ids
from pix2street.core.classes import cityscapes_classes
from pix2street.core.errors import UserError
from pix2street.core.pairs import read_manifest
from pix2street.datasets import doctor
from pix2street.datasets.synthetic_streets.scene import draw_scene
from pix2street.params import parse_params
from pix2street.steps.download import download
from pix2street.steps.split import split_pairs

SIDE = 64
SHIPPED = (Path(__file__).parents[1] / "params.yaml").read_text(encoding="utf-8")
DOWNLOAD = parse_params(SHIPPED, "params.yaml").download
CITYSCAPES = cityscapes_classes()
SCENES = [draw_scene(0, index, SIDE, SIDE) for index in range(14)]


def split_of(index: int) -> str:
    return "train" if index < 10 else "val"


def side_by_side(folder: Path) -> None:
    for index, (photo, ids) in enumerate(SCENES):
        save(folder / split_of(index) / f"{index}.png", np.hstack([CITYSCAPES.to_colors(ids), photo]))


def apart(folder: Path) -> None:
    for index, (photo, ids) in enumerate(SCENES):
        save(folder / split_of(index).upper() / "labels" / f"{index}_gt.png", ids)
        save(folder / split_of(index).upper() / "images" / f"{index}_rgb.jpg", photo)


def a_and_b(folder: Path) -> None:
    for index, (photo, ids) in enumerate(SCENES):
        save(folder / f"{split_of(index)}A" / f"{index}.png", CITYSCAPES.to_colors(ids))
        save(folder / f"{split_of(index)}B" / f"{index}.png", photo)


def masks(folder: Path) -> None:
    for index, (photo, ids) in enumerate(SCENES):
        save(folder / "labels" / split_of(index) / f"{index}.png", np.where(ids == 7, 255, 0).astype(np.uint8))
        save(folder / "photos" / split_of(index) / f"{index}.png", photo)


def sequences(folder: Path) -> None:
    for index, (photo, _) in enumerate(SCENES):
        save(folder / f"seq{index // 3}_{index:03d}.jpg", photo)


def grey_pairs(folder: Path) -> None:
    for index, (photo, ids) in enumerate(SCENES):
        save(folder / split_of(index) / "inputs" / f"{index}.png", CITYSCAPES.to_colors(ids))
        save(folder / split_of(index) / "targets" / f"{index}.png", photo[..., 1])


def with_table(folder: Path) -> None:
    train_ids = np.zeros(256, np.uint8)
    for entry in cityscapes_train_ids().entries:
        train_ids[next(i for i in range(34) if CITYSCAPES.colors[i].tolist() == [*entry.color])] = entry.id
    for index, (photo, ids) in enumerate(SCENES):
        save(folder / split_of(index) / "inputs" / f"{index}.png", train_ids[ids])
        save(folder / split_of(index) / "targets" / f"{index}.png", photo)
    rows = [f"{i},thing {i},{i},{i},9,1" for i in range(19)]
    (folder / "my classes.csv").write_text("\n".join(["id,name,red,green,blue,evaluated", *rows]))


def save(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def applied(settings: dict) -> str:
    """Return the shipped params.yaml with the settings."""
    yaml = YAML(typ="safe")
    params = merge(yaml.load(SHIPPED), settings)
    path = Path("params.yaml")
    with path.open("w") as file:
        yaml.dump(params, file)
    return path.read_text()


@pytest.mark.parametrize(
    ("build", "said", "pairs", "modes"),
    [
        (
            side_by_side,
            ["side by side: left the drawing", "the colors of cityscapes", "10 train, 4 val"],
            14,
            "RGB RGB",
        ),
        (apart, ["'TRAIN' was read as train", "separate files", "ids of cityscapes"], 14, "L RGB"),
        (a_and_b, ["the colors of cityscapes", "64x64 px (14)"], 14, "RGB RGB"),
        (masks, ["0,background,0,0,0,1", "255,object,128,0,0,1"], 14, "L RGB"),
        (sequences, ["photos without drawings", "5 of names that begin alike, each kept in one split"], 14, "RGB RGB"),
        (grey_pairs, ["target_mode: grey"], 14, "RGB L"),
        (with_table, ["the ids of my classes.csv"], 14, "L RGB"),
    ],
)
def test_what_is_proposed_is_what_the_stages_read(tmp_path, monkeypatch, capsys, build, said, pairs, modes):
    monkeypatch.chdir(tmp_path)
    build(tmp_path / "source")
    before = {path: path.read_bytes() for path in (tmp_path / "source").rglob("*.*")}
    diagnosis = doctor.diagnose(tmp_path / "source", DOWNLOAD)
    text = diagnosis.as_text()
    for words in said:
        assert words in text
    assert {path: path.read_bytes() for path in (tmp_path / "source").rglob("*.*")} == before
    block = text.partition("put this into params.yaml:")[2].partition("and this beside the images")[0]
    assert YAML(typ="safe").load(block) == diagnosis.settings
    if diagnosis.class_table:
        (tmp_path / "source/classes.csv").write_text("\n".join(diagnosis.class_table))
    params = parse_params(applied(diagnosis.settings), "params.yaml")
    (tmp_path / "downloaded").mkdir()
    (tmp_path / "split").mkdir()
    download(params.download, tmp_path, tmp_path / "downloaded")
    assert split_pairs(tmp_path / "downloaded", tmp_path / "split", params.split) == (pairs, 0)
    manifest = read_manifest(tmp_path / "split")
    assert set(manifest["input_mode"] + " " + manifest["target_mode"]) == {modes}
    assert manifest["unknown_share"].fillna(0).max() == 0
    assert (manifest["height_px"] == SIDE).all()


def test_what_cannot_be_read_is_a_problem_with_the_way_out(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(Path(__file__).parents[1])
    for index, (photo, ids) in enumerate(SCENES):
        inputs = "inputs" if index < 10 else "labels"
        save(tmp_path / split_of(index) / inputs / f"{index}.png", CITYSCAPES.to_colors(ids))
        save(tmp_path / split_of(index) / "targets" / f"{index}.png", photo)
    diagnosis = doctor.diagnose(tmp_path, DOWNLOAD)
    assert diagnosis.problem == (
        f"{tmp_path}: val has no inputs (input_folder: inputs), but images in 'val/labels' (4) that are in neither "
        "inputs/ nor targets/. Give the folders the same names in every split, and name them in "
        "download.paired_folder.input_folder and target_folder"
    )
    assert not diagnosis.settings
    with pytest.raises(SystemExit, match="'val/labels' \\(4\\)"):
        main(["doctor", str(tmp_path)])
    assert re.search(r"^files +28 images, 0 other files$", capsys.readouterr().out, re.M)


def test_broken_files_litter_and_turned_photos_are_told(tmp_path):
    side_by_side(tmp_path)
    (tmp_path / "train/Thumbs.db").write_bytes(b"x")
    whole = (tmp_path / "train/3.png").read_bytes()
    (tmp_path / "train/3.png").write_bytes(whole[: len(whole) // 2])
    exif = Image.Exif()
    exif[0x0112] = 3
    Image.open(tmp_path / "train/4.png").transpose(Image.Transpose.ROTATE_180).save(tmp_path / "train/4.png", exif=exif)
    text = doctor.diagnose(tmp_path, DOWNLOAD).as_text()
    assert "15 files found: 14 in 14 pairs, 1 left out (1 x system file)" in text
    assert "1 cannot be read: train/3.png: not a readable image" in text
    assert "turned upright (1)" in text


def test_a_source_without_images_is_refused(tmp_path):
    (tmp_path / "a.txt").write_text("x")
    with pytest.raises(UserError, match=r"no images found, but 1 x no image \(.txt\)"):
        doctor.diagnose(tmp_path, DOWNLOAD)
    with pytest.raises(UserError, match="no such folder or archive"):
        doctor.diagnose(tmp_path / "gone", DOWNLOAD)


def test_limits_of_archives_hold_here_as_well():
    assert {*vars(DOWNLOAD.limits)} == {*vars(LIMITS)}
