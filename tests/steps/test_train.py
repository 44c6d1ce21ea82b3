import numpy as np
import pytest
import tensorflow as tf

from pix2street.core.errors import UserError
from pix2street.core.images import read_rgb
from pix2street.core.pairs import write_manifest
from pix2street.inference.card import GeneratorCard
from pix2street.layers.networks import load_network
from pix2street.steps.generate import generate_photos
from pix2street.steps.train import hold_out, train_pix2pix
from pix2street.training.batches import InputEncoding
from pix2street.training.step import STEP_NAMES

SETTINGS = {
    "seed": 0, "generator": "unet", "input_encoding": "color", "generator_filters": 4, "discriminator_filters": 4,
    "epochs": 3, "batch": 1, "learning_rate": 2e-3, "beta_1": 0.5, "l1_weight": 100.0, "disc_loss_weight": 1.0,
    "jitter": True, "mirror": True, "sample_every_epochs": 2, "sample_pairs": 2, "checkpoint_every_steps": 3,
    "precision": "float32", "product_side_px": 8, "norm": "batch", "upsample": "transpose", "schedule": "constant",
    "ema_decay": 0.0, "holdout_pairs": 0, "checkpoint": "last", "jit_compile": False, "steps_per_call": 1,
    "cache_mib": 64,
    "inference_norm": "batch", "inference_dropout": True, "inference_seed": 0, "intra_op_threads": 1,
    "inter_op_threads": 3,
}  # fmt: skip


def train(split, folder, **changes):
    seen = []
    for name in ("generator", "samples"):
        (folder / name).mkdir(parents=True)
    history = train_pix2pix(
        split,
        folder / "generator",
        folder / "samples",
        lambda *epoch: seen.append(epoch),
        tf.distribute.get_strategy(),
        **{**SETTINGS, **changes},
    )
    return history, seen


def test_history_samples_and_callbacks(road_and_sky, tmp_path):
    history, seen = train(road_and_sky, tmp_path)
    measures = ["diversity", "sensitivity", "saturated_share", "checkerboard"]
    assert list(history.columns) == ["epoch", "learning_rate", *STEP_NAMES[:-1], *measures]
    assert history["epoch"].tolist() == [1, 2, 3]
    assert history["gen_l1"].iloc[-1] < history["gen_l1"].iloc[0]
    assert [(epoch, sheet and sheet.name) for epoch, _, sheet in seen] == [
        (1, None), (2, "epoch_0002.png"), (3, "epoch_0003.png"),
    ]  # fmt: skip
    assert seen[1][1] == history.iloc[1].drop("epoch").to_dict()


def test_the_last_contact_sheet_shows_what_generate_makes(road_and_sky, tmp_path):
    train(road_and_sky, tmp_path)
    (tmp_path / "photos").mkdir()
    generate_photos(
        road_and_sky,
        tmp_path / "generator",
        tmp_path / "photos",
        tmp_path / "baselines",
        seed=0,
        norm="batch",
        dropout=True,
    )
    sheet = read_rgb(tmp_path / "samples/epoch_0003.png")
    for row, pair_id in enumerate(("p4", "p5")):
        shown = sheet[row * 36 : row * 36 + 32, 2 * 36 : 2 * 36 + 32]
        assert (shown == read_rgb(tmp_path / f"photos/val/{pair_id}.png")).all()


def test_onehot_inputs(road_and_sky, tmp_path, monkeypatch):
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "avx2")
    history, _ = train(road_and_sky, tmp_path, input_encoding="onehot", epochs=1)
    assert np.isfinite(history.to_numpy()).all()
    network = load_network(tmp_path / "generator", "generator")
    assert network.input_shape == (None, 32, 32, 34)
    card = GeneratorCard.read(tmp_path / "generator")
    assert card.encoding == InputEncoding("onehot", card.encoding.classes)
    assert (card.intra_op_threads, card.inter_op_threads) == (1, 3)
    assert card.kernels == "AVX2"


