"""The advice in a refusal of a target's mode leads to a mode that fits."""

import re

import numpy as np
import pytest
from PIL import Image, ImageCms

from pix2street.core.decoding import read_stored
from pix2street.core.pairs import TARGET_MODES
from pix2street.validation.modes import way_out_of

MODES = ("1", "L", "P", "RGB", "CMYK", "I;16", "I", "F", "YCbCr")
PIXELS = np.random.default_rng(0).integers(0, 256, (8, 8, 3)).astype(np.uint8)


def image_of(mode: str) -> Image.Image:
    numbers = {"I;16": np.uint16, "I": np.int32, "F": np.float32}
    if mode in numbers:
        return Image.fromarray(PIXELS[..., 0].astype(numbers[mode]) * 16)
    image = Image.fromarray(PIXELS)
    return image.convert(mode)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("mode", MODES)
def test_the_advice_on_each_mode_makes_a_file_of_a_mode_that_fits(mode, channels, tmp_path):
    # A second mode makes the set as a whole neither grey nor right.
    text = way_out_of({mode: 3, "HSV": 1}, channels)
    if mode in TARGET_MODES[channels]:
        assert f"{mode} (3)" not in text
        return
    line = text[text.index(f"{mode} (3): ") :]
    expression = re.search(r"`([^`]+)`", line).group(1)
    names = {"image": image_of(mode), "Image": Image, "ImageCms": ImageCms, "np": np, "LOW": 0, "HIGH": 16 * 255}
    if mode == "CMYK":  # no printer's profile is at hand
        expression = re.findall(r"`([^`]+)`", line)[1]
    converted = eval(expression, names)
    converted.save(tmp_path / "a.png")
    found = read_stored(tmp_path / "a.png", ids=False).mode
    assert found in TARGET_MODES[channels] or (channels == 3 and found == "L" and mode in ("I;16", "I", "F"))
    if mode in ("I;16", "I", "F"):
        assert (np.asarray(converted) == PIXELS[..., 0]).all()


def test_modes_that_fit_need_no_advice():
    assert way_out_of({"RGB": 5}, 3) == way_out_of({"L": 5, "1": 1, "RGB": 2}, 1) == way_out_of({}, 3) == ""


@pytest.mark.parametrize("counts", [{"L": 5}, {"L": 5, "1": 2}])
def test_a_set_of_grey_targets_is_shown_the_parameter(counts):
    text = way_out_of(counts, 3)
    assert text.startswith("all targets are grey")
    assert "set split.target_mode: grey in params.yaml" in text


def test_a_set_of_which_some_are_grey_is_shown_both_ways():
    text = way_out_of({"L": 1, "RGB": 9}, 3)
    assert "L (1): grey: save `image.convert('RGB')`" in text
    assert "set split.target_mode: grey in params.yaml if no target has colour to look at" in text


def test_deep_grey_is_reduced_by_the_user_and_then_trained_as_grey():
    text = way_out_of({"I;16": 4, "I;16B": 1}, 3)
    assert "choose one range of values for the whole set" in text
    assert "or save all as 8-bit grey and set split.target_mode: grey" in text
    assert "split.target_mode" not in way_out_of({"CMYK": 4}, 3)
