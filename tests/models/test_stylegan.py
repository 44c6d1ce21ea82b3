"""What StyleGAN2 is: a latent for each size, styles that mix, and a discriminator that sees all photos augmented."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from model_battery import LATENTS, inputs_of, start
from shipped import changed
from tiny_models import SETTINGS, SMALL

from pix2street.core.errors import UserError
from pix2street.inference.in_use import as_inference
from pix2street.layers import differentiable
from pix2street.models import stylegan
from pix2street.models.interface import Task

TINY = changed(SETTINGS.stylegan, **SMALL["stylegan"])


def photos_of(latents, seed=0):
    network = as_inference(stylegan.build_generator(LATENTS, TINY, seed), "batch", noise=False)
    return np.array(network(latents))


def test_each_size_from_4_px_on_has_a_latent():
    for shape, levels in (((64, 64, 3), 5), ((32, 64, 3), 4), ((256, 256, 1), 7), ((96, 96, 3), 5)):
        assert stylegan.latent_of(shape, TINY) == (levels, 4)
    generator = stylegan.build_generator(Task((96, 96, 3), (96, 96, 3), latent=(5, 4)), TINY, 0)
    assert generator.get_layer("start").output.shape == (None, 6, 6, 4)
    assert generator.output_shape == (None, 96, 96, 3)
    for shape in ((4, 4, 3), (36, 64, 3)):
        with pytest.raises(UserError, match="choose other sides in `split`"):
            stylegan.latent_of(shape, TINY)


def test_the_number_of_weights_is_worked_out_on_paper():
    settings = changed(TINY, latent=8, mapping_layers=2, generator_filters=4, max_filters=8)
    task = Task((16, 16, 3), (16, 16, 3), latent=(3, 8))
    mapping = 2 * (8 * 8 + 8) + 8  # and the mean style
    start = 4 * 4 * 8

    def conv(before, after):
        return 8 * before + before + 9 * before * after + 2 * after  # its style, kernel, noise and bias

    def color(filters):
        return 8 * filters + filters + filters * 3 + 3

    levels = conv(8, 8) + color(8) + 2 * conv(8, 8) + color(8) + conv(8, 4) + conv(4, 4) + color(4)
    # One noise has a state of two numbers, as Keras counts it.
    seeds = 2 * 5
    found = stylegan.build_generator(task, settings, 0).count_params()
    assert found in (mapping + start + levels, mapping + start + levels + seeds)


def test_the_latent_of_a_size_changes_the_photo_from_this_size_on():
    latents, others = inputs_of(LATENTS, 1, 0).numpy(), inputs_of(LATENTS, 1, 1).numpy()
    network = as_inference(stylegan.build_generator(LATENTS, TINY, 0), "batch", noise=False)
    maps = keras.Model(network.input, [network.get_layer(f"level_{level}_conv_out").output for level in range(4)])
    for level in range(4):
        changed_one = latents.copy()
        changed_one[:, level] = others[:, level]
        differ = [np.abs(one - other).max() > 1e-5 for one, other in zip(maps(latents), maps(changed_one), strict=True)]
        assert differ == [number >= level for number in range(4)]


def test_styles_mix_at_a_size_that_is_drawn():
    latents = tf.constant(np.arange(64)[:, None, None] * np.ones((1, 4, 5)), tf.float32)
    draws = keras.random.SeedGenerator(0)
    made = np.array(stylegan.mixed(latents, draws, 1.0))[..., 0]
    assert (made[:, 0] == np.arange(64)).all()
    assert (made[:, -1] == np.roll(np.arange(64), 1)).all()
    firsts = (made == np.arange(64)[:, None]).sum(axis=1)
    assert {*firsts} == {1, 2, 3}
    some = np.array(stylegan.mixed(latents, draws, 0.5))[..., 0]
    assert 16 < (some[:, -1] != np.arange(64)).sum() < 48
    assert stylegan.mixed(latents, draws, 0.0) is latents
    assert stylegan.mixed(latents[:1], draws, 1.0).shape == (1, 4, 5)


def test_the_discriminator_sees_real_and_made_photos_augmented_alike_and_use_none(monkeypatch):
    seen = []

    def noted(images, draws, kinds):
        seen.append((images.shape, [*kinds], draws.shape))
        return augmented(images, draws, kinds)

    augmented = differentiable.augmented
    monkeypatch.setattr(differentiable, "augmented", noted)
    training = start(stylegan, changed(TINY, augment=["translation", "cutout"], penalty_every=1))
    photos = tf.random.stateless_uniform((4, *LATENTS.target_shape), (1, 2), -1, 1)
    training.step({"input": inputs_of(LATENTS, 4), "target": photos})
    # Real and made photos of the discriminator's update, real ones for the penalty, made ones for the generator.
    assert len(seen) == 4
    assert all(one == ((4, *LATENTS.target_shape), ["translation", "cutout"], (4, 7)) for one in seen)
    before = len(seen)
    photo = as_inference(training.generator, "batch", noise=True)(inputs_of(LATENTS, 1))
    assert len(seen) == before
    # A hole, or a border of a translation, would be exactly grey.
    assert not (np.array(photo) == 0).all(axis=-1).any()


def test_draws_of_real_and_made_photos_are_of_one_distribution():
    draws, settings = keras.random.SeedGenerator(0), changed(TINY, augment=["cutout"])
    ones = tf.ones((256, 16, 16, 3))
    holes = [np.array(stylegan.seen_by_discriminator(ones, draws, settings)).mean(axis=0) for _ in range(2)]
    assert np.abs(holes[0] - holes[1]).max() < 0.2
    assert np.abs(holes[0] - holes[1]).max() > 0


def test_a_penalty_comes_every_so_many_steps_and_weighs_so_many_times_more():
    def penalties(every):
        training = start(stylegan, changed(TINY, penalty_every=every, augment=[], mixing=0.0, penalty_weight=1e-9))
        photos = tf.random.stateless_uniform((2, *LATENTS.target_shape), (1, 2), -1, 1)
        batch = {"input": inputs_of(LATENTS, 2), "target": photos}
        return [float(training.step(batch)["disc_penalty"]) for _ in range(4)]

    each, second = penalties(1), penalties(2)
    assert second[1] == second[3] == 0
    assert second[0] == pytest.approx(2 * each[0], rel=1e-4)
    assert second[2] > 0


def test_too_few_photos_are_refused_with_a_way_out():
    settings = changed(TINY, min_photos=5)
    with pytest.raises(UserError, match=r"min_photos: 4 photos .* fewer than 5: .*add photos"):
        start(stylegan, settings)
