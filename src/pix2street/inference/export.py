"""A trained generator as files that other programs run, SavedModel and ONNX, each checked against `predict`.

They take stored pixels and give photos: what stands before and after the network is part of the graph, and so is the
padding that lets it take every size. Dropout is off: its noise follows an input's name, which no graph knows.
"""

import importlib.util
import json
import statistics
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import keras
import numpy as np
import tensorflow as tf
from keras import ops
from tqdm import tqdm

from pix2street.core.errors import UserError
from pix2street.core.files import fresh_folder, sha256_of, write_json
from pix2street.core.images import grey, read_ids, read_photo, read_rgb, to_pixels, write_png
from pix2street.core.pairs import HELD_OUT_SPLITS, Dataset, Pair, read_pairs
from pix2street.inference.card import GeneratorCard
from pix2street.inference.in_use import as_inference
from pix2street.inference.translator import Translator
from pix2street.judges.segmenter import Segmenter
from pix2street.layers.networks import load_network
from pix2street.layers.norms import ImageNorm
from pix2street.metrics import pixels as pixel_metrics
from pix2street.metrics import segmentation

if TYPE_CHECKING:
    from onnx import ModelProto

FORMATS = {
    "savedmodel": "savedmodel",
    "onnx": "generator.onnx",
    "onnx-float16": "generator_float16.onnx",
    "onnx-int8": "generator_int8.onnx",
}
"""Every format and its place in the exported folder."""

VARIANTS = {"onnx-float16": np.float16, "onnx-int8": np.int8}
"""Formats whose kernels are stored in fewer bits: the limits do not hold for them, what they cost is measured."""

PIXEL_LIMIT = 1
"""At most so many of 255 levels may a float32 file's photo differ from that of `predict`."""

UNIT_LIMIT = 1e-4
"""The same before rounding, in [-1, 1]."""

KINDS = {1: "grey", 3: "RGB"}
"""Photos by their channels."""

DESCRIPTION = "export.json"
KERAS = "Keras"
BATCHES = (1, 8)
ROUNDS = 15
OPSET = 17

Runner = Callable[[np.ndarray], Mapping[str, np.ndarray]]
"""Stored pixels of a batch -> "photo" `[N, H, W, 1 or 3]` uint8 and "unit", the same before rounding, float32."""


@dataclass
class Row:
    """What is known of one format.

    Args:
        load_s: from its files to its first photo.
        images_per_s: by batch.
        pixel_difference, unit_difference: the largest, to `predict --no-dropout`: of 255 levels, and before rounding.
    """

    name: str
    size_mib: float
    load_s: float
    images_per_s: dict[int, float] = field(default_factory=dict)
    pixel_difference: int = 0
    unit_difference: float = 0.0


@dataclass(frozen=True)
class Report:
    """What was exported and how it compares.

    Args:
        costs: L1 and mean IoU (None without a judge) of the photos of `predict` and of each variant.
        mixed: whether the generator was trained in mixed precision, as its row `Keras` computes; files are float32.
    """

    rows: list[Row]
    costs: dict[str, tuple[float, float | None]]
    images: int
    threads: int
    card: GeneratorCard
    mixed: bool


def export_generator(
    model: Path,
    split: Path,
    out: Path,
    judge: Path,
    formats: Collection[str] = tuple(FORMATS),
    threads: int = 1,
    rounds: int = ROUNDS,
) -> Report:
    """Make `out` hold the generator in every format, `card.json` and `export.json`; on any error nothing of it stays.

    Args:
        model: such as `models/generator`.
        split: such as `data/split`; its held-out pairs are what the files are checked on.
        judge: such as `models/segmenter`; without one no mean IoU is given.
        threads: of ONNX Runtime; TensorFlow's are the process' own.
        rounds: of timing, over which medians are taken.

    Raises:
        UserError: a library, the generator or held-out pairs are missing, `out` holds something else, or a float32
            file differs from `predict` by more than the limits.
    """
    _need_libraries(formats)
    card = GeneratorCard.read(model)
    dataset, pairs = _held_out(split, card)
    _refuse_to_replace(out)
    trained = load_network(model, "generator")
    channels = trained.output_shape[-1]
    _refuse_other_targets(split, dataset, channels)
    generator = _in_float32(trained)
    quiet = replace(card, noise_on=False)
    description = _description(model, card, dataset, channels)
    with fresh_folder(out) as partial, TemporaryDirectory() as scratch:
        _write(generator, card, description, partial, formats)
        runners, rows = _open(model, quiet, partial, formats, threads, _read(card, pairs[0])[None])
        photos = _Photos(Path(scratch), pairs)
        predicted = Translator(generator, quiet)
        others = {"predict": Translator(generator, card)} if card.noisy else {}
        _check_sizes(predicted, runners, rows, pairs)
        _check(predicted, runners, rows, pairs, photos, others)
        _time(runners, rows, np.stack([_read(card, pair) for pair in pairs[: max(BATCHES)]]), rounds)
        costs = photos.costs(card, judge)
        checked = {row.name: _checked(row) for row in rows if row.name in FORMATS}
        write_json(partial / DESCRIPTION, {**description, "formats": checked, "checked_images": len(pairs)})
        card.write(partial)
    return Report(rows, costs, len(pairs), threads, card, mixed=generator is not trained)


