"""SRGAN: its weights on paper, what an untrained one makes, its two phases, and how far a pixel reaches."""

import numpy as np
import pytest
import tensorflow as tf
from model_battery import SHAPE, TASK, TASKS, batch, check_resume, drawings, start
from shipped import changed
from tiny_models import SETTINGS, SMALL

from pix2street.core.errors import UserError
from pix2street.models import srgan
from pix2street.models.interface import Task, reach_of, refuse_branches

TINY = changed(SETTINGS.srgan, **SMALL["srgan"])
TWO_PHASES = changed(TINY, pretrain_share=0.5)


def weights_on_paper(filters: int, blocks: int, factor: int) -> int:
    def conv(inputs: int, outputs: int) -> int:
        return 9 * inputs * outputs + outputs

    ups = (factor // 2) * conv(filters, 4 * filters)
    return conv(3, filters) + (2 * blocks + 1) * conv(filters, filters) + ups + conv(filters, 3)


@pytest.mark.parametrize("factor", [2, 4])
def test_the_generator_has_the_weights_of_its_convolutions(factor):
    task = Task((8, 12, 3), (8 * factor, 12 * factor, 3))
    generator = srgan.build_generator(task, changed(TINY, generator_filters=5, blocks=3), 0)
    assert generator.output_shape[1:] == task.target_shape
    assert generator.count_params() == weights_on_paper(5, 3, factor)


def test_without_its_last_convolution_a_photo_is_its_input_enlarged_bilinearly():
    generator = srgan.build_generator(TASKS["reduced"], TINY, 0)
    generator.get_layer("output_conv").set_weights([np.zeros((3, 3, 4, 3)), np.zeros(3)])
    some = drawings(task=TASKS["reduced"])
    expected = tf.image.resize(some, SHAPE[:2])
    np.testing.assert_allclose(generator(some), expected, atol=1e-5)


@pytest.mark.parametrize(
    "task", [TASK, Task(SHAPE, SHAPE), Task((16, 32, 3), (32, 64, 1)), Task((16, 32, 3), (64, 64, 3))]
)
def test_other_inputs_and_sizes_are_refused(task):
    with pytest.raises(UserError, match="srgan makes RGB photos 2 or 4 times as large"):
        srgan.build_generator(task, TINY, 0)


def test_the_first_phase_learns_from_pixels_and_leaves_the_discriminator_alone():
    training = start(srgan, TWO_PHASES)
    assert training.phases == {"pixels": 0.5}
    some = batch(task=TASKS["reduced"])

    def moved() -> dict[str, bool]:
        before = {name: network.get_weights() for name, network in training.networks.items()}
        terms.update(training.step(some))
        return {
            name: any((old != new).any() for old, new in zip(before[name], network.get_weights(), strict=True))
            for name, network in training.networks.items()
        }

    terms = {}
    assert moved() == {"generator": True, "discriminator": False}
    assert float(terms["gen_total"]) == float(terms["gen_l1"])
    assert float(terms["disc_total"]) == pytest.approx(2 * np.log(2))
    training.progress.assign(0.5)
    assert moved() == {"generator": True, "discriminator": True}
    weighted = TINY.gan_weight * terms["gen_gan"] + TINY.feature_weight * terms["gen_features"]
    assert float(terms["gen_total"]) == pytest.approx(float(weighted + TINY.l1_weight * terms["gen_l1"]), rel=1e-5)


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_a_training_of_one_phase_keeps_no_other(share):
    training = start(srgan, changed(TINY, pretrain_share=share))
    assert training.phases == {}


def test_a_training_of_both_phases_resumes_bit_for_bit(tmp_path):
    check_resume(srgan, TWO_PHASES, tmp_path)


def test_several_devices_cannot_share_two_phases():
    with pytest.raises(UserError, match=r"srgan.pretrain_share: 0.5 needs one device, because 2 cannot share a step"):
        refuse_branches("train.srgan.pretrain_share: 0.5", 2)
    refuse_branches("train.srgan.pretrain_share: 0.5", 1)


def test_no_pixel_of_a_photo_depends_on_an_input_beyond_its_reach():
    task = Task((33, 33, 3), (132, 132, 3))
    settings = changed(TINY, blocks=2)
    generator, reach = srgan.build_generator(task, settings, 0), reach_of(srgan, task, settings)
    rng = np.random.default_rng(0)
    generator.set_weights([rng.normal(0, 0.3, weight.shape) for weight in generator.get_weights()])
    generator.get_layer("output").activation = tf.identity
    plain = rng.uniform(-1, 1, (1, 33, 33, 3)).astype("float32")
    other = plain.copy()
    other[0, 16, 16] += 1
    changes = np.argwhere((generator(plain) != generator(other)).numpy().any(axis=-1)[0]) // 4 - 16
    assert reach - 1 <= np.abs(changes).max() <= reach
