"""Generate: make a photo of every held-out input by the trained generator and by two untrained baselines.

A generator with noise or styles also makes further photos of the first inputs, which differ in these alone, and one
with styles some photos in one style. The inputs of train get photos, too, if judges are to be trained on them.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
from tqdm import tqdm

from pix2street.core.images import read_ids, read_photo, write_png
from pix2street.core.pairs import HELD_OUT_SUBSETS, SUBSETS, Pair, read_pairs
from pix2street.core.seeds import derive_seed
from pix2street.core.styles import ONE_STYLE, StyleBank, packed, seed_of
from pix2street.inference.card import GeneratorCard
from pix2street.inference.in_use import as_inference, translate
from pix2street.layers.networks import load_network, load_untrained
from pix2street.settings.generate import Generate
from pix2street.training.batches import InputEncoding, batches_in_use, plain_batches

ONE_STYLE_PAIRS = 3
"""The number of drawings of a subset that are shown in one style."""


def generate_photos(
    split: Path,
    generator_folder: Path,
    folder: Path,
    baselines_folder: Path,
    settings: Generate,
    *,
    photos_of_train: bool = False,
) -> None:
    """Write `{val,test}/<pair_id>.png` into `folder`, and the baselines' photos into `baselines_folder/<baseline>`.

    The baseline `untrained` is the generator with its initial weights. A set with classes also has `mean_color`, which
    paints each class in its mean colour over the targets of train.

    Args:
        photos_of_train: also write `train/<pair_id>.png`, made in the same way, into each of these folders.
    """
    card = GeneratorCard.read(generator_folder)
    bank = card.read_bank(generator_folder)
    networks = {
        folder: load_network(generator_folder, "generator"),
        baselines_folder / "untrained": load_untrained(generator_folder, "generator"),
    }
    names = SUBSETS if photos_of_train else HELD_OUT_SUBSETS
    subsets = {name: pairs for name in names if (pairs := read_pairs(split, name))}
    for out, network in networks.items():
        inference = as_inference(network, settings.norm, settings.dropout)
        for name, pairs in subsets.items():
            photos = _translated(inference, pairs, card.encoding, bank, settings.seed)
            title = f"{name}, untrained" if out != folder else name
            _write(tqdm(photos, desc=title, total=len(pairs), unit=" photos"), pairs, out / name)
    if card.encoding.classes:
        colors = mean_colors(read_pairs(split, "train"))
        for name, pairs in subsets.items():
            painted = (colors[read_ids(pair.input_path)] for pair in pairs)
            _write(painted, pairs, baselines_folder / "mean_color" / name)


def draw_photos(split: Path, generator_folder: Path, folder: Path, settings: Generate) -> None:
    """Write `draws` further photos of each of the first `draw_pairs` inputs of every held-out subset.

    They are `<k>/{val,test}/<pair_id>.png`, k from 1. The seed of their noise and styles follows from (seed, k). A
    generator with neither writes none. One with styles also writes `one_style/{val,test}/<pair_id>.png`, photos of
    the first inputs in the light of the first one's photo.
    """
    card = replace(GeneratorCard.read(generator_folder), noise_on=settings.dropout)
    if not card.seeded:
        return
    bank = card.read_bank(generator_folder)
    inference = as_inference(load_network(generator_folder, "generator"), settings.norm, card.noisy)
    for name in HELD_OUT_SUBSETS:
        everything = read_pairs(split, name)
        pairs = everything[: settings.draw_pairs]
        for draw in range(1, settings.draws + 1) if pairs else ():
            photos = _translated(inference, pairs, card.encoding, bank, derive_seed(settings.seed, draw))
            _write(photos, pairs, folder / str(draw) / name)
        if bank and pairs and settings.draws:
            some = everything[:ONE_STYLE_PAIRS]
            _write(_in_one_style(inference, some, card.encoding, bank, settings.seed), some, folder / ONE_STYLE / name)


def _translated(
    inference: keras.Model, pairs: Sequence[Pair], encoding: InputEncoding, bank: StyleBank | None, seed: int
) -> Iterator[np.ndarray]:
    """Return the photo of each pair's input, `[H, W, 1 or 3]` uint8."""
    batches = batches_in_use(pairs, encoding, bank, seed)
    return translate(inference, batches, [pair.pair_id for pair in pairs], seed)


def _in_one_style(
    inference: keras.Model, pairs: Sequence[Pair], encoding: InputEncoding, bank: StyleBank, seed: int
) -> Iterator[np.ndarray]:
    """Return the photo of each pair's input in the light of the first one's, which is the photo of `_translated`."""
    drawings = {pair.pair_id: encoding.read(pair.input_path) for pair in pairs}
    light = bank.light(drawings[pairs[0].pair_id], seed_of(pairs[0].pair_id, seed))
    styles = packed(bank.draw(drawing, seed_of(name, seed), light) for name, drawing in drawings.items())
    return translate(inference, plain_batches(pairs, encoding, 1, styles), [*drawings], seed)


def _write(photos: Iterable[np.ndarray], pairs: Sequence[Pair], folder: Path) -> None:
    """Write the photo of each pair to `<folder>/<pair_id>.png`."""
    folder.mkdir(parents=True)
    for pair, photo in zip(pairs, photos, strict=True):
        write_png(folder / f"{pair.pair_id}.png", photo)


def mean_colors(pairs: list[Pair]) -> np.ndarray:
    """Return the mean colour of each class id over all targets, `[256, 3]` uint8; `[256, 1]` for grey targets.

    An id that never occurs is mid-grey.
    """
    channels = read_photo(pairs[0].target_path).shape[2]
    sums, counts = np.zeros((256, channels)), np.zeros(256)
    for pair in pairs:
        ids, target = read_ids(pair.input_path).ravel(), read_photo(pair.target_path, channels).reshape(-1, channels)
        counts += np.bincount(ids, minlength=256)
        sums += np.stack([np.bincount(ids, target[:, channel], 256) for channel in range(channels)], axis=1)
    means = np.divide(sums, counts[:, None], out=np.full_like(sums, 127.5), where=counts[:, None] > 0)
    return np.rint(means).astype(np.uint8)