# What is refused before anything is computed


def _need_libraries(formats: Collection[str]) -> None:
    needed = ("onnx", "onnxruntime", "tf2onnx") if any(name.startswith("onnx") for name in formats) else ()
    if missing := [library for library in needed if importlib.util.find_spec(library) is None]:
        raise UserError(
            f"--format: ONNX needs {', '.join(missing)}; install with `pip install -e '.[export]'`, or choose "
            "--format savedmodel"
        )


def _held_out(split: Path, card: GeneratorCard) -> tuple[Dataset, list[Pair]]:
    if not (split / "manifest.csv").is_file():
        raise UserError(
            f"--data: {split} must hold manifest.csv, as data/split does: an export is checked on held-out images; "
            "run `dvc repro split`, or name another folder"
        )
    dataset = Dataset.read(split)
    if dataset.classes != card.encoding.classes:
        raise UserError(
            f"--data: {split} is {dataset.name}, whose classes are not those that the generator was trained with; "
            "name the folder of its own data set"
        )
    for name in HELD_OUT_SPLITS:
        if pairs := read_pairs(split, name):
            return dataset, pairs
    raise UserError(f"--data: {split} has no held-out pairs; an export is checked on some, name a folder that has them")


def _refuse_other_targets(split: Path, dataset: Dataset, channels: int) -> None:
    if dataset.target_channels != channels:
        raise UserError(
            f"--data: {split} has {KINDS[dataset.target_channels]} targets, the generator makes {KINDS[channels]} "
            "photos; name the folder that it was trained on, or train again"
        )


def _refuse_to_replace(out: Path) -> None:
    if out.is_file() or out.is_symlink() or (out.is_dir() and any(out.iterdir()) and not (out / DESCRIPTION).is_file()):
        raise UserError(f"--out: {out} must be new, empty or an earlier export, which it is not; name another folder")


# The graph


def _in_float32(generator: keras.Model) -> keras.Model:
    """The same network and weights computing in float32; the network itself if it already does."""
    if all(layer.compute_dtype == "float32" for layer in generator.layers):
        return generator

    def convert(layer: keras.layers.Layer) -> keras.layers.Layer:
        return layer.__class__.from_config({**layer.get_config(), "dtype": "float32"})

    return _converted(generator, convert)


class _CentredNorm(ImageNorm):
    """`ImageNorm` with its variance taken from what is left after the mean.

    Keras' own takes E[x^2] - E[x]^2, of which float32 loses digits; how many depends on the order in which a runtime
    adds. This is nearer to `predict` in ONNX Runtime, and faster there.
    """

    def call(self, inputs, mask=None):
        centred = inputs - ops.mean(inputs, (1, 2), keepdims=True)
        variance = ops.mean(ops.square(centred), (1, 2), keepdims=True)
        return centred * (self.gamma * ops.rsqrt(variance + self.epsilon)) + self.beta


def _with_centred_norms(network: keras.Model) -> keras.Model:
    def convert(layer: keras.layers.Layer) -> keras.layers.Layer:
        if isinstance(layer, ImageNorm):
            return _CentredNorm(layer.epsilon, name=layer.name)
        return layer.__class__.from_config(layer.get_config())

    return _converted(network, convert)


def _converted(network: keras.Model, convert: Callable[[keras.layers.Layer], keras.layers.Layer]) -> keras.Model:
    converted = keras.models.clone_model(network, clone_function=convert)
    converted.set_weights(network.get_weights())
    return converted


