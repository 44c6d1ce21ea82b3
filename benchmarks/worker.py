"""One training step, timed on demand, in a process that `benchmarks/step.py` interleaves with others.

It prints a line of JSON when it is ready. Then, for every number N on standard input, it runs N calls of the step and
prints the times of a step in milliseconds as a JSON list; `quit` ends it. Weights are random and data is noise, unless
`--data disk` or `cached` asks for pairs of drawn streets behind the real input pipeline: it measures speed only.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from pix2street.core import numerics

if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    numerics.pin()

import keras
import numpy as np
import tensorflow as tf
from counting import step_gigaflop

from pix2street.core.classes import cityscapes_classes
from pix2street.core.images import write_png
from pix2street.core.pairs import Pair
from pix2street.datasets.synthetic_streets.scene import draw_scene
from pix2street.layers import norms
from pix2street.models import pix2pix
from pix2street.models.interface import Task, Training
from pix2street.params import read_params
from pix2street.training.batches import InputEncoding, TrainingFeed, open_pairs
from pix2street.training.distribution import build_steps
from pix2street.training.players import Adams, OnePassAdam

L1_WEIGHT = 100.0
DEFAULT = read_params(Path(__file__).parents[1] / "params.yaml").train


def tutorial_step(generator, discriminator):
    """Return the tutorial's step: two tapes, stock Adam, one `tf.function`."""
    gen_adam, disc_adam = (keras.optimizers.Adam(2e-4, beta_1=0.5) for _ in range(2))
    entropy = keras.losses.BinaryCrossentropy(from_logits=True)
    for network, adam in ((generator, gen_adam), (discriminator, disc_adam)):
        adam.build(network.trainable_variables)

    @tf.function
    def step(inputs, targets):
        with tf.GradientTape() as gen_tape, tf.GradientTape() as disc_tape:
            photo = generator(inputs, training=True)
            real = discriminator({"input": inputs, "target": targets}, training=True)
            made = discriminator({"input": inputs, "target": photo}, training=True)
            gen_loss = entropy(tf.ones_like(made), made) + L1_WEIGHT * tf.reduce_mean(tf.abs(targets - photo))
            disc_loss = entropy(tf.ones_like(real), real) + entropy(tf.zeros_like(made), made)
        gen_gradients = gen_tape.gradient(gen_loss, generator.trainable_variables)
        disc_gradients = disc_tape.gradient(disc_loss, discriminator.trainable_variables)
        gen_adam.apply_gradients(zip(gen_gradients, generator.trainable_variables, strict=True))
        disc_adam.apply_gradients(zip(disc_gradients, discriminator.trainable_variables, strict=True))
        return gen_loss

    return step


def our_run(training: Training, jit_compile: bool, steps_per_call: int) -> Callable:
    """Return the function that the training loop calls: `(batches, count) -> rows`."""
    device = DEFAULT.device.model_copy(update={"jit_compile": jit_compile, "steps_per_call": steps_per_call})
    return build_steps(training, [term.name for term in pix2pix.TERMS], device, tf.distribute.get_strategy())


def noise_batches(size: int, batch: int) -> tf.data.Dataset:
    """Return one batch again and again, without a real pipeline."""
    images = np.random.default_rng(0).uniform(-1, 1, (2, batch, size, size, 3)).astype("float32")
    return tf.data.Dataset.from_tensors(dict(zip(("input", "target"), images, strict=True))).repeat()


def street_batches(folder: Path, size: int, batch: int, cache_mib: int) -> tf.data.Dataset:
    """Return an endless stream of drawn streets through the input pipeline of the training."""
    pairs = []
    for index in range(16):
        photo, ids = draw_scene(0, index, size, size)
        pairs.append(Pair(f"s{index}", folder / f"i{index}.png", folder / f"t{index}.png"))
        write_png(pairs[-1].input_path, ids)
        write_png(pairs[-1].target_path, photo)
    read, encoding = open_pairs(pairs, True, cache_mib), InputEncoding("color", cityscapes_classes())
    feed = TrainingFeed(read, [pair.pair_id for pair in pairs], encoding, seed=0, jitter=True, mirror=True)
    return feed.batches(0, np.tile(np.arange(len(pairs)), 2000), batch)


