from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tensorflow as tf

from pix2street.batches import epoch_order
from pix2street.errors import UserError
from pix2street.gan.checkpoint import Checkpoints
from pix2street.gan.loop import train_epochs
from pix2street.gan.losses import LOSS_NAMES
from pix2street.gan.patchgan import build_patchgan
from pix2street.generators.unet import build_unet

SHAPE = (32, 32, 3)
IMAGES = np.random.default_rng(0).uniform(-1, 1, (5, *SHAPE)).astype("float32")
PAIR_IDS = [f"p{i}" for i in range(5)]


class Killed(BaseException):
    """Takes the place of a kill: nothing catches it on its way out."""


def train(seed: int, images=IMAGES, epochs: int = 2, kill_after: int | None = None, **checkpoints):
    """Losses by epoch, and all weights. `kill_after`: so many batches of this call."""
    generator, discriminator = build_unet(SHAPE, 3, 4, 0), build_patchgan(SHAPE, SHAPE, 4, 0)
    served = 0

    def batches_of(epoch, skip):
        order = epoch_order(len(images), seed, epoch)[2 * skip :]

        def batches():
            nonlocal served
            for first in range(0, len(order), 2):
                if served == kill_after:
                    raise Killed
                served += 1
                yield images[order[first : first + 2]]

        # A plain iterable: an error in it comes out as it is.
        return SimpleNamespace(batches=batches)

    with pytest.MonkeyPatch.context() as patch:
        strategy = tf.distribute.get_strategy()
        patch.setattr(
            type(strategy),
            "experimental_distribute_dataset",
            lambda _, dataset: ((tf.constant(b), tf.constant(b)) for b in dataset.batches()),
            raising=False,
        )
        losses = list(
            train_epochs(
                generator, discriminator, batches_of, lambda epoch: [PAIR_IDS[i] for i in epoch_order(5, seed, epoch)],
                epochs=epochs, batch=2, seed=seed, learning_rate=1e-3, beta_1=0.5, l1_weight=100.0,
                disc_loss_weight=1.0, **checkpoints,
            )
        )  # fmt: skip
    return losses, generator.get_weights() + discriminator.get_weights()


def equal(one: list, other: list) -> bool:
    return all((a == b).all() for a, b in zip(one, other, strict=True))


def test_the_same_seed_gives_the_same_bits_and_another_seed_does_not():
    keras.utils.set_random_seed(0)
    losses, weights = train(0)
    keras.utils.set_random_seed(1)
    again, same = train(0)
    assert losses == again
    assert equal(weights, same)
    assert not equal(weights, train(1)[1])


def test_losses_are_named_and_fall():
    losses, _ = train(0, epochs=6)
    assert [tuple(epoch) for epoch in losses] == [LOSS_NAMES] * 6
    assert losses[-1]["gen_l1"] < losses[0]["gen_l1"]


def test_interrupted_at_random_points_it_ends_with_the_same_bits(tmp_path):
    losses, weights = train(3, epochs=4)
    rng = np.random.default_rng(0)
    key = {"checkpoint_every_steps": 2}
    for _ in range(20):
        with Checkpoints(tmp_path, "k" * 64, 1.0) as checkpoints:
            try:
                again = train(3, epochs=4, kill_after=int(rng.integers(0, 4)), checkpoints=checkpoints, **key)
                break
            except Killed:
                continue
    else:
        with Checkpoints(tmp_path, "k" * 64, 1.0) as checkpoints:
            again = train(3, epochs=4, checkpoints=checkpoints, **key)
    assert again[0] == losses
    assert equal(weights, again[1])


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_value_that_is_not_finite_stops_the_run_at_once_with_its_pairs(value):
    images = IMAGES.copy()
    images[3, 0, 0, 0] = value
    place = int(np.flatnonzero(epoch_order(5, 0, 0) == 3)[0])
    with pytest.raises(UserError, match=f"epoch 1, step {place // 2 + 1}: a gradient is not finite; losses: .*p3"):
        train(0, images)
