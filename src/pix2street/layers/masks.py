"""A mask of the generator, under which an image stays as it was. Pure Keras 3."""

import keras
from keras import KerasTensor, layers, ops


@keras.saving.register_keras_serializable("pix2street")
class Blend(layers.Layer):
    """`mask * colour + (1 - mask) * image` for `[image, colour, mask]`, each `[N, H, W, C]`, the mask in [0, 1].

    The image may have further channels, its conditions, which are left out.
    """

    def call(self, parts):
        image, colour, mask = parts
        image = ops.cast(image[..., : colour.shape[-1]], self.compute_dtype)
        return image + mask * (colour - image)

    def compute_output_shape(self, shapes):
        return shapes[1]


def under_mask(image: KerasTensor, colour: KerasTensor, logits: KerasTensor) -> KerasTensor:
    """Return the image under a colour, by the mask M = sigmoid(logits): `M * colour + (1 - M) * image`, float32.

    A generator that makes colour and mask keeps what it need not change as sharp as it was (Pumarola et al. 2018,
    "GANimation", equation 1; there one mask serves all channels, here each has its own).

    Args:
        image: `[N, H, W, C]` and perhaps further channels, in [-1, 1].
        colour: `[N, H, W, C]` in [-1, 1].
        logits: `[N, H, W, C]`.
    """
    mask = layers.Activation("sigmoid", dtype="float32", name="mask")(logits)
    return Blend(dtype="float32", name="blend")([image, colour, mask])