def matrix_peak(dtype: str) -> float:
    """Return the GFLOP/s of a matrix product on all cores, the best of several."""
    a = tf.cast(tf.random.normal((2048, 2048)), dtype)
    product = tf.function(lambda: tf.reduce_sum(tf.matmul(a, a)))
    best = min(_timed(product) for _ in range(8))
    return 2 * 2048**3 / best / 1e9


def _timed(work: Callable) -> float:
    start = time.perf_counter()
    work().numpy()
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kind", choices=("tutorial", "ours"), required=True)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--filters", type=int, default=64)
    parser.add_argument("--precision", default="float32")
    parser.add_argument("--product-side", type=int, default=0)
    parser.add_argument("--upsample", choices=("transpose", "resize"), default="transpose")
    parser.add_argument("--adam", choices=("keras", "one_pass"), default="one_pass")
    parser.add_argument("--norm", choices=("keras", "fused"), default="fused")
    parser.add_argument("--data", choices=("noise", "disk", "cached"), default="noise")
    parser.add_argument("--threads", type=int, nargs=2, metavar=("INTRA", "INTER"))
    parser.add_argument("--deterministic", action="store_true")
    parser.add_argument("--jit-compile", action="store_true")
    parser.add_argument("--steps-per-call", type=int, default=1)
    arguments = parser.parse_args()
    if arguments.threads:
        tf.config.threading.set_intra_op_parallelism_threads(arguments.threads[0])
        tf.config.threading.set_inter_op_parallelism_threads(arguments.threads[1])
    keras.utils.set_random_seed(0)
    if arguments.deterministic:
        tf.config.experimental.enable_op_determinism()
    peak = matrix_peak("bfloat16" if arguments.precision == "mixed_bfloat16" else "float32")
    keras.config.set_dtype_policy(arguments.precision)
    if arguments.kind == "tutorial" or arguments.norm == "keras":
        norms.NORMS["batch"] = keras.layers.BatchNormalization
    if arguments.adam == "keras":
        OnePassAdam.update_step = keras.optimizers.Adam.update_step
    shape = (arguments.size, arguments.size, 3)
    filters = {"generator_filters": arguments.filters, "discriminator_filters": arguments.filters}
    form = {"upsample": arguments.upsample, "product_side_px": arguments.product_side}
    settings = DEFAULT.pix2pix.model_copy(update=filters | form)
    generator = pix2pix.build_generator(Task(shape, shape), settings, 0)
    adams = Adams(generator, scale_losses=arguments.precision == "mixed_float16")
    training = pix2pix.build_training(Task(shape, shape), settings, generator, adams, 0)
    discriminator = training.networks["discriminator"]
    with tempfile.TemporaryDirectory() as folder:
        if arguments.data == "noise":
            dataset = noise_batches(arguments.size, arguments.batch)
        else:
            cache_mib = 1024 if arguments.data == "cached" else 0
            dataset = street_batches(Path(folder), arguments.size, arguments.batch, cache_mib)
        batches = iter(dataset)
        if arguments.kind == "tutorial":
            step = tutorial_step(generator, discriminator)
            batch = next(batches)
            call = lambda: step(batch["input"], batch["target"])  # noqa: E731
        else:
            run = our_run(training, arguments.jit_compile, arguments.steps_per_call)
            call = lambda: run(batches, arguments.steps_per_call)  # noqa: E731
        work = arguments.batch * step_gigaflop(generator, discriminator)
        print(json.dumps({"ready": arguments.kind, "gigaflop": work, "peak": peak}), flush=True)
        for line in sys.stdin:
            if line.strip() == "quit":
                break
            times = [1e3 * _timed(call) / arguments.steps_per_call for _ in range(int(line))]
            print(json.dumps(times), flush=True)


if __name__ == "__main__":
    main()
