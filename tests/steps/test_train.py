import json

import numpy as np
import pytest
import tensorflow as tf
from shipped import PARAMS, changed
from tiny_models import SMALL, TINY_TRAIN

from pix2street.core.codes import CodeBank, read_codes
from pix2street.core.errors import UserError
from pix2street.core.images import read_rgb
from pix2street.core.pairs import read_pairs
from pix2street.core.palettes import PaletteBank
from pix2street.core.scales import Scale
from pix2street.inference.card import GeneratorCard
from pix2street.inference.translator import Translator
from pix2street.layers.networks import load_network, load_untrained
from pix2street.models import pix2pix
from pix2street.models.pix2pix import TERMS
from pix2street.steps.generate import generate_photos
from pix2street.steps.train import train_model
from pix2street.training.batches import InputEncoding
from pix2street.training.holdout import hold_out

RATES = ("generator_rate", "discriminator_rate")
COMPUTE = changed(PARAMS.compute, inter_op_threads=3)


def train(split, folder, section=TINY_TRAIN, generate=PARAMS.generate, **changes):
    """Train with changes to `section`, a mapping a group, and return the history and the calls of `on_epoch`."""
    seen = []
    for name in ("generator", "samples"):
        (folder / name).mkdir(parents=True)
    history = train_model(
        split,
        folder / "generator",
        folder / "samples",
        lambda *epoch: seen.append(epoch),
        train=changed(section, **changes),
        generate=generate,
        compute=COMPUTE,
        strategy=tf.distribute.get_strategy(),
    )
    return history, seen


@pytest.fixture(scope="module")
def trained(road_and_sky, tmp_path_factory):
    """Return the folder of a training of three epochs, its history and the calls of `on_epoch`."""
    folder = tmp_path_factory.mktemp("trained")
    return folder, *train(road_and_sky, folder)


def test_history_samples_and_callbacks(trained):
    _, history, seen = trained
    measures = ["diversity", "sensitivity", "saturated_share", "checkerboard"]
    assert list(history.columns) == ["epoch", "learning_rate", *(term.name for term in TERMS), *measures]
    assert history["epoch"].tolist() == [1, 2, 3]
    assert history["gen_l1"].iloc[-1] < history["gen_l1"].iloc[0]
    assert [(epoch, sheet and sheet.name) for epoch, _, sheet in seen] == [
        (1, None), (2, "epoch_0002.png"), (3, "epoch_0003.png"),
    ]  # fmt: skip
    assert seen[1][1] == history.iloc[1].drop("epoch").to_dict()


def test_the_last_contact_sheet_shows_what_generate_makes(road_and_sky, trained, tmp_path):
    folder, *_ = trained
    (tmp_path / "photos").mkdir()
    folders = tmp_path / "photos", tmp_path / "baselines"
    generate_photos(road_and_sky, folder / "generator", *folders, changed(PARAMS.generate, seed=0))
    sheet = read_rgb(folder / "samples/epoch_0003.png")
    for row, pair_id in enumerate(("p4", "p5")):
        shown = sheet[row * 36 : row * 36 + 32, 2 * 36 : 2 * 36 + 32]
        assert (shown == read_rgb(tmp_path / f"photos/val/{pair_id}.png")).all()


def test_onehot_inputs(road_and_sky, tmp_path, monkeypatch):
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "avx2")
    history, _ = train(road_and_sky, tmp_path, data={"encoding": "onehot"}, run={"epochs": 1})
    assert np.isfinite(history.to_numpy()).all()
    network = load_network(tmp_path / "generator", "generator")
    assert network.input_shape == (None, 32, 32, 34)
    card = GeneratorCard.read(tmp_path / "generator")
    assert card.encoding == InputEncoding("onehot", card.encoding.classes)
    assert (card.intra_op_threads, card.inter_op_threads) == (1, 3)
    assert card.kernels == "AVX2"
    assert (card.family, card.multiple_px, card.scale, card.noise) == ("pix2pix", 32, Scale(), "dropout")


STYLED = {"data": {"encoding": "onehot", "style": "palette", "holdout_pairs": 1}, "run": {"epochs": 1}}


