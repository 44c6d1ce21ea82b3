"""Comparison of every file's photos with those of `predict --no-dropout`."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np
from tqdm import tqdm

from pix2street.core.errors import UserError
from pix2street.core.images import to_pixels
from pix2street.core.pairs import Pair
from pix2street.inference.export.formats import FORMATS
from pix2street.inference.export.held_out import Photos, read_pixels
from pix2street.inference.export.rows import KERAS, PIXEL_LIMIT, UNIT_LIMIT, Row
from pix2street.inference.export.runners import BATCHES, Runner
from pix2street.inference.translator import Translator


def check_pairs(
    predicted: Translator,
    runners: Mapping[str, Runner],
    rows: Sequence[Row],
    pairs: Sequence[Pair],
    photos: Photos,
    others: Mapping[str, Translator],
) -> None:
    """Compare every file, in batches, with `predict`, which takes one image at a time, on all pairs.

    Args:
        predicted: the translator of `predict --no-dropout`.
        photos: receives the photos that are scored: those of `predict` and of the formats that are not exact.
        others: translators whose photos are scored, too, by their names.

    Raises:
        UserError: as `compare`.
    """
    for some in _batches(tqdm(pairs, desc="check", unit=" images")):
        inputs, names = np.stack([read_pixels(predicted, pair) for pair in some]), [pair.pair_id for pair in some]
        expected = _one_at_a_time(predicted, inputs, names)
        makers = {"predict --no-dropout": to_pixels(expected)}
        for row in rows:
            outputs = runners[row.name](inputs)
            compare(row, outputs, expected, names)
            if row.name != KERAS and not FORMATS[row.name].exact:
                makers[row.name] = outputs["photo"]
        makers = {name: other.translate_all(inputs, names) for name, other in others.items()} | makers
        for maker, made in makers.items():
            for pair, photo in zip(some, made, strict=True):
                photos.add(maker, pair, photo)


def check_sizes(
    predicted: Translator, runners: Mapping[str, Runner], rows: Sequence[Row], pairs: Sequence[Pair]
) -> None:
    """Compare every file with `predict` on two pairs that are cut or continued to sizes the network does not take.

    A generator without inputs has one size, and is compared on truncated latents instead.

    Raises:
        UserError: as `compare`.
    """
    if predicted.card.encoding.latent:
        names = [pair.pair_id for pair in pairs[:2]]
        latents = np.stack([predicted.latent(name, truncation=0.5) for name in names])
        for row in rows:
            compare(row, runners[row.name](latents), _one_at_a_time(predicted, latents, names), names)
        return
    inputs = np.stack([read_pixels(predicted, pair) for pair in pairs[:2]])
    names = [pair.pair_id for pair in pairs[:2]]
    height, width = inputs.shape[1:3]
    for sized in (
        inputs[:, : max(1, height * 5 // 8 - 1), : width * 3 // 4 + 1],
        np.concatenate([inputs] * 2, axis=2)[:, :, 3:],
    ):
        expected = _one_at_a_time(predicted, sized, names)
        for row in rows:
            if row.name != KERAS:
                compare(row, runners[row.name](sized), expected, names)


def check_domains(
    predicted: Translator, runners: Mapping[str, Runner], rows: Sequence[Row], pairs: Sequence[Pair]
) -> None:
    """Compare every file, told a domain, with `predict --domain` on two pairs; none where the generator has none.

    Raises:
        UserError: as `compare`.
    """
    names = [pair.pair_id for pair in pairs[:2]]
    inputs = np.stack([read_pixels(predicted, pair) for pair in pairs[:2]])
    for number, domain in enumerate(predicted.card.encoding.domains):
        expected = _one_at_a_time(predicted.towards(domain), inputs, names)
        for row in rows:
            compare(row, runners[row.name](inputs, number), expected, names)


def _one_at_a_time(predicted: Translator, inputs: np.ndarray, names: Sequence[str]) -> np.ndarray:
    """Return the photos of `predict` before rounding, one at a time as `predict` makes them."""
    return np.concatenate(
        [predicted.translate_unrounded([pixels], [name]) for pixels, name in zip(inputs, names, strict=True)]
    )


def _batches(pairs: Iterable[Pair]) -> Iterator[list[Pair]]:
    some = []
    for pair in pairs:
        some.append(pair)
        if len(some) == max(BATCHES):
            yield some
            some = []
    if some:
        yield some


def compare(row: Row, outputs: Mapping[str, np.ndarray], expected: np.ndarray, names: Sequence[str]) -> None:
    """Note the largest differences in `row`.

    Raises:
        UserError: an output has another shape or type than that of `predict`, the file is exact and differs by more
            than the limits, or a file of another format gives no photo.
    """
    wanted = {"photo": to_pixels(expected), "unit": expected}
    for output, array in wanted.items():
        if outputs[output].shape != array.shape or outputs[output].dtype != array.dtype:
            shapes = [f"{value.dtype} {value.shape}" for value in (array, outputs[output])]
            raise UserError(
                f"{row.name}: {names[0]}: {output} must be {shapes[0]}, but is {shapes[1]}; nothing was written"
            )
    levels, units = (
        np.abs(outputs[output].astype(np.float64) - array).reshape(len(names), -1).max(axis=1)
        for output, array in wanted.items()
    )
    row.pixel_difference = max(row.pixel_difference, int(levels.max()))
    row.unit_difference = float(np.maximum(row.unit_difference, units.max()))
    if row.name == KERAS:
        return
    # A file with narrower kernels may cost more, but what it gives must be a photo.
    limits = (PIXEL_LIMIT, UNIT_LIMIT) if FORMATS[row.name].exact else (255, 2.0)
    words = (" of 255 levels", " before rounding")
    for differences, limit, unit in zip((levels, units), limits, words, strict=True):
        if not (differences <= limit).all():  # NaN is beyond every limit
            worst = int(np.argmax(np.nan_to_num(differences, nan=np.inf)))
            raise UserError(
                f"{row.name}: {names[worst]}: differs from `predict --no-dropout` by {differences[worst]:.4g}{unit}, "
                f"at most {limit:g} may; nothing was written. The other formats may do: leave this one out of --format"
            )
