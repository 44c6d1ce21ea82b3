import numpy as np
import pytest
import tensorflow as tf

from pix2street.core.errors import UserError
from pix2street.layers.pool import ImagePool


def numbered(first: int, count: int = 1) -> tf.Tensor:
    """Return images whose every value is their number."""
    return tf.ones((count, 2, 2, 3)) * tf.reshape(tf.range(first, first + count, dtype=tf.float32), (-1, 1, 1, 1))


def numbers(images) -> list[int]:
    return [int(value) for value in np.asarray(images)[:, 0, 0, 0]]


def play(pool: ImagePool, images: int, batch: int = 1) -> list[int]:
    """Return the numbers of what the pool gives for images with the numbers from 1 on."""
    return [number for given, _, _ in watch(pool, images, batch) for number in given]


def watch(pool: ImagePool, images: int, batch: int = 1) -> list[tuple[list[int], list[int], list[int]]]:
    """Return for each batch the numbers that the pool gives, and those that it holds before and after it."""
    if not pool.built:
        pool.build((None, 2, 2, 3))

    @tf.function
    def call(some):
        before = tf.identity(pool.images)
        return pool(some), before, tf.identity(pool.images)

    batches = [numbered(first, batch) for first in range(1, images + 1, batch)]
    return [tuple(map(numbers, call(some))) for some in batches]


def test_it_gives_new_images_until_it_is_full():
    assert play(ImagePool(8, 0), 8) == list(range(1, 9))
    assert play(ImagePool(8, 0), 8, batch=4) == list(range(1, 9))


def test_once_full_it_gives_a_past_image_half_of_the_time_and_then_keeps_the_new_one():
    past, places = 0, np.zeros(4)
    for new, ((given,), before, after) in enumerate(watch(ImagePool(4, 0), 804), 1):
        if new > 4 and given != new:
            assert after == [new if number == given else number for number in before]
            places[before.index(given)] += 1
            past += 1
        elif new > 4:
            assert after == before
    # Four standard deviations of 800 coins are 57.
    assert 343 < past < 457
    np.testing.assert_allclose(places / past, 0.25, atol=0.09)


def test_the_past_images_of_a_batch_are_different_ones():
    for given, before, after in watch(ImagePool(4, 0), 80, batch=4)[1:]:
        newest = max(*given, *after)
        assert sorted([*given, *after]) == sorted([*before, *range(newest - 3, newest + 1)])


def test_a_seed_decides_the_draws():
    results = [play(ImagePool(4, seed), 40) for seed in (0, 0, 1)]
    assert results[0] == results[1] != results[2]


def test_its_weights_are_all_that_the_next_images_depend_on():
    pool, other = ImagePool(4, 0), ImagePool(4, 7)
    play(pool, 20)
    play(other, 1)
    assert len(pool.variables) == 3
    for weight, value in zip(other.variables, pool.variables, strict=True):
        weight.assign(value)
    assert play(pool, 20) == play(other, 20)


def test_no_gradient_passes():
    image = tf.Variable(numbered(1))
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(ImagePool(1, 0)(image))
    assert tape.gradient(total, image) is None


def test_a_batch_that_does_not_fit_is_refused():
    with pytest.raises(UserError, match=r"pool: 2 photos are fewer than a batch of 3; choose a larger pool"):
        ImagePool(2, 0)(numbered(1, 3))
