"""Train: pix2pix on the train split."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd

from pix2street.batches import InputEncoding, epoch_order, plain_batches, training_batches
from pix2street.errors import UserError
from pix2street.files import sha256_of, write_bytes, write_json
from pix2street.gan.checkpoint import Checkpoints, training_key
from pix2street.gan.loop import train_epochs
from pix2street.gan.patchgan import build_patchgan
from pix2street.generators import GENERATORS
from pix2street.generators.inference import as_inference, copy_weights, translate
from pix2street.images import contact_sheet, png_bytes, read_ids, read_rgb
from pix2street.networks import save_network
from pix2street.pairs import Dataset, Pair, read_pairs

OnEpoch = Callable[[int, dict[str, float], Path | None], None]


def train_pix2pix(
    split: Path,
    generator_folder: Path,
    samples_folder: Path,
    on_epoch: OnEpoch,
    *,
    seed: int,
    generator: str,
    input_encoding: str,
    generator_filters: int,
    discriminator_filters: int,
    epochs: int,
    batch: int,
    learning_rate: float,
    beta_1: float,
    l1_weight: float,
    disc_loss_weight: float,
    jitter: bool,
    mirror: bool,
    sample_every_epochs: int,
    sample_pairs: int,
    precision: str,
    product_side_px: int,
    checkpoint_every_steps: int,
    inference_norm: str,
    inference_dropout: bool,
    inference_seed: int,
    checkpoints: Checkpoints | None = None,
) -> pd.DataFrame:
    """Train and write `generator.json`, `generator.weights.h5` and `input.json` (how it wants its input encoded).

    A contact sheet input | target | generated of a fixed list of validation pairs is written every
    `sample_every_epochs` and after the last epoch, in the mode that `inference_...` say.

    Args:
        on_epoch: called after each epoch with its number from 1, its losses and the path of its contact sheet; also for
            the epochs before the checkpoint that an interrupted training goes on from.
        checkpoints: of this very training, see `open_checkpoints`; None for none.

    Returns:
        The history: a row an epoch, its number and its losses.
    """
    encoding = InputEncoding(input_encoding, Dataset.read(split).classes)
    pairs, val_pairs = read_pairs(split, "train"), read_pairs(split, "val")
    if not pairs:
        raise UserError(f"{split}: no pairs in train; run the split stage again")
    height, width = read_rgb(pairs[0].target_path).shape[:2]
    input_shape = (height, width, encoding.channels)
    build = partial(GENERATORS[generator], input_shape, 3, generator_filters, seed, product_side_px=product_side_px)
    # What is saved and drawn with computes in float32, whatever it was trained in.
    saved = build()
    with _precision(precision):
        gen = build()
        disc = build_patchgan(input_shape, (height, width, 3), discriminator_filters, seed)

    shown = [val_pairs[i] for i in np.unique(np.linspace(0, len(val_pairs) - 1, sample_pairs, dtype=int))]
    inference = as_inference(saved, inference_norm, inference_dropout)
    losses_of_epochs = train_epochs(
        gen,
        disc,
        lambda epoch, skip: training_batches(pairs, encoding, seed, epoch, batch, jitter, mirror, skip),
        lambda epoch: [pairs[i].pair_id for i in epoch_order(len(pairs), seed, epoch)],
        epochs=epochs,
        batch=batch,
        seed=seed,
        learning_rate=learning_rate,
        beta_1=beta_1,
        l1_weight=l1_weight,
        disc_loss_weight=disc_loss_weight,
        scale_losses=precision == "mixed_float16",
        checkpoints=checkpoints,
        checkpoint_every_steps=checkpoint_every_steps,
    )
    # Sheets must outlive an interruption as the checkpoints do.
    sheets = checkpoints.samples if checkpoints else samples_folder
    history = []
    for epoch, losses in enumerate(losses_of_epochs, start=1):
        sheet = None
        if epoch % sample_every_epochs == 0 or epoch == epochs:
            sheet = sheets / f"epoch_{epoch:04d}.png"
            if not sheet.exists():
                copy_weights(gen, inference)
                write_bytes(sheet, png_bytes(_draw_sheet(shown, encoding, inference, inference_seed)))
        history.append({"epoch": epoch, **losses})
        on_epoch(epoch, losses, sheet)

    if checkpoints:
        shutil.copytree(sheets, samples_folder, dirs_exist_ok=True)
    copy_weights(gen, saved)
    save_network(saved, generator_folder, "generator")
    write_json(generator_folder / "input.json", encoding.to_json())
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


def _draw_sheet(pairs: list[Pair], encoding: InputEncoding, inference, seed: int) -> np.ndarray:
    """Input | target | generated, a row a pair."""
    generated = translate(inference, plain_batches(pairs, encoding, batch=1), [pair.pair_id for pair in pairs], seed)
    rows = []
    for pair, photo in zip(pairs, generated, strict=True):
        classes = encoding.classes
        drawing = classes.to_colors(read_ids(pair.input_path)) if classes else read_rgb(pair.input_path)
        rows.append([drawing, read_rgb(pair.target_path), photo])
    return contact_sheet(rows)
