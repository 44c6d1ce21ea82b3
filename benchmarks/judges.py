"""What each part of a judge buys: its loss, augmentation, schedule, width, stem, size of photos, mirrored view.

    python benchmarks/judges.py --seeds 0 1 2
    python benchmarks/judges.py --split data/split --parts whole lovasz --set epochs=14

trains the judge of params.yaml on a split folder as `segment` does, and again with one part exchanged. Each variant
runs in a process of its own, seed after seed. The table has the mean IoU over the classes that the real photos of val
show (at least `LEAST_SHARE` of their pixels), with and without the mirrored view, and the CPU-seconds of the training;
`judges.json` also has the IoU of each class.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import mean, stdev
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

from pix2street.core import numerics

if __name__ == "__main__":
    numerics.pin()

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from pix2street.core.classes import VOID, ClassTable
from pix2street.core.images import read_ids, read_rgb, resize_box, resize_labels, write_png
from pix2street.core.pairs import Dataset, Pair, read_pairs
from pix2street.judges import training as judge_training
from pix2street.judges.losses import LEAST_SHARE, WeightedCrossEntropyAndDice
from pix2street.judges.network import build_segmenter
from pix2street.judges.segmenter import TRAINED, Card, Segmenter
from pix2street.metrics import segmentation
from pix2street.params import read_params
from pix2street.settings.segment import Segment
from pix2street.training import batches
from pix2street.training.augmentation import Augmentation
from pix2street.training.runtime import prepare

ROOT = Path(__file__).parents[1]


class CrossEntropy(WeightedCrossEntropyAndDice):
    """The shipped loss without its Dice term."""

    def call(self, y_true, y_pred):
        truth = ops.cast(y_true, "int32")
        known = truth != VOID
        truth = ops.where(known, truth, 0)
        weights = ops.take(self.weights, truth) * ops.cast(known, "float32")
        found = ops.take_along_axis(ops.log_softmax(y_pred), truth[..., None], axis=-1)[..., 0]
        return -ops.sum(weights * found) / ops.maximum(ops.sum(weights), 1e-6)


class CrossEntropyAndLovasz(CrossEntropy):
    """Weighted cross-entropy plus Lovász-softmax (Berman et al. 2018, equation 11) over the classes of a batch."""

    def call(self, y_true, y_pred):
        known = tf.reshape(tf.cast(y_true, tf.int32), [-1]) != VOID
        truth = tf.boolean_mask(tf.reshape(tf.cast(y_true, tf.int32), [-1]), known)
        shares = tf.boolean_mask(tf.reshape(tf.nn.softmax(y_pred), [-1, len(self.weights)]), known)
        one_hot = tf.one_hot(truth, len(self.weights))
        errors, order = tf.math.top_k(tf.transpose(tf.abs(one_hot - shares)), tf.size(truth))
        sorted_truth = tf.gather(tf.transpose(one_hot), order, batch_dims=1)
        true = tf.reduce_sum(sorted_truth, 1, keepdims=True)
        left, union = true - tf.cumsum(sorted_truth, 1), true + tf.cumsum(1 - sorted_truth, 1)
        jaccard = 1 - left / union
        steps = tf.concat([jaccard[:, :1], jaccard[:, 1:] - jaccard[:, :-1]], 1)
        occurs = tf.cast(true[:, 0] > 0, tf.float32)
        by_class = tf.reduce_sum(errors * tf.stop_gradient(steps), 1)
        return super().call(y_true, y_pred) + tf.reduce_sum(by_class * occurs) / tf.maximum(tf.reduce_sum(occurs), 1)


def with_stem(kernel: int, *arguments) -> keras.Model:
    """Return the network with another size of its first kernel."""

    def other(layer: keras.layers.Layer) -> keras.layers.Layer:
        config = layer.get_config()
        return layer.__class__.from_config(config | ({"kernel_size": kernel} if layer.name == "stem_conv" else {}))

    return keras.models.clone_model(build_segmenter(*arguments), clone_function=other)


def augment(**parts: bool) -> Callable[..., Augmentation]:
    return lambda seed, **shipped: Augmentation(seed, **shipped | parts)


TRAINING, BATCHES = judge_training, batches
PARTS: dict[str, tuple[str, list[tuple[Any, str, Any]]]] = {
    "whole": ("as shipped", []),
    "unweighted": ("no class weights", [(TRAINING, "class_weights", lambda pixels: np.float32(pixels > 0))]),
    "no_dice": ("no Dice", [(TRAINING, "WeightedCrossEntropyAndDice", CrossEntropy)]),
    "lovasz": ("Lovász instead of Dice", [(TRAINING, "WeightedCrossEntropyAndDice", CrossEntropyAndLovasz)]),
    "plain_loss": (
        "neither weights nor Dice",
        [
            (TRAINING, "class_weights", lambda pixels: np.float32(pixels > 0)),
            (TRAINING, "WeightedCrossEntropyAndDice", CrossEntropy),
        ],
    ),
    "no_jitter": ("no jitter", [(BATCHES, "Augmentation", augment(jitter=False))]),
    "no_mirror": ("no mirror images", [(BATCHES, "Augmentation", augment(mirror=False))]),
    "no_warm_up": ("no warm-up", [(TRAINING, "WARM_UP", 0.0)]),
    "small_stem": ("stem of 3x3", [(TRAINING, "build_segmenter", partial(with_stem, 3))]),
    "narrow": ("two thirds of the filters", []),
    "wide": ("four thirds of the filters", []),
    "half_size": ("photos of half the size", []),
}
"""What a variant is called in the table, and the names that it exchanges, by module."""
FILTERS = {"narrow": 2 / 3, "wide": 4 / 3}


def reduced(pairs: list[Pair], folder: Path) -> Iterator[Pair]:
    """Write inputs and targets of half the size into `folder`, and return the pairs that name them."""
    for pair in pairs:
        ids, photo = read_ids(pair.input_path), read_rgb(pair.target_path)
        size = ids.shape[0] // 2, ids.shape[1] // 2
        paths = [folder / f"{pair.pair_id}_{kind}.png" for kind in ("input", "target")]
        write_png(paths[0], resize_labels(ids, *size))
        write_png(paths[1], resize_box(photo, *size))
        yield replace(pair, input_path=paths[0], target_path=paths[1])


def try_part(part: str, seed: int, split: Path, settings: Segment) -> dict[str, Any]:
    """Return the scores of one variant and one seed, and the CPU-seconds of its training."""
    classes, pairs, val = Dataset.read(split).classes, read_pairs(split, "train"), read_pairs(split, "val")
    settings = settings.model_copy(update={"filters": round(settings.filters * FILTERS.get(part, 1))})
    with ExitStack() as stack:
        for module, name, other in PARTS[part][1]:
            stack.enter_context(patch.object(module, name, other))
        if part == "half_size":
            pairs = list(reduced(pairs, Path(stack.enter_context(TemporaryDirectory()))))
        height, width = read_rgb(pairs[0].target_path).shape[:2]
        begin, cpu = time.monotonic(), time.process_time()
        seed = judge_training.seed_of(seed, 0)
        network = judge_training.train_segmenter(pairs, classes, settings, seed, lambda _: None)
        times = {"wall_s": time.monotonic() - begin, "cpu_s": time.process_time() - cpu}
    card = Card(TRAINED, classes.evaluated_names, height, width)
    views = {"plain": card, "mirrored": replace(card, mirrored=True)}
    return {name: scores(Segmenter(network, view, classes), val, classes) for name, view in views.items()} | times


def scores(judge: Segmenter, pairs: list[Pair], classes: ClassTable) -> dict[str, Any]:
    """Return the mean IoU over the classes that the photos show, over all, and the IoU of each."""
    with TemporaryDirectory() as folder:
        judge.judge([pair.target_path for pair in pairs], Path(folder))
        seen = [Path(folder) / pair.target_path.name for pair in pairs]
        matrix = segmentation.measure([pair.input_path for pair in pairs], seen, classes).sum(axis=0)
    names, true = classes.evaluated_names, segmentation.counts_of(matrix)[1]
    unseen = [name for name, count in zip(names, true, strict=True) if count < LEAST_SHARE * true.sum()]
    found = segmentation.scores_of(matrix, classes, unseen)
    every = segmentation.scores_of(matrix, classes)["mean_iou"]
    return {"mean_iou": found["mean_iou"], "mean_iou_of_all": every, "iou": found["iou"]}


def table(trials: dict[str, list[dict[str, Any]]]) -> str:
    """Return the variants as a Markdown table: mean and standard deviation over seeds."""

    def cell(values: list[float], digits: int = 3) -> str:
        spread = f" ± {stdev(values):.{digits}f}" if len(values) > 1 else ""
        return f"{mean(values):.{digits}f}{spread}"

    lines = ["| judge | mean IoU | one view | CPU-seconds |", "|---|---:|---:|---:|"]
    for part, of_part in trials.items():
        ious = [cell([trial[view]["mean_iou"] for trial in of_part]) for view in ("mirrored", "plain")]
        lines.append(f"| {PARTS[part][0]} | {' | '.join(ious)} | {cell([trial['cpu_s'] for trial in of_part], 0)} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--split", type=Path, default=ROOT / "data/split")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS), metavar="PART")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--set", nargs="+", default=[], metavar="KEY=VALUE", help="other values of `segment`")
    parser.add_argument("--out", type=Path, default=Path("judges.json"))
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        params = read_params(ROOT / "params.yaml")
        prepare("segment.device", params.segment.device, args.seeds[0], **params.compute.model_dump())
        changes = {key: json.loads(value) for key, value in (pair.split("=", 1) for pair in args.set)}
        settings = Segment.model_validate(params.segment.model_dump() | changes)
        print(json.dumps(try_part(args.parts[0], args.seeds[0], args.split, settings)))
        return
    trials: dict[str, list[dict[str, Any]]] = {}
    for seed in args.seeds:
        for part in args.parts:
            command = [sys.executable, __file__, "--one", "--parts", part, "--seeds", str(seed), "--split", args.split]
            command += ["--set", *args.set] if args.set else []
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
            trials.setdefault(part, []).append({"seed": seed, **json.loads(done.stdout.splitlines()[-1])})
            print(table(trials), flush=True)
            args.out.write_text(json.dumps({"set": args.set, "trials": trials}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
