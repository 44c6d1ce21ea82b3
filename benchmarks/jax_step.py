"""One training step on Keras' JAX backend, timed on the device that JAX finds. TensorFlow is never imported.

    PYTHONPATH=src python benchmarks/jax_step.py [--sizes 256:1:64 256:16:64] [--precisions float32 mixed_bfloat16]

It needs only keras, jax, numpy and pydantic. Weights are random and data is noise: it measures nothing but speed. The
matrix peak is what the device reaches in a large matrix product of the convolutions' precision, as JAX computes it by
default: for float32, TensorFloat-32 where a GPU has it.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path

from pix2street.core import numerics

if __name__ == "__main__":
    numerics.choose_backend("jax")

import jax
import jax.numpy as jnp
import keras
import numpy as np
from counting import step_gigaflop

from pix2street.models import pix2pix
from pix2street.models.interface import Task

EPOCH_PAIRS = 400
"""The number of pairs of facades, the smallest set of the paper."""

State = list[list[jax.Array]]
Step = Callable[[State, jax.Array, jax.Array], tuple[State, jax.Array]]


def state_of(*parts: tuple[keras.Model, keras.optimizers.Optimizer]) -> State:
    """Return a copy of all that a step changes: each network's trainable and other variables, and its optimizer's."""
    variables = [
        kind
        for network, optimizer in parts
        for kind in (network.trainable_variables, network.non_trainable_variables, optimizer.variables)
    ]
    return [[jnp.copy(variable.value) for variable in kind] for kind in variables]


def build_step(
    generator: keras.Model,
    discriminator: keras.Model,
    gen_optimizer: keras.optimizers.Optimizer,
    disc_optimizer: keras.optimizers.Optimizer,
    settings: pix2pix.Settings,
) -> Step:
    """Return a compiled function of one batch that updates both networks, by the mathematics of `models.pix2pix`.

    Both updates follow from the same weights and share one pass of D(x, G(x)). The networks and optimizers themselves
    stay as they are; both optimizers must be built.

    Returns:
        `(state, inputs [B, H, W, C], targets [B, H, W, 3]) -> (state, [7])`: the state after the update and float32
        losses in the order of `pix2pix.losses`. The state that is given, at first
        `state_of((generator, gen_optimizer), (discriminator, disc_optimizer))`, is used up.
    """

    def forward(gen_trained, disc_trained, gen_others, disc_others, inputs, targets):
        generated, gen_others = generator.stateless_call(gen_trained, gen_others, inputs, training=True)
        real_logits, disc_others = discriminator.stateless_call(
            disc_trained, disc_others, {"input": inputs, "target": targets}, training=True
        )
        generated_logits, disc_others = discriminator.stateless_call(
            disc_trained, disc_others, {"input": inputs, "target": generated}, training=True
        )
        views = [[real_logits]], [[generated_logits]]
        losses = pix2pix.losses(*views, generated, targets, settings, settings.l1_weight)
        reported = jnp.stack(list(losses.values()))
        return (losses["gen_total"], losses["disc_total"]), (reported, gen_others, disc_others)

    def step(state, inputs, targets):
        gen_trained, gen_others, gen_memory, disc_trained, disc_others, disc_memory = state
        _, backward, (losses, gen_others, disc_others) = jax.vjp(
            lambda gen, disc: forward(gen, disc, gen_others, disc_others, inputs, targets),
            gen_trained,
            disc_trained,
            has_aux=True,
        )
        # Nothing uses the other network's gradients, so they are never computed.
        none = jnp.zeros(())
        gen_gradients, _ = backward((_loss_scale(gen_optimizer, gen_memory), none))
        _, disc_gradients = backward((none, _loss_scale(disc_optimizer, disc_memory)))
        gen_trained, gen_memory = gen_optimizer.stateless_apply(gen_memory, gen_gradients, gen_trained)
        disc_trained, disc_memory = disc_optimizer.stateless_apply(disc_memory, disc_gradients, disc_trained)
        return [gen_trained, gen_others, gen_memory, disc_trained, disc_others, disc_memory], losses

    return jax.jit(step, donate_argnums=0)


def _loss_scale(optimizer: keras.optimizers.Optimizer, memory: list[jax.Array]) -> jax.Array:
    """Return 1, or the factor by which the optimizer scales losses for float16, whose small gradients would vanish."""
    with keras.StatelessScope(state_mapping=list(zip(optimizer.variables, memory, strict=True))):
        return jnp.asarray(optimizer.scale_loss(jnp.ones(())))


def paper_settings(filters: int, product_side_px: int) -> pix2pix.Settings:
    """Return the paper's settings at a width."""
    return pix2pix.Settings(
        generator_filters=filters, discriminator_filters=filters, norm="batch", upsample="transpose",
        dropout_share=0.5, generator_rate=2e-4, discriminator_rate=2e-4, beta_1=0.5, beta_2=0.999, l1_weight=100.0,
        l1_weight_end=None, feature_weight=0.0, disc_loss_weight=1.0, warm_up=0.0, scales=1,
        product_side_px=product_side_px,
    )  # fmt: skip


