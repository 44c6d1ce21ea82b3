"""Accepted targets in colour and in grey, and the advice about all others."""

import json
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image
from shipped import PARAMS, changed

from pix2street.core.decoding import read_stored
from pix2street.core.errors import UserError
from pix2street.core.images import luma, read_photo
from pix2street.core.pairs import Dataset, read_manifest
from pix2street.datasets.synthetic_streets.scene import draw_scene
from pix2street.steps.split import split_pairs
from pix2street.steps.validate import refuse_failures, validate_split

SIDE = 32
PHOTO, IDS = draw_scene(0, 0, 64, 64)
PHOTO = PHOTO[::2, ::2]
GREY = luma(PHOTO)


def split_of(folder: Path, targets: dict[str, object], target_mode: str):
    """Split these targets, each with an input, and return the folder and its manifest by pair_id.

    Args:
        targets: an image, or a function that writes one to a path, by file name.
    """
    downloaded, split = folder / "downloaded", folder / f"split_{target_mode}"
    for name, target in targets.items():
        for side in ("inputs", "targets"):
            (downloaded / "train" / side).mkdir(parents=True, exist_ok=True)
        Image.fromarray(PHOTO).save(downloaded / "train/inputs" / f"{Path(name).stem}.png")
        path = downloaded / "train/targets" / name
        target(path) if callable(target) else target.save(path)
    Dataset("x", "X", "drawing to X-ray", "own", "", "file").write(downloaded)
    split.mkdir()
    split_pairs(downloaded, split, changed(PARAMS.split, height_px=SIDE, width_px=SIDE, target_mode=target_mode))
    return split, read_manifest(split).set_index("pair_id")


def refusal_of(split: Path) -> str:
    verdict, table = validate_split(split, (SIDE, SIDE), PARAMS.validate_)
    with pytest.raises(UserError) as error:
        refuse_failures(verdict, table)
    return str(error.value)


def with_alpha(pixels: np.ndarray) -> Image.Image:
    return Image.fromarray(np.stack([pixels, np.full_like(pixels, 255)], axis=2), "LA")


def test_grey_in_every_form_is_kept_in_one_channel_without_loss(tmp_path):
    bit = Image.fromarray(GREY > 100)
    forms = {
        "grey.png": Image.fromarray(GREY),
        "alpha.png": with_alpha(GREY),
        "rgb.png": Image.fromarray(np.repeat(GREY[..., None], 3, axis=2)),
        "tif.tif": Image.fromarray(GREY),
        "bit.png": bit,
    }
    split, manifest = split_of(tmp_path, forms, "grey")
    assert manifest["fault"].isna().all()
    assert set(manifest["target_channels"]) == {1}
    assert dict(manifest["target_mode"]) == {"grey": "L", "alpha": "L", "rgb": "RGB", "tif": "L", "bit": "1"}
    for pair_id, row in manifest.iterrows():
        expected = np.asarray(bit.convert("L")) if pair_id == "bit" else GREY
        kept = read_photo(split / row["target_path"])
        assert kept.shape == (SIDE, SIDE, 1)
        assert (kept[..., 0] == expected).all()
    assert len(set(manifest.drop("bit")["target_sha256"])) == 1
    assert json.loads((split / "dataset.json").read_text())["target_channels"] == 1


def test_colour_among_grey_targets_is_refused_by_name(tmp_path):
    slight = np.repeat(GREY[..., None], 3, axis=2)
    slight[3, 4, 1] ^= 2
    forms = {
        "grey.png": Image.fromarray(GREY),
        "colour.png": Image.fromarray(PHOTO),
        "dot.png": Image.fromarray(slight),
    }
    split, manifest = split_of(tmp_path, forms, "grey")
    assert manifest["fault"].notna().to_dict() == {"grey": False, "colour": True, "dot": True}
    assert manifest.loc["dot", "fault"].startswith(
        "train/targets/dot.png: has colour: the channels of 0.1% of its pixels"
    )
    assert "by up to 2 of 255;" in manifest.loc["dot", "fault"]
    assert "or set split.target_mode: rgb" in refusal_of(split)


def test_rgb_is_the_default_and_leaves_no_trace_in_the_set(tmp_path):
    split, manifest = split_of(tmp_path, {"a.png": Image.fromarray(PHOTO)}, "rgb")
    assert (read_photo(split / manifest.loc["a", "target_path"]) == PHOTO).all()
    assert set(manifest["target_channels"]) == {3}
    assert "target_channels" not in json.loads((split / "dataset.json").read_text())