def _serving(network: keras.Model, card: GeneratorCard) -> tf.types.experimental.PolymorphicFunction:
    """Stored pixels -> "photo" and "unit", as `Translator` computes them, of every batch and every size."""
    shape = [None, None, None] if card.encoding.classes else [None, None, None, 3]

    @tf.function(input_signature=[tf.TensorSpec(shape, tf.uint8, name="pixels")])
    def serve(pixels):
        height, width = tf.shape(pixels)[1], tf.shape(pixels)[2]
        shown = tf.gather(pixels, _mirrored(height, card.multiple_px), axis=1)
        shown = tf.gather(shown, _mirrored(width, card.multiple_px), axis=2)
        if card.encoding.classes:
            shown = shown[..., None]
        elif card.input_from == "grey":
            shown = _grey(shown)
        unit = network(card.encoding.encode(shown), training=False)[:, : height * card.scale, : width * card.scale]
        levels = tf.clip_by_value(tf.round((unit + 1.0) * 127.5), 0.0, 255.0)
        return {"photo": tf.cast(levels, tf.uint8, name="photo"), "unit": tf.identity(unit, name="unit")}

    return serve


def _mirrored(side_px: tf.Tensor, multiple_px: int) -> tf.Tensor:
    """Which places along a side make it a multiple of `multiple_px`: its own, then back, then forth again.

    That is `numpy.pad` with "symmetric"; no operation of ONNX pads so. Every number divided here is positive: ONNX
    rounds quotients towards zero, TensorFlow down.
    """
    padded = (side_px + multiple_px - 1) // multiple_px * multiple_px
    places = tf.range(padded) % (2 * side_px)
    return tf.minimum(places, 2 * side_px - 1 - places)


def _grey(pixels: tf.Tensor) -> tf.Tensor:
    """RGB uint8 -> its luma in all three channels, uint8, bit for bit as `images.grey`."""
    weights = tf.constant([19595, 38470, 7471], tf.int32)  # of 65536: ITU-R BT.601 as Pillow has it
    luma = (tf.reduce_sum(tf.cast(pixels, tf.int32) * weights, axis=-1, keepdims=True) + 32768) // 65536
    return tf.cast(tf.repeat(luma, 3, axis=-1), tf.uint8)


# Files


def _description(model: Path, card: GeneratorCard, dataset: Dataset, channels: int) -> dict:
    """What travels with every file; holds no time, so that equal generators have equal cards."""
    ids = "class ids [N, H, W] uint8, any batch, any size"
    rgb = "RGB [N, H, W, 3] uint8, any batch, any size"
    return {
        "input": {"pixels": ids if card.encoding.classes else rgb},
        "outputs": {
            "photo": f"{KINDS[channels]} [N, H, W, {channels}] uint8",
            "unit": "the same before rounding, float32 in [-1, 1]",
        },
        "trained_at": {"height_px": card.height_px, "width_px": card.width_px},
        "dropout": False,
        "norm": card.norm,
        "dataset": {name: getattr(dataset, name) for name in ("name", "title", "direction", "licence", "home_page")},
        "weights_sha256": sha256_of(model / "generator.weights.h5"),
    }


def _write(
    generator: keras.Model, card: GeneratorCard, description: dict, folder: Path, formats: Collection[str]
) -> None:
    network = _with_centred_norms(as_inference(generator, card.norm, noise=False, any_size=True))
    serve = _serving(network, card)
    if "savedmodel" in formats:
        _write_savedmodel(network, serve, card, description, folder / FORMATS["savedmodel"])
    if not any(name.startswith("onnx") for name in formats):
        return
    import onnx

    full = _to_onnx(serve, card, description)
    for name in formats:
        if name.startswith("onnx"):
            model = _narrowed(full, VARIANTS[name]) if name in VARIANTS else full
            onnx.checker.check_model(model, full_check=True)
            onnx.save(model, folder / FORMATS[name])


def _write_savedmodel(
    network: keras.Model, serve: Callable, card: GeneratorCard, description: dict, folder: Path
) -> None:
    # `keras.export.ExportArchive` would do the same with every weight in the file twice.
    module = tf.Module()
    module.weights = [weight.value for weight in network.weights]
    tf.saved_model.save(module, str(folder), signatures=serve)
    # The place that TensorFlow keeps for files that a graph does not read.
    extra = folder / "assets.extra"
    extra.mkdir()
    card.write(extra)
    write_json(extra / DESCRIPTION, description)


