"""The time of evaluation, and the cost of Inception's features beside the network's bare forward pass.

    python benchmarks/evaluation.py --pairs 500 --rounds 3

draws pairs of 256 x 256 px, evaluates them with a judge of the default's size, and times, in turn, a network of
Inception's size on prepared batches and the whole way from photos on disk to features. It prints rates, medians and
ratios as JSON.
"""

import argparse
import json
import shutil
import statistics
import tempfile
import time
from pathlib import Path

from pix2street.core import numerics

if __name__ == "__main__":
    numerics.pin()

import keras
import numpy as np
import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from pix2street.core.classes import cityscapes_classes
from pix2street.core.domains import PhotoFolders
from pix2street.core.files import write_json
from pix2street.core.pairs import read_pairs
from pix2street.datasets import synthetic_streets
from pix2street.datasets.synthetic_streets.scene import draw_scene
from pix2street.judges.inception import SIDE_PX, Inception
from pix2street.judges.jury import judge_folder
from pix2street.judges.network import build_segmenter
from pix2street.judges.segmenter import TRAINED, Card
from pix2street.metrics.frechet import distance_of
from pix2street.metrics.segmentation import confusion_matrix
from pix2street.params import read_params
from pix2street.steps.evaluate import evaluate_photos
from pix2street.steps.split import split_pairs
from pix2street.training.runtime import prepare

SIDE, FILTERS, BATCH = 256, 24, 16


def seconds(work) -> float:
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def time_evaluation(folder: Path, pairs: int) -> tuple[float, list[Path]]:
    """Return the seconds that evaluating `pairs` pairs takes, and the paths of their targets."""
    downloaded, split = folder / "downloaded", folder / "split"
    for path in (downloaded, split, folder / "judge"):
        path.mkdir()
    params, size = read_params(Path(__file__).parents[1] / "params.yaml"), {"height_px": SIDE, "width_px": SIDE}
    counts = {"train_pairs": 1, "val_pairs": pairs, "test_pairs": 0}
    drawn = params.download.synthetic_streets.model_copy(update=size | counts)
    synthetic_streets.fetch(downloaded, drawn).write(downloaded)
    split_pairs(downloaded, split, params.split.model_copy(update=size))
    targets = [pair.target_path for pair in read_pairs(split, "val")]
    for photos in ("generated", "baselines/mean_color", "baselines/untrained"):
        shutil.copytree(split / "val/targets", folder / photos / "val")
    names = cityscapes_classes().evaluated_names
    network = build_segmenter(SIDE, SIDE, len(names), FILTERS, 0)
    Card(TRAINED, names, SIDE, SIDE, mirrored=True).write(judge_folder(folder / "judge", 0), network)
    write_json(folder / "judge/score.json", {"judges": 1, "not_judged": {}})

    def evaluate():
        evaluate_photos(
            split, folder / "judge", PhotoFolders(folder / "generated", folder / "baselines"), folder / "judged",
            params.evaluate.model_copy(update={"min_ceiling": 0.0, "fid": [], "usefulness": False}),
            inception=None, judge_score=None, generator={},
        )  # fmt: skip

    return seconds(evaluate), targets


def write_inception(path: Path) -> Path:
    """Write a network with the size and the ends of the published one and with random weights."""
    model = keras.applications.InceptionV3(weights=None, include_top=False, input_shape=(SIDE_PX, SIDE_PX, 3))

    @tf.function(input_signature=[tf.TensorSpec([None, None, None, 3])])
    def network(photos):
        resized = tf.raw_ops.ResizeBilinear(images=photos, size=[SIDE_PX, SIDE_PX], name="ResizeBilinear")
        return tf.nn.avg_pool2d(model((resized - 128) / 128, training=False), 8, 1, "VALID", name="pool_3")

    frozen = convert_variables_to_constants_v2(network.get_concrete_function()).graph.as_graph_def()
    path.write_bytes(frozen.SerializeToString())
    return path


def time_inception(path: Path, photos: list[Path], rounds: int) -> dict:
    """Return photos a second through the bare network and from disk to features, and the share that remains."""
    network = Inception(path)
    rates: dict[str, list[float]] = {}
    batches = {
        resize: [network.fed(photos[i : i + BATCH], resize, (SIDE, SIDE, 3)) for i in range(0, len(photos), BATCH)]
        for resize in ("tf", "clean")
    }
    network.look(batches["tf"][0])
    for _ in range(rounds):
        for resize, fed in batches.items():
            bare = seconds(lambda fed=fed: [network.look(batch) for batch in fed])
            whole = seconds(lambda resize=resize: list(network.features(photos, resize, BATCH)))
            rates.setdefault(f"{resize}_bare", []).append(len(photos) / bare)
            rates.setdefault(f"{resize}_features", []).append(len(photos) / whole)
            rates.setdefault(f"{resize}_share", []).append(bare / whole)
    return {name: round(statistics.median(values), 3) for name, values in rates.items()}


def confusion_rate() -> float:
    """Return the confusion matrices of 512 x 256 px label maps that one process makes in a second."""
    maps = [draw_scene(0, index, 256, 512)[1] for index in range(8)]
    classes = cityscapes_classes()
    pairs = [(a, b) for a in maps for b in maps] * 4
    return len(pairs) / seconds(lambda: [confusion_matrix(a, b, classes) for a, b in pairs])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--photos", type=int, default=96, help="photos that Inception sees in a round")
    options = parser.parse_args()
    prepare("device", "cpu", 0, intra_op_threads=1, inter_op_threads=2)
    result = {"pairs": options.pairs, "confusion_matrices_per_s": round(confusion_rate())}
    with tempfile.TemporaryDirectory() as folder:
        result["evaluation_s"], targets = time_evaluation(Path(folder), options.pairs)
        inception = write_inception(Path(folder) / "inception.pb")
        result["inception_photos_per_s"] = time_inception(inception, targets[: options.photos], options.rounds)
    features = np.abs(np.random.default_rng(0).normal(size=(2, 500, 2048)))
    result["frechet_2048_s"] = round(seconds(lambda: distance_of(*features)), 2)
    result["evaluation_s"] = round(result["evaluation_s"], 1)
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