def matrix_peak(precision: str) -> float:
    """Return the GFLOP/s of a matrix product in the precision that a policy computes in, the best of several."""
    side, products = (2048 if jax.default_backend() == "cpu" else 8192), 4
    # The scale keeps a product with anything as large as that was.
    matrix = jax.random.normal(jax.random.key(0), (side, side)) / side**0.5
    matrix = matrix.astype(keras.DTypePolicy(precision).compute_dtype)
    work = jax.jit(lambda a: jax.lax.fori_loop(0, products, lambda _, x: x @ a, a))
    work(matrix).block_until_ready()
    best = min(_timed(lambda: work(matrix)) for _ in range(5))
    return products * 2 * side**3 / best / 1e9


def _timed(work: Callable) -> float:
    start = time.perf_counter()
    jax.block_until_ready(work())
    return time.perf_counter() - start


def measure(
    size: int, batch: int, filters: int, precision: str, product_side_px: int, rounds: int, steps: int, peak: float
) -> dict:
    """Return one row of the table: the figures of one size in one precision."""
    keras.utils.clear_session()
    keras.config.set_dtype_policy(precision)
    shape = (size, size, 3)
    settings, task = paper_settings(filters, product_side_px), Task(shape, shape)
    networks = pix2pix.build_generator(task, settings, 0), pix2pix.build_discriminator(task, settings, 0)
    optimizers = [keras.optimizers.Adam(2e-4, beta_1=0.5) for _ in networks]
    for network, optimizer in zip(networks, optimizers, strict=True):
        optimizer.build(network.trainable_variables)
    state = state_of(*zip(networks, optimizers, strict=True))
    inputs, targets = jnp.asarray(np.random.default_rng(0).uniform(-1, 1, (2, batch, *shape)), "float32")
    start = time.perf_counter()
    step = build_step(*networks, *optimizers, settings).lower(state, inputs, targets).compile()
    compile_s = time.perf_counter() - start

    def burst():
        # It waits for several steps together: the next is prepared while one runs, as in training.
        nonlocal state
        for _ in range(steps):
            state, losses = step(state, inputs, targets)
        return state, losses

    _timed(burst)
    step_s = statistics.median(_timed(burst) for _ in range(rounds)) / steps
    work = batch * step_gigaflop(*networks)
    return {
        "ms": round(1e3 * step_s, 3),
        "images_per_s": round(batch / step_s, 2),
        "share_of_matrix_peak": round(work / step_s / peak, 4),
        "epoch_s": round(EPOCH_PAIRS * step_s / batch, 3),
        "compile_s": round(compile_s, 1),
        "gigaflop": round(work, 1),
        "matrix_peak_gflops": round(peak),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    sizes = ["256:1:64", "256:4:64", "256:16:64", "256:64:64"]
    parser.add_argument("--sizes", nargs="+", default=sizes, metavar="SIDE:BATCH:FILTERS")
    precisions = ["float32", "mixed_bfloat16"]
    parser.add_argument("--precisions", nargs="+", default=precisions, choices=precisions)
    parser.add_argument("--product-side", type=int, default=0)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=20, help="steps in a round")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write the figures as JSON, too")
    arguments = parser.parse_args()
    device = jax.devices()[0]
    machine = {"device": device.device_kind, "platform": device.platform, "jax": jax.__version__}
    print(f"{device.device_kind} ({device.platform}), JAX {jax.__version__}")
    rows = []
    for precision in arguments.precisions:
        peak = matrix_peak(precision)
        print(f"\n{precision}: matrix peak {peak:.0f} GFLOP/s", flush=True)
        for setting in arguments.sizes:
            size, batch, filters = map(int, setting.split(":"))
            row = measure(
                size, batch, filters, precision, arguments.product_side, arguments.rounds, arguments.steps, peak
            )
            title = f"{size}x{size}, batch {batch}, {filters} filters"
            print(
                f"  {title:34}{row['ms']:9.2f} ms {row['images_per_s']:9.2f} images/s "
                f"{row['share_of_matrix_peak']:6.1%} of the peak, {row['epoch_s']:8.2f} s an epoch of {EPOCH_PAIRS} "
                f"pairs, compiled in {row['compile_s']:.1f} s",
                flush=True,
            )
            rows.append({"size": title, "precision": precision, **row})
            if arguments.out:
                arguments.out.write_text(json.dumps({"machine": machine, "rows": rows}, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
