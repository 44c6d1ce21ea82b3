"""The scores of all photos of a trial, by `evaluate` and so with every metric that it has."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from quality_trial import Folder, set_name, training_name

from pix2street.core.domains import PhotoFolders
from pix2street.core.errors import UserError
from pix2street.core.files import sha256_of
from pix2street.core.images import read_ids, write_png
from pix2street.core.pairs import Dataset, read_pairs
from pix2street.params import read_params
from pix2street.steps.evaluate import evaluate_photos
from pix2street.steps.generate import mean_colors
from pix2street.training.runtime import prepare

EQUAL = ("split", "subset", "data", "clock", "budget_s")
"""What the trainings of one table have in common."""


def score(records: Sequence[Mapping], folder: Folder, judges: Path, params: Path) -> dict[str, Any]:
    """Return the content of `metrics.json`, in which every set of photos is a baseline, and so is `mean_color`.

    Args:
        judges: the folder of the judge or the jury.
        params: the file whose section `evaluate` holds; distances by Inception are left out.

    Raises:
        UserError: the trainings have different splits or times, or the split has changed; or `evaluate_photos` fails.
    """
    known = {tuple(record["job"][key] for key in EQUAL) for record in records}
    if len(known) != 1:
        raise UserError(
            f"{folder.root}: the trainings of a table must have the same {', '.join(EQUAL)}, but there are "
            f"{len(known)} kinds; keep each kind in its own folder"
        )
    split, subset, data, *_ = known.pop()
    if sha256_of(Path(split) / "manifest.csv") != data:
        raise UserError(f"{split}: is no longer the split of these trainings; make it again, or train again")
    checked = read_params(params)
    prepare("evaluate.device", checked.evaluate.device, 0, **checked.compute.model_dump())
    names = [
        set_name(training_name(record["row"], record["seed"]), point["share"])
        for record in records
        for point in record["points"]
    ]
    with TemporaryDirectory() as scratch:
        sets = Path(scratch) / "sets"
        sets.mkdir()
        for name in names:
            (sets / name).symlink_to((folder.root / "photos" / name).resolve())
        _write_mean_colors(Path(split), subset, sets / "mean_color" / subset)
        metrics, _ = evaluate_photos(
            Path(split), judges, PhotoFolders(sets / names[0], sets), Path(scratch) / "judged",
            checked.evaluate.model_copy(update={"subset": subset, "fid": [], "usefulness": False}),
            inception=None, judge_score=None, generator={},
        )  # fmt: skip
    return metrics


def _write_mean_colors(split: Path, subset: str, folder: Path) -> None:
    """Paint each class of the subset's inputs in its mean colour over train; nothing for a set without classes."""
    if not Dataset.read(split).classes:
        return
    folder.mkdir(parents=True)
    colors = mean_colors(read_pairs(split, "train"))
    for pair in read_pairs(split, subset):
        write_png(folder / f"{pair.pair_id}.png", colors[read_ids(pair.input_path)])
