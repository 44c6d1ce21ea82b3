"""The training step of this project beside the TensorFlow tutorial's loop and, if named, a PyTorch step (`make bench`).

    python benchmarks/step.py [--sizes 256:1:64 128:4:32 64:8:32] [--rounds 5] [--torch path/to/step.py]

Every variant runs in its own process; the processes of a group take turns (A B C A B C ...), so that other work of the
machine falls on all alike. A burst that took half as long again as the variant's median is repeated. Medians, ratios to
the group's first, shares of the matrix peak in the variant's precision, peak memory and the time of an epoch are
printed and written to `benchmarks/results.json`. The PyTorch script is started with --size, --batch and --filters, and
with --bf16 --fused for its fastest; it must answer as `benchmarks/worker.py` does.

    python benchmarks/step.py --families [pix2pix cyclegan ...] [--operations]

prints one table instead: the CPU time of a step of each family at 128x128 px with its settings in params.yaml, and the
kinds of operations that take the most of it. CPU time depends less than milliseconds on what else the machine does.

    python benchmarks/step.py --count cityscapes_oasis [--teraflop-a-second 25]

times nothing: it builds the networks of a profile that reads Cityscapes, counts the operations and the memory of a
step, and prints with each formula what the training would take at the assumed speed.
"""

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from pix2street.core import numerics
from pix2street.models import MODELS
from pix2street.params import read_params
from pix2street.profiles import use_profile
from pix2street.settings.train import Train
from pix2street.stage import load_quietly

HERE = Path(__file__).parent
NAMED_OPERATIONS = 6
"""The number of kinds of operations that are named for a family."""

EPOCHS_OF = (400, 2975)
"""The numbers of pairs of the facades set, on which the tutorial trains, and of Cityscapes."""

OURS = ["--kind", "ours", "--threads", "1", "2", "--product-side", "8", "--deterministic"]
BF16 = [*OURS, "--precision", "mixed_bfloat16"]
TUTORIAL = {"tutorial": ["--kind", "tutorial"]}
# A later option overrides an earlier one.
GROUPS = {
    "references": {
        **TUTORIAL,
        "ours": OURS,
        "ours, products to 16 px": [*OURS, "--product-side", "16"],
        "ours, mixed_bfloat16": BF16,
        "ours, mixed_bfloat16, products to 16 px": [*BF16, "--product-side", "16"],
    },
    "what pays": {
        "ours": OURS,
        "without products": [*OURS, "--product-side", "0"],
        "with Keras' Adam": [*OURS, "--adam", "keras"],
        "with Keras' batch norm": [*OURS, "--norm", "keras"],
        "2 intra-op threads": [*OURS, "--threads", "2", "2"],
    },
    "modes": {
        "ours": OURS,
        "upsample: resize": [*OURS, "--upsample", "resize"],
        "deterministic: false": [option for option in OURS if option != "--deterministic"],
        "steps_per_call: 8": [*OURS, "--steps-per-call", "8"],
        "pairs on disk": [*OURS, "--data", "disk"],
        "pairs in memory": [*OURS, "--data", "cached"],
        "jit_compile: true": [*(option for option in OURS if option != "--deterministic"), "--jit-compile"],
        "mixed_float16": [*OURS, "--precision", "mixed_float16"],
    },
}
TORCH = {"PyTorch": [], "PyTorch, bf16 autocast, fused Adam": ["--bf16", "--fused"]}


class Variant:
    """A process that times steps when it is told to."""

    def __init__(self, command: list[str]):
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        self.about = self._answer()
        self.times_ms: list[float] = []

    def _answer(self):
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"{' '.join(self._process.args)} ended without an answer; run it by hand to see why")
        return json.loads(line)

    def run(self, calls: int) -> list[float]:
        print(calls, file=self._process.stdin, flush=True)
        return self._answer()

    def measure(self, calls: int) -> None:
        burst = self.run(calls)
        if self.times_ms and statistics.median(burst) > 1.5 * statistics.median(self.times_ms):
            burst = self.run(calls)
        self.times_ms += burst

    def finish(self) -> int:
        """End the process and return its peak memory in MiB."""
        print("quit", file=self._process.stdin, flush=True)
        _, _, usage = os.wait4(self._process.pid, 0)
        self._process.returncode = 0
        return round(usage.ru_maxrss / 1024)


