"""The export of a generator: every format is written, checked, timed and described."""

import importlib.util
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import keras
import numpy as np

from pix2street.core.errors import UserError
from pix2street.core.files import fresh_folder, sha256_of, write_json
from pix2street.core.pairs import Dataset
from pix2street.core.styles import CHANNELS
from pix2street.inference.card import GeneratorCard
from pix2street.inference.export.formats import FORMATS
from pix2street.inference.export.graph import (
    DEFAULT,
    WITH_DOMAIN,
    for_any_size,
    in_float32,
    serving_function,
    write_savedmodel,
)
from pix2street.inference.export.held_out import KINDS, Photos, held_out_pairs, read_pixels, refuse_other_targets
from pix2street.inference.export.onnx_file import narrowed, to_onnx, write_onnx
from pix2street.inference.export.parity import check_domains, check_pairs, check_sizes
from pix2street.inference.export.rows import Row, Summary
from pix2street.inference.export.runners import BATCHES, measure_speeds, open_runners
from pix2street.inference.styles import open_style
from pix2street.inference.translator import Translator
from pix2street.layers.networks import load_network

DESCRIPTION = "export.json"
ROUNDS = 15


def export_generator(
    model: Path,
    split: Path,
    out: Path,
    judge: Path,
    formats: Collection[str] = tuple(FORMATS),
    threads: int = 1,
    rounds: int = ROUNDS,
    domain: str | None = None,
) -> Summary:
    """Write the generator in every format, `card.json` and `export.json` into `out`; nothing of it remains on an error.

    Args:
        model: a folder such as `models/generator`.
        split: a folder such as `data/split`; the files are checked on its held-out pairs.
        judge: a folder such as `models/segmenter`; without a judge no mean IoU is given.
        threads: the number for ONNX Runtime; TensorFlow has the threads of the process.
        rounds: the number of timings over which medians are taken.
        domain: the name of the domain to which the files translate where they are told none, for a generator of
            several; None for the card's.

    Raises:
        UserError: a library, the generator or held-out pairs are missing, `out` holds something else, or an exact
            file differs from `predict` by more than the limits.
    """
    _need_libraries(formats)
    card = GeneratorCard.read(model)
    if domain is not None:
        card = replace(card, encoding=card.encoding.towards(domain))
    dataset, pairs = held_out_pairs(split, card)
    _refuse_to_replace(out)
    trained = load_network(model, "generator")
    channels = trained.output_shape[-1]
    refuse_other_targets(split, dataset, channels)
    generator = in_float32(trained)
    quiet = replace(card, noise_on=False)
    description = _describe(model, card, dataset, channels)
    with fresh_folder(out) as partial, TemporaryDirectory() as scratch:
        _write(generator, card, description, partial, formats)
        style = open_style(card, model)
        predicted = Translator(generator, quiet, style)
        others = {"predict": Translator(generator, card, style)} if card.noisy else {}
        runners, rows = open_runners(model, quiet, partial, formats, threads, read_pixels(predicted, pairs[0])[None])
        photos = Photos(Path(scratch), pairs, dataset.classes if card.way == "back" and not dataset.domains else None)
        check_sizes(predicted, runners, rows, pairs)
        check_domains(predicted, runners, rows, pairs)
        check_pairs(predicted, runners, rows, pairs, photos, others)
        measure_speeds(
            runners, rows, np.stack([read_pixels(predicted, pair) for pair in pairs[: max(BATCHES)]]), rounds
        )
        costs = photos.costs(card, judge)
        checked = {row.name: _checked(row) for row in rows if row.name in FORMATS}
        write_json(partial / DESCRIPTION, {**description, "formats": checked, "checked_images": len(pairs)})
        card.write(partial)
    return Summary(rows, costs, len(pairs), threads, card, mixed=generator is not trained)


def _need_libraries(formats: Collection[str]) -> None:
    needed = dict.fromkeys(library for name in formats for library in FORMATS[name].libraries)
    if missing := [library for library in needed if importlib.util.find_spec(library) is None]:
        raise UserError(
            f"--format: ONNX needs {', '.join(missing)}; install with `pip install -e '.[export]'`, or choose "
            "--format savedmodel"
        )


def _refuse_to_replace(out: Path) -> None:
    if out.is_file() or out.is_symlink() or (out.is_dir() and any(out.iterdir()) and not (out / DESCRIPTION).is_file()):
        raise UserError(f"--out: {out} must be new, empty or an earlier export, which it is not; name another folder")


def _describe(model: Path, card: GeneratorCard, dataset: Dataset, channels: int) -> dict[str, Any]:
    """Return the description that every file carries; it holds no time, so it is equal for equal generators."""
    ids = "class ids [N, H, W] uint8, any batch, any size"
    rgb = "RGB [N, H, W, 3] uint8, any batch, any size"
    styles = {
        "palette": "the colour of each region, RGB [N, H, W, 3] uint8, of the pixels' size",
        "code": f"what the pixels do not say of the photo, [N, {CHANNELS['code']}] uint8, 0 for -1 to 255 for 1",
    }
    taken = {name: text for name, text in styles.items() if name == card.encoding.style}
    if domains := card.encoding.domains:
        numbers = ", ".join(f"{number} {name}" for number, name in enumerate(domains))
        taken["domain"] = (
            f"the number of each photo's domain, [N] or [1] int32: {numbers}; it may be left out for "
            f"{domains[card.encoding.domain]}, in a SavedModel by the signature {DEFAULT} instead of {WITH_DOMAIN}"
        )
    inputs = {"pixels": ids if card.encoding.classes else rgb} | taken
    if latent := card.encoding.latent:
        inputs = {
            "latent": f"[N, {latent[0]}, {latent[1] + 1}] float32, any batch: for each photo a vector of {latent[1]} "
            "normal numbers, from the coarsest to the finest level the same one, and the truncation, 1 for none"
        }
    sides = ", ".join(card.scale.named())
    return {
        "input": inputs,
        "outputs": {
            "photo": f"{KINDS[channels]} [N, {sides}, {channels}] uint8",
            "unit": "the same before rounding, float32 in [-1, 1]",
        },
        "trained_at": {"height_px": card.height_px, "width_px": card.width_px},
        "dropout": False,
        "norm": card.norm,
        "dataset": {name: getattr(dataset, name) for name in ("name", "title", "direction", "licence", "home_page")},
        "weights_sha256": sha256_of(model / "generator.weights.h5"),
    }


def _write(
    generator: keras.Model, card: GeneratorCard, description: dict[str, Any], folder: Path, formats: Collection[str]
) -> None:
    network = for_any_size(generator, card)
    serve = serving_function(network, card)
    if "savedmodel" in formats:
        extra = write_savedmodel(network, serve, card, folder / FORMATS["savedmodel"].path)
        card.write(extra)
        write_json(extra / DESCRIPTION, description)
    if names := [name for name in formats if FORMATS[name].runtime == "onnxruntime"]:
        exact = to_onnx(serve, card, description)
        for name in names:
            form = FORMATS[name]
            write_onnx(exact if form.exact else narrowed(exact, form.kernels), folder / form.path)


def _checked(row: Row) -> dict[str, Any]:
    return {
        "file": FORMATS[row.name].path,
        "size_mib": round(row.size_mib, 2),
        "max_difference_of_255": row.pixel_difference,
        "max_difference_before_rounding": row.unit_difference,
    }