@pytest.fixture(scope="module")
def styled(road_and_sky, tmp_path_factory):
    """Return the folders of two equal trainings with palettes, with one of the pairs kept apart."""
    folders = [tmp_path_factory.mktemp(name) for name in ("one", "again")]
    for folder in folders:
        history, _ = train(road_and_sky, folder, **STYLED)
        assert np.isfinite(history.to_numpy()).all()
    return folders


def test_palettes_are_further_channels_and_their_bank_lies_beside_the_generator(road_and_sky, styled):
    one, again = (folder / "generator" for folder in styled)
    assert {file.name for file in one.iterdir()} - {"palettes.npz"} == {
        "card.json", "generator.json", "generator.weights.h5",
    }  # fmt: skip
    assert all(file.read_bytes() == (again / file.name).read_bytes() for file in one.iterdir())
    assert load_network(one, "generator").input_shape == (None, 32, 32, 37)
    card, bank = GeneratorCard.read(one), PaletteBank.read(one)
    assert card.encoding.style == "palette"
    # Held-out pairs lend no colours.
    assert len(bank.counts) == len(read_pairs(road_and_sky, "train")) - 1
    assert bank.class_ids[:2].tolist() == [23, 7]
    np.testing.assert_allclose(bank.colors[:2], [[200] * 3, [10] * 3], atol=1)


def test_the_contact_sheet_shows_the_palettes_that_generate_draws(road_and_sky, styled, tmp_path):
    folder = styled[0]
    (tmp_path / "photos").mkdir()
    generate_photos(road_and_sky, folder / "generator", tmp_path / "photos", tmp_path / "baselines", PARAMS.generate)
    sheet = read_rgb(folder / "samples/epoch_0001.png")
    for row, pair_id in enumerate(("p4", "p5")):
        shown = sheet[row * 36 : row * 36 + 32, 2 * 36 : 2 * 36 + 32]
        assert (shown == read_rgb(tmp_path / f"photos/val/{pair_id}.png")).all()


def test_codes_are_further_channels_and_those_of_pairs_that_are_kept_apart_are_not_in_the_bank(road_and_sky, tmp_path):
    history, _ = train(road_and_sky, tmp_path, data={"style": "code", "holdout_pairs": 1}, run={"epochs": 1})
    assert np.isfinite(history.to_numpy()).all()
    generator = tmp_path / "generator"
    assert {file.name for file in generator.iterdir()} == {
        "card.json", "codes.npz", "generator.json", "generator.weights.h5",
    }  # fmt: skip
    assert load_network(generator, "generator").input_shape == (None, 32, 32, 11)
    assert GeneratorCard.read(generator).encoding.style == "code"
    kept, _ = hold_out(road_and_sky, 1, PARAMS.train.run.seed)
    expected = read_codes(kept, GeneratorCard.read(generator).encoding.classes)
    np.testing.assert_array_equal(CodeBank.read(generator).codes, expected.codes)
    expected.write(tmp_path)
    assert (generator / "codes.npz").read_bytes() == (tmp_path / "codes.npz").read_bytes()


BOTH_WAYS = {"model": "cyclegan", "cyclegan": {**SMALL["cyclegan"], "generator_rate": 0.01}}


# test_train_domains.py has the last way back.
@pytest.mark.parametrize("keep", [pytest.param("last", marks=pytest.mark.nightly), "best"])
def test_the_way_back_is_saved_beside_the_generator(road_and_sky, tmp_path, keep):
    data = {"holdout_pairs": 1, "encoding": "color", "style": "none"}
    history, _ = train(road_and_sky, tmp_path, **BOTH_WAYS, data=data, run={"keep": keep, "ema_decay": 0.5})
    assert np.isfinite(history.to_numpy()).all()
    forth, back = tmp_path / "generator", tmp_path / "generator/back"
    assert {file.name for file in back.iterdir()} == {"card.json", "generator.json", "generator.weights.h5"}
    cards = GeneratorCard.read(forth), GeneratorCard.read(back)
    assert [card.way for card in cards] == ["forth", "back"]
    assert [bool(card.encoding.classes) for card in cards] == [True, False]
    assert [card.input_from for card in cards] == ["right", "file"]
    photo = read_rgb(read_pairs(road_and_sky, "val")[0].target_path)
    drawing = Translator.read(back).translate(photo, "p4")
    assert drawing.shape == photo.shape
    untrained = load_untrained(back, "generator").get_weights()
    assert all((a != b).any() for a, b in zip(load_network(back, "generator").get_weights(), untrained, strict=True))
    weights = [load_network(folder, "generator").get_weights() for folder in (forth, back)]
    assert any((a != b).any() for a, b in zip(*weights, strict=True))


