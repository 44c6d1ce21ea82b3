"""Trainings between domains: the generator knows their names, and is told one in use."""

import numpy as np
import pytest
import tensorflow as tf
from shipped import PARAMS, changed
from tiny_models import SMALL, TINY_TRAIN

from pix2street.core.errors import UserError
from pix2street.core.images import read_rgb, write_png
from pix2street.core.pairs import Dataset
from pix2street.inference.card import GeneratorCard
from pix2street.inference.translator import Translator
from pix2street.steps.generate import generate_photos
from pix2street.steps.generate_domains import generate_cycles, generate_domains
from pix2street.steps.split import split_pairs
from pix2street.steps.train import train_model

SIDE = 32


def split_of(folder, *domains):
    """Return a split of four images of train and two of val in each domain."""
    rng = np.random.default_rng(0)
    for number in range(6):
        for level, domain in enumerate(domains):
            path = folder / "images" / ("train" if number < 4 else "val") / domain / f"{domain}_{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            write_png(path, rng.integers(60 * level, 60 * level + 100, (SIDE, SIDE, 3)).astype(np.uint8))
    Dataset("domain_folders", "Hours", "hours", "own", "", "none", domains=domains).write(folder / "images")
    (folder / "split").mkdir()
    split_pairs(folder / "images", folder / "split", changed(PARAMS.split, height_px=SIDE, width_px=SIDE))
    return folder / "split"


def train(folder, split, model):
    for name in ("generator", "samples"):
        (folder / name).mkdir()
    data = {"encoding": "color", "style": "none"}
    return train_model(
        split,
        folder / "generator",
        folder / "samples",
        lambda *epoch: None,
        train=changed(TINY_TRAIN, model=model, run={"epochs": 1, "batch": 2}, data=data, **{model: SMALL[model]}),
        generate=PARAMS.generate,
        compute=PARAMS.compute,
        strategy=tf.distribute.get_strategy(),
    )


def photos_of_val(folder) -> dict[str, np.ndarray]:
    """Return what `generate` makes, by pair_id."""
    (folder / "photos").mkdir()
    generate_photos(folder / "split", folder / "generator", folder / "photos", folder / "baselines", PARAMS.generate)
    return {path.stem: read_rgb(path) for path in (folder / "photos/val").iterdir()}


def translated(folder, image, domain):
    """Return what the generator makes of a held-out image of this name, as `predict` does."""
    translator = Translator.read(folder / "generator", domain=domain)
    return translator.translate(read_rgb(folder / f"split/val/targets/{image}.png"), image)


def test_one_generator_translates_to_every_domain(tmp_path):
    history = train(tmp_path, split_of(tmp_path, "day", "dusk", "night"), "stargan")
    assert history["domain_sensitivity"].iloc[-1] > 0
    assert np.isfinite(history.to_numpy()).all()
    assert (tmp_path / "samples/epoch_0001.png").exists()
    card = GeneratorCard.read(tmp_path / "generator")
    assert (card.encoding.domains, card.encoding.domain) == (("day", "dusk", "night"), 1)
    assert card.conditions == {"domain": 3}
    image = np.random.default_rng(1).integers(0, 256, (SIDE, 20, 3)).astype(np.uint8)
    photos = {}
    for domain in (None, "day", "dusk", "night"):
        translator = Translator.read(tmp_path / "generator", domain=domain)
        (photos[domain],) = translator.translate_unrounded([image], ["one"])
    np.testing.assert_array_equal(photos[None], photos["dusk"])
    assert np.abs(photos["day"] - photos["night"]).max() > 1e-4
    made = photos_of_val(tmp_path)
    # The inputs are images of the first domain, and their photos are of the second.
    assert set(made) == {"day_4", "day_5"}
    (expected,) = Translator.read(tmp_path / "generator").translate_all(
        [read_rgb(tmp_path / "split/val/targets/day_4.png")], ["day_4"]
    )
    np.testing.assert_array_equal(made["day_4"], expected)
    (tmp_path / "domains").mkdir()
    generate_domains(tmp_path / "split", tmp_path / "generator", tmp_path / "domains", PARAMS.generate)
    assert {path.name for path in (tmp_path / "domains").iterdir()} == {"day", "dusk", "night"}
    # Images of the first domain are translated to the others, and those of the second to the first.
    for domain, inputs in {"day": "dusk", "dusk": "day", "night": "day"}.items():
        folder = tmp_path / "domains" / domain
        for name in ("generated", "baselines/unchanged", "baselines/color_transfer"):
            assert {path.stem for path in (folder / name / "val").iterdir()} == {f"{inputs}_4", f"{inputs}_5"}
        photo = read_rgb(folder / f"generated/val/{inputs}_4.png")
        np.testing.assert_array_equal(photo, translated(tmp_path, f"{inputs}_4", domain))
    np.testing.assert_array_equal(read_rgb(tmp_path / "domains/dusk/generated/val/day_4.png"), made["day_4"])
    (tmp_path / "cycled").mkdir()
    generate_cycles(*(tmp_path / name for name in ("split", "generator", "photos", "cycled")), PARAMS.generate)
    (expected,) = Translator.read(tmp_path / "generator", domain="day").translate_all([made["day_4"]], ["day_4"])
    np.testing.assert_array_equal(read_rgb(tmp_path / "cycled/val/day_4.png"), expected)
    inputs = card.inputs_in(tmp_path / "split", "val")
    assert [pair.target_path.stem.split("_")[0] for pair in inputs] == ["dusk", "dusk"]
    with pytest.raises(UserError, match="--domain: rain, but the generator has the domains day, dusk, night"):
        Translator.read(tmp_path / "generator", domain="rain")


