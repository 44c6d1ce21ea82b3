"""Judges that were trained elsewhere, adapted to this project's photos. Pure Keras 3.

KerasHub, whose code is under Apache-2.0, offers SegFormers (Xie et al. 2021). Their weights derive from NVIDIA's, whose
licence allows research and evaluation only: https://github.com/NVlabs/SegFormer/blob/master/LICENSE, section 3.3.
"""

from itertools import pairwise
from pathlib import Path
from zipfile import BadZipFile

import keras
from keras import layers

from pix2street.core.classes import cityscapes_classes
from pix2street.core.errors import UserError

SEGFORMERS = tuple(f"segformer_b{size}_cityscapes_1024" for size in range(6))
"""KerasHub's presets trained on Cityscapes, from the fastest to the most accurate."""

# Statistics of ImageNet's colours in [0, 1]; NVIDIA trained every SegFormer on photos normalised by them.
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


def load_segformer(preset: str, weights: Path | None, height_px: int, width_px: int) -> tuple[keras.Model, list[str]]:
    """Return a SegFormer for photos of one size, and Cityscapes' 19 evaluated classes in the order of its channels.

    The network maps photos `[N, height_px, width_px, 3]` float32 in [-1, 1] to logits `[N, height_px, width_px, 19]`.
    KerasHub's network takes only squares. A longer photo is therefore cut into the fewest square windows that cover it,
    and each pixel's logits come from the window whose centre is nearest; Xie et al. also test on Cityscapes with
    sliding windows (section 4.1). Keras' counters, which name layers, are reset, so that the saved network has the same
    bytes in every process.

    Args:
        preset: one of `SEGFORMERS`.
        weights: the preset's folder, for a machine without a network; None lets KerasHub download it once.

    Raises:
        UserError: KerasHub or the weights are missing, the weights are for other classes, or the size does not fit.
    """
    side_px = min(height_px, width_px)
    if side_px % 32 or side_px < 64:
        raise UserError(f"{preset}: a side of {side_px} px is not 64, 96, 128, ...; fix segment.pretrained")
    keras.utils.clear_session()
    square = _square_segformer(preset, weights, side_px)
    photos = keras.Input((height_px, width_px, 3), name="photos")
    scale = [0.5 / std for std in IMAGENET_STD]
    offset = [(0.5 - mean) / std for mean, std in zip(IMAGENET_MEAN, IMAGENET_STD, strict=True)]
    normalised = layers.Rescaling(scale, offset, name="normalised")(photos)
    upright, length_px = height_px > width_px, max(height_px, width_px)
    seen = []
    for index, (start, first, last) in enumerate(_windows(length_px, side_px)):
        crops = (start, length_px - start - side_px), (first, side_px - last)
        outer, inner = [(crop, (0, 0)) if upright else ((0, 0), crop) for crop in crops]
        window = layers.Cropping2D(outer, name=f"window_{index}")(normalised)
        # `training` is given because Keras' Resizing would otherwise turn it on for the layers behind it.
        logits = square(window, training=False)
        seen.append(layers.Cropping2D(inner, name=f"seen_{index}")(logits))
    logits = layers.Concatenate(axis=1 if upright else 2, name="logits")(seen)
    return keras.Model(photos, logits, name=preset), cityscapes_classes().evaluated_names


def need_keras_hub(preset: str) -> None:
    """Import KerasHub, which has the layers of `preset`.

    Raises:
        UserError: the extra `judges` is not installed.
    """
    try:
        import keras_hub  # noqa: F401
    except ImportError as error:
        raise UserError(f"segment.judge: {preset} needs the extra `judges`: pip install -e '.[judges]'") from error


def _square_segformer(preset: str, weights: Path | None, side_px: int) -> keras.Model:
    """Return KerasHub's network for squares of `side_px`, with the weights of the preset."""
    need_keras_hub(preset)
    from keras_hub.models import SegFormerImageSegmenter

    for name in ("config.json", "task.json", "model.weights.h5", "task.weights.h5") if weights else ():
        if not (weights / name).is_file():
            raise UserError(f"{weights}: has no {name}; put all files of {preset} into it, or remove it to fetch them")
    # The path is absolute because KerasHub takes a bare name for one of its presets.
    source = str(weights.resolve()) if weights else preset
    unreadable = (OSError, ValueError) if weights else OSError
    try:
        trained = SegFormerImageSegmenter.from_preset(source, preprocessor=None, dtype="float32")
    except unreadable as error:
        raise UserError(
            f"segment.judge: {preset} cannot be read from {weights or 'the network'} ({_first_line(error)}); download "
            "its files from https://www.kaggle.com/models/keras/segformer into <segment.path>/" + preset
        ) from error
    if trained.num_classes != 19:
        raise UserError(
            f"segment.judge: the weights of {preset} are for {trained.num_classes} classes, Cityscapes has 19; "
            f"name another preset, or put the right files into <segment.path>/{preset}"
        )
    config = trained.get_config()
    config["backbone"]["config"]["image_encoder"]["config"]["image_shape"] = (side_px, side_px, 3)
    square = SegFormerImageSegmenter.from_config(config)
    square.set_weights(trained.get_weights())
    return keras.Model(square.input, square.output, name="segformer")


def load_keras_model(path: Path) -> keras.Model:
    """Return the model in a `.keras` file, `[N, H, W, 3] -> [N, h, w, classes]`.

    Raises:
        UserError: the file is missing or unreadable, the model holds Python code, or has other inputs or outputs.
    """
    if path.suffix != ".keras" or not path.is_file():
        raise UserError(f"{path}: no such file, or its name does not end in .keras; save the judge by model.save(...)")
    try:
        model = keras.saving.load_model(path, compile=False, safe_mode=True)
    except (OSError, ValueError, TypeError, KeyError, BadZipFile) as error:
        raise UserError(
            f"{path}: Keras {keras.__version__} cannot read this model ({_first_line(error)}); save it again without "
            "custom layers and Lambda layers"
        ) from error
    for end, rule in (("input", "[N, H, W, 3]"), ("output", "[N, h, w, classes]")):
        shapes = [tuple(tensor.shape) for tensor in getattr(model, f"{end}s", None) or ()]
        if len(shapes) != 1 or len(shapes[0]) != 4 or (end == "input" and shapes[0][-1] != 3):
            raise UserError(f"{path}: a judge has one {end} {rule}, but this model has {shapes}; save another model")
    return model


def _windows(length_px: int, side_px: int) -> list[tuple[int, int, int]]:
    """Return each window's start, and the first and the end of its pixels to use, counted from that start."""
    count = -(-length_px // side_px)
    starts = [round(index * (length_px - side_px) / max(count - 1, 1)) for index in range(count)]
    seams = [0, *((left + right + side_px) // 2 for left, right in pairwise(starts)), length_px]
    return [(start, seam - start, end - start) for start, (seam, end) in zip(starts, pairwise(seams), strict=True)]


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