def test_a_generator_of_one_way_says_nothing_of_ways(trained):
    folder, *_ = trained
    assert "way" not in json.loads((folder / "generator/card.json").read_text())
    assert not (folder / "generator/back").exists()


@pytest.mark.parametrize("style", ["palette", "code"])
def test_unpaired_images_have_no_styles(road_and_sky, tmp_path, monkeypatch, style):
    monkeypatch.setattr(pix2pix, "PAIRING", "unpaired")
    with pytest.raises(UserError, match=rf"style: {style} needs pairs, .* train.model: pix2pix learns from unpaired"):
        train(road_and_sky, tmp_path, data={"style": style}, run={"epochs": 1})


CHANGES = {
    "run.seed": 1,
    "run.batch": 2,
    "run.schedule": "linear",
    "run.ema_decay": 0.5,
    "data.encoding": "onehot",
    "data.style": "palette",
    "data.pairing": "apart",
    "data.jitter": False,
    "data.mirror": False,
    "data.holdout_pairs": 1,
    "device.precision": "mixed_bfloat16",
    "pix2pix.generator_filters": 5,
    "pix2pix.discriminator_filters": 5,
    "pix2pix.norm": "instance",
    "pix2pix.upsample": "resize",
    "pix2pix.dropout_share": 0.1,
    "pix2pix.generator_rate": 1e-3,
    "pix2pix.discriminator_rate": 1e-3,
    "pix2pix.beta_1": 0.9,
    "pix2pix.beta_2": 0.9,
    "pix2pix.l1_weight": 10.0,
    "pix2pix.l1_weight_end": 10.0,
    "pix2pix.feature_weight": 10.0,
    "pix2pix.disc_loss_weight": 0.5,
    "pix2pix.warm_up": 0.5,
    "pix2pix.product_side_px": 0,
}
"""Another value for every setting on which the weights depend."""
WITHOUT_INFLUENCE = {
    "run.epochs", "run.keep", "run.sample_every_epochs", "run.sample_pairs", "run.checkpoint_every_steps",
    "run.max_checkpoint_gib", "device.device", "device.strategy", "device.deterministic", "device.jit_compile",
    "device.steps_per_call", "device.cache_mib", "pix2pix.scales",
}  # fmt: skip
"""Settings that change no weight, or none on one CPU; `run.epochs`, `run.keep` and `pix2pix.scales`, for which these
images are too small, have other tests."""
LATE = {"run.schedule", "data.mirror", "pix2pix.l1_weight_end", "pix2pix.warm_up"}
"""Settings that may change nothing before the second epoch."""
DECIDING = changed(
    TINY_TRAIN,
    run={"epochs": 1},
    data={"encoding": "color", "style": "none", "jitter": True, "holdout_pairs": 2},
)


def weights_after(split, folder, eagerly=True, **changes) -> list[np.ndarray]:
    """Return the generator's weights; a few epochs of two steps take less time `eagerly` than the tracing of a step."""
    tf.config.run_functions_eagerly(eagerly)
    try:
        train(split, folder, DECIDING, **changes)
    finally:
        tf.config.run_functions_eagerly(False)
    return load_network(folder / "generator", "generator").get_weights()


@pytest.fixture(scope="module")
def weights(road_and_sky, tmp_path_factory):
    """Return the weights after one epoch and after two."""
    return {
        epochs: weights_after(road_and_sky, tmp_path_factory.mktemp("weights"), run={"epochs": epochs})
        for epochs in (1, 2)
    }


def test_every_setting_is_tried():
    names = {
        f"{group}.{key}"
        for group in ("run", "data", "device", "pix2pix")
        for key in getattr(DECIDING, group).model_dump()
    }
    assert CHANGES.keys() | WITHOUT_INFLUENCE == names
    assert not CHANGES.keys() & WITHOUT_INFLUENCE


