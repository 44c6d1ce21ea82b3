"""Generate: make a photo of every held-out input by the trained generator and by baselines that learn nothing.

A generator with noise or styles also makes further photos of the first inputs, which differ in these alone, and one
with styles some photos in one style. The inputs of train get photos, too, if judges are to be trained on them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
from tqdm import tqdm

from pix2street.core.images import read_ids, read_photo
from pix2street.core.pairs import HELD_OUT_SUBSETS, SUBSETS, Dataset, Pair, read_pairs, write_photos
from pix2street.core.seeds import derive_seed
from pix2street.core.styles import ONE_STYLE, StyleBank, packed, seed_of
from pix2street.inference.card import GeneratorCard
from pix2street.inference.enlargements import write_enlargements
from pix2street.inference.free_frames import write_free_frames
from pix2street.inference.free_photos import write_free_photos
from pix2street.inference.free_translations import write_free_translations
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

    The baseline `untrained` is the generator with its initial weights. A generator of drawings with classes also has
    `mean_color`, which paints each class in its mean colour over the targets of train. A translation of photos between
    domains has the baselines of `free_translations`, reduced photos have those of `enlargements`, videos those of
    `free_frames`, and photos of latents those of `write_free_photos`. Each earlier phase of the training is a baseline,
    too.

    Args:
        photos_of_train: also write `train/<pair_id>.png`, made in the same way, into each of these folders.
    """
    card = GeneratorCard.read(generator_folder)
    bank = card.read_bank(generator_folder)
    networks = {
        folder: load_network(generator_folder, "generator"),
        baselines_folder / "untrained": load_untrained(generator_folder, "generator"),
        **{baselines_folder / phase: load_network(generator_folder / phase, "generator") for phase in card.phases},
    }
    names = SUBSETS if photos_of_train else HELD_OUT_SUBSETS
    subsets = {name: pairs for name in names if (pairs := card.inputs_in(split, name))}
    for out, network in networks.items():
        inference = as_inference(network, settings.norm, settings.dropout)
        for name, pairs in subsets.items():
            photos = _translated(inference, pairs, card.encoding, bank, settings.seed)
            title = f"{name}, {out.name}" if out != folder else name
            write_photos(out / name, pairs, tqdm(photos, desc=title, total=len(pairs), unit=" photos"))
    if card.encoding.latent:
        write_free_photos(split, subsets, baselines_folder, settings.seed)
    elif card.encoding.classes:
        colors = mean_colors(read_pairs(split, "train"))
        for name, pairs in subsets.items():
            painted = (colors[read_ids(pair.input_path)] for pair in pairs)
            write_photos(baselines_folder / "mean_color" / name, pairs, painted)
    elif (dataset := Dataset.read(split)).input_from == "reduced":
        write_enlargements(subsets, dataset.factor, baselines_folder)
    elif dataset.frames:
        write_free_frames(dataset.frames, subsets, baselines_folder)
    elif domains := dataset.domains:
        target = domains[1 if card.encoding.domain is None else card.encoding.domain]
        write_free_translations(split, target, subsets, baselines_folder)


def draw_photos(split: Path, generator_folder: Path, folder: Path, settings: Generate) -> None:
    """Write `draws` further photos of each of the first `draw_pairs` inputs of every held-out subset.

    They are `<k>/{val,test}/<pair_id>.png`, k from 1. The seed of their noise and styles follows from (seed, k). A
    generator with neither, or without inputs, writes none. With styles, the photos of an input differ in their light
    (see `StyleBank.lights`), and `one_style/{val,test}/<pair_id>.png` are photos of the first inputs in one light, that
    of the first one's photo.
    """
    card = replace(GeneratorCard.read(generator_folder), noise_on=settings.dropout)
    if not card.seeded or card.encoding.latent:
        return
    bank = card.read_bank(generator_folder)
    inference = as_inference(load_network(generator_folder, "generator"), settings.norm, card.noisy)
    seeds = [settings.seed, *(derive_seed(settings.seed, draw) for draw in range(1, settings.draws + 1))]
    for name in HELD_OUT_SUBSETS if settings.draws else ():
        everything = card.inputs_in(split, name)
        pairs, some = everything[: settings.draw_pairs], everything[:ONE_STYLE_PAIRS]
        if not pairs:
            continue
        lights = _lights(pairs, card.encoding, bank, seeds) if bank else None
        for draw in range(1, settings.draws + 1):
            if bank:
                photos = _in_lights(inference, pairs, card.encoding, bank, seeds[draw], lights[:, draw])
            else:
                photos = _translated(inference, pairs, card.encoding, None, seeds[draw])
            write_photos(folder / str(draw) / name, pairs, photos)
        if bank:
            one_light = np.repeat(lights[:1, 0], len(some), axis=0)
            photos = _in_lights(inference, some, card.encoding, bank, settings.seed, one_light)
            write_photos(folder / ONE_STYLE / name, some, photos)


def _translated(
    inference: keras.Model, pairs: Sequence[Pair], encoding: InputEncoding, bank: StyleBank | None, seed: int
) -> Iterator[np.ndarray]:
    """Return the photo of each pair's input, `[H, W, 1 or 3]` uint8."""
    batches = batches_in_use(pairs, encoding, bank, seed)
    return translate(inference, batches, [pair.pair_id for pair in pairs], seed)


def _lights(pairs: Sequence[Pair], encoding: InputEncoding, bank: StyleBank, seeds: Sequence[int]) -> np.ndarray:
    """Return the lights of each pair's input under each seed, `[pairs, seeds, C]` uint8; the photo has the first."""
    return np.stack(
        [bank.lights(encoding.read(pair.input_path), [seed_of(pair.pair_id, seed) for seed in seeds]) for pair in pairs]
    )


def _in_lights(
    inference: keras.Model,
    pairs: Sequence[Pair],
    encoding: InputEncoding,
    bank: StyleBank,
    seed: int,
    lights: Sequence[np.ndarray],
) -> Iterator[np.ndarray]:
    """Return the photo of each pair's input as `_translated` does, each in its own of `lights`."""
    styles = packed(
        bank.draw(encoding.read(pair.input_path), seed_of(pair.pair_id, seed), light)
        for pair, light in zip(pairs, lights, strict=True)
    )
    return translate(inference, plain_batches(pairs, encoding, 1, styles), [pair.pair_id for pair in pairs], seed)


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
