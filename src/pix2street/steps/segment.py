"""Segment: train the judge on real targets or load another one, and score it on real photos."""

from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import keras
from tqdm import tqdm

from pix2street.core.classes import ClassTable
from pix2street.core.errors import UserError
from pix2street.core.files import write_json
from pix2street.core.images import read_rgb
from pix2street.core.pairs import Dataset, Pair, read_pairs
from pix2street.judges.pretrained import SEGFORMERS, load_keras_model, load_segformer
from pix2street.judges.segmenter import TRAINED, Card, Segmenter, build_segmenter, train_segmenter
from pix2street.metrics import segmentation
from pix2street.settings.segment import Segment
from pix2street.training.batches import segmentation_batches


def make_judge(
    split: Path,
    folder: Path,
    path: Path,
    settings: Segment,
) -> None:
    """Write the judge, its card `judge.json`, and `score.json` with its scores on the real photos of val.

    A data set without classes has no judge; then only `score.json` is written, and it holds null.

    Args:
        path: a folder that may hold a SegFormer's preset, or `judge.keras`.
    """
    classes = Dataset.read(split).classes
    if classes is None:
        print("the data set has no classes, so it has no judge")
        write_json(folder / "score.json", None)
        return
    judge, pretrained = settings.judge, settings.pretrained
    if judge == TRAINED:
        network, card = _train(read_pairs(split, "train"), classes, settings)
    elif judge in SEGFORMERS:
        size = pretrained.height_px, pretrained.width_px
        network, channels = load_segformer(judge, path / judge if (path / judge).exists() else None, *size)
        card = Card(judge, channels, *size)
    else:
        network = load_keras_model(path / "judge.keras")
        card = Card(judge, classes.evaluated_names, **pretrained.model_dump())
        if (channels := network.output_shape[-1]) != len(card.channels):
            raise UserError(
                f"{path / 'judge.keras'}: gives scores for {channels} classes, but the data set evaluates "
                f"{len(card.channels)}; save a model with one score for each, in the order of the class table"
            )
    card.write(folder, network)

    val_pairs = read_pairs(split, "val")
    with TemporaryDirectory() as seen:
        Segmenter(network, card, classes).judge([pair.target_path for pair in val_pairs], Path(seen))
        matrices = segmentation.measure(
            [pair.input_path for pair in val_pairs],
            [Path(seen) / pair.target_path.name for pair in val_pairs],
            classes,
        )
    scores = segmentation.scores_of(matrices.sum(axis=0), classes)
    if scores["mean_iou"] is None:
        raise UserError(
            f"{split}: no pixel of val is of an evaluated class, so no judge can be scored; fix the class table"
        )
    write_json(folder / "score.json", {"split": "val", "images": len(val_pairs), **scores})
    print(f"the judge sees real photos with mean IoU {scores['mean_iou']:.3f}")


def _train(pairs: list[Pair], classes: ClassTable, settings: Segment) -> tuple[keras.Model, Card]:
    height, width = read_rgb(pairs[0].target_path).shape[:2]
    names = classes.evaluated_names
    network = build_segmenter(height, width, len(names), settings.filters, settings.seed)
    batches_of = partial(segmentation_batches, pairs, classes, settings.seed, batch=settings.batch)
    with tqdm(total=settings.epochs, desc="segment", unit=" epochs") as progress:
        for loss in train_segmenter(network, batches_of, settings.epochs, settings.learning_rate):
            progress.set_postfix(loss=f"{loss:.3f}")
            progress.update()
    return network, Card(TRAINED, names, height, width)
