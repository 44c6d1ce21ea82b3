"""`make bench`: our training step beside the TensorFlow tutorial's loop and, if named, a PyTorch step.

    python benchmarks/step.py [--sizes 256:1:64 128:4:32 64:8:32] [--rounds 5] [--torch path/to/step.py]

Every variant runs in a process of its own; the processes take turns (A B C A B C ...), so that what else the machine
does falls on all alike. A burst that took half as long again as the variant's median is repeated. Medians, ratios to
the tutorial's loop and shares of the matrix peak are printed and written to `benchmarks/results.json`. The PyTorch
script is started with --size, --batch and --filters and must answer as `benchmarks/worker.py` does.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
OURS = ["--kind", "ours", "--threads", "1", "2", "--product-side", "16"]
# A later option overrides an earlier one.
VARIANTS = {
    "tutorial": ["--kind", "tutorial"],
    "ours": OURS,
    "ours, Keras' Adam": [*OURS, "--adam", "keras"],
    "ours, no products": [*OURS, "--product-side", "0"],
    "ours, products to 8 px": [*OURS, "--product-side", "8"],
    "ours, products to 32 px": [*OURS, "--product-side", "32"],
    "ours, 2 intra-op threads": [*OURS, "--threads", "2", "2"],
    "ours, mixed_bfloat16": [*OURS, "--precision", "mixed_bfloat16"],
}


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

    def run(self, steps: int) -> list[float]:
        print(steps, file=self._process.stdin, flush=True)
        return self._answer()

    def measure(self, steps: int) -> None:
        burst = self.run(steps)
        if self.times_ms and statistics.median(burst) > 1.5 * statistics.median(self.times_ms):
            burst = self.run(steps)
        self.times_ms += burst

    def finish(self) -> int | None:
        """Peak memory in MiB, where the process tells."""
        print("quit", file=self._process.stdin, flush=True)
        line = self._process.stdout.readline()
        self._process.wait()
        return json.loads(line)["peak_mib"] if line else None


def cpu_name() -> str:
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    return next((line.split(": ", 1)[1] for line in lines if line.startswith("model name")), platform.processor())


def measure(size: int, batch: int, filters: int, names: list[str], torch: str | None, rounds: int, steps: int) -> dict:
    """The variants' figures at one size."""
    sizes = ["--size", str(size), "--batch", str(batch), "--filters", str(filters)]
    variants = {name: Variant([sys.executable, str(HERE / "worker.py"), *VARIANTS[name], *sizes]) for name in names}
    if torch:
        variants["PyTorch"] = Variant([sys.executable, torch, *sizes])
    for variant in variants.values():
        variant.run(3)  # traced, compiled and warm
    for _ in range(rounds):
        for variant in variants.values():
            variant.measure(steps)
    tutorial_ms = statistics.median(variants["tutorial"].times_ms)
    gigaflop = variants["tutorial"].about["gigaflop"]
    peak = max(variant.about.get("peak", 0) for variant in variants.values())
    rows = {}
    for name, variant in variants.items():
        median_ms = statistics.median(variant.times_ms)
        rows[name] = {
            "ms": round(median_ms, 1),
            "images_per_s": round(1e3 * batch / median_ms, 2),
            "ratio_to_tutorial": round(tutorial_ms / median_ms, 3),
            "share_of_matrix_peak": round(gigaflop / median_ms * 1e3 / peak, 3),
            "peak_mib": variant.finish(),
        }
    return {"gigaflop": round(gigaflop, 1), "matrix_peak_gflops": round(peak), "variants": rows}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", nargs="+", default=["256:1:64", "128:4:32", "64:8:32"], metavar="SIDE:BATCH:FILTERS")
    parser.add_argument("--variants", nargs="+", default=list(VARIANTS), choices=VARIANTS)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--torch", help="a script that times a PyTorch step in the same way")
    parser.add_argument("--out", type=Path, default=HERE / "results.json")
    arguments = parser.parse_args()
    results = {"machine": {"cpu": cpu_name(), "cores": os.cpu_count(), "system": platform.system()}}
    for setting in arguments.sizes:
        size, batch, filters = map(int, setting.split(":"))
        found = measure(size, batch, filters, arguments.variants, arguments.torch, arguments.rounds, arguments.steps)
        title = f"{size}x{size}, batch {batch}, {filters} filters"
        results[title] = found
        print(f"\n{title}: {found['gigaflop']} GFLOP a step, matrix peak {found['matrix_peak_gflops']} GFLOP/s")
        for name, row in found["variants"].items():
            print(
                f"  {name:28}{row['ms']:8.1f} ms {row['images_per_s']:8.2f} images/s {row['ratio_to_tutorial']:6.2f}x "
                f"{row['share_of_matrix_peak']:6.0%} of the peak {row['peak_mib'] or 0:6} MiB",
                flush=True,
            )
    arguments.out.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