def _to_onnx(serve: Callable, card: GeneratorCard, description: dict) -> "ModelProto":
    import onnx
    import tf2onnx

    model, _ = tf2onnx.convert.from_function(serve, serve.input_signature, opset=OPSET)
    for value, sides in ((model.graph.input[0], "NHW"), *((output, "NHW") for output in model.graph.output)):
        for dimension, side in zip(value.type.tensor_type.shape.dim, sides, strict=False):
            dimension.dim_param = side
    model.graph.name, dataset = "pix2street", description["dataset"]
    model.doc_string = f"{dataset['direction']}; {dataset['title']}, {dataset['licence']}"
    texts = {"card": json.dumps(card.to_json())}
    texts |= {name: value if isinstance(value, str) else json.dumps(value) for name, value in description.items()}
    onnx.helper.set_model_props(model, {f"pix2street.{name}": text for name, text in texts.items()})
    return model


def _narrowed(model: "ModelProto", dtype: type[np.number]) -> "ModelProto":
    """A copy whose convolutions' kernels are stored as float16, or as int8 with a scale for each channel they make.

    A runtime widens them once, when it loads the file; what is computed stays float32.
    """
    from onnx import ModelProto, helper, numpy_helper

    narrowed = ModelProto()
    narrowed.CopyFrom(model)
    graph = narrowed.graph
    # Of `[out, in, h, w]` and `[in, out, h, w]`: the channels that a convolution makes.
    made = {"Conv": 0, "ConvTranspose": 1}
    axis_of = {node.input[1]: made[node.op_type] for node in graph.node if node.op_type in made}
    stored, widening = [], []
    for tensor in graph.initializer:
        if tensor.name not in axis_of:
            stored.append(tensor)
            continue
        name, kernel = tensor.name, numpy_helper.to_array(tensor)
        widened = name
        if dtype is np.int8:
            others = tuple(axis for axis in range(kernel.ndim) if axis != axis_of[name])
            scale = np.maximum(np.abs(kernel).max(axis=others, keepdims=True) / 127, np.float32(1e-12))
            kernel, widened = np.rint(kernel / scale), f"{name}_unscaled"
            stored.append(numpy_helper.from_array(scale.astype(np.float32), f"{name}_scale"))
        stored.append(numpy_helper.from_array(kernel.astype(dtype), f"{name}_stored"))
        widening.append(
            helper.make_node(
                "Cast", [f"{name}_stored"], [widened], to=helper.np_dtype_to_tensor_dtype(np.dtype("float32"))
            )
        )
        if dtype is np.int8:
            widening.append(helper.make_node("Mul", [widened, f"{name}_scale"], [name]))
    nodes = list(graph.node)
    for values, kept in ((graph.initializer, stored), (graph.node, widening + nodes)):
        del values[:]
        values.extend(kept)
    return narrowed


def _checked(row: Row) -> dict:
    return {
        "file": FORMATS[row.name],
        "size_mib": round(row.size_mib, 2),
        "max_difference_of_255": row.pixel_difference,
        "max_difference_before_rounding": row.unit_difference,
    }


# Files as they are used


def _open(
    model: Path, card: GeneratorCard, folder: Path, formats: Collection[str], threads: int, first: np.ndarray
) -> tuple[dict[str, Runner], list[Row]]:
    """Every format, opened from its file as its users open it, and Keras, each with its size and time to load."""
    openers = {KERAS: lambda: _open_keras(model, card)}
    for name in FORMATS:
        if name in formats:
            path, opener = folder / FORMATS[name], _open_savedmodel if name == "savedmodel" else _open_onnx
            openers[name] = lambda path=path, opener=opener: opener(path, threads)
    runners, rows = {}, []
    for name, opener in tqdm(openers.items(), desc="load", unit=" formats"):
        start = time.perf_counter()
        runners[name] = opener()
        runners[name](first)
        taken = time.perf_counter() - start
        rows.append(Row(name, _size_mib(model if name == KERAS else folder / FORMATS[name]), taken))
    return runners, rows


def _open_keras(model: Path, card: GeneratorCard) -> Runner:
    """The network as `predict` computes it at the size of training."""
    network = as_inference(load_network(model, "generator"), card.norm, noise=False)

    def run(pixels: np.ndarray) -> dict[str, np.ndarray]:
        if card.encoding.classes is None and card.input_from == "grey":
            pixels = np.stack([grey(image) for image in pixels])
        shown = pixels if pixels.ndim == 4 else pixels[..., None]
        unit = network.predict_on_batch(card.encoding.encode(shown))
        return {"photo": to_pixels(unit), "unit": unit}

    return run


