"""A set with domains is split and checked: what holds for images without pairs, and what is said not to be checked."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from shipped import PARAMS, changed

from pix2street.core.domains import read_images
from pix2street.core.errors import UserError
from pix2street.core.images import jpeg_bytes, read_rgb
from pix2street.core.pairs import Dataset, read_manifest
from pix2street.datasets.synthetic_streets.scene import draw_scene
from pix2street.reporting.validation import render_validation
from pix2street.steps.split import split_pairs
from pix2street.steps.validate import refuse_failures, validate_split

SIDE = 64
SIZE = SIDE, SIDE
LIMITS = changed(PARAMS.validate_, min_train_pairs=4, min_domain_train=4)
DATASET = Dataset("unpaired_folders", "Mine", "A to B", "own", "", "none", domains=("A", "B"))


def photo(number: int, height: int = SIDE, width: int = SIDE) -> Image.Image:
    return Image.fromarray(draw_scene(0, number, height, width)[0])


@pytest.fixture
def images(tmp_path) -> Path:
    """Return a folder as `download` leaves it: six images of train and two of val in each of two domains."""
    folder = tmp_path / "images"
    for number in range(16):
        split, domain = ("train" if number < 12 else "val"), "AB"[number % 2]
        path = folder / split / domain / f"{domain}_{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        # A domain may have images of any size and of both colours and greys.
        photo(number, SIDE * (1 + number % 4), SIDE * (1 + number % 4)).convert("L" if number == 2 else "RGB").save(
            path
        )
    return folder


def split_of(images: Path, dataset: Dataset = DATASET, **changes) -> Path:
    dataset.write(images)
    split = images.with_name("split")
    split.mkdir()
    split_pairs(images, split, changed(PARAMS.split, height_px=SIDE, width_px=SIDE, **changes))
    return split


def failed(verdict: dict) -> dict[str, list[str]]:
    return {check["key"]: check["offending"] for check in verdict["checks"] if not check["success"]}


def verdict_of(images: Path, dataset: Dataset = DATASET, **changes):
    return validate_split(split_of(images, dataset), SIZE, changed(LIMITS, **changes))


def test_a_row_is_an_image_with_its_domain(images):
    split = split_of(images)
    manifest = read_manifest(split).set_index("pair_id")
    assert dict(manifest["domain"].value_counts()) == {"A": 8, "B": 8}
    assert manifest["scene"].isna().all()
    assert manifest["input_path"].isna().all()
    assert manifest.loc["B_1", "target_path"] == "train/targets/B_1.png"
    assert (manifest["group"] == manifest.index).all()
    assert not (split / "train/inputs").exists()
    assert Dataset.read(split) == DATASET
    assert {read_rgb(image.path).shape for image in read_images(split, "val")} == {(SIDE, SIDE, 3)}


def test_a_set_without_domains_says_nothing_of_them(images, tmp_path):
    Dataset("colorization", "Mine", "grey to colour", "own", "", "grey").write(tmp_path)
    assert not {"domains", "scenes"} & json.loads((tmp_path / "dataset.json").read_text()).keys()


def test_sound_images_pass_and_the_page_says_what_was_not_checked(images):
    split = split_of(images)
    verdict, table = validate_split(split, SIZE, LIMITS)
    assert failed(verdict) == {}
    assert verdict["success"]
    assert verdict["domains"] == {"train": {"A": 6, "B": 6}, "val": {"A": 2, "B": 2}}
    keys = {check["key"] for check in verdict["checks"]}
    not_checked = {key for entry in verdict["not_checked"] for key in entry["checks"]}
    assert not_checked == {
        "input_channels", "input_mode", "input_uniform", "equal_sizes", "size", "fit", "outlier", "shifted"
    }  # fmt: skip
    assert not keys & not_checked
    assert {"readable", "dark", "sharp", "information", "unique_pair", "leak", "near_duplicate", "aspect"} < keys
    page = render_validation(split, verdict, table)
    assert "Not checked</strong>, since images stand alone, and no input belongs to a target: input_channels" in page
    assert "Domains: train" in page
    assert 'alt="input of' not in page
    refuse_failures(verdict, table)


def test_an_unreadable_file_is_a_fault(images):
    (images / "train/A/A_0.png").write_bytes(b"\x89PNG\r\n\x1a\n, but no more")
    verdict, table = verdict_of(images)
    assert failed(verdict) == {"readable": ["A_0"]}
    assert verdict["domains"]["train"] == {"A": 5, "B": 6}
    assert table.set_index("pair_id").loc["A_0", "fault"].startswith("train/A/A_0.png: not a readable image")


def test_a_file_in_the_folder_of_no_domain_is_a_fault(images):
    (images / "train/C").mkdir()
    photo(40).save(images / "train/C/C_1.png")
    photo(41).save(images / "train/loose.png")
    assert failed(verdict_of(images)[0]) == {"readable": ["C_1", "loose"]}


def test_a_domain_with_too_few_images_is_refused(images):
    for number in (2, 4, 6):
        (images / f"train/A/A_{number}.png").unlink()
    (images / "val/B/B_13.png").unlink()
    verdict, table = verdict_of(images, max_domain_ratio=1.9)
    assert failed(verdict) == {"domain_train": [], "domain_val": [], "domain_balance": []}
    with pytest.raises(UserError) as error:
        refuse_failures(verdict, table)
    message = str(error.value)
    assert "domain_train: train has images of every domain, at least 4: it is 3" in message
    assert "Add images, or leave the domain out: train has A 3, B 6" in message
    assert "domain_balance: no domain has many times the images of another, at most 1.9: it is 2" in message


def test_the_same_image_in_two_domains_is_found(images):
    photo(0).save(images / "train/A/A_0.png")
    photo(0).save(images / "train/B/B_1.png")
    assert failed(verdict_of(images)[0]) == {
        name: ["A_0", "B_1"] for name in ("unique_pair", "domains_apart", "near_domain")
    }


def test_nearly_the_same_image_in_two_domains_is_found_but_not_that_of_a_scene(images):
    (images / "train/B/B_1.png").unlink()
    (images / "train/B/B_0.png").write_bytes(jpeg_bytes(np.asarray(photo(0))))
    photo(0).save(images / "train/A/A_0.png")
    split = split_of(images)
    verdict, table = validate_split(split, SIZE, LIMITS)
    assert failed(verdict) == {"near_domain": ["A_0", "B_0"]}
    assert dict(table.set_index("pair_id")["domain_near"][["A_0", "B_0"]]) == {"A_0": "B_0", "B_0": "A_0"}
    assert "from B_0" in render_validation(split, verdict, table)
    scenes = Dataset("domain_folders", "Mine", "A to B", "own", "", "none", domains=("A", "B"), scenes=True)
    split.rename(split.with_name("before"))
    verdict, table = verdict_of(images, scenes)
    assert failed(verdict) == {}
    assert table.set_index("pair_id").loc[["A_0", "B_0"], ["scene", "group"]].to_numpy().tolist() == [["0", "0"]] * 2


def test_duplicates_in_a_domain_and_across_subsets_are_found(images):
    photo(12).save(images / "train/A/A_0.png")
    photo(12).save(images / "val/A/A_12.png")
    photo(3).save(images / "train/B/B_1.png")
    photo(3).save(images / "train/B/B_3.png")
    found = failed(verdict_of(images)[0])
    assert found == {
        "unique_pair": ["A_0", "A_12", "B_1", "B_3"], "leak": ["A_0", "A_12"], "near_duplicate": ["A_0", "A_12"]
    }  # fmt: skip


def test_dark_blurred_and_oddly_shaped_images_are_found(images):
    Image.fromarray(np.asarray(photo(0)) // 16).save(images / "train/A/A_0.png")
    photo(3, SIDE, 3 * SIDE).save(images / "train/B/B_3.png")
    small = photo(5).resize((6, 6)).resize((SIDE, SIDE), Image.Resampling.BICUBIC)
    small.save(images / "train/B/B_5.png")
    found = failed(verdict_of(images)[0])
    assert found.pop("sharp") == ["B_5"]
    assert found.pop("aspect") == ["B_3"]
    assert found.pop("dark") == ["A_0"]


def test_a_mode_of_16_bits_is_refused(images):
    Image.fromarray(np.asarray(photo(0).convert("L")).astype(np.uint16) * 256).save(images / "train/A/A_0.png")
    assert "target_mode" in failed(verdict_of(images)[0])


def test_a_set_without_a_readable_image_says_so(images):
    for path in images.rglob("*.png"):
        path.write_bytes(b"\x89PNG")
    verdict, table = verdict_of(images)
    with pytest.raises(UserError, match="no image could be read of 16 files"):
        refuse_failures(verdict, table)


def test_a_set_with_domains_has_no_grey_targets(images):
    with pytest.raises(
        UserError,
        match="target_mode: grey needs a set whose inputs and targets are two kinds of image, without domains",
    ):
        split_of(images, target_mode="grey")


def test_a_pattern_groups_images_by_their_names_without_the_domain(images):
    dataset = Dataset("domain_folders", "Mine", "", "own", "", "none", r"^(\d)", domains=("A", "B"))
    groups = read_manifest(split_of(images, dataset)).set_index("pair_id")["group"]
    assert dict(groups[["A_12", "B_1", "B_11"]]) == {"A_12": "1", "B_1": "1", "B_11": "1"}
