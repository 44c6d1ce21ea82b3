"""The same drawn street in several hours: one drawing, and photos that differ in light and weather alone."""

import hashlib
import typing

import numpy as np
import pytest
from shipped import PARAMS, changed

from pix2street.core.domains import read_images, translations
from pix2street.core.pairs import Dataset, read_manifest, read_pairs
from pix2street.datasets import synthetic_streets
from pix2street.datasets.synthetic_streets.hours import HOURS
from pix2street.datasets.synthetic_streets.scene import draw_hours, draw_scene
from pix2street.datasets.synthetic_streets.world import ROAD, SKY
from pix2street.settings.download import SyntheticStreets
from pix2street.steps.split import split_pairs
from pix2street.steps.validate import validate_split

SIDE = 128
PINNED = "eb447d0921a85fcbb02d716e841c89576e7a117d76075d3f98b4e61007a1c9f1"
SHIPPED = PARAMS.download.synthetic_streets


@pytest.fixture(scope="module")
def scenes():
    """Return six scenes in all hours."""
    return [draw_hours(0, index, SIDE, SIDE, list(HOURS)) for index in range(6)]


def mean_of(scenes, hour: str, where=lambda labels: labels >= 0) -> float:
    number = list(HOURS).index(hour)
    return float(np.mean([photos[number][where(labels)].mean() for photos, labels in scenes]))


def test_all_hours_can_be_chosen():
    (choice,) = typing.get_args(SyntheticStreets.model_fields["domains"].annotation)
    assert typing.get_args(choice) == tuple(HOURS)
    assert SHIPPED.domains == []


@pytest.mark.parametrize("domains", [["day"], ["day", "day"]])
def test_one_hour_is_no_choice(domains):
    with pytest.raises(ValueError, match=r"two or more, or be \[\]|a name of its own"):
        changed(SHIPPED, domains=domains)


def test_the_bytes_stay_what_they_are():
    drawn = hashlib.sha256()
    for index in range(4):
        photos, labels = draw_hours(0, index, 64, 96, list(HOURS))
        for image in (*photos, labels):
            drawn.update(image.tobytes())
    assert drawn.hexdigest() == PINNED


def test_a_scene_has_the_labels_that_it_has_without_hours(scenes):
    for index, (photos, labels) in enumerate(scenes):
        assert (labels == draw_scene(0, index, SIDE, SIDE)[1]).all()
        assert {photo.shape for photo in photos} == {(SIDE, SIDE, 3)}
        assert {photo.dtype for photo in photos} == {np.dtype(np.uint8)}


def test_the_photo_of_an_hour_does_not_depend_on_the_other_hours(scenes):
    (night, day), _ = draw_hours(0, 2, SIDE, SIDE, ["night", "day"])
    names = list(HOURS)
    assert (night == scenes[2][0][names.index("night")]).all()
    assert (day == scenes[2][0][names.index("day")]).all()


def test_hours_differ_as_their_names_say(scenes):
    means = {hour: mean_of(scenes, hour) for hour in HOURS}
    assert min(means, key=means.get) == "night"
    assert max(means, key=means.get) == "haze"
    assert 25 < means["night"] < means["dusk"] < means["golden"] < means["day"]
    photos = {hour: np.stack([scene[0][number] for scene in scenes]) for number, hour in enumerate(HOURS)}
    reds = {hour: float(photo[..., 0].mean() - photo[..., 2].mean()) for hour, photo in photos.items()}
    assert reds["golden"] > reds["day"] + 15
    assert reds["night"] < reds["golden"]
    # Haze takes contrast, and a wet road mirrors what is above it.
    assert photos["haze"].std() < 0.9 * photos["day"].std()
    roads = [
        np.mean([photo[labels == ROAD].std() for photo, labels in zip(photos[hour], labels_of(scenes), strict=True)])
        for hour in ("rain", "overcast")
    ]
    assert roads[0] > 1.03 * roads[1]


def labels_of(scenes) -> list[np.ndarray]:
    return [labels for _, labels in scenes]


def test_at_night_lamps_and_some_windows_shine_and_the_sky_does_not(scenes):
    number = list(HOURS).index("night")
    assert mean_of(scenes, "night", lambda labels: labels == SKY) < 0.4 * mean_of(
        scenes, "dusk", lambda labels: labels == SKY
    )
    assert all((photos[number].max(axis=-1) > 170).mean() > 0.002 for photos, _ in scenes)


@pytest.fixture(scope="module")
def hours_set(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hours")
    settings = changed(
        SHIPPED, height_px=64, width_px=64, train_pairs=10, val_pairs=2, domains=["night", "day", "haze"]
    )
    dataset = synthetic_streets.fetch(folder, settings)
    dataset.write(folder)
    split = tmp_path_factory.mktemp("split")
    assert split_pairs(folder, split, changed(PARAMS.split, height_px=64, width_px=64)) == (36, 0)
    return folder, split


def test_every_scene_is_drawn_in_every_hour_and_the_manifest_says_which(hours_set):
    folder, split = hours_set
    dataset = Dataset.read(folder)
    assert (dataset.domains, dataset.scenes) == (("night", "day", "haze"), True)
    assert dataset.direction == "between night, day, haze"
    assert len(list(folder.glob("train/night/night_street_*.png"))) == 10
    manifest = read_manifest(split).set_index("pair_id")
    row = manifest.loc["night_street_0000003"]
    assert (row["domain"], row["scene"], row["group"], row["split"]) == (
        "night", "street_0000003", "street_0000003", "train",
    )  # fmt: skip
    assert (manifest.groupby("scene")["domain"].nunique() == 3).all()
    assert (manifest.groupby("scene")["input_sha256"].nunique() == 1).all()
    assert manifest["target_sha256"].is_unique


def test_the_set_has_pairs_for_judges_and_scenes_for_translations(hours_set):
    _, split = hours_set
    assert len(read_pairs(split, "train")) == 30
    shown = translations(read_images(split, "val"), "night", "day")
    assert [(pair.input_path.name, pair.target_path.name) for pair in shown] == [
        (f"night_street_{index}.png", f"day_street_{index}.png") for index in (1000000, 1000001)
    ]


def test_a_set_of_hours_passes_validation_and_says_what_is_not_checked(hours_set):
    _, split = hours_set
    limits = changed(PARAMS.validate_, max_class_distance=0.5)
    verdict, _ = validate_split(split, (64, 64), limits)
    assert [check["key"] for check in verdict["checks"] if not check["success"]] == []
    assert verdict["not_checked"] == [
        {
            "checks": ["fit", "outlier", "shifted"],
            "reason": "the photos of all domains fit the same input",
        }
    ]
    assert verdict["domains"]["train"] == {"night": 10, "day": 10, "haze": 10}
    assert {"class_ids", "colors", "domain_train", "near_domain"} <= {check["key"] for check in verdict["checks"]}


def test_without_hours_a_set_is_what_it_was(tmp_path):
    settings = changed(SHIPPED, height_px=64, width_px=64, train_pairs=1, val_pairs=1)
    synthetic_streets.fetch(tmp_path, settings).write(tmp_path)
    assert sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.png")) == [
        "train/street_0000000.png", "val/street_1000000.png",
    ]  # fmt: skip
    assert "domains" not in (tmp_path / "dataset.json").read_text()
