"""One training step, timed on demand: a process that `benchmarks/step.py` interleaves with others.

It prints a line of JSON when it is ready. Then, for every number N on standard input, it runs N steps and prints their
times in milliseconds as a JSON list; `quit` ends it with a line of JSON on its memory. Weights are random and data is
noise: it measures speed alone.
"""

import argparse
import json
import os
import resource
import sys
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf

from pix2street.gan.adam import OnePassAdam
from pix2street.gan.patchgan import build_patchgan
from pix2street.gan.step import build_step
from pix2street.generators.unet import build_unet


def tutorial_step(generator, discriminator, l1_weight: float):
    """The tutorial's loop: two tapes, stock Adam, one `tf.function`."""
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
            gen_loss = entropy(tf.ones_like(made), made) + l1_weight * tf.reduce_mean(tf.abs(targets - photo))
            disc_loss = entropy(tf.ones_like(real), real) + entropy(tf.zeros_like(made), made)
        gen_gradients = gen_tape.gradient(gen_loss, generator.trainable_variables)
        disc_gradients = disc_tape.gradient(disc_loss, discriminator.trainable_variables)
        gen_adam.apply_gradients(zip(gen_gradients, generator.trainable_variables, strict=True))
        disc_adam.apply_gradients(zip(disc_gradients, discriminator.trainable_variables, strict=True))
        return gen_loss

    return step


def our_step(generator, discriminator, l1_weight: float, adam):
    optimizers = [adam(2e-4, beta_1=0.5) for _ in range(2)]
    for network, optimizer in zip((generator, discriminator), optimizers, strict=True):
        optimizer.build(network.trainable_variables)
    return tf.function(build_step(generator, discriminator, *optimizers, l1_weight, 1.0))


def gigaflop(network: keras.Model) -> float:
    """Of one forward pass over one image: multiplications and additions of its convolutions."""
    total = 0
    for layer in network.layers:
        if hasattr(layer, "kernel"):
            transposed = isinstance(layer, keras.layers.Conv2DTranspose)
            height, width = (layer.input if transposed else layer.output).shape[1:3]
            total += 2 * height * width * int(np.prod(layer.kernel.shape))
    return total / 1e9


def matrix_peak() -> float:
    """GFLOP/s of a float32 matrix product on all cores, the best of several."""
    a = tf.random.normal((2048, 2048))
    product = tf.function(lambda: tf.reduce_sum(tf.matmul(a, a)))
    best = min(_timed(product) for _ in range(8))
    return 2 * 2048**3 / best / 1e9


def _timed(work) -> float:
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
    parser.add_argument("--product-side", type=int, default=16)
    parser.add_argument("--adam", choices=("keras", "one_pass"), default="one_pass")
    parser.add_argument("--threads", type=int, nargs=2, metavar=("INTRA", "INTER"))
    arguments = parser.parse_args()
    if arguments.threads:
        tf.config.threading.set_intra_op_parallelism_threads(arguments.threads[0])
        tf.config.threading.set_inter_op_parallelism_threads(arguments.threads[1])
    keras.config.set_dtype_policy(arguments.precision)
    keras.utils.set_random_seed(0)
    shape = (arguments.size, arguments.size, 3)
    ours = arguments.kind == "ours"
    generator = build_unet(shape, 3, arguments.filters, 0, product_side_px=arguments.product_side if ours else 0)
    discriminator = build_patchgan(shape, shape, arguments.filters, 0)
    if ours:
        adam = OnePassAdam if arguments.adam == "one_pass" else keras.optimizers.Adam
        step = our_step(generator, discriminator, 100.0, adam)
    else:
        step = tutorial_step(generator, discriminator, 100.0)
    batch = tf.constant(np.random.default_rng(0).uniform(-1, 1, (2, arguments.batch, *shape)).astype("float32"))
    # Forward and twice backward of G and of D on real; of D on generated forward, twice backward and once to its input.
    work = arguments.batch * (3 * gigaflop(generator) + 7 * gigaflop(discriminator))
    print(json.dumps({"ready": arguments.kind, "gigaflop": work, "peak": matrix_peak()}), flush=True)
    for line in sys.stdin:
        if line.strip() == "quit":
            break
        print(json.dumps([1e3 * _timed(lambda: step(batch[0], batch[1])) for _ in range(int(line))]), flush=True)
    peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"peak_mib": round(peak_mib)}), flush=True)


if __name__ == "__main__":
    main()