def machine() -> dict:
    """Return a description of the machine, on which the figures depend."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    told = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    gpus = subprocess.run(
        "nvidia-smi --query-gpu=name --format=csv,noheader", shell=True, capture_output=True, text=True, check=False
    )
    return {
        "cpu": f"{told.get('model name', platform.processor())} (family {told.get('cpu family')}, {told.get('model')})",
        "cores": os.cpu_count(),
        "matrix_units": [flag for flag in ("avx512_bf16", "amx_bf16") if flag in told.get("flags", "").split()],
        "gpus": gpus.stdout.split("\n")[:-1],
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        "system": platform.system(),
        **{name: version(name) for name in ("tensorflow", "keras")},
    }


def measure(commands: dict[str, list[str]], batch: int, rounds: int, calls: int) -> dict:
    """Return the figures of variants that take turns, by name; ratios are to the first of them."""
    variants = {name: Variant(command) for name, command in commands.items()}
    for variant in variants.values():
        variant.run(3)  # traced, compiled and warm
    for _ in range(rounds):
        for variant in variants.values():
            variant.measure(calls)
    first_ms, work = (
        statistics.median(next(iter(variants.values())).times_ms),
        next(v.about["gigaflop"] for v in variants.values() if "gigaflop" in v.about),
    )
    peaks = {}
    for name, variant in variants.items():
        peaks[precision_of(name)] = max(peaks.get(precision_of(name), 0), variant.about.get("peak", 0))
    rows = {}
    for name, variant in variants.items():
        median_ms = statistics.median(variant.times_ms)
        peak = peaks[precision_of(name)]
        rows[name] = {
            "ms": round(median_ms, 1),
            "images_per_s": round(1e3 * batch / median_ms, 2),
            "ratio": round(first_ms / median_ms, 3),
            "share_of_matrix_peak": round(work / median_ms * 1e3 / peak, 3) if peak else None,
            "peak_mib": variant.finish(),
            "epoch_s": {str(pairs): round(pairs / batch * median_ms / 1e3, 1) for pairs in EPOCHS_OF},
        }
    return {
        "gigaflop": round(work, 1),
        "matrix_peak_gflops": {name: round(peak) for name, peak in peaks.items()},
        "variants": rows,
    }


def precision_of(name: str) -> str:
    """Return the precision of the peak with which a variant is compared."""
    return "bfloat16" if "bf16" in name or "bfloat16" in name else "float32"


def count(profile: str, teraflop_a_second: float) -> None:
    """Print what the training of a profile takes, as counted from its networks and not measured."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(shutil.copy(HERE.parent / "params.yaml", folder))
        use_profile(path, HERE.parent / "profiles", profile)
        params = read_params(path)
    train, pairs = params.train, params.download.cityscapes.train_pairs
    found = count_step(train, params.split.height_px, params.split.width_px)
    images = train.run.epochs * pairs
    hours = images * found["gigaflop"] / 1e3 / teraflop_a_second / 3600
    batch_gib = train.run.batch * found["maps_gib"]
    print(
        f"{profile}: counted and estimated, not measured\n"
        f"a step for one image: {found['formula']} = {found['gigaflop']:.0f} GFLOP\n"
        f"time: {train.run.epochs} epochs * {pairs} pairs * {found['gigaflop']:.0f} GFLOP / {teraflop_a_second:g} "
        f"TFLOP/s (assumed) = {hours:.1f} h, {images / train.run.batch:.0f} steps of "
        f"{3600e3 * hours * train.run.batch / images:.0f} ms\n"
        f"memory: {train.run.batch} images * {found['maps_gib']:.2f} GiB of maps + {found['weights_gib']:.2f} GiB of "
        f"weights, gradients and averages = {batch_gib + found['weights_gib']:.0f} GiB in float32"
    )


