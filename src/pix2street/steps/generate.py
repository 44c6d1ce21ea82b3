"""Generate: make a photo of every held-out input by the trained generator and by two untrained baselines.

The inputs of train get photos, too, if a judge is to be trained on them.
"""

from pathlib import Path

import numpy as np
from tqdm import tqdm

from pix2street.core.images import read_ids, read_photo, write_png
from pix2street.core.pairs import HELD_OUT_SUBSETS, SUBSETS, Pair, read_pairs
from pix2street.inference.card import GeneratorCard
from pix2street.inference.in_use import as_inference, translate
from pix2street.layers.networks import load_network, load_untrained
from pix2street.settings.generate import Generate
from pix2street.training.batches import plain_batches


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
    encoding = GeneratorCard.read(generator_folder).encoding
    networks = {
        folder: load_network(generator_folder, "generator"),
        baselines_folder / "untrained": load_untrained(generator_folder, "generator"),
    }
    names = SUBSETS if photos_of_train else HELD_OUT_SUBSETS
    subsets = {name: pairs for name in names if (pairs := read_pairs(split, name))}
    for out, network in networks.items():
        inference = as_inference(network, settings.norm, settings.dropout)
        for name, pairs in subsets.items():
            (out / name).mkdir(parents=True)
            pair_ids = [pair.pair_id for pair in pairs]
            photos = translate(inference, plain_batches(pairs, encoding, 1), pair_ids, settings.seed)
            title = f"{name}, untrained" if out != folder else name
            for pair, photo in zip(pairs, tqdm(photos, desc=title, total=len(pairs), unit=" photos"), strict=True):
                write_png(out / name / f"{pair.pair_id}.png", photo)
    if encoding.classes:
        colors = mean_colors(read_pairs(split, "train"))
        for name, pairs in subsets.items():
            painted = baselines_folder / "mean_color" / name
            painted.mkdir(parents=True)
            for pair in pairs:
                write_png(painted / f"{pair.pair_id}.png", colors[read_ids(pair.input_path)])


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
