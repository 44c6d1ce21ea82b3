"""The held-out pairs on which exported files are checked, and their photos."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from pix2street.core.classes import ClassTable
from pix2street.core.errors import UserError
from pix2street.core.images import read_photo, write_png
from pix2street.core.pairs import HELD_OUT_SUBSETS, Dataset, Pair, drawing_of
from pix2street.inference.card import GeneratorCard
from pix2street.inference.translator import Translator
from pix2street.judges.jury import Jury
from pix2street.metrics import pixels as pixel_metrics
from pix2street.metrics import segmentation

KINDS = {1: "grey", 3: "RGB"}
"""The kinds of photos by their number of channels."""


def held_out_pairs(split: Path, card: GeneratorCard) -> tuple[Dataset, list[Pair]]:
    """Return the description of the data set in `split`, and its held-out pairs.

    The pairs of a generator of the way back have their targets as inputs.

    Raises:
        UserError: the folder holds no data set, another one than the generator was trained on, or no such pairs.
    """
    if not (split / "manifest.csv").is_file():
        raise UserError(
            f"--data: {split} must hold manifest.csv, as data/split does: an export is checked on held-out images; "
            "run `dvc repro split`, or name another folder"
        )
    dataset = Dataset.read(split)
    if not card.fits(dataset):
        raise UserError(
            f"--data: {split} is {dataset.name}, whose classes are not those that the generator was trained with; "
            "name the folder of that data set"
        )
    if card.way == "back":
        dataset = replace(dataset, direction=f"{dataset.direction}, the way back")
    for name in HELD_OUT_SUBSETS:
        if pairs := card.inputs_in(split, name):
            return dataset, pairs
    raise UserError(f"--data: {split} has no held-out pairs; an export is checked on some, name a folder that has them")


def refuse_other_targets(split: Path, dataset: Dataset, channels: int) -> None:
    """Raise a UserError where the targets in `split` have another number of channels than the generator's photos."""
    if dataset.target_channels != channels:
        raise UserError(
            f"--data: {split} has {KINDS[dataset.target_channels]} targets, the generator makes {KINDS[channels]} "
            "photos; name the folder that it was trained on, or train again"
        )


def read_pixels(translator: Translator, pair: Pair) -> np.ndarray:
    """Return what exported files take for a pair: its stored input with its style, if it has one, or its latent."""
    if translator.card.encoding.latent:
        return translator.latent(pair.pair_id)
    return translator.styled(translator.card.encoding.read(pair.input_path), pair.pair_id)


class Photos:
    """The photos of held-out inputs by several makers, on disk, and their scores.

    Args:
        classes: the table of the pairs' targets, where they are class ids; None for photos.
    """

    def __init__(self, folder: Path, pairs: Sequence[Pair], classes: ClassTable | None = None):
        self._folder, self._pairs, self._classes = folder, pairs, classes
        self._l1: dict[str, list[float]] = {}

    def add(self, maker: str, pair: Pair, photo: np.ndarray) -> None:
        """Keep the photo that `maker` made of a pair's input."""
        (self._folder / maker).mkdir(exist_ok=True)
        write_png(self._folder / maker / f"{pair.pair_id}.png", photo)
        target = drawing_of(pair.target_path, self._classes) if self._classes else read_photo(pair.target_path)
        self._l1.setdefault(maker, []).append(pixel_metrics.l1(photo, target))

    def costs(self, card: GeneratorCard, judge: Path) -> dict[str, tuple[float, float | None]]:
        """Return L1 and mean IoU by maker; mean IoU is None without a judge, and there are none without inputs."""
        if card.encoding.latent:
            return {}
        classes, jury = card.encoding.classes, None
        if classes and (judge / "score.json").is_file():
            jury = Jury.load(judge, classes)
        return {
            maker: (float(np.mean(values)), self._mean_iou(maker, jury) if jury else None)
            for maker, values in self._l1.items()
        }

    def _mean_iou(self, maker: str, jury: Jury) -> float | None:
        made = [self._folder / maker / f"{pair.pair_id}.png" for pair in self._pairs]
        truths, seen, matrices = [pair.input_path for pair in self._pairs], self._folder / "judged" / maker, []
        for judge in jury.judges:
            judge.judge(made, seen)
            measured = segmentation.measure(truths, [seen / photo.name for photo in made], judge.classes)
            matrices.append(measured.sum(axis=0))
        return segmentation.jury_scores(np.stack(matrices), jury.judges[0].classes, jury.not_judged)["mean_iou"]