def count_step(train: Train, height_px: int, width_px: int) -> dict:
    """Return the counted work and memory of a step for one image of Cityscapes."""
    numerics.pin()
    load_quietly("tensorflow")
    from counting import gigaflop, maps_gib, step_gigaflop, weights_gib

    from pix2street.core.classes import cityscapes_classes
    from pix2street.models import open_family
    from pix2street.models.interface import Task
    from pix2street.training.batches import InputEncoding
    from pix2street.training.players import Adams

    encoding = InputEncoding(train.data.encoding, cityscapes_classes(), train.data.style)
    task = Task((height_px, width_px, encoding.channels), (height_px, width_px, 3), encoding.labels, encoding.void)
    family, settings = open_family(train.model), train.family
    generator = family.build_generator(task, settings, 0)
    networks = family.build_training(task, settings, generator, Adams(generator, scale_losses=False), 0).networks
    discriminators = [network for name, network in networks.items() if name.startswith("discriminator")]
    mixed = getattr(settings, "labelmix_weight", 0) > 0
    one = len(discriminators) == 1
    work = " + ".join(f"{gigaflop(network):.1f}" for network in discriminators)
    return {
        "formula": f"3 * {gigaflop(generator):.1f} + {10 if mixed else 7} * {work if one else f'({work})'}",
        "gigaflop": step_gigaflop(generator, *discriminators, mixed=mixed),
        "maps_gib": maps_gib(generator, discriminators, mixed),
        "weights_gib": weights_gib([generator, *discriminators], train.run.ema_decay > 0),
    }


def time_families(families: Sequence[str], options: Sequence[str] = ()) -> None:
    """Print a row for each family, timed one after the other in processes of their own; see `families.py`."""
    print(f"{'family':<12}{'images a step':>14}{'weights of the generator':>26}{'CPU-ms a step':>15}")
    for family in families:
        command = [sys.executable, HERE / "families.py", family, *options]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"{family}: {done.stderr.strip().splitlines()[-1]}")
        row = json.loads(done.stdout.splitlines()[-1])
        print(f"{family:<12}{row['batch']:>14}{row['generator_weights']:>26,}{row['cpu_ms']:>15.1f}", flush=True)
        if operations := row.get("operations"):
            whole = sum(operations.values())
            shares = [f"{kind} {ms / whole:.0%}" for kind, ms in [*operations.items()][:NAMED_OPERATIONS]]
            print(f"  {', '.join(shares)}", flush=True)


def show(title: str, found: dict) -> None:
    peaks = ", ".join(f"{peak} GFLOP/s in {name}" for name, peak in found["matrix_peak_gflops"].items())
    print(f"\n{title}: {found['gigaflop']} GFLOP a step; matrix peak {peaks}")
    for name, row in found["variants"].items():
        share = f"{row['share_of_matrix_peak']:4.0%} of peak" if row["share_of_matrix_peak"] else ""
        epochs = " / ".join(f"{seconds:.0f}" for seconds in row["epoch_s"].values())
        print(
            f"  {name:41}{row['ms']:8.1f} ms {row['images_per_s']:8.2f} images/s {row['ratio']:5.2f}x {share:12} "
            f"{row['peak_mib']:6} MiB, epoch of {' / '.join(map(str, EPOCHS_OF))}: {epochs} s",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", nargs="+", default=["256:1:64", "128:4:32", "64:8:32"], metavar="SIDE:BATCH:FILTERS")
    parser.add_argument("--groups", nargs="+", default=list(GROUPS), choices=GROUPS)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--calls", type=int, default=4)
    parser.add_argument("--torch", help="a script that times a PyTorch step in the same way")
    parser.add_argument("--torch-python", default=sys.executable, help="the Python that has torch")
    parser.add_argument("--out", type=Path, default=HERE / "results.json")
    parser.add_argument("--count", metavar="PROFILE", help="print what a profile takes, counted and not measured")
    parser.add_argument("--teraflop-a-second", type=float, default=25.0, help="the speed that --count assumes")
    parser.add_argument("--families", nargs="*", choices=MODELS, help="time a step of these families; none: of all")
    parser.add_argument("--operations", action="store_true", help="with --families: name what takes the most time, too")
    arguments = parser.parse_args()
    if arguments.families is not None:
        time_families(arguments.families or list(MODELS), ["--operations"] if arguments.operations else [])
        return
    if arguments.count:
        count(arguments.count, arguments.teraflop_a_second)
        return
    results = {"machine": machine()}
    for setting in arguments.sizes:
        size, batch, filters = setting.split(":")
        sizes = ["--size", size, "--batch", batch, "--filters", filters]
        for group in arguments.groups:
            worker = [sys.executable, str(HERE / "worker.py")]
            commands = {name: [*worker, *options, *sizes] for name, options in GROUPS[group].items()}
            if arguments.torch and group == "references":
                for name, options in TORCH.items():
                    commands[name] = [arguments.torch_python, arguments.torch, *sizes, *options]
            title = f"{size}x{size}, batch {batch}, {filters} filters: {group}"
            results[title] = measure(commands, int(batch), arguments.rounds, arguments.calls)
            show(title, results[title])
            arguments.out.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
