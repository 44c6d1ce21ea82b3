"""Train: a family of models on the train split."""

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import keras
import pandas as pd

from pix2street.core.domains import read_images, translations
from pix2street.core.errors import UserError
from pix2street.core.files import fresh_folder, sha256_of
from pix2street.core.images import read_photo
from pix2street.core.numerics import kernels
from pix2street.core.pairs import Dataset, Pair, drawing_of, read_pairs
from pix2street.core.photos import read_photos
from pix2street.core.scales import Scale
from pix2street.core.styles import PairStyles, StyleBank, own_styles
from pix2street.inference.card import GeneratorCard
from pix2street.inference.examiner import PAIRS_DIAGNOSED, Artist, Examiner, Sheets
from pix2street.layers.networks import save_network
from pix2street.models import MODELS, open_family
from pix2street.models.interface import Family, Task, Training, reach_of
from pix2street.settings.compute import Compute
from pix2street.settings.generate import Generate
from pix2street.settings.train import Train
from pix2street.training.batches import InputEncoding, TrainingFeed, open_pairs
from pix2street.training.checkpoint import Checkpoints, training_key
from pix2street.training.domains import DomainFeed, open_images
from pix2street.training.epoch import Feed
from pix2street.training.holdout import hold_out, hold_out_images
from pix2street.training.latents import LatentFeed
from pix2street.training.loop import Row, train_epochs
from pix2street.training.noise import noise_layers_of
from pix2street.training.players import Adams
from pix2street.training.runtime import Strategy
from pix2street.training.sizes import refuse_jitter, refuse_other_size

OnEpoch = Callable[[int, Row, Path | None], None]

WHY_PAIRS = {
    "palette": "a photo has colours only for the regions of its own drawing",
    "code": "a code is what a drawing does not say about its own photo",
}
"""Why a style is of no use to unpaired images, for an error."""

PHOTOS = InputEncoding("color", None)
"""The encoding of the inputs of further ways, which are the targets of the first."""


def train_model(
    split: Path,
    generator_folder: Path,
    samples_folder: Path,
    on_epoch: OnEpoch,
    *,
    train: Train,
    generate: Generate,
    compute: Compute,
    strategy: Strategy,
    checkpoints: Checkpoints | None = None,
) -> pd.DataFrame:
    """Train a model, and write `generator.json`, `generator.weights.h5` and `card.json` (see `GeneratorCard`).

    With a `data.style`, its bank (`palettes.npz` or `codes.npz`) is written beside them. The generators of earlier
    phases of the training are in folders of the phases' names, with cards of their own.

    Every `sample_every_epochs` and after the last epoch, a contact sheet input | target | generated of fixed pairs of
    val is written, in the mode of `generate`; a family that learns further ways has a column for each, what it makes of
    the target. `holdout_pairs` of train are kept apart; L1 and the diagnostics of each epoch are measured on them.
    Without such pairs the diagnostics are measured on pairs of train.

    Args:
        on_epoch: called after each epoch with its number from 1, the rest of its row of the history, and the path of
            its contact sheet or None; a resumed training calls it also for the epochs before the checkpoint.
        compute: the numbers of threads of this process; the card records them for later processes.
        checkpoints: the checkpoints of this training, see `open_checkpoints`; None to write none.

    Returns:
        The history: a row for each epoch, see `train_epochs`, with `holdout_l1` if pairs are kept apart.
    """
    start = open_training(split, train, strategy)
    family, saved, held_out = start.family, start.saved, start.held_out
    examined = held_out or start.pairs[:PAIRS_DIAGNOSED]
    measured = bool(held_out) and start.exact
    photos = family.PAIRING in ("unpaired", "domains") and start.encoding.classes is None
    mode = generate.norm, generate.dropout, generate.seed
    artist = Artist(saved, mode, start.encoding, start.bank)
    frames = start.task.frames[1] if start.task.frames else 1
    examiner = Examiner(artist, examined, measured, photos, frames)
    # Contact sheets must survive an interruption, as the checkpoints do.
    folder = checkpoints.samples if checkpoints else samples_folder
    further = [Artist(network, mode, PHOTOS, None) for network in start.further.values()]
    run = train.run
    sheets = Sheets(folder, [artist, *further], start.shown, run.sample_pairs, run.sample_every_epochs, run.epochs)

    phases = checkpoints.phases if checkpoints else generator_folder

    def tell(row: Row, snapshot: keras.Model | None) -> None:
        rest = dict(row)
        epoch = rest.pop("epoch")
        for phase, share in start.training.phases.items() if snapshot else ():
            if (epoch - 1) / run.epochs < share <= epoch / run.epochs:
                _write_phase(snapshot, phases / phase)
        on_epoch(epoch, rest, sheets.after(epoch, [snapshot, *start.further.values()] if snapshot else None))

    history = train_epochs(
        start.training,
        [term.name for term in family.TERMS],
        saved,
        start.feed,
        examiner.measure,
        tell,
        run=run,
        device=train.device,
        strategy=strategy,
        checkpoints=checkpoints,
        further=start.further,
    )
    if checkpoints:
        shutil.copytree(sheets.folder, samples_folder, dirs_exist_ok=True)
        for phase in start.training.phases:
            shutil.copytree(phases / phase, generator_folder / phase)
    save_network(saved, generator_folder, "generator")
    if start.bank:
        start.bank.write(generator_folder)
    noise = family.NOISE if noise_layers_of(saved) else "none"
    card = GeneratorCard(
        family=train.model,
        encoding=start.encoding,
        input_from="none" if start.task.latent else Dataset.read(split).input_from,
        multiple_px=family.multiple_px(start.task, train.family),
        reach_px=reach_of(family, start.task, train.family),
        phases=tuple(start.training.phases),
        noise=noise,
        frames=Dataset.read(split).frames,
        **_form_of(start.task),
        **_mode_of(generate, compute),
    )
    card.write(generator_folder)
    for phase in card.phases:
        replace(card, phases=()).write(generator_folder / phase)
    for way, network in start.further.items():
        _write_way(way, network, card, family.multiple_px(start.training.ways[way], train.family), generator_folder)
    return pd.DataFrame(history)


