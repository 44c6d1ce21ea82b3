"""The contrast of patches: each patch of an image is told from the others of it by features (Park et al. 2020)."""

import itertools
from collections.abc import Sequence

import keras
from keras import initializers, layers, ops


def build_heads(channels: Sequence[int], width: int, seed: int) -> keras.Model:
    """Return a perceptron with one hidden layer for each tap, whose outputs have length 1 (section 3.2, appendix C).

    Args:
        channels: the channels of the features of each tap.
        width: the units of the hidden layer and of the output.

    Returns:
        `[[N, P, C], ...] -> [[N, P, width], ...]` float32.
    """
    seeds = itertools.count(seed * 1000 + 700)
    inputs, outputs = [], []
    for number, depth in enumerate(channels, 1):
        features = x = keras.Input((None, depth), name=f"tap_{number}")
        for name, activation in (("hidden", "relu"), ("projection", None)):
            weights = initializers.RandomNormal(0.0, 0.02, seed=next(seeds))
            x = layers.Dense(width, activation, kernel_initializer=weights, name=f"{name}_{number}")(x)
        inputs.append(features)
        outputs.append(layers.UnitNormalization(dtype="float32", name=f"features_{number}")(x))
    return keras.Model(inputs, outputs, name="heads")


def draw_places(pixels: int, count: int, draws: keras.random.SeedGenerator):
    """Return at most `count` different places of an image with so many pixels, `[P]` int32."""
    order = ops.argsort(keras.random.uniform((pixels,), dtype="float32", seed=draws))
    return ops.cast(order[: min(count, pixels)], "int32")


def take_places(features, places):
    """Return the features at these places: `[N, H, W, C], [P] -> [N, P, C]`."""
    height, width, depth = features.shape[1:]
    return ops.take(ops.reshape(features, (-1, height * width, depth)), places, axis=1)


def patch_contrast(queries, keys, temperature: float):
    """Return the cross-entropy of finding each query's own key among the keys of the same image (equation 3), and the
    share that is found.

    No gradient reaches the keys. Features that say nothing give ln P and 1 / P.

    Args:
        queries, keys: `[N, P, C]` float32 of length 1; a query's own key is at the same place.
    """
    logits = ops.matmul(queries, ops.transpose(ops.stop_gradient(keys), (0, 2, 1))) / temperature
    own = ops.arange(logits.shape[-1])
    ids = ops.broadcast_to(own, ops.shape(logits)[:2])
    found = ops.cast(ops.argmax(logits, axis=-1) == ops.cast(own, "int32"), "float32")
    return ops.mean(ops.sparse_categorical_crossentropy(ids, logits, from_logits=True)), ops.mean(found)
