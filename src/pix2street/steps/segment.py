"""Segment: train a jury on real targets or load another judge, and score it on real photos."""

import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import keras
import numpy as np
from tqdm import tqdm

from pix2street.core.classes import ClassTable
from pix2street.core.errors import UserError
from pix2street.core.files import write_json
from pix2street.core.images import read_rgb
from pix2street.core.pairs import Dataset, Pair, read_pairs
from pix2street.judges.jury import judge_folder
from pix2street.judges.pretrained import SEGFORMERS, load_keras_model, load_segformer
from pix2street.judges.segmenter import TRAINED, Card, Segmenter
from pix2street.judges.training import class_pixels, seed_of, train_segmenter
from pix2street.metrics import segmentation
from pix2street.settings.segment import Segment


def make_jury(split: Path, folder: Path, path: Path, settings: Segment) -> None:
    """Write the judges, each with its card, and `score.json` with their scores on the real photos of val.

    `score.json` also lists the classes that are not judged, see `_not_judged`. A data set without classes has no judge;
    then only `score.json` is written, and it holds null.

    Args:
        path: a folder that may hold a SegFormer's preset, or `judge.keras`.

    Raises:
        UserError: a judge cannot be loaded or does not fit the classes, or no pixel of val is of an evaluated class.
    """
    classes = Dataset.read(split).classes
    if classes is None:
        print("the data set has no classes, so it has no judge")
        write_json(folder / "score.json", None)
        return
    pairs = {subset: read_pairs(split, subset) for subset in ("train", "val")}
    matrices = []
    for index, (network, card) in enumerate(_judges(pairs["train"], classes, path, settings)):
        card.write(judge_folder(folder, index), network)
        matrices.append(_confusion(Segmenter(network, card, classes), pairs["val"]))
    matrices = np.stack(matrices)
    scores = segmentation.jury_scores(matrices, classes)
    if scores["mean_iou"] is None:
        raise UserError(
            f"{split}: no pixel of val is of an evaluated class, so no judge can be scored; fix the class table"
        )
    not_judged = _not_judged(pairs["train"], classes, scores["iou"], settings)
    scores = segmentation.jury_scores(matrices, classes, not_judged)
    facts = {"split": "val", "images": len(pairs["val"]), "judges": len(matrices), "not_judged": not_judged}
    write_json(folder / "score.json", {**facts, **scores})
    print(_in_words(scores, not_judged))


def _judges(
    pairs: list[Pair], classes: ClassTable, path: Path, settings: Segment
) -> Iterator[tuple[keras.Model, Card]]:
    """Return the judges of the jury with their cards, one after the other."""
    judge, pretrained, names = settings.judge, settings.pretrained, classes.evaluated_names
    if judge == TRAINED:
        height, width = read_rgb(pairs[0].target_path).shape[:2]
        for index in range(settings.judges):
            yield _train(pairs, classes, settings, index), Card(judge, names, height, width, mirrored=True)
    elif judge in SEGFORMERS:
        size = pretrained.height_px, pretrained.width_px
        network, channels = load_segformer(judge, path / judge if (path / judge).exists() else None, *size)
        yield network, Card(judge, channels, *size)
    else:
        network = load_keras_model(path / "judge.keras")
        if (channels := network.output_shape[-1]) != len(names):
            raise UserError(
                f"{path / 'judge.keras'}: gives scores for {channels} classes, but the data set evaluates "
                f"{len(names)}; save a model with one score for each, in the order of the class table"
            )
        yield network, Card(judge, names, **pretrained.model_dump())


def _train(pairs: list[Pair], classes: ClassTable, settings: Segment, index: int) -> keras.Model:
    """Return a trained judge, and print the time that it took."""
    begin = time.monotonic()
    title = f"judge {index + 1} of {settings.judges}"
    with tqdm(desc=title, total=settings.epochs, unit=" epochs") as progress:

        def on_epoch(loss: float) -> None:
            progress.set_postfix(loss=f"{loss:.3f}", refresh=False)
            progress.update()

        network = train_segmenter(pairs, classes, settings, seed_of(settings.seed, index), on_epoch)
    print(f"{title}: trained in {time.monotonic() - begin:.0f} s")
    return network


def _confusion(judge: Segmenter, pairs: list[Pair]) -> np.ndarray:
    """Return the confusion matrix of a judge over the real photos of `pairs`, `[C + 1, C + 1]`."""
    targets = [pair.target_path for pair in pairs]
    with TemporaryDirectory() as seen:
        judge.judge(targets, Path(seen))
        judged = [Path(seen) / target.name for target in targets]
        return segmentation.measure([pair.input_path for pair in pairs], judged, judge.classes).sum(axis=0)


def _not_judged(
    pairs: list[Pair], classes: ClassTable, iou: dict[str, float | None], settings: Segment
) -> dict[str, dict[str, float]]:
    """Return the classes below both limits, each with its share of the pixels of `pairs` and its IoU in real photos.

    A class that no real photo of val shows has no IoU and is left out of means already.
    """
    pixels = class_pixels(pairs, classes)
    shares = dict(zip(classes.evaluated_names, (pixels / max(pixels.sum(), 1)).tolist(), strict=True))
    return {
        name: {"share": shares[name], "iou": value}
        for name, value in iou.items()
        if value is not None and value < settings.min_class_ceiling and shares[name] < settings.min_class_share
    }


def _in_words(scores: dict, not_judged: dict[str, dict[str, float]]) -> str:
    judges = scores.get("mean_iou_judges", [])
    spread = f" ({min(judges):.3f} to {max(judges):.3f} among {len(judges)} judges)" if judges else ""
    left_out = f"; not judged: {', '.join(not_judged)}" if not_judged else ""
    return f"real photos are seen with mean IoU {scores['mean_iou']:.3f}{spread}{left_out}"
