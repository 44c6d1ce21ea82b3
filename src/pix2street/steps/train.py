"""Train: pix2pix on the train split."""

import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd

from pix2street.core.errors import UserError
from pix2street.core.files import sha256_of, write_bytes
from pix2street.core.images import contact_sheet, png_bytes, read_ids, read_photo, read_rgb
from pix2street.core.numerics import kernels
from pix2street.core.pairs import Dataset, Pair, read_manifest, read_pairs
from pix2street.inference.card import GeneratorCard
from pix2street.inference.in_use import as_inference, copy_weights, translate, translate_unrounded
from pix2street.layers.networks import save_network
from pix2street.layers.patchgan import build_patchgan
from pix2street.models import GENERATORS
from pix2street.models.unet import count_levels
from pix2street.training.batches import InputEncoding, epoch_order, open_pairs, plain_batches, training_batches
from pix2street.training.checkpoint import Checkpoints, training_key
from pix2street.training.diagnostics import diagnose
from pix2street.training.loop import train_epochs
from pix2street.training.runtime import Strategy

OnEpoch = Callable[[int, dict[str, float], Path | None], None]

PAIRS_DIAGNOSED = 16
"""Photos that the diagnostics compare; more change them little and cost an epoch of a small set noticeably."""


def train_pix2pix(
    split: Path,
    generator_folder: Path,
    samples_folder: Path,
    on_epoch: OnEpoch,
    strategy: Strategy,
    *,
    seed: int,
    generator: str,
    norm: str,
    upsample: str,
    input_encoding: str,
    generator_filters: int,
    discriminator_filters: int,
    epochs: int,
    batch: int,
    learning_rate: float,
    schedule: str,
    beta_1: float,
    ema_decay: float,
    l1_weight: float,
    disc_loss_weight: float,
    jitter: bool,
    mirror: bool,
    holdout_pairs: int,
    checkpoint: str,
    sample_every_epochs: int,
    sample_pairs: int,
    precision: str,
    product_side_px: int,
    jit_compile: bool,
    steps_per_call: int,
    cache_mib: int,
    checkpoint_every_steps: int,
    inference_norm: str,
    inference_dropout: bool,
    inference_seed: int,
    intra_op_threads: int,
    inter_op_threads: int,
    checkpoints: Checkpoints | None = None,
) -> pd.DataFrame:
    """Train and write `generator.json`, `generator.weights.h5` and `card.json` (see `GeneratorCard`).

    A contact sheet input | target | generated of a fixed list of validation pairs is written every
    `sample_every_epochs` and after the last epoch, in the mode that `inference_...` say. `holdout_pairs` of train are
    kept apart: L1 and the diagnostics of each epoch are measured on them, or on pairs of train where there are none.

    Args:
        on_epoch: called after each epoch with its number from 1, its row of the history and the path of its contact
            sheet; also for the epochs before the checkpoint that an interrupted training goes on from.
        strategy: see `runtime.STRATEGIES`.
        intra_op_threads, inter_op_threads: that this process computes with; they are noted for those after it.
        checkpoints: of this very training, see `open_checkpoints`; None for none.

    Returns:
        The history: a row an epoch, its number and what `train_epochs` yields, with `holdout_l1` where pairs are kept
        apart.
    """
    dataset = Dataset.read(split)
    encoding = InputEncoding(input_encoding, dataset.classes)
    pairs, held_out = hold_out(split, holdout_pairs, seed)
    val_pairs = read_pairs(split, "val")
    height, width, channels = target_shape = read_photo(pairs[0].target_path).shape
    input_shape = (height, width, encoding.channels)
    build = partial(
        GENERATORS[generator],
        input_shape,
        channels,
        generator_filters,
        seed,
        norm=norm,
        upsample=upsample,
        product_side_px=product_side_px,
    )
    # What is saved and drawn with computes in float32, whatever it was trained in.
    saved = build()
    with _precision(precision), strategy.scope():
        gen = build()
        disc = build_patchgan(input_shape, target_shape, discriminator_filters, seed, norm)

    shown = [val_pairs[i] for i in np.unique(np.linspace(0, len(val_pairs) - 1, sample_pairs, dtype=int))]
    inference = as_inference(saved, inference_norm, inference_dropout)
    seen = held_out or pairs[:PAIRS_DIAGNOSED]
    seen_batches = plain_batches(seen, encoding, batch=1).cache()

    def inspect() -> dict[str, float]:
        copy_weights(saved, inference)
        return _inspect(inference, seen, seen_batches, inference_seed, "holdout_l1" if held_out else None)

    read = open_pairs(pairs, encoding.classes is not None, cache_mib)
    orders = partial(epoch_order, len(pairs), seed)
    rows = train_epochs(
        strategy,
        gen,
        disc,
        saved,
        lambda epoch, places, size: training_batches(
            read, encoding, orders(epoch)[places], seed, epoch, size, jitter, mirror
        ),
        lambda epoch: [pairs[i].pair_id for i in orders(epoch)],
        inspect,
        epochs=epochs,
        batch=batch,
        seed=seed,
        learning_rate=learning_rate,
        schedule=schedule,
        beta_1=beta_1,
        ema_decay=ema_decay,
        l1_weight=l1_weight,
        disc_loss_weight=disc_loss_weight,
        best_of="holdout_l1" if checkpoint == "best" else None,
        scale_losses=precision == "mixed_float16",
        jit_compile=jit_compile,
        steps_per_call=steps_per_call,
        checkpoints=checkpoints,
        checkpoint_every_steps=checkpoint_every_steps,
    )
    # Sheets must outlive an interruption as the checkpoints do.
    sheets = checkpoints.samples if checkpoints else samples_folder
    history = []
    for epoch, row in enumerate(rows, start=1):
        sheet = None
        if epoch % sample_every_epochs == 0 or epoch == epochs:
            sheet = sheets / f"epoch_{epoch:04d}.png"
            if not sheet.exists():
                write_bytes(sheet, png_bytes(_draw_sheet(shown, encoding, inference, inference_seed)))
        history.append({"epoch": epoch, **row})
        on_epoch(epoch, row, sheet)

    if checkpoints:
        shutil.copytree(sheets, samples_folder, dirs_exist_ok=True)
    save_network(saved, generator_folder, "generator")
    GeneratorCard(
        family="pix2pix",
        encoding=encoding,
        input_from=dataset.input_from,
        height_px=height,
        width_px=width,
        multiple_px=2 ** count_levels(height, width),
        noise="dropout",
        noise_on=inference_dropout,
        norm=inference_norm,
        seed=inference_seed,
        intra_op_threads=intra_op_threads,
        inter_op_threads=inter_op_threads,
        kernels=kernels(),
    ).write(generator_folder)
    return pd.DataFrame(history)


