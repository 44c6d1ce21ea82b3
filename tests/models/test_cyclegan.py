import keras
import numpy as np
import pytest
import tensorflow as tf
from model_battery import COLORS, batch, drawings, start
from shipped import changed
from test_pix2pixhd import weights_on_paper
from tiny_models import SETTINGS, SMALL

from pix2street.core.errors import UserError
from pix2street.inference.in_use import as_inference
from pix2street.models import cyclegan
from pix2street.models.interface import Task

TINY = changed(SETTINGS.cyclegan, **SMALL["cyclegan"])


def test_the_generator_of_the_paper_has_11_million_weights():
    # 64 filters, 9 blocks; biases before norms, which change nothing, are left out.
    assert weights_on_paper(64, 3, 2, 9) == 11_372_931
    network = cyclegan.build_generator(COLORS, changed(TINY, blocks=9, upsample="transpose"), 0)
    assert network.count_params() == weights_on_paper(2, 3, 2, 9)
    assert network.get_layer("block_9").output.shape == (None, 8, 16, 8)


def test_a_discriminator_sees_one_image_by_patches():
    network = cyclegan.build_discriminator(Task((64, 128, 3), (64, 128, 3)), TINY, 0)
    assert network.input_shape == (None, 64, 128, 3)
    assert network.output_shape == (None, 6, 14, 1)


def way(real: float, generated: float, cycle: float, identity: float | None) -> cyclegan.Way:
    """Return a way on which nothing but these numbers is seen."""
    image = tf.zeros((1, 4, 4, 3))
    says = [tf.fill((1, 3, 3, 1), value) for value in (real, generated, generated)]
    same = {} if identity is None else {"end": image, "same": image + identity}
    return cyclegan.Way(image, image + cycle, *says, **same)


def losses_of(forth: cyclegan.Way, back: cyclegan.Way, **changes) -> dict[str, float]:
    return {name: float(value) for name, value in cyclegan.losses(forth, back, changed(TINY, **changes)).items()}


def test_losses_are_those_of_the_paper():
    terms = losses_of(way(0.8, 0.3, 0.2, 0.1), way(0.9, 0.4, 0.5, 0.3), cycle_weight=10.0, identity_weight=5.0)
    assert terms["gen_gan"] == pytest.approx(0.49)
    assert terms["back_gan"] == pytest.approx(0.36)
    assert terms["gen_total"] == pytest.approx(0.49 + 10 * 0.2 + 5 * 0.1 + 0.36 + 10 * 0.5 + 5 * 0.3)
    assert (terms["disc_real"], terms["disc_generated"]) == pytest.approx((0.04, 0.09))
    assert (terms["back_disc_real"], terms["back_disc_generated"]) == pytest.approx((0.01, 0.16))
    assert terms["disc_total"] == pytest.approx((0.04 + 0.09 + 0.01 + 0.16) / 2)
    assert (terms["disc_real_accuracy"], terms["disc_generated_accuracy"]) == (1, 1)


def test_terms_know_their_value_where_nobody_is_ahead():
    met = losses_of(way(0.5, 0.5, 0, 0), way(0.5, 0.5, 0, 0))
    references = {term.name: term.reference({}) for term in cyclegan.TERMS}
    for name, value in references.items():
        assert value is None or value == pytest.approx(met[name]) or name.endswith("accuracy"), name
    assert {name for name, value in references.items() if value is None} == {
        "gen_total", "gen_cycle", "gen_identity", "back_cycle", "back_identity",
    }  # fmt: skip


def test_cycle_and_identity_of_a_mapping_that_changes_nothing_are_zero(monkeypatch):
    def unchanged(task, settings, seed):
        inputs = keras.Input(task.input_shape)
        # One weight, so that there is something to update.
        return keras.Model(inputs, keras.layers.DepthwiseConv2D(1, depthwise_initializer="ones")(inputs))

    monkeypatch.setattr(cyclegan, "build_generator", unchanged)
    terms = start(cyclegan, TINY).step(batch(task=COLORS))
    for name in ("gen_cycle", "back_cycle", "gen_identity", "back_identity"):
        assert float(terms[name]) == 0, name
    assert float(terms["gen_gan"]) > 0