def test_grey_targets_are_refused_as_rgb_with_the_parameter_that_takes_them(tmp_path):
    split, _ = split_of(tmp_path, {"a.png": Image.fromarray(GREY)}, "rgb")
    refusal = refusal_of(split)
    assert "target_mode: targets are stored in 8-bit colour: 1 of 1 fail" in refusal
    assert "all targets are grey (1 L): set split.target_mode: grey in params.yaml" in refusal


@pytest.mark.parametrize("target_mode", ["rgb", "grey"])
def test_what_is_neither_says_how_to_convert_it(tmp_path, target_mode):
    forms = {
        "deep.png": Image.fromarray(GREY.astype(np.uint16) * 16),
        "float.tif": Image.fromarray(GREY.astype(np.float32)),
        "ink.jpg": Image.fromarray(PHOTO).convert("CMYK"),
        "palette.png": Image.fromarray(PHOTO).convert("P"),
    }
    split, manifest = split_of(tmp_path, forms, target_mode)
    assert manifest["fault"].isna().all()
    refusal = refusal_of(split)
    for line in ("I;16 (1): 16-bit grey", "F (1): floating-point grey", "CMYK (1): inks", "P (1): a palette"):
        assert line in refusal


def tiff(pixels: np.ndarray, **settings):
    return lambda path: tifffile.imwrite(path, pixels, **settings)


BANDS = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 6)).astype(np.uint8)


@pytest.mark.parametrize("target_mode", ["rgb", "grey"])
def test_more_channels_than_a_picture_has_are_refused_with_their_number(tmp_path, target_mode):
    forms = {
        "four.tif": tiff(BANDS[..., :4], photometric="rgb", extrasamples=["unspecified"]),
        "deep.tif": tiff(BANDS[..., :5].astype(np.uint16), photometric="rgb"),
        "planes.tif": tiff(np.moveaxis(BANDS, 2, 0), photometric="minisblack", planarconfig="separate"),
        "big.tif": tiff(BANDS[..., :4], photometric="rgb", extrasamples=["unspecified"], bigtiff=True),
    }
    _, manifest = split_of(tmp_path, forms, target_mode)
    faults = manifest["fault"]
    assert faults["four"].startswith("train/targets/four.tif: has 4 channels, of which 3 would be shown")
    assert faults["deep"].startswith("train/targets/deep.tif: has 5 channels")
    assert faults["planes"].startswith("train/targets/planes.tif: has 6 channels, of which 1")
    assert faults["big"].startswith("train/targets/big.tif: has 4 channels")


@pytest.mark.parametrize("mode", ["RGBA", "LA", "CMYK", "1", "P", "RGB"])
def test_pictures_with_alpha_or_inks_have_no_channels_too_many(tmp_path, mode):
    Image.fromarray(PHOTO).convert(mode).save(tmp_path / "a.tif")
    assert read_stored(tmp_path / "a.tif", ids=False).pixels.shape == (SIDE, SIDE, 3)


def test_a_broken_tiff_is_left_to_what_decodes_it(tmp_path):
    Image.fromarray(PHOTO).save(tmp_path / "a.tif")
    whole = (tmp_path / "a.tif").read_bytes()
    offset = int.from_bytes(whole[4:8], "little")
    circle = whole[: offset + 2 + 12 * int.from_bytes(whole[offset : offset + 2], "little")] + whole[4:8]
    for content in (b"", whole[:3], whole[:8], whole[: offset + 5], whole[:4] + b"\xff" * 8, circle):
        (tmp_path / "b.tif").write_bytes(content)
        with pytest.raises(UserError, match=r"b.tif: not a readable image"):
            read_stored(tmp_path / "b.tif", ids=False)


def test_no_tiff_however_damaged_ends_in_anything_but_a_refusal(tmp_path):
    rng, path = np.random.default_rng(0), tmp_path / "a.tif"
    tiff(BANDS[..., :4], photometric="rgb", extrasamples=["unspecified"])(path)
    whole, refused = path.read_bytes(), 0
    for _ in range(400):
        damaged = bytearray(whole[: rng.integers(300, len(whole)) if rng.random() < 0.2 else None])
        for place in rng.integers(8, 300, rng.integers(1, 8)):
            damaged[place] = rng.choice([0, 1, 127, 255])
        path.write_bytes(damaged)
        try:
            read_stored(path, ids=False)
        except UserError:
            refused += 1
    assert refused > 50