def _open_savedmodel(folder: Path, threads: int) -> Runner:
    loaded = tf.saved_model.load(str(folder))
    serve = loaded.signatures["serving_default"]

    def run(pixels: np.ndarray, loaded=loaded) -> dict[str, np.ndarray]:  # which dies with the last that holds it
        return {name: value.numpy() for name, value in serve(pixels=tf.constant(pixels)).items()}

    return run


def _open_onnx(path: Path, threads: int) -> Runner:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    names = ["photo", "unit"]
    return lambda pixels: dict(zip(names, session.run(names, {"pixels": pixels}), strict=True))


def _size_mib(path: Path) -> float:
    files = [path] if path.is_file() else path.rglob("*")
    return sum(file.stat().st_size for file in files if file.is_file()) / 2**20


# How they compare


def _read(card: GeneratorCard, pair: Pair) -> np.ndarray:
    return read_ids(pair.input_path) if card.encoding.classes else read_rgb(pair.input_path)


class _Photos:
    """Photos of the held-out inputs by whatever made them, on disk, and their scores."""

    def __init__(self, folder: Path, pairs: Sequence[Pair]):
        self._folder, self._pairs = folder, pairs
        self._l1: dict[str, list[float]] = {}

    def add(self, maker: str, pair: Pair, photo: np.ndarray) -> None:
        (self._folder / maker).mkdir(exist_ok=True)
        write_png(self._folder / maker / f"{pair.pair_id}.png", photo)
        self._l1.setdefault(maker, []).append(pixel_metrics.l1(photo, read_photo(pair.target_path)))

    def costs(self, card: GeneratorCard, judge: Path) -> dict[str, tuple[float, float | None]]:
        """L1 and mean IoU by maker; None where there is no judge."""
        classes, segmenter = card.encoding.classes, None
        if classes and (judge / "judge.json").is_file():
            segmenter = Segmenter.load(judge, classes)
        costs = {}
        for maker, values in self._l1.items():
            iou = None
            if segmenter:
                made = [self._folder / maker / f"{pair.pair_id}.png" for pair in self._pairs]
                seen = self._folder / "judged" / maker
                segmenter.judge(made, seen)
                truths = [pair.input_path for pair in self._pairs]
                matrices = segmentation.measure(truths, [seen / photo.name for photo in made], classes)
                iou = segmentation.scores_of(matrices.sum(axis=0), classes)["mean_iou"]
            costs[maker] = (float(np.mean(values)), iou)
        return costs


def _check(
    predicted: Translator,
    runners: Mapping[str, Runner],
    rows: Sequence[Row],
    pairs: Sequence[Pair],
    photos: _Photos,
    others: Mapping[str, Translator],
) -> None:
    """Hold every file against `predict` on all pairs, in batches though `predict` takes one at a time.

    Args:
        others: whose photos are scored beside those of `predict --no-dropout` and of the variants.
    """
    for some in _batches(tqdm(pairs, desc="check", unit=" images")):
        inputs, names = np.stack([_read(predicted.card, pair) for pair in some]), [pair.pair_id for pair in some]
        expected = _one_at_a_time(predicted, inputs, names)
        makers = {"predict --no-dropout": to_pixels(expected)}
        for row in rows:
            found = runners[row.name](inputs)
            _compare(row, found, expected, names)
            if row.name in VARIANTS:
                makers[row.name] = found["photo"]
        makers = {name: other.translate_all(inputs, names) for name, other in others.items()} | makers
        for maker, made in makers.items():
            for pair, photo in zip(some, made, strict=True):
                photos.add(maker, pair, photo)