@contextmanager
def _precision(policy: str) -> Iterator[None]:
    """Networks built in this block compute as Keras' dtype policy says."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def open_checkpoints(root: Path, split: Path, settings: dict[str, Any], max_gib: float) -> Checkpoints:
    """The checkpoints of the training with these settings, these data and this code; those of no other are used."""
    return Checkpoints(root, training_key(settings, sha256_of(split / "manifest.csv")), max_gib)


def hold_out(split: Path, count: int, seed: int) -> tuple[list[Pair], list[Pair]]:
    """The pairs of train to train on, and at most `count` kept apart from them, both in the manifest's order.

    Frames of one group resemble each other, so whole groups are kept apart, drawn by `seed`, as long as they fit; where
    not even one fits, single pairs are.

    Raises:
        UserError: fewer than two pairs would be left to train on.
    """
    pairs = read_pairs(split, "train")
    if len(pairs) < count + 2:
        raise UserError(
            f"{split}: {len(pairs)} pairs in train, train.holdout_pairs: {count} leaves fewer than two to train on; "
            "choose less or add pairs"
        )
    manifest = read_manifest(split).set_index("pair_id")
    groups = manifest.loc[[pair.pair_id for pair in pairs], "group"].to_numpy()
    sizes = pd.Series(groups).value_counts(sort=False)
    if count and sizes.min() > count:
        print(f"every group of train has more than {count} pairs: single pairs are kept apart (train.holdout_pairs)")
        groups = np.arange(len(pairs))
        sizes = pd.Series(1, index=groups)
    kept, room = set(), count
    for name in np.random.default_rng(seed).permutation(sizes.index.to_numpy()):
        if sizes[name] <= room:
            kept.add(name)
            room -= sizes[name]
    apart = [group in kept for group in groups]
    return (
        [pair for pair, out in zip(pairs, apart, strict=True) if not out],
        [pair for pair, out in zip(pairs, apart, strict=True) if out],
    )


def _inspect(
    inference: keras.Model, pairs: list[Pair], batches: Iterable, seed: int, l1_name: str | None
) -> dict[str, float]:
    """L1 over all these pairs, and the diagnostics over the first of them."""
    pair_ids = [pair.pair_id for pair in pairs]
    images = [(inputs, targets) for inputs, targets in batches]
    generated = np.stack(list(translate_unrounded(inference, images, pair_ids, seed)))
    targets = np.concatenate([target for _, target in images])
    found = {l1_name: float(np.abs(generated - targets).mean(dtype=np.float64))} if l1_name else {}
    some = slice(0, PAIRS_DIAGNOSED)
    following = [*images[some][1:], images[0]]
    exchanged = np.stack(list(translate_unrounded(inference, following, pair_ids[some], seed)))
    return {**found, **diagnose(generated[some], exchanged, targets[some])}


def _draw_sheet(pairs: list[Pair], encoding: InputEncoding, inference, seed: int) -> np.ndarray:
    """Input | target | generated, a row a pair."""
    generated = translate(inference, plain_batches(pairs, encoding, batch=1), [pair.pair_id for pair in pairs], seed)
    rows = []
    for pair, photo in zip(pairs, generated, strict=True):
        classes = encoding.classes
        drawing = classes.to_colors(read_ids(pair.input_path)) if classes else read_rgb(pair.input_path)
        rows.append([drawing, read_photo(pair.target_path), photo])
    return contact_sheet(rows)
