"""Exported files in use: each is opened from disk, and its time to the first photo and its speed are measured."""

import statistics
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path

import numpy as np
from tqdm import tqdm

from pix2street.core.images import grey, to_pixels
from pix2street.inference.card import GeneratorCard
from pix2street.inference.export.formats import FORMATS
from pix2street.inference.export.graph import open_savedmodel
from pix2street.inference.export.onnx_file import open_onnx
from pix2street.inference.export.rows import KERAS, Row
from pix2street.inference.in_use import as_inference
from pix2street.layers.networks import load_network

BATCHES = (1, 8)

Runner = Callable[..., Mapping[str, np.ndarray]]
"""A function from the stored pixels of a batch to its photos; pixels have their styles behind them, if any.

The number of the photos' domain may follow; without it, or with None, they have the one of the card.

It gives "photo" `[N, H, W, 1 or 3]` uint8 and "unit", the same before rounding, float32.
"""


def open_runners(
    model: Path, card: GeneratorCard, folder: Path, formats: Collection[str], threads: int, first: np.ndarray
) -> tuple[dict[str, Runner], list[Row]]:
    """Open the network and every exported file, and return the runners, and for each a row with size and time to load.

    Args:
        model: the folder of the generator that was exported.
        folder: the exported folder.
        first: the stored pixels of a batch that each runner turns into its first photo.
    """
    openers = {KERAS: lambda: _open_keras(model, card)}
    for name, form in FORMATS.items():
        if name in formats and form.runtime == "tensorflow":
            openers[name] = lambda path=folder / form.path: open_savedmodel(path, card)
        elif name in formats:
            openers[name] = lambda path=folder / form.path: open_onnx(path, threads, card)
    runners, rows = {}, []
    for name, opener in tqdm(openers.items(), desc="load", unit=" formats"):
        start = time.perf_counter()
        runners[name] = opener()
        runners[name](first)
        taken = time.perf_counter() - start
        rows.append(Row(name, _size_mib(model if name == KERAS else folder / FORMATS[name].path), taken))
    return runners, rows


def _open_keras(model: Path, card: GeneratorCard) -> Runner:
    """Return the network as `predict` computes it at the size of training."""
    network = as_inference(load_network(model, "generator"), card.norm, noise=False)

    def run(pixels: np.ndarray, domain: int | None = None) -> dict[str, np.ndarray]:
        if card.encoding.latent:
            unit = network.predict_on_batch(pixels)
            return {"photo": to_pixels(unit), "unit": unit}
        if card.encoding.classes is None and card.input_from == "grey":
            seen = np.stack([grey(image[..., :3]) for image in pixels])
            pixels = np.concatenate([seen, pixels[..., 3:]], axis=-1)
        shown = pixels if pixels.ndim == 4 else pixels[..., None]
        unit = network.predict_on_batch(card.encoding.encode(shown, _repeated(domain, len(pixels))))
        return {"photo": to_pixels(unit), "unit": unit}

    return run


def _repeated(domain: int | None, count: int) -> np.ndarray | None:
    return None if domain is None else np.full(count, domain, np.int32)


def _size_mib(path: Path) -> float:
    files = [path] if path.is_file() else path.rglob("*")
    return sum(file.stat().st_size for file in files if file.is_file()) / 2**20


def measure_speeds(runners: Mapping[str, Runner], rows: Sequence[Row], inputs: np.ndarray, rounds: int) -> None:
    """Note in each row its median images/s.

    The formats take turns, so that other load on the machine slows all of them equally.
    """
    batches = [np.resize(inputs, (batch, *inputs.shape[1:])) for batch in BATCHES]
    taken: dict[tuple[str, int], list[float]] = {}
    for run in runners.values():
        for batch in batches:
            run(batch)
    for _ in tqdm(range(rounds), desc="time", unit=" rounds"):
        for name, run in runners.items():
            for batch in batches:
                start = time.perf_counter()
                run(batch)
                taken.setdefault((name, len(batch)), []).append(time.perf_counter() - start)
    for row in rows:
        row.images_per_s = {batch: batch / statistics.median(taken[row.name, batch]) for batch in BATCHES}
