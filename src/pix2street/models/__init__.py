"""Generators: networks that turn an input into a photo.

To add one, write `models/<name>.py` with

    build_<name>(input_shape, output_channels, filters, seed, *, norm, upsample, product_side_px) -> keras.Model

whose outputs are `[N, H, W, output_channels]` float32 in [-1, 1], add a line to `GENERATORS` and the name to
`train.generator` in `params.py`. The model battery in `tests/model_battery.py` then runs on it unchanged.
"""

from pix2street.models.unet import build_unet

GENERATORS = {
    "unet": build_unet,
}
