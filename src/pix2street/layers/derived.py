"""Convolutions whose kernel is computed from their weights in every call. Pure Keras 3."""

from keras import layers, ops

from pix2street.layers.in_use import weights_in_use


class DerivedConv2D(layers.Conv2D):
    """A convolution by `derived_kernel`, which a subclass computes from the weight `kernel` and others.

    It is computed in float32 and then rounded to the precision of the layer. In use the weights no longer change, so
    that the layer is replaced by a plain one with the derived kernel as its weight.
    """

    def add_weight(self, *args, name=None, **kwargs):
        return super().add_weight(*args, name=name, autocast=name == "bias", **kwargs)

    def derived_kernel(self):
        """Return the kernel to convolve with, float32."""
        return ops.convert_to_tensor(self.kernel)

    def convolution_op(self, inputs, kernel):
        return super().convolution_op(inputs, ops.cast(self.derived_kernel(), self.compute_dtype))


@weights_in_use.register
def _(layer: DerivedConv2D) -> dict:
    return {"kernel": layer.derived_kernel()} | ({"bias": layer.bias} if layer.use_bias else {})