@pytest.mark.parametrize(
    "change", [{"seed": 1}, {"jitter": False}, {"mirror": False}, {"l1_weight": 10.0}, {"batch": 2}]
)
def test_each_setting_changes_the_weights(road_and_sky, tmp_path, change):
    train(road_and_sky, tmp_path / "a", epochs=1)
    train(road_and_sky, tmp_path / "b", epochs=1, **change)
    a, b = ((tmp_path / name / "generator/generator.weights.h5").read_bytes() for name in ("a", "b"))
    assert a != b


@pytest.mark.parametrize("precision", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision_is_finite_near_float32_and_saved_as_float32(road_and_sky, tmp_path, precision):
    slow = {"epochs": 16, "learning_rate": 5e-4}
    exact, _ = train(road_and_sky, tmp_path / "exact", **slow)
    mixed, _ = train(road_and_sky, tmp_path / "mixed", **slow, precision=precision)
    assert np.isfinite(mixed.to_numpy()).all()
    assert mixed["gen_l1"].tail(4).mean() == pytest.approx(exact["gen_l1"].tail(4).mean(), rel=0.05)
    assert (mixed["gen_l1"] != exact["gen_l1"]).all()
    network = load_network(tmp_path / "mixed/generator", "generator")
    assert {layer.compute_dtype for layer in network.layers} == {"float32"}


def test_products_train_as_plain_layers_do(road_and_sky, tmp_path):
    plain, _ = train(road_and_sky, tmp_path / "plain", epochs=1, product_side_px=0)
    products, _ = train(road_and_sky, tmp_path / "products", epochs=1, product_side_px=16)
    np.testing.assert_allclose(plain.to_numpy(), products.to_numpy(), rtol=1e-3)


def test_pairs_are_kept_apart_by_whole_groups(tmp_path):
    rows = [
        {"pair_id": f"{city}_{i}", "split": "train", "group": city, "input_path": "i", "target_path": "t"}
        for city, count in (("a", 3), ("b", 2), ("c", 5))
        for i in range(count)
    ]
    write_manifest(tmp_path, rows)
    for seed in range(4):
        trained, apart = hold_out(tmp_path, 5, seed)
        assert sorted(pair.pair_id for pair in trained + apart) == sorted(row["pair_id"] for row in rows)
        cities = {pair.pair_id[0] for pair in apart}
        assert cities in ({"a", "b"}, {"c"})
        assert not cities & {pair.pair_id[0] for pair in trained}
    assert hold_out(tmp_path, 0, 0)[1] == []
    with pytest.raises(UserError, match="holdout_pairs: 9 leaves fewer than two to train on"):
        hold_out(tmp_path, 9, 0)


def test_groups_that_are_too_large_are_said(tmp_path, capsys):
    row = {"split": "train", "group": "all", "input_path": "i", "target_path": "t"}
    write_manifest(tmp_path, [{"pair_id": f"p{i}", **row} for i in range(9)])
    trained, apart = hold_out(tmp_path, 2, 0)
    assert (len(trained), len(apart)) == (7, 2)
    assert "every group of train has more than 2 pairs" in capsys.readouterr().out


def test_the_best_epoch_is_kept_by_the_pairs_apart_alone(road_and_sky, tmp_path):
    slow = {"holdout_pairs": 2, "epochs": 4, "learning_rate": 5e-3}
    history, _ = train(road_and_sky, tmp_path / "best", checkpoint="best", **slow)
    best = int(history["holdout_l1"].idxmin())
    assert history["holdout_l1"].nunique() == 4
    # The same training that ends with that epoch.
    shorter, _ = train(road_and_sky, tmp_path / "last", **{**slow, "epochs": best + 1})
    assert shorter["holdout_l1"].tolist() == history["holdout_l1"].tolist()[: best + 1]
    kept, last = (load_network(tmp_path / name / "generator", "generator").get_weights() for name in ("best", "last"))
    assert all((a == b).all() for a, b in zip(kept, last, strict=True))
