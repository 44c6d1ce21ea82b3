"""The findings of doctor on a source, compared with the files that the stages then read."""

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from project import merge
from ruamel.yaml import YAML
from shipped import changed
from sources import LIMITS, film

from pix2street.cli import main
from pix2street.core.class_tables import cityscapes_train_ids
from pix2street.core.classes import cityscapes_classes
from pix2street.core.errors import UserError
from pix2street.core.pairs import read_manifest
from pix2street.datasets import doctor
from pix2street.datasets.synthetic_streets.scene import draw_drive, draw_scene
from pix2street.params import parse_params
from pix2street.steps.download import download
from pix2street.steps.split import split_pairs

SIDE = 64
SHIPPED = (Path(__file__).parents[1] / "params.yaml").read_text(encoding="utf-8")
DOWNLOAD = parse_params(SHIPPED, "params.yaml").download
LONG = changed(DOWNLOAD.frames, frames_in=10)
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


def drives(folder: Path) -> None:
    for index in range(4):
        for number, frame in enumerate(draw_drive(0, index, SIDE, SIDE, 9)):
            save(folder / f"drive_{index}/{number}.png", frame)


def test_folders_of_frames_are_videos(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    drives(tmp_path / "source")
    diagnosis = doctor.diagnose(tmp_path / "source", DOWNLOAD)
    assert "videos: 3, of 9 to 9 frames; pairs: 3" in diagnosis.as_text()
    params = parse_params(applied(diagnosis.settings), "params.yaml")
    assert not params.train.data.jitter
    (tmp_path / "downloaded").mkdir()
    (tmp_path / "split").mkdir()
    download(params.download, tmp_path, tmp_path / "downloaded")
    assert split_pairs(tmp_path / "downloaded", tmp_path / "split", params.split) == (4, 0)


def test_films_are_videos(tmp_path):
    for name in "abc":
        (tmp_path / f"{name}.mp4").write_bytes(film(9))
    diagnosis = doctor.diagnose(tmp_path, DOWNLOAD)
    assert "videos: 2, of 9 to 9 frames; pairs: 2" in diagnosis.as_text()
    assert diagnosis.settings["download"] == {"dataset": "frames", "path": str(tmp_path)}
    diagnosis = doctor.diagnose(tmp_path, changed(DOWNLOAD, dataset="frames", frames=LONG))
    assert "the longest video, 'a', has 9" in diagnosis.problem


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


def hours(folder: Path, counts: dict[str, int]) -> None:
    for level, (domain, count) in enumerate(counts.items()):
        for index in range(count):
            save(
                folder / domain / f"{Path(domain).name}{index}.png",
                np.roll(SCENES[index % 14][0], 5 * index + level, axis=1),
            )


@pytest.mark.parametrize("dataset", ["paired_folder", "unpaired_folders", "domain_folders"])
def test_folders_without_pairs_are_described_as_domains(tmp_path, monkeypatch, dataset):
    monkeypatch.chdir(tmp_path)
    hours(tmp_path / "source", {"trainA": 12, "trainB": 10, "testA": 3, "testB": 2})
    own = DOWNLOAD.model_copy(
        update={
            "dataset": dataset,
            "unpaired_folders": DOWNLOAD.unpaired_folders.model_copy(
                update={"input_folder": "A", "target_folder": "B"}
            ),
        }
    )
    limits = parse_params(SHIPPED, "params.yaml").validate_
    diagnosis = doctor.diagnose(tmp_path / "source", own, limits)
    text = diagnosis.as_text()
    assert not diagnosis.problem, text
    for words in ("27 files found: 27 images, none left out", "12 train, 3 val", "10 train, 2 val", "64x64 px (15)"):
        assert words in text
    assert "refused" not in text
    params = parse_params(applied(diagnosis.settings), "params.yaml")
    assert params.download.dataset == (dataset if dataset == "unpaired_folders" else "domain_folders")
    (tmp_path / "downloaded").mkdir()
    (tmp_path / "split").mkdir()
    download(params.download, tmp_path, tmp_path / "downloaded")
    assert split_pairs(tmp_path / "downloaded", tmp_path / "split", params.split) == (27, 0)


def test_what_validate_would_refuse_of_domains_is_said_with_the_way_out(tmp_path):
    hours(tmp_path, {"train/day": 12, "train/night": 1, "val/day": 2, "val/night": 1})
    (tmp_path / "train/day/copy.png").write_bytes((tmp_path / "train/day/day0.png").read_bytes())
    own = DOWNLOAD.model_copy(update={"dataset": "domain_folders"})
    limits = parse_params(SHIPPED, "params.yaml").validate_
    text = doctor.diagnose(tmp_path, own, limits).as_text()
    assert "night has 1 images in train, validate.min_domain_train is 10; add images, leave the domain out, or" in text
    assert "night has 1 images in val, validate.min_domain_val is 2;" in text
    assert "day has 13 images in train and night 1, more than validate.max_domain_ratio: 10 times as many;" in text
    assert "1 images are there more than once: train/day/copy.png = train/day/day0.png" in text


def test_one_folder_is_no_domains_and_the_way_out_is_said(tmp_path):
    hours(tmp_path, {"train/day": 3, "val/day": 2})
    diagnosis = doctor.diagnose(tmp_path, DOWNLOAD.model_copy(update={"dataset": "domain_folders"}))
    assert "there is one domain, 'day'" in diagnosis.problem
    assert not diagnosis.settings


def test_a_source_without_images_is_refused(tmp_path):
    (tmp_path / "a.txt").write_text("x")
    with pytest.raises(UserError, match=r"no images found, but 1 x no image \(.txt\)"):
        doctor.diagnose(tmp_path, DOWNLOAD)
    with pytest.raises(UserError, match="no such folder or archive"):
        doctor.diagnose(tmp_path / "gone", DOWNLOAD)


def test_limits_of_archives_hold_here_as_well():
    assert {*vars(DOWNLOAD.limits)} == {*vars(LIMITS)}