def _check_sizes(
    predicted: Translator, runners: Mapping[str, Runner], rows: Sequence[Row], pairs: Sequence[Pair]
) -> None:
    """The same for two pairs cut and continued to sizes that the network itself does not take."""
    inputs = np.stack([_read(predicted.card, pair) for pair in pairs[:2]])
    names = [pair.pair_id for pair in pairs[:2]]
    height, width = inputs.shape[1:3]
    for sized in (
        inputs[:, : max(1, height * 5 // 8 - 1), : width * 3 // 4 + 1],
        np.concatenate([inputs] * 2, axis=2)[:, :, 3:],
    ):
        expected = _one_at_a_time(predicted, sized, names)
        for row in rows:
            if row.name != KERAS:
                _compare(row, runners[row.name](sized), expected, names)


def _one_at_a_time(predicted: Translator, inputs: np.ndarray, names: Sequence[str]) -> np.ndarray:
    """The photos of `predict`, before rounding: in batches of its own it would be held to the batches of a file."""
    return np.concatenate(
        [predicted.translate_unrounded([pixels], [name]) for pixels, name in zip(inputs, names, strict=True)]
    )


def _batches(pairs: Iterator[Pair]) -> Iterator[list[Pair]]:
    some = []
    for pair in pairs:
        some.append(pair)
        if len(some) == max(BATCHES):
            yield some
            some = []
    if some:
        yield some


def _compare(row: Row, found: Mapping[str, np.ndarray], expected: np.ndarray, names: Sequence[str]) -> None:
    """Note the largest differences in `row`; refuse those beyond the limits of a float32 file."""
    pairs = (("photo", to_pixels(expected)), ("unit", expected))
    for output, wanted in pairs:
        if found[output].shape != wanted.shape or found[output].dtype != wanted.dtype:
            shapes = [f"{array.dtype} {array.shape}" for array in (wanted, found[output])]
            raise UserError(
                f"{row.name}: {names[0]}: {output} must be {shapes[0]}, it is {shapes[1]}; nothing was written"
            )
    levels, units = (
        np.abs(found[output].astype(np.float64) - wanted).reshape(len(names), -1).max(axis=1)
        for output, wanted in pairs
    )
    row.pixel_difference = max(row.pixel_difference, int(levels.max()))
    row.unit_difference = float(np.maximum(row.unit_difference, units.max()))
    if row.name == KERAS:
        return
    # Whatever a variant may cost, what is no photo is refused.
    limits = (255, 2.0) if row.name in VARIANTS else (PIXEL_LIMIT, UNIT_LIMIT)
    words = (" of 255 levels", " before rounding")
    for differences, limit, unit in zip((levels, units), limits, words, strict=True):
        if not (differences <= limit).all():  # a difference that is no number is beyond every limit
            worst = int(np.argmax(np.nan_to_num(differences, nan=np.inf)))
            raise UserError(
                f"{row.name}: {names[worst]}: differs from `predict --no-dropout` by {differences[worst]:.4g}{unit}, "
                f"at most {limit:g} may; nothing was written. The other formats may do: leave this one out of --format"
            )


def _time(runners: Mapping[str, Runner], rows: Sequence[Row], inputs: np.ndarray, rounds: int) -> None:
    """Median images/s of formats that take turns, so that what else the machine does falls on all alike."""
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


# For the terminal


def as_text(report: Report) -> str:
    """The report as tables and notes."""
    card = report.card
    lines = [
        f"{'format':<14}{'MiB':>8}{'load s':>8}"
        + "".join(f"{f'images/s at {batch}':>16}" for batch in BATCHES)
        + f"{'of 255':>9}{'unrounded':>11}"
    ]
    for row in report.rows:
        speeds = "".join(f"{row.images_per_s[batch]:>16.1f}" for batch in BATCHES)
        lines.append(
            f"{row.name:<14}{row.size_mib:>8.2f}{row.load_s:>8.2f}{speeds}{row.pixel_difference:>9d}"
            f"{row.unit_difference:>11.1e}"
        )
    lines += [
        "",
        f"load: from files to the first photo. images/s: medians of runs that took turns, {card.width_px}x"
        f"{card.height_px} px, {report.threads} thread(s) each.",
        f"of 255, unrounded: largest difference to `predict --no-dropout` over {report.images} held-out images; at "
        f"most {PIXEL_LIMIT} and {UNIT_LIMIT:g} may be; with kernels of fewer bits they may be more.",
        "",
        f"{'photos by':<22}{'L1':>8}{'mean IoU':>10}",
    ]
    for maker, (l1, iou) in report.costs.items():
        lines.append(f"{maker:<22}{l1:>8.4f}{'-' if iou is None else f'{iou:.4f}':>10}")
    lines += [""]
    if card.noisy:
        lines.append(
            "Dropout is off in the files: its noise follows an input's name, which they do not see. They give the "
            "photos of `predict --no-dropout`, not those of `predict` and of the evaluation."
        )
    if report.mixed:
        lines.append(
            "The generator was trained in mixed precision. The files compute in float32 and are held against float32; "
            f"how far `predict` is from that, which computes as in training, stands in the row {KERAS}."
        )
    return "\n".join(lines).rstrip()
