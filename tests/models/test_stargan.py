from itertools import pairwise

import keras
import numpy as np
import pytest
import tensorflow as tf
from model_battery import DOMAINS, SHAPE, batch, inputs_of, start
from shipped import changed
from tiny_models import SETTINGS, SMALL

from pix2street.core.errors import UserError
from pix2street.inference.in_use import as_inference
from pix2street.layers.conditions import with_planes
from pix2street.models import stargan
from pix2street.models.interface import Task

TINY = changed(SETTINGS.stargan, **SMALL["stargan"])
HINGE = changed(TINY, gan_loss="hinge")


def weights_of_generator(filters: int) -> int:
    """Return the weights of G with six blocks, transposed convolutions and five domains: kernels, then norms."""
    ends = 49 * (8 + 3) * filters
    sizes = 2 * 16 * (2 + 8) * filters**2
    blocks = 6 * 2 * 9 * (4 * filters) ** 2
    return ends + sizes + blocks + 2 * (6 + 4 * 13) * filters


def weights_of_discriminator(filters: int) -> int:
    """Return the weights of D with five domains at 128x128 px: convolutions with biases, and both heads without."""
    widths = [3, *(filters * 2**level for level in range(6))]
    return sum(16 * narrow * wide + wide for narrow, wide in pairwise(widths)) + (9 + 4 * 5) * widths[-1]


def test_the_networks_are_those_of_the_paper():
    assert (weights_of_generator(64), weights_of_discriminator(64)) == (8_430_528, 44_762_048)
    task = Task((128, 128, 3), (128, 128, 3), conditions={"domain": 5})
    settings = changed(TINY, blocks=6, upsample="transpose", norm="instance", mask=False, halvings=6, names="image")
    assert stargan.build_generator(task, settings, 0).count_params() == weights_of_generator(2)
    discriminator = stargan.build_discriminator(task, settings, 0)
    assert discriminator.count_params() == weights_of_discriminator(2)
    assert discriminator.get_layer("down_6").output.shape == (None, 2, 2, 64)
    shapes = {name: output.shape for name, output in discriminator.output.items()}
    assert shapes == {"patches": (None, 2, 2, 1), "domains": (None, 5)}


@pytest.mark.parametrize("norm", ["instance", "conditional"])
def test_the_domain_changes_the_photo(norm):
    generator = stargan.build_generator(DOMAINS, changed(TINY, norm=norm), 0)
    image = inputs_of(DOMAINS, 1)[..., :3]
    photos = [generator(with_planes(image, tf.constant([number]), 3)) for number in range(3)]
    assert min(np.abs(one - other).mean() for one, other in zip(photos, [*photos[1:], photos[0]], strict=True)) > 1e-4


def test_a_mask_lays_a_colour_over_the_image():
    generator = stargan.build_generator(DOMAINS, changed(TINY, mask=True), 0)
    image = inputs_of(DOMAINS, 1)
    seen = keras.Model(generator.input, [generator.get_layer(name).output for name in ("output", "mask", "blend")])
    colour, mask, photo = map(np.array, seen(image))
    np.testing.assert_allclose(photo, mask * colour + (1 - mask) * np.array(image)[..., :3], atol=1e-6)
    assert 0 < mask.min() < mask.max() < 1
    np.testing.assert_array_equal(generator(image), photo)


def test_with_conditional_norms_every_pixel_knows_the_domain():
    settings = changed(TINY, norm="conditional", mask=False)
    generator = stargan.build_generator(DOMAINS, settings, 0)
    # Far from the borders the planes of domains are constant, of which a norm leaves nothing.
    middle = keras.Model(generator.input, generator.get_layer("start").output)
    image = inputs_of(DOMAINS, 1)[..., :3]
    one, other = (np.array(middle(with_planes(image, tf.constant([number]), 3))) for number in (0, 1))
    assert np.abs(one - other)[0, 8:-8, 8:-8].max() > 0.1