def _write_phase(generator: keras.Model, folder: Path) -> None:
    """Write the generator of an earlier phase into a folder of its own, whole or not at all."""
    with fresh_folder(folder) as partial:
        save_network(generator, partial, "generator")


def _write_way(way: str, network: keras.Model, card: GeneratorCard, multiple_px: int, folder: Path) -> None:
    """Write a further generator and its card into the folder of its name, in that of the first generator."""
    (folder / way).mkdir()
    save_network(network, folder / way, "generator")
    height, width, _ = network.input_shape[1:]
    form = {"height_px": height, "width_px": width, "scale": Scale.of((height, width), network.output_shape[1:3])}
    form |= {"encoding": PHOTOS, "input_from": "file", "multiple_px": multiple_px}
    replace(card, way=way, phases=(), **form).write(folder / way)


@dataclass(frozen=True)
class Start:
    """A training before its first step.

    Args:
        pairs, held_out: the pairs to train on, and those that are kept apart; in a training between domains, inputs of
            the first domain beside images of the second.
        shown: the pairs of val, of which some are drawn.
        exact: whether a target shows what its input should become, so that L1 means something.
        saved: a generator of the same form in float32, which gets the weights to use.
        further: the same for each of `training.ways`.
        feed: what is trained on, augmented.
        bank: the styles to draw from in use, those of `pairs`; None for inputs without.
    """

    family: Family
    task: Task
    encoding: InputEncoding
    pairs: list[Pair]
    held_out: list[Pair]
    shown: list[Pair]
    exact: bool
    training: Training
    saved: keras.Model
    further: dict[str, keras.Model]
    feed: Feed
    bank: StyleBank | None