def test_the_cycle_begins_and_ends_on_its_own_side(monkeypatch):
    """G adds 0.1 and F adds 0.2: both cycles are 0.3 away, the identity of targets is 0.1 away, of inputs 0.2."""
    shifts = iter((0.1, 0.2))

    def shifting(task, settings, seed):
        inputs = keras.Input(task.input_shape)
        ones = {"depthwise_initializer": "ones", "bias_initializer": keras.initializers.Constant(next(shifts))}
        return keras.Model(inputs, keras.layers.DepthwiseConv2D(1, **ones)(inputs))

    monkeypatch.setattr(cyclegan, "build_generator", shifting)
    terms = start(cyclegan, TINY).step(batch(task=COLORS))
    for name, value in {"gen_cycle": 0.3, "back_cycle": 0.3, "gen_identity": 0.1, "back_identity": 0.2}.items():
        assert float(terms[name]) == pytest.approx(value, rel=1e-4), name


def test_without_a_weight_there_is_no_identity():
    terms = start(cyclegan, changed(TINY, identity_weight=0.0)).step(batch(task=COLORS))
    assert (float(terms["gen_identity"]), float(terms["back_identity"])) == (0, 0)


def test_discriminators_see_the_pool_in_place_of_new_images():
    """Give the same two images again and again: with a pool the discriminator still sees those of earlier weights."""
    weights = []
    for pool in (0, 2):
        training = start(cyclegan, changed(TINY, pool=pool, generator_rate=0.01))
        assert len(training.state) == (6 if pool else 0)
        for _ in range(3):
            training.step(batch(task=COLORS))
        weights.append(training.networks["discriminator"].get_weights())
    assert any((one != other).any() for one, other in zip(*weights, strict=True))


def test_both_ways_are_generators_and_start_differently():
    training = start(cyclegan, TINY)
    assert list(training.networks) == ["generator", "back", "discriminator", "back_discriminator"]
    assert training.ways == {"back": COLORS}
    one, other = (training.networks[name].get_weights() for name in ("generator", "back"))
    assert any((a != b).any() for a, b in zip(one, other, strict=True))
    assert [weight.shape for weight in one] == [weight.shape for weight in other]


def test_in_use_sides_may_differ_and_nothing_else_changes():
    generator = cyclegan.build_generator(COLORS, TINY, 0)
    copy = as_inference(generator, "batch", noise=True, any_size=True)
    some = drawings(1, task=COLORS)
    np.testing.assert_allclose(copy(some), generator(some), rtol=1e-4, atol=1e-5)
    for height, width in ((8, 8), (24, 72)):
        assert copy(tf.zeros((1, height, width, 3))).shape == (1, height, width, 3)


@pytest.mark.parametrize(
    ("task", "message"),
    [
        (Task((32, 32, 4), (32, 32, 3), labels=4), r"encoding: onehot does not fit .* cyclegan, .*; use color"),
        (Task((32, 32, 3), (32, 32, 1)), r"target_mode: .* targets with 3 channels, .* they have 1; use rgb"),
        (Task((32, 36, 3), (32, 36, 3)), r"multiples of 8 px, but they are 32 and 36; choose"),
    ],
)
def test_images_that_do_not_fit_are_refused(task, message):
    with pytest.raises(UserError, match=message):
        cyclegan.build_generator(task, TINY, 0)


def test_the_smallest_image_has_two_pixels_left_to_mirror():
    assert cyclegan.multiple_px(COLORS, TINY) == 8
    assert cyclegan.build_generator(Task((8, 8, 3), (8, 8, 3)), TINY, 0)(tf.zeros((1, 8, 8, 3))).shape == (1, 8, 8, 3)