def test_each_patch_has_a_name_of_its_own():
    settings = changed(TINY, halvings=2, names="patches")
    judge = stargan.build_discriminator(DOMAINS, settings, 0)
    height, width = SHAPE[:2]
    logits = judge(inputs_of(DOMAINS, 2)[..., :3])["domains"]
    assert logits.shape == (2, height // 4, width // 4, 3)
    # Each patch weighs alike: the loss is the mean of those of the patches.
    domains = tf.constant([0, 2])
    each = [
        stargan.losses_of_generator(
            {"patches": tf.zeros([2, 1]), "domains": logits[:, y, x]}, domains, 0.0, 0.0, settings
        )
        for y in range(height // 4)
        for x in range(width // 4)
    ]
    whole = stargan.losses_of_generator({"patches": tf.zeros([2, 1]), "domains": logits}, domains, 0.0, 0.0, settings)
    for name in ("gen_domain", "gen_domain_accuracy"):
        assert float(whole[name]) == pytest.approx(np.mean([float(one[name]) for one in each]), rel=1e-5)


def linear_critic(length: float) -> keras.Model:
    """Return a discriminator that is a scalar product with weights of this length; it has two equal patches."""
    images = keras.Input(SHAPE)
    values = int(np.prod(SHAPE))
    start = keras.initializers.Constant(length / np.sqrt(values))
    says = keras.layers.Dense(1, use_bias=False, kernel_initializer=start)(keras.layers.Flatten()(images))
    patches = keras.layers.RepeatVector(2)(says)
    return keras.Model(images, {"patches": keras.layers.Reshape((1, 2, 1))(patches)})


@pytest.mark.parametrize("length", [0.5, 1.0, 3.0])
def test_the_penalty_of_a_linear_critic_follows_from_its_slope(length):
    real, made = batch(1, DOMAINS)["target"], batch(2, DOMAINS)["target"]
    draws = keras.random.SeedGenerator(0)
    critic = linear_critic(length)
    penalty = stargan.penalty_of(critic, real, made, TINY, draws)
    assert float(penalty) == pytest.approx((length - 1) ** 2, abs=1e-5)
    assert float(stargan.penalty_of(critic, real, made, HINGE, draws)) == pytest.approx(length**2 / 2, rel=1e-5)


def test_the_penalty_looks_between_real_images_and_translations():
    seen = []

    def judge(images, training):
        seen.append(images)
        return {"patches": tf.reduce_sum(images, axis=-1, keepdims=True)}

    ones, draws = tf.ones((200, 2, 2, 3)), keras.random.SeedGenerator(0)
    stargan.penalty_of(judge, ones, -ones, TINY, draws)
    stargan.penalty_of(judge, ones, -ones, HINGE, draws)
    between, real = (images.numpy() for images in seen)
    assert (real == 1).all()
    assert np.ptp(between, axis=(1, 2, 3)).max() == 0
    assert between.min() < -0.9
    assert between.max() > 0.9
    assert abs(between.mean()) < 0.15


def outputs(patches: float, logits) -> dict:
    return {"patches": tf.fill((len(logits), 2, 2, 1), patches), "domains": tf.constant(logits, tf.float32)}


def test_losses_are_those_of_the_paper():
    settings = changed(TINY, domain_weight=2.0, cycle_weight=10.0, penalty_weight=5.0)
    even, sure = [[0.0, 0.0]] * 2, [[20.0, 0.0], [0.0, 20.0]]
    image, domains = tf.zeros((2, 4, 4, 3)), tf.constant([0, 1])
    gen = stargan.losses_of_generator(outputs(0.3, even), domains, image + 0.1, image, settings)
    assert float(gen["gen_total"]) == pytest.approx(-0.3 + 2 * np.log(2) + 10 * 0.1, rel=1e-5)
    disc = stargan.losses_of_discriminator(outputs(0.7, sure), outputs(0.3, even), domains, 0.2, settings)
    assert float(disc["disc_total"]) == pytest.approx(-0.7 + 0.3 + 5 * 0.2, rel=1e-5)
    assert float(disc["disc_domain"]) == pytest.approx(0, abs=1e-6)
    assert float(disc["disc_domain_accuracy"]) == 1
    hinge = changed(settings, gan_loss="hinge")
    disc = stargan.losses_of_discriminator(outputs(0.7, sure), outputs(0.3, even), domains, 0.2, hinge)
    assert (float(disc["disc_real"]), float(disc["disc_generated"])) == pytest.approx((0.3, 1.3))


def test_terms_know_their_value_where_nobody_is_ahead():
    met = stargan.losses_of_discriminator(outputs(0, [[0.0, 0]]), outputs(0, [[0.0, 0]]), tf.constant([0]), 0.0, HINGE)
    references = {term.name: term.reference({"gan_loss": "hinge"}) for term in stargan.TERMS}
    known = {name: value for name, value in references.items() if value is not None}
    assert known == {name: float(met[name]) for name in ("disc_real", "disc_generated")}
    assert all(term.reference({"gan_loss": "wasserstein"}) is None for term in stargan.TERMS)


@pytest.mark.parametrize(("images", "steps", "sizes"), [(4, 2, [2, 2]), (5, 3, [2, 2, 1]), (2, 3, [2, 2, 2])])
def test_every_update_of_the_discriminator_sees_another_part_of_the_batch(monkeypatch, images, steps, sizes):
    seen = []
    penalty_of = stargan.penalty_of

    def watch(judge, some, *others):
        seen.append(some)
        return penalty_of(judge, some, *others)

    monkeypatch.setattr(stargan, "penalty_of", watch)
    training = start(stargan, changed(TINY, disc_steps=steps))
    some = batch(task=DOMAINS)
    many = {name: tf.repeat(value, 3, axis=0)[:images] for name, value in some.items()}
    many["input"] += tf.reshape(tf.range(images, dtype=tf.float32), (-1, 1, 1, 1)) * 1e-3
    training.step(many)
    assert [part.shape[0] for part in seen] == sizes
    if images >= steps:
        together = tf.concat(seen, axis=0)
        assert sorted(map(float, together[:, 0, 0, 0])) == sorted(map(float, many["input"][:, 0, 0, 0]))
    counts = [int(player.optimizer.iterations) for player in training.players.values()]
    assert counts == [1, steps]


@pytest.mark.parametrize("settings", [TINY, HINGE])
def test_every_precision_gives_finite_terms(settings):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        training = start(stargan, settings)
    finally:
        keras.config.set_dtype_policy(before)
    assert all(np.isfinite(value) for value in training.step(batch(task=DOMAINS)).values())


def test_in_use_sides_may_differ_and_nothing_else_changes():
    generator = stargan.build_generator(DOMAINS, TINY, 0)
    copy = as_inference(generator, "batch", noise=True, any_size=True)
    some = inputs_of(DOMAINS, 1)
    np.testing.assert_allclose(copy(some), generator(some), rtol=1e-4, atol=1e-5)
    assert copy(tf.zeros((1, 4, 12, 6))).shape == (1, 4, 12, 3)


def test_images_without_domains_or_of_odd_sides_are_refused():
    with pytest.raises(UserError, match="stargan translates between domains, but the data set has none"):
        stargan.build_generator(Task(SHAPE, SHAPE), TINY, 0)
    with pytest.raises(UserError, match="multiples of 4 px, but they are 32 and 30"):
        stargan.build_generator(Task((32, 30, 3), (32, 30, 3), conditions={"domain": 2}), TINY, 0)