def open_training(split: Path, train: Train, strategy: Strategy) -> Start:
    """Return the training with these settings on a split, before its first step.

    Raises:
        UserError: `hold_out` fails, the encoding or the style needs classes that the data set does not have, images
            are learned from without their pairs, among which no style fits its drawing, or there are too few.
    """
    dataset, family = Dataset.read(split), open_family(train.model)
    if family.PAIRING == "none":
        return _open_latents(split, family, train, strategy)
    if dataset.domains and family.PAIRING not in ("paired", "reduced"):
        return _open_domains(split, dataset, family, train, strategy)
    _refuse_frames(dataset, family, train)
    if family.PAIRING == "domains":
        raise UserError(
            f"train.model: {train.model} needs a data set with domains, but {dataset.name} has none; choose "
            "domain_folders, or synthetic_streets with its domains"
        )
    classes = dataset.classes
    encoding = InputEncoding(train.data.encoding, classes, train.data.style)
    apart = family.PAIRING == "unpaired" or train.data.pairing == "apart"
    if apart and dataset.scenes:
        raise UserError(
            "train.data.pairing: apart needs a data set in which no two pairs show the same scene, but the domains of "
            f"{dataset.name} do; use together"
        )
    if encoding.style != "none" and apart:
        unpaired = f"train.model: {train.model} learns from unpaired images"
        who = unpaired if family.PAIRING == "unpaired" else "train.data.pairing: apart keeps them apart"
        raise UserError(
            f"train.data.style: {encoding.style} needs pairs, because {WHY_PAIRS[encoding.style]}, but {who}; use none"
        )
    pairs, held_out = hold_out(split, train.data.holdout_pairs, train.run.seed)
    input_size = drawing_of(pairs[0].input_path, classes).shape[:2]
    shapes = (*input_size, encoding.channels), read_photo(pairs[0].target_path).shape
    frames = (dataset.frames.frames_in, dataset.frames.frames_out) if dataset.frames else None
    task = Task(*shapes, labels=encoding.labels, void=encoding.void, constant=encoding.constant, frames=frames)
    refuse_jitter(task, train.data.jitter)
    training, saved, further = _build(family, task, train, strategy)
    styles, bank = own_styles(encoding.style, pairs, classes)
    feed = _feed(pairs, encoding, train, apart=train.run.batch if apart else 0, styles=styles)
    return Start(
        family=family,
        task=task,
        encoding=encoding,
        pairs=pairs,
        held_out=held_out,
        shown=read_pairs(split, "val"),
        exact=True,
        training=training,
        saved=saved,
        further=further,
        feed=feed,
        bank=bank,
    )


def _refuse_frames(dataset: Dataset, family: Family, train: Train) -> None:
    """Raise an error where a family of videos has single images, or where frames would be treated as one image."""
    if family.PAIRING == "sequence" and not dataset.frames:
        raise UserError(
            f"train.model: {train.model} needs a data set of videos, but {dataset.name} has none; choose frames, or "
            "synthetic_streets with its frames"
        )
    if dataset.frames and (train.data.jitter or train.data.pairing == "apart"):
        name = "jitter: true" if train.data.jitter else "pairing: apart"
        raise UserError(
            f"train.data.{name} does not go with a data set of videos, whose frames lie one under the other; use "
            f"{'jitter: false' if train.data.jitter else 'pairing: together'}"
        )


def _open_domains(split: Path, dataset: Dataset, family: Family, train: Train, strategy: Strategy) -> Start:
    """Return the training of a family that learns translations between the domains of a set.

    Raises:
        UserError: the family translates between two domains and there are more, or `hold_out_images` or `DomainFeed`
            fails, or the settings need classes or pairs.
    """
    domains, one_way = dataset.domains, family.PAIRING == "unpaired"
    if one_way and len(domains) > 2:
        raise UserError(
            f"train.model: {train.model} translates from one domain to another, but {dataset.name} has "
            f"{len(domains)}: {', '.join(domains)}; name two of them in the section of the data set in download"
        )
    if train.run.keep == "best" and not dataset.scenes:
        raise UserError("train.run.keep: best needs pairs or scenes to measure, which this data set lacks; use last")
    if train.data.style != "none":
        raise UserError(
            f"train.data.style: {train.data.style} needs pairs, but train.model: {train.model} learns from images of "
            "domains; use none"
        )
    encoding = InputEncoding(train.data.encoding, None)
    if not one_way:
        # In use photos are of the second domain, unless another is named.
        encoding = replace(encoding, domains=domains, domain=1)
    everything = read_images(split, "train")
    images, held_out = hold_out_images(everything, domains[0], train.data.holdout_pairs, train.run.seed)
    shape = read_photo(images[0].path).shape
    task = Task(shape, shape, conditions={} if one_way else {"domain": len(domains)})
    training, saved, further = _build(family, task, train, strategy)
    feed = DomainFeed(
        open_images([image.path for image in images], train.device.cache_mib),
        images,
        domains,
        one_way,
        train.run.seed,
        train.data.jitter,
        train.data.mirror,
        train.run.batch,
    )
    others = [image for image in images if image.domain != domains[0]]
    return Start(
        family=family,
        task=task,
        encoding=encoding,
        pairs=translations(images, *domains[:2]),
        held_out=translations([*held_out, *others], *domains[:2]),
        shown=translations(read_images(split, "val"), *domains[:2]),
        exact=dataset.scenes,
        training=training,
        saved=saved,
        further=further,
        feed=feed,
        bank=None,
    )