@pytest.mark.filterwarnings("ignore:Even though the `tf.config.experimental_run_functions_eagerly`")
@pytest.mark.parametrize("setting", CHANGES)
def test_each_setting_changes_the_weights(road_and_sky, weights, tmp_path, setting):
    (group, key), epochs = setting.split("."), 2 if setting in LATE else 1
    changes = {"run": {"epochs": epochs}}
    changes[group] = {**changes.get(group, {}), key: CHANGES[setting]}
    others = weights_after(road_and_sky, tmp_path, **changes)
    assert any(a.shape != b.shape or (a != b).any() for a, b in zip(weights[epochs], others, strict=False))


def test_what_only_makes_it_faster_changes_no_weight(road_and_sky, tmp_path):
    run = {"epochs": 2, "checkpoint_every_steps": 0}
    weights, others = (
        weights_after(road_and_sky, tmp_path / name, eagerly=False, device=change, run=run)
        for name, change in {"as it is": {}, "several steps, from disk": {"steps_per_call": 3, "cache_mib": 0}}.items()
    )
    assert all((a == b).all() for a, b in zip(weights, others, strict=True))


SLOW = {"run": {"epochs": 16}, "pix2pix": dict.fromkeys(RATES, 5e-4)}


@pytest.fixture(scope="module")
def exact(road_and_sky, tmp_path_factory):
    """Return the history of a slow training in float32."""
    return train(road_and_sky, tmp_path_factory.mktemp("exact"), **SLOW)[0]


@pytest.mark.parametrize("precision", [pytest.param("mixed_bfloat16", marks=pytest.mark.nightly), "mixed_float16"])
def test_mixed_precision_is_finite_near_float32_and_saved_as_float32(road_and_sky, exact, tmp_path, precision):
    mixed, _ = train(road_and_sky, tmp_path / "mixed", **SLOW, device={"precision": precision})
    assert np.isfinite(mixed.to_numpy()).all()
    assert mixed["gen_l1"].tail(4).mean() == pytest.approx(exact["gen_l1"].tail(4).mean(), rel=0.05)
    assert (mixed["gen_l1"] != exact["gen_l1"]).all()
    assert is_float32(tmp_path / "mixed")


def is_float32(folder) -> bool:
    """Return whether the saved generator computes in float32."""
    network = load_network(folder / "generator", "generator")
    return {layer.compute_dtype for layer in network.layers} == {"float32"}


def test_all_that_is_chosen_for_a_gpu_trains_together_as_without_it(road_and_sky, tmp_path):
    same = {"run": {"epochs": 2, "batch": 2}, "pix2pix": dict.fromkeys(RATES, 5e-4)}
    chosen = {"jit_compile": True, "precision": "mixed_bfloat16", "cache_mib": 64, "steps_per_call": 2}
    without = {"jit_compile": False, "cache_mib": 0, "steps_per_call": 1}
    together, _ = train(road_and_sky, tmp_path / "together", **same, device=chosen)
    apart, _ = train(road_and_sky, tmp_path / "apart", **same, device=chosen | without)
    losses = [term.name for term in TERMS if not term.name.endswith("accuracy")]
    np.testing.assert_allclose(together[losses], apart[losses], rtol=0.02, atol=0.01)
    assert is_float32(tmp_path / "together")


def test_products_train_as_plain_layers_do(road_and_sky, tmp_path):
    plain, _ = train(road_and_sky, tmp_path / "plain", run={"epochs": 1}, pix2pix={"product_side_px": 0})
    products, _ = train(road_and_sky, tmp_path / "products", run={"epochs": 1}, pix2pix={"product_side_px": 16})
    np.testing.assert_allclose(plain.to_numpy(), products.to_numpy(), rtol=1e-3)


def test_the_best_epoch_is_kept_by_the_pairs_apart_alone(road_and_sky, tmp_path):
    slow = {"data": {"holdout_pairs": 2}, "pix2pix": dict.fromkeys(RATES, 5e-3)}
    history, _ = train(road_and_sky, tmp_path / "best", run={"epochs": 4, "keep": "best"}, **slow)
    best = int(history["holdout_l1"].idxmin())
    assert history["holdout_l1"].nunique() == 4
    # This is the same training, but it ends with that epoch.
    shorter, _ = train(road_and_sky, tmp_path / "last", run={"epochs": best + 1}, **slow)
    assert shorter["holdout_l1"].tolist() == history["holdout_l1"].tolist()[: best + 1]
    kept, last = (load_network(tmp_path / name / "generator", "generator").get_weights() for name in ("best", "last"))
    assert all((a == b).all() for a, b in zip(kept, last, strict=True))
