"""Segment: train the judge, a segmentation network, on the real targets of the train split."""

from functools import partial
from pathlib import Path

from tqdm import tqdm

from pix2street.batches import segmentation_batches
from pix2street.errors import UserError
from pix2street.files import write_json
from pix2street.generators.unet import build_unet
from pix2street.images import read_ids, read_rgb
from pix2street.judges.segmenter import Segmenter, train_segmenter
from pix2street.metrics.segmentation import confusion_matrix, scores_of
from pix2street.networks import save_network
from pix2street.pairs import Dataset, read_pairs


def train_judge(
    split: Path,
    folder: Path,
    *,
    seed: int,
    filters: int,
    epochs: int,
    batch: int,
    learning_rate: float,
) -> None:
    """Write `segmenter.json`, `segmenter.weights.h5` and `score.json` (how well it sees real photos of val).

    A data set without classes has no judge: `score.json` alone is written and holds null.
    """
    classes = Dataset.read(split).classes
    if classes is None:
        print("the data set has no classes: no judge is trained")
        write_json(folder / "score.json", None)
        return
    train_pairs, val_pairs = read_pairs(split, "train"), read_pairs(split, "val")
    height, width = read_rgb(train_pairs[0].target_path).shape[:2]
    names = classes.evaluated_names
    network = build_unet((height, width, 3), len(names), filters, seed, dropout_share=0.0, activation=None)

    with tqdm(total=epochs, desc="segment", unit=" epochs") as progress:
        batches = partial(segmentation_batches, train_pairs, classes, seed, batch=batch)
        for loss in train_segmenter(network, batches, epochs, learning_rate):
            progress.set_postfix(loss=f"{loss:.3f}")
            progress.update()
    save_network(network, folder, "segmenter")

    judged = Segmenter(network).judge([pair.target_path for pair in val_pairs]).classes
    matrix = sum(
        confusion_matrix(classes.to_evaluated(read_ids(pair.input_path)), seen, len(names))
        for pair, seen in zip(val_pairs, judged, strict=True)
    )
    scores = scores_of(matrix, names)
    if scores["mean_iou"] is None:
        raise UserError(
            f"{split}: no pixel of val is of an evaluated class, so no judge can be scored; mend the class table"
        )
    write_json(folder / "score.json", {"split": "val", "images": len(val_pairs), **scores})
    print(f"the judge sees real photos with mean IoU {scores['mean_iou']:.3f}")
