"""The controls of usefulness: judges that are trained alike on other photos, and then look at real ones.

The better a judge sees real photos, the more its own photos have taught it. For classifiers this is the classification
accuracy score of Ravuri & Vinyals (2019), or GAN-train of Shmelkov et al. (2018).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from tqdm import tqdm

from pix2street.core.classes import ClassTable
from pix2street.core.images import read_rgb
from pix2street.core.pairs import Pair
from pix2street.core.seeds import derive_seed
from pix2street.judges.segmenter import TRAINED, Card, Segmenter
from pix2street.judges.training import seed_of, train_segmenter
from pix2street.settings.segment import Segment


@dataclass(frozen=True)
class Control:
    """The drawings and photos that one judge is trained on; `others` are those of `train_segmenter`."""

    pairs: Sequence[Pair]
    others: Sequence[Pair] = ()


def controls_of(train: Sequence[Pair], photos: Mapping[str, Sequence[Path]], seed: int) -> dict[str, Control]:
    """Return the controls by name: what each judge is trained on.

    `real` has the targets of train, and each set of photos has its own. `real_and_generated` has both in turns, so that
    its judge gets no more updates. `shuffled` has every target with the drawing of another pair, so that its judge can
    learn only where things usually are: the floor.

    Args:
        photos: the photos of the drawings of train, in their order, by the name of the set; one is `generated`.
        seed: sets the order in which `shuffled` deals out the targets.
    """
    made = {name: _with_photos(train, paths) for name, paths in photos.items()}
    order = np.random.default_rng(derive_seed(seed, len(train))).permutation(len(train))
    drawings = [train[index] for index in order]
    targets = [train[index].target_path for index in np.roll(order, 1)]
    return {
        "real": Control(train),
        "generated": Control(made["generated"]),
        "real_and_generated": Control(train, made["generated"]),
        **{name: Control(pairs) for name, pairs in made.items() if name != "generated"},
        "shuffled": Control(_with_photos(drawings, targets)),
    }


def judged_by_controls(
    controls: Mapping[str, Control], photos: Sequence[Path], classes: ClassTable, settings: Segment
) -> Iterator[tuple[str, list[Path]]]:
    """Train a judge on each control; yield the control's name and what its judge sees in each of `photos`, class ids.

    All judges have the network, the settings and the seed of the jury's first. The files are there until the next
    control is asked for.

    Args:
        settings: the training of a judge of `segment`; `settings.judge` and `settings.judges` have no effect.
    """
    for name, control in controls.items():
        judge = _trained(name, control, classes, settings)
        with TemporaryDirectory() as folder:
            judge.judge(photos, Path(folder))
            yield name, [Path(folder) / photo.name for photo in photos]


def _trained(name: str, control: Control, classes: ClassTable, settings: Segment) -> Segmenter:
    """Return the judge of a control."""
    with tqdm(desc=f"usefulness, {name}", total=settings.epochs, unit=" epochs") as progress:

        def on_epoch(loss: float) -> None:
            progress.set_postfix(loss=f"{loss:.3f}", refresh=False)
            progress.update()

        seed = seed_of(settings.seed, 0)
        network = train_segmenter(control.pairs, classes, settings, seed, on_epoch, control.others)
    size = read_rgb(control.pairs[0].target_path).shape[:2]
    return Segmenter(network, Card(TRAINED, classes.evaluated_names, *size, mirrored=True), classes)


def _with_photos(pairs: Sequence[Pair], photos: Sequence[Path]) -> list[Pair]:
    """Return the pairs with these photos as their targets."""
    return [replace(pair, target_path=photo) for pair, photo in zip(pairs, photos, strict=True)]
