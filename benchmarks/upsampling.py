"""What doubling an image costs in every level of a generator: transposed, resized and convolved, and both in one.

    python benchmarks/upsampling.py [--levels 16:192:48 32:96:24] [--rounds 15] [--precision mixed_bfloat16]

A level is SIDE:CHANNELS:FILTERS of its input and output; the default's are those of the generator in `params.yaml`. A
run computes the output and the gradients by the input and the kernel. The variants of a level take turns; medians are
printed, and for each variant the median of its ratios to the transposed convolution of the same round.
"""

import argparse
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path

from pix2street.core import numerics
from pix2street.stage import load_quietly

if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    numerics.pin()
    load_quietly("tensorflow")

import keras
import tensorflow as tf
from keras import layers

from pix2street.layers.products import ProductConv2DTranspose, ProductResizeConv2D
from pix2street.layers.resize import ResizeConv2D
from pix2street.models import pix2pix
from pix2street.models.interface import Task
from pix2street.params import read_params

DEFAULT = read_params(Path(__file__).parents[1] / "params.yaml")
SAME = {"padding": "same", "use_bias": False}
VARIANTS = {
    "transposed": lambda filters: [layers.Conv2DTranspose(filters, 4, 2, **SAME)],
    "transposed, product": lambda filters: [ProductConv2DTranspose(filters, 4, 2, **SAME)],
    "resized": lambda filters: [layers.UpSampling2D(2), layers.Conv2D(filters, 3, **SAME)],
    "fused": lambda filters: [ResizeConv2D(filters, 3, **SAME)],
    "fused, product": lambda filters: [ProductResizeConv2D(filters, 3, **SAME)],
}


def default_levels() -> list[str]:
    """Return the levels of the decoder of the generator in `params.yaml`."""
    shape = (DEFAULT.split.height_px, DEFAULT.split.width_px, 3)
    generator = pix2pix.build_generator(Task(shape, shape), DEFAULT.train.pix2pix, 0)
    enlarging = [layer for layer in generator.layers if isinstance(layer, layers.Conv2DTranspose | ResizeConv2D)]
    return [f"{layer.input.shape[1]}:{layer.input.shape[-1]}:{layer.filters}" for layer in enlarging]


def run_of(name: str, side: int, channels: int, filters: int, batch: int) -> Callable[[], None]:
    """Return a function that computes one level once, forth and back."""
    inputs = tf.random.normal((batch, side, side, channels))
    network = keras.Sequential([keras.Input((side, side, channels)), *VARIANTS[name](filters)])

    @tf.function
    def differentiate():
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            loss = tf.reduce_sum(tf.square(tf.cast(network(inputs), "float32")))
        return tape.gradient(loss, [inputs, *network.trainable_variables])

    return lambda: [gradient.numpy() for gradient in differentiate()]


def measure(side: int, channels: int, filters: int, batch: int, rounds: int) -> dict[str, tuple[float, float]]:
    """Return each variant's milliseconds and its ratio to the first, medians over the rounds."""
    runs = {name: run_of(name, side, channels, filters, batch) for name in VARIANTS}
    times = {name: [] for name in VARIANTS}
    for number in range(rounds + 2):
        for name, run in runs.items():
            start = time.perf_counter()
            run()
            if number >= 2:  # traced and warm
                times[name].append(1e3 * (time.perf_counter() - start))
    first = times[next(iter(VARIANTS))]
    return {
        name: (statistics.median(own), statistics.median(one / other for one, other in zip(own, first, strict=True)))
        for name, own in times.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--levels", nargs="+", metavar="SIDE:CHANNELS:FILTERS")
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--precision", default="float32")
    parser.add_argument("--threads", type=int, nargs=2, default=(1, 2), metavar=("INTRA", "INTER"))
    arguments = parser.parse_args()
    tf.config.threading.set_intra_op_parallelism_threads(arguments.threads[0])
    tf.config.threading.set_inter_op_parallelism_threads(arguments.threads[1])
    keras.config.set_dtype_policy(arguments.precision)
    print(f"{arguments.precision}, batch {arguments.batch}; ms, forth and back (ratio to transposed)")
    print(f"{'level':>16}" + "".join(f"{name:>21}" for name in VARIANTS))
    for level in arguments.levels or default_levels():
        found = measure(*map(int, level.split(":")), arguments.batch, arguments.rounds)
        cells = (f"{ms:.2f} ({ratio:.2f})" for ms, ratio in found.values())
        print(f"{level:>16}" + "".join(f"{cell:>21}" for cell in cells), flush=True)


if __name__ == "__main__":
    main()