def _open_latents(split: Path, family: Family, train: Train, strategy: Strategy) -> Start:
    """Return the training of a family that makes photos of latents, on the photos of a set alone.

    Raises:
        UserError: the settings need inputs, or there are too few photos.
    """
    who = f"train.model: {train.model} makes photos without one"
    if train.run.keep == "best":
        raise UserError(f"train.run.keep: best needs a target of each input to measure, but {who}; use last")
    if (train.data.style, train.data.encoding) != ("none", "color"):
        raise UserError(
            f"train.data: style: {train.data.style} and encoding: {train.data.encoding} are of an input, but {who}; "
            "use none and color"
        )
    pairs, held_out = hold_out(split, train.data.holdout_pairs, train.run.seed, read_photos(split, "train"))
    shape = read_photo(pairs[0].target_path).shape
    latent = family.latent_of(shape, train.family)
    task = Task(shape, shape, latent=latent, photos=len(pairs))
    training, saved, further = _build(family, task, train, strategy)
    return Start(
        family=family,
        task=task,
        encoding=InputEncoding("color", None, latent=latent),
        pairs=pairs,
        held_out=held_out,
        shown=read_photos(split, "val"),
        exact=False,
        training=training,
        saved=saved,
        further=further,
        feed=LatentFeed.of(pairs, latent, train.run.seed, train.data.jitter, train.data.mirror),
        bank=None,
    )


def _form_of(task: Task) -> dict[str, Any]:
    height, width, _ = task.input_shape
    scale = Scale.of((height, width), task.target_shape[:2])
    return {"height_px": height, "width_px": width, "scale": scale, "conditions": task.conditions}


def _mode_of(generate: Generate, compute: Compute) -> dict[str, Any]:
    mode = {"noise_on": generate.dropout, "norm": generate.norm, "seed": generate.seed, "kernels": kernels()}
    return mode | compute.model_dump()


def _build(
    family: Family, task: Task, train: Train, strategy: Strategy
) -> tuple[Training, keras.Model, dict[str, keras.Model]]:
    """Return the training, and generators of the same form in float32 in which weights are saved: the first's, and
    those of each of its `ways`."""
    saved = family.build_generator(task, train.family, train.run.seed)
    refuse_other_size(saved, task, train.model)
    with _precision(train.device.precision), strategy.scope():
        generator = family.build_generator(task, train.family, train.run.seed)
        scaled = train.device.precision == "mixed_float16"
        adams = Adams(generator, train.run.ema_decay, scaled, strategy.num_replicas_in_sync)
        training = family.build_training(task, train.family, generator, adams, train.run.seed)
    further = {
        way: family.build_generator(of_way, train.family, train.run.seed) for way, of_way in training.ways.items()
    }
    return training, saved, further


def _feed(pairs: Sequence[Pair], encoding: InputEncoding, train: Train, apart: int, styles: PairStyles) -> TrainingFeed:
    return TrainingFeed(
        open_pairs(pairs, encoding.classes is not None, train.device.cache_mib, palettes=styles.palettes),
        [pair.pair_id for pair in pairs],
        encoding,
        train.run.seed,
        train.data.jitter,
        train.data.mirror,
        apart,
        styles.codes,
    )


@contextmanager
def _precision(policy: str) -> Iterator[None]:
    """Build the networks in this block with a dtype policy of Keras."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def open_checkpoints(
    root: Path, split: Path, train: Train, generate: Generate, compute: Compute, process: dict[str, Any]
) -> Checkpoints:
    """Return the checkpoints of the training with these settings, data and code; no other training uses them.

    Args:
        process: further values that the bits depend on: devices, worker, kernels.
    """
    settings = {
        "train": train.model_dump(exclude={"device": {"device", "strategy"}, "run": {"max_checkpoint_gib"}}),
        "generate": generate.model_dump(exclude={"device"}),
        "compute": compute.model_dump(),
        **process,
    }
    key = training_key(settings, sha256_of(split / "manifest.csv"), MODELS[train.model])
    return Checkpoints(root, key, train.run.max_checkpoint_gib)
