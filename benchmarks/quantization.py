"""Speed and error of int8 arithmetic: an exported ONNX file quantised by ONNX Runtime, beside the exported ones.

Static quantisation is calibrated on inputs of train; differences and L1 are those of the held-out inputs. Files take
turns.

    python benchmarks/quantization.py --export export --data data/split
"""

import argparse
import logging
import statistics
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnxruntime
from onnxruntime import quantization
from onnxruntime.quantization.shape_inference import quant_pre_process

from pix2street.core.images import read_ids, read_rgb
from pix2street.core.pairs import HELD_OUT_SUBSETS, Dataset, Pair, read_pairs
from pix2street.metrics.pixels import l1

BATCHES = (1, 8)
CONVOLUTIONS = ["Conv", "ConvTranspose", "MatMul"]


class Calibration(quantization.CalibrationDataReader):
    """Inputs of train, one at a time."""

    def __init__(self, inputs: Iterator[np.ndarray]):
        self._inputs = inputs

    def get_next(self) -> dict | None:
        pixels = next(self._inputs, None)
        return None if pixels is None else {"pixels": pixels[None]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--export", type=Path, default=Path("export"))
    parser.add_argument("--data", type=Path, default=Path("data/split"))
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--calibration-images", type=int, default=40)
    options = parser.parse_args()
    logging.getLogger().setLevel(logging.ERROR)
    ids = Dataset.read(options.data).classes is not None

    def read(pairs: list[Pair]) -> Iterator[np.ndarray]:
        return (read_ids(pair.input_path) if ids else read_rgb(pair.input_path) for pair in pairs)

    held_out = next(pairs for name in HELD_OUT_SUBSETS if (pairs := read_pairs(options.data, name)))
    train = read_pairs(options.data, "train")[: options.calibration_images]
    inputs, targets = np.stack(list(read(held_out))), [read_rgb(pair.target_path) for pair in held_out]
    with TemporaryDirectory() as folder:
        files = {path.stem: path for path in sorted(options.export.glob("generator*.onnx"))}
        files |= quantised(options.export / "generator.onnx", Path(folder), read, train)
        sessions = {name: opened(path, options.threads) for name, path in files.items()}
        sizes_mib = {name: path.stat().st_size / 2**20 for name, path in files.items()}
    taken = timed(sessions, inputs, options.rounds)
    print(f"{'':<32}{'MiB':>8}" + "".join(f"{f'images/s at {n}':>16}" for n in BATCHES) + f"{'unrounded':>11}{'L1':>9}")
    reference = None
    for name, session in sessions.items():
        made = [session.run(None, {"pixels": pixels[None]}) for pixels in inputs]
        unit = np.concatenate([outputs[1] for outputs in made])
        reference = unit if reference is None else reference
        error = np.mean([l1(outputs[0][0], target) for outputs, target in zip(made, targets, strict=True)])
        speeds = "".join(f"{n / statistics.median(taken[name, n]):>16.1f}" for n in BATCHES)
        print(f"{name:<32}{sizes_mib[name]:>8.2f}{speeds}{np.abs(unit - reference).max():>11.1e}{error:>9.4f}")
    print(f"{options.threads} thread(s), medians of {options.rounds} runs that took turns")


def quantised(full: Path, folder: Path, read, train: list[Pair]) -> dict[str, Path]:
    """Write the file with ONNX Runtime's int8 arithmetic, one scale a channel, and return the paths by name."""
    prepared = folder / "prepared.onnx"
    quant_pre_process(full, prepared, skip_symbolic_shape=True)
    files = {
        name: folder / f"{name}.onnx" for name in ("dynamic int8", "static int8", "static int8, convolutions alone")
    }
    int8 = {"per_channel": True, "weight_type": quantization.QuantType.QInt8}
    quantization.quantize_dynamic(prepared, files["dynamic int8"], **int8)
    for name, operations in (("static int8", None), ("static int8, convolutions alone", CONVOLUTIONS)):
        calibration = Calibration(read(train))
        quantization.quantize_static(prepared, files[name], calibration, op_types_to_quantize=operations, **int8)
    return files


def opened(path: Path, threads: int) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads, options.log_severity_level = threads, 1, 3
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def timed(sessions: dict, inputs: np.ndarray, rounds: int) -> dict[tuple[str, int], list[float]]:
    """Return the seconds by name and batch."""
    taken: dict[tuple[str, int], list[float]] = {}
    for round_ in range(rounds + 1):
        for name, session in sessions.items():
            for count in BATCHES:
                pixels = np.resize(inputs, (count, *inputs.shape[1:]))
                start = time.perf_counter()
                session.run(["photo"], {"pixels": pixels})
                if round_:  # The first run of each allocates its memory.
                    taken.setdefault((name, count), []).append(time.perf_counter() - start)
    return taken


if __name__ == "__main__":
    main()
