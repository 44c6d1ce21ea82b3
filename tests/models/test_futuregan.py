"""FutureGAN: its widths, what its networks see, and its losses."""

from types import SimpleNamespace
from unittest.mock import patch

import keras
import numpy as np
import pytest
import tensorflow as tf
from model_battery import batch, start, task_of
from pydantic import ValidationError
from shipped import changed
from tiny_models import SETTINGS, SMALL

from pix2street.core.errors import UserError
from pix2street.layers.frames import FromFrames, TimeInChannels, ToFrames
from pix2street.layers.progressive import BatchDeviation, PixelNorm
from pix2street.models import futuregan
from pix2street.models.interface import Task

TINY = SETTINGS.futuregan.model_copy(update={**SMALL["futuregan"], "skips": False})
TASK = Task((3 * 8, 8, 3), (2 * 8, 8, 3), frames=(3, 2))


def test_the_widths_of_the_paper():
    assert futuregan._widths(128, 5) == [128, 256, 512, 512, 512, 512]


@pytest.mark.parametrize("skips", [False, True])
def test_every_next_frame_depends_on_every_past_one(skips):
    generator = futuregan.build_generator(TASK, TINY.model_copy(update={"skips": skips}), 0)
    past = np.random.default_rng(0).uniform(-1, 1, (1, 24, 8, 3)).astype("float32")
    first = generator.predict(past, verbose=0)
    assert first.shape == (1, 16, 8, 3)
    for frame in range(3):
        other = past.copy()
        other[:, 8 * frame : 8 * frame + 8] *= -1
        change = np.abs(generator.predict(other, verbose=0) - first).reshape(2, -1).max(axis=1)
        assert (change > 0).all()


def test_the_critic_sees_past_and_future():
    critic = futuregan.build_discriminator(TASK, TINY, 0)
    assert critic.input_shape == (None, 40, 8, 3)
    video = np.random.default_rng(0).uniform(-1, 1, (1, 40, 8, 3)).astype("float32")
    says = critic.predict(video, verbose=0)
    for frame in range(5):
        other = video.copy()
        other[:, 8 * frame : 8 * frame + 8] *= -1
        assert np.abs(critic.predict(other, verbose=0) - says).max() > 0


def test_photos_and_odd_sides_are_refused():
    with pytest.raises(UserError, match="continues videos, but the data set holds single images"):
        futuregan.build_generator(Task((8, 8, 3), (8, 8, 3)), TINY, 0)
    with pytest.raises(UserError, match="multiples of 4 px, but they are 6 and 8"):
        futuregan.build_generator(Task((12, 8, 3), (12, 8, 3), frames=(2, 2)), TINY, 0)


def test_the_losses_of_the_critic_are_wassersteins_with_a_drift():
    settings = TINY.model_copy(update={"penalty_weight": 10.0, "drift_weight": 0.5})
    real, made = np.float32([[1], [3]]), np.float32([[-2], [4]])
    terms = futuregan.losses_of_discriminator(real, made, np.float32(0.1), settings)
    assert (float(terms["disc_real"]), float(terms["disc_generated"])) == (-2, 1)
    assert float(terms["disc_total"]) == pytest.approx(-2 + 1 + 10 * 0.1 + 0.5 * 5)


def test_without_an_l1_the_generator_minds_the_critic_alone():
    frames = np.zeros((1, 16, 8, 3), "float32")
    says = np.float32([[2]])
    terms = futuregan.losses_of_generator(says, frames, frames + 1, TINY.model_copy(update={"l1_weight": 0.0}))
    assert float(terms["gen_total"]) == float(terms["gen_gan"]) == -2
    assert float(terms["gen_l1"]) == 1
    weighted = futuregan.losses_of_generator(says, frames, frames + 1, TINY.model_copy(update={"l1_weight": 3.0}))
    assert float(weighted["gen_total"]) == 1


def test_the_warm_up_minimises_l1_alone_and_the_critic_rests():
    training = start(futuregan, changed(SETTINGS.futuregan, **SMALL["futuregan"], warm_up=0.5))
    networks = [training.networks[name] for name in ("generator", "discriminator")]
    for progress, still in ((0.49, True), (0.5, False)):
        training.progress.assign(progress)
        before = [[weight.numpy() for weight in network.trainable_variables] for network in networks]
        terms = training.step(batch(task=task_of(futuregan)))
        moved = [
            any((weight.numpy() != old).any() for weight, old in zip(network.trainable_variables, kept, strict=True))
            for network, kept in zip(networks, before, strict=True)
        ]
        assert moved == [True, not still]
        assert (float(terms["disc_real"]) == float(terms["gen_gan"]) == 0) == still
        assert float(terms["gen_l1"]) > 0


def test_a_warm_up_without_an_l1_is_refused():
    settings = SETTINGS.futuregan.model_dump() | {"warm_up": 0.5, "l1_weight": 0.0}
    with pytest.raises(ValidationError, match=r"warm_up: 0.5 learns from L1 alone, but l1_weight is 0"):
        futuregan.Settings(**settings)
    assert futuregan.Settings(**settings | {"l1_weight": 1.0}).warm_up == 0.5


def test_several_devices_cannot_warm_up():
    devices = SimpleNamespace(num_replicas_in_sync=2)
    with (
        patch.object(tf.distribute, "get_strategy", lambda: devices),
        pytest.raises(UserError, match=r"futuregan.warm_up: 0.5 needs one device, because 2 .*choose 0"),
    ):
        start(futuregan, changed(SETTINGS.futuregan, **SMALL["futuregan"], warm_up=0.5))


def test_frames_and_images_turn_into_each_other():
    images = np.random.default_rng(0).uniform(size=(2, 12, 5, 3)).astype("float32")
    frames = keras.ops.convert_to_numpy(ToFrames(3)(images))
    np.testing.assert_array_equal(frames[1, 2], images[1, 8:])
    np.testing.assert_array_equal(FromFrames()(frames), images)
    in_channels = keras.ops.convert_to_numpy(TimeInChannels()(frames))
    assert in_channels.shape == (2, 1, 4, 5, 9)
    np.testing.assert_array_equal(in_channels[:, 0, ..., 3:6], frames[:, 1])


def test_a_norm_of_places_and_the_variety_of_a_batch():
    values = np.random.default_rng(0).normal(size=(2, 3, 4, 4, 8)).astype("float32")
    normed = keras.ops.convert_to_numpy(PixelNorm()(values))
    np.testing.assert_allclose((normed**2).mean(axis=-1), 1, rtol=1e-4)
    varied = keras.ops.convert_to_numpy(BatchDeviation()(values))
    assert varied.shape[-1] == 9
    np.testing.assert_allclose(varied[..., 8], values.std(axis=0).mean(), rtol=1e-4)
    same = keras.ops.convert_to_numpy(BatchDeviation()(np.repeat(values[:1], 2, axis=0)))
    assert np.abs(same[..., 8]).max() < 1e-3
