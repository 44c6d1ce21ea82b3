"""Jitter and mirroring of training images (Isola et al. 2017, appendix 6.2)."""

from collections.abc import Sequence
from dataclasses import dataclass

import tensorflow as tf

JITTER_RATIO = 286 / 256
"""The factor by which an image is enlarged before it is cropped back."""


@dataclass(frozen=True)
class Augmentation:
    """Random crops and mirroring, equal for all images of a pair; they depend only on (seed, index)."""

    seed: int
    jitter: bool
    mirror: bool

    def __call__(
        self, index: tf.Tensor, images: Sequence[tf.Tensor], class_ids: Sequence[bool]
    ) -> tuple[tf.Tensor, ...]:
        """Return the augmented images `[H, W, C]` of one pair in [0, 255]; each keeps its size and type.

        Args:
            images: images of which one is the smallest. With jitter both sides of each other one are the same whole
                multiple of its sides.
            class_ids: whether each image holds class ids, which are never interpolated.
        """
        crop_seed, mirror_seed = tf.stack([self.seed, 2 * index]), tf.stack([self.seed, 2 * index + 1])
        if self.jitter:
            images = _jitter(images, crop_seed, class_ids)
        if self.mirror:
            flip = tf.random.stateless_uniform([], mirror_seed) < 0.5
            images = [tf.where(flip, tf.reverse(image, [1]), image) for image in images]
        return tuple(images)


def _jitter(images: Sequence[tf.Tensor], seed: tf.Tensor, class_ids: Sequence[bool]) -> list[tf.Tensor]:
    """Enlarge all images by 286/256 and crop them back to their sizes, at the same position.

    Class ids are enlarged by nearest neighbour, photos bicubically. (The tutorial enlarges both by nearest neighbour,
    the PyTorch reference enlarges both bicubically, even the classes' colours.)
    """
    smallest = [min(image.shape[axis] for image in images) for axis in (0, 1)]
    larger = [round(side * JITTER_RATIO) for side in smallest]
    free = tf.constant([big - side + 1 for big, side in zip(larger, smallest, strict=True)], tf.float32)
    top_left = tf.cast(tf.random.stateless_uniform([2], seed) * free, tf.int32)
    cropped = []
    for image, nearest in zip(images, class_ids, strict=True):
        factor = image.shape[0] // smallest[0]
        method = tf.image.ResizeMethod.NEAREST_NEIGHBOR if nearest else tf.image.ResizeMethod.BICUBIC
        enlarged = tf.image.resize(image, [side * factor for side in larger], method)
        crop = tf.slice(enlarged, tf.concat([top_left * factor, [0]], 0), image.shape)
        cropped.append(tf.cast(tf.clip_by_value(crop, 0, 255), image.dtype))
    return cropped