@pytest.mark.parametrize("model", ["cyclegan", "cut"])
def test_two_folders_are_two_domains(tmp_path, model):
    history = train(tmp_path, split_of(tmp_path, "summer", "winter"), model)
    assert np.isfinite(history.to_numpy()).all()
    assert -1 <= history["light_kept"].iloc[-1] <= 1
    assert -1 <= history["edges_kept"].iloc[-1] <= 1
    assert "domain_sensitivity" not in history
    card = GeneratorCard.read(tmp_path / "generator")
    assert (card.encoding.domains, card.encoding.classes) == ((), None)
    assert (tmp_path / "generator/back").exists() == (model == "cyclegan")
    sheet = read_rgb(tmp_path / "samples/epoch_0001.png")
    assert sheet.shape[1] == (4 if model == "cyclegan" else 3) * 36 - 4
    made = photos_of_val(tmp_path)
    assert set(made) == {"summer_4", "summer_5"}
    for name in ("domains", "cycled"):
        (tmp_path / name).mkdir()
    generate_domains(tmp_path / "split", tmp_path / "generator", tmp_path / "domains", PARAMS.generate)
    assert list((tmp_path / "domains").iterdir()) == []
    generate_cycles(*(tmp_path / name for name in ("split", "generator", "photos", "cycled")), PARAMS.generate)
    if model == "cut":
        assert list((tmp_path / "cycled").iterdir()) == []
    if model == "cyclegan":
        (expected,) = Translator.read(tmp_path / "generator/back").translate_all([made["summer_4"]], ["summer_4"])
        np.testing.assert_array_equal(read_rgb(tmp_path / "cycled/val/summer_4.png"), expected)
        inputs = GeneratorCard.read(tmp_path / "generator/back").inputs_in(tmp_path / "split", "val")
        assert [pair.pair_id for pair in inputs] == ["winter_4", "winter_5"]
        assert all("summer" in pair.target_path.name for pair in inputs)
        # The sheet's rows are the two images of val: what the way back makes of the target is the last column.
        back = Translator.read(tmp_path / "generator/back", noise=None)
        for row, target in enumerate(["winter_4", "winter_5"]):
            (expected,) = back.translate_all([read_rgb(tmp_path / f"split/val/targets/{target}.png")], [target])
            shown = sheet[row * 36 : row * 36 + 32]
            np.testing.assert_array_equal(
                shown[:, 36 : 36 + 32], read_rgb(tmp_path / f"split/val/targets/{target}.png")
            )
            np.testing.assert_array_equal(shown[:, 3 * 36 :], expected)
