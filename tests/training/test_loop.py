from functools import cache

import keras
import numpy as np
import pytest
from disk import small_disk
from tiny_training import noise, train

from pix2street.core.errors import UserError
from pix2street.models.pix2pix import TERMS
from pix2street.training.batches import epoch_order
from pix2street.training.checkpoint import Checkpoints


def equal(one: list, other: list) -> bool:
    return all((a == b).all() for a, b in zip(one, other, strict=True))


def test_the_same_seed_gives_the_same_bits_and_another_seed_does_not():
    keras.utils.set_random_seed(0)
    rows, weights, _ = train(0)
    keras.utils.set_random_seed(1)
    again, same, _ = train(0)
    assert rows == again
    assert equal(weights, same)
    assert not equal(weights, train(1)[1])


def test_rows_are_named_and_l1_falls():
    rows, _, _ = train(epochs=6)
    assert [tuple(row) for row in rows] == [
        ("epoch", "learning_rate", *(term.name for term in TERMS), "holdout_l1")
    ] * 6
    assert rows[-1]["gen_l1"] < rows[0]["gen_l1"]
    assert all(0 <= row[f"disc_{kind}_accuracy"] <= 1 for row in rows for kind in ("real", "generated"))


@cache
def plain() -> tuple:
    """Return what a training of seed 3 gives, with which several tests compare others."""
    return train(3)


@pytest.mark.parametrize("steps_per_call", [2, 3, 100])
def test_several_steps_a_call_give_the_same_bits(steps_per_call):
    rows, weights, _ = plain()
    again, same, _ = train(3, steps_per_call=steps_per_call)
    assert rows == again
    assert equal(weights, same)


def test_a_run_that_goes_on_from_any_checkpoint_ends_with_the_same_bits(tmp_path):
    family = {"warm_up": 0.3, "l1_weight_end": 10.0, "feature_weight": 10.0}
    changes = {"epochs": 3, "schedule": "linear", "ema_decay": 0.9, "keep": "best", "family": family}

    def go_on() -> tuple:
        with Checkpoints(tmp_path, "k" * 64, 1.0) as checkpoints:
            return train(3, checkpoints=checkpoints, checkpoint_every_steps=2, steps_per_call=2, **changes)

    rows, weights, kept = go_on()
    assert [row["gen_features"] > 0 for row in rows] == [False, True, True]
    for _ in range(2):
        # Each time a training that is done loses its newest checkpoint.
        sorted(tmp_path.rglob("*.npz"))[-1].unlink()
        again = go_on()
        assert again[0] == rows
        assert equal(weights, again[1])
        assert equal(kept, again[2])


def test_the_rate_falls_to_zero_over_the_second_half():
    rows, weights, _ = train(epochs=4, schedule="linear")
    assert [row["learning_rate"] for row in rows] == pytest.approx([1e-3, 1e-3, 1e-3 * 2 / 3, 1e-3 / 3])
    assert not equal(weights, train(epochs=4)[1])


def test_what_is_kept_is_the_last_the_average_or_the_best():
    rows, weights, last = train(epochs=3)
    assert equal(last, weights[: len(last)])
    assert rows[-1]["holdout_l1"] == float(sum(np.abs(weight).sum() for weight in last))
    _, same, average = train(epochs=3, ema_decay=0.9)
    assert equal(weights, same)
    assert not equal(average, last)
    # The mean distance to the last weights: that of an average of the way to them is small, and not zero.
    moved = [np.abs(a - b).mean() for a, b in zip(average, last, strict=True) if a.ndim == 4]
    assert 0 < max(moved) < 5e-3
    _, _, best = train(epochs=3, keep="best")
    least = min(range(3), key=lambda epoch: rows[epoch]["holdout_l1"])
    assert rows[least]["holdout_l1"] == float(sum(np.abs(weight).sum() for weight in best))


@pytest.mark.parametrize(("value", "steps_per_call"), [(np.nan, 3), (np.inf, 1)])
def test_a_value_that_is_not_finite_stops_the_run_at_once_with_its_pairs(value, steps_per_call):
    images = noise()
    images[3, 0, 0, 0] = value
    place = int(np.flatnonzero(epoch_order(5, 0, 0) == 3)[0])
    with pytest.raises(UserError, match=f"epoch 1, step {place // 2 + 1}: a weight is no longer finite; losses: .*p3"):
        train(0, images, steps_per_call=steps_per_call)


def test_the_last_good_checkpoint_outlives_a_value_that_is_not_finite(tmp_path):
    images = noise()
    images[3] = np.nan
    place = int(np.flatnonzero(epoch_order(5, 0, 0) == 3)[0]) // 2
    assert place > 0
    with Checkpoints(tmp_path, "k" * 64, 1.0) as checkpoints:
        with pytest.raises(UserError, match="The last good checkpoint is kept"):
            train(0, images, checkpoints=checkpoints, checkpoint_every_steps=1)
        state = checkpoints.newest()
    assert (state.epoch, state.step) == (0, place)
    assert all(np.isfinite(value).all() for value in state.variables)


def test_on_a_full_disk_it_ends_with_the_same_bits(tmp_path, capsys):
    rows, weights, _ = plain()
    with small_disk(tmp_path, "2m"):
        with Checkpoints(tmp_path, "k" * 64, 1.0) as checkpoints:
            filler = tmp_path / "filler"
            filler.write_bytes(bytes((2 << 20) - (64 << 10)))
            again = train(3, checkpoints=checkpoints, checkpoint_every_steps=1)
            filler.unlink()
        assert "no checkpoint after epoch 0, step 1" in capsys.readouterr().out
        assert again[0] == rows
        assert equal(weights, again[1])
