"""One training step on Keras' JAX backend, timed on the device that JAX finds. TensorFlow is never imported.

    PYTHONPATH=src python benchmarks/jax_step.py [--sizes 256:1:64 256:16:64] [--precisions float32 mixed_bfloat16]
    PYTHONPATH=src python benchmarks/jax_step.py --family oasis --sizes 256x512:1:64 --set discriminator_filters=128

It needs only keras, jax, numpy and pydantic. Weights are random and data is noise: it measures nothing but speed and
memory. The settings are those of the family's paper; the filters are those of all networks unless `--set` has others.
The matrix peak is what the device reaches in a large matrix product of the convolutions' precision, as JAX computes it
by default: for float32, TensorFloat-32 where a GPU has it. The memory of a step is that of all its arrays as the
compiler places them; a GPU also tells the most that the process has held so far.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from pix2street.core import numerics

if __name__ == "__main__":
    numerics.choose_backend("jax")

import jax
import jax.numpy as jnp
import keras
from jax_games import FAMILIES, Terms, noise_batch

from pix2street.layers.spectral import advance_power_iterations

EPOCH_PAIRS = 400
"""The number of pairs of facades, the smallest set of the paper."""

State = list[list[jax.Array]]
Step = Callable[[State, jax.Array, jax.Array], tuple[State, jax.Array]]


@dataclass(frozen=True)
class Side:
    """One side of the game: an optimizer, which is built, and the networks that it updates."""

    networks: Sequence[keras.Model]
    optimizer: keras.optimizers.Optimizer

    @cached_property
    def trained(self) -> list[keras.Variable]:
        """The variables that the optimizer updates."""
        return [variable for network in self.networks for variable in network.trainable_variables]

    @cached_property
    def others(self) -> list[keras.Variable]:
        """The variables that a call of the networks changes: averages, singular vectors, states of random numbers."""
        return [variable for network in self.networks for variable in network.non_trainable_variables]

    @classmethod
    def of(cls, networks: Sequence[keras.Model], optimizer: keras.optimizers.Optimizer) -> "Side":
        """Return the side of these networks, and build the optimizer."""
        side = cls(networks, optimizer)
        optimizer.build(side.trained)
        return side


def state_of(gen: Side, disc: Side) -> State:
    """Return a copy of all that a step changes: each side's trained and other variables, and its optimizer's."""
    kinds = [kind for side in (gen, disc) for kind in (side.trained, side.others, side.optimizer.variables)]
    return [[jnp.copy(variable.value) for variable in kind] for kind in kinds]


def build_step(gen: Side, disc: Side, terms_of: Terms) -> Step:
    """Return a compiled function of one batch that updates both sides, by the mathematics of their family.

    Both updates follow from the same weights and share one pass of D(x, G(x)). The singular vectors of D's spectral
    layers take a step before. The networks and optimizers themselves stay as they are.

    Returns:
        `(state, inputs [B, H, W, C], targets [B, H, W, 3]) -> (state, losses)`: the state after the update and float32
        losses in the order of `terms_of`. The state that is given, at first `state_of(gen, disc)`, is used up.
    """

    def within(gen_trained, disc_trained, gen_others, disc_others) -> keras.StatelessScope:
        """Return a scope in which the variables of both sides have these values."""
        variables = [*gen.trained, *disc.trained, *gen.others, *disc.others]
        values = [*gen_trained, *disc_trained, *gen_others, *disc_others]
        return keras.StatelessScope(list(zip(variables, values, strict=True)))

    def others_in(scope: keras.StatelessScope) -> tuple[list[jax.Array], list[jax.Array]]:
        gen_others, disc_others = ([scope.get_current_value(v) for v in side.others] for side in (gen, disc))
        return gen_others, disc_others

    def forward(gen_trained, disc_trained, gen_others, disc_others, inputs, targets):
        with within(gen_trained, disc_trained, gen_others, disc_others) as scope:
            losses = terms_of(inputs, targets)
            gen_others, disc_others = others_in(scope)
        reported = jnp.stack(list(losses.values()))
        return (losses["gen_total"], losses["disc_total"]), (reported, gen_others, disc_others)

    def step(state, inputs, targets):
        gen_trained, gen_others, gen_memory, disc_trained, disc_others, disc_memory = state
        with within(gen_trained, disc_trained, gen_others, disc_others) as scope:
            for network in disc.networks:
                advance_power_iterations(network)
            gen_others, disc_others = others_in(scope)
        _, backward, (losses, gen_others, disc_others) = jax.vjp(
            lambda gen, disc: forward(gen, disc, gen_others, disc_others, inputs, targets),
            gen_trained,
            disc_trained,
            has_aux=True,
        )
        # Nothing uses the other side's gradients, so they are never computed.
        none = jnp.zeros(())
        gen_gradients, _ = backward((_loss_scale(gen.optimizer, gen_memory), none))
        _, disc_gradients = backward((none, _loss_scale(disc.optimizer, disc_memory)))
        gen_trained, gen_memory = gen.optimizer.stateless_apply(gen_memory, gen_gradients, gen_trained)
        disc_trained, disc_memory = disc.optimizer.stateless_apply(disc_memory, disc_gradients, disc_trained)
        return [gen_trained, gen_others, gen_memory, disc_trained, disc_others, disc_memory], losses

    return jax.jit(step, donate_argnums=0)


def _loss_scale(optimizer: keras.optimizers.Optimizer, memory: list[jax.Array]) -> jax.Array:
    """Return 1, or the factor by which the optimizer scales losses for float16, whose small gradients would vanish."""
    with keras.StatelessScope(state_mapping=list(zip(optimizer.variables, memory, strict=True))):
        return jnp.asarray(optimizer.scale_loss(jnp.ones(())))


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
    family: str, size: str, precision: str, changes: Mapping, palette: bool, rounds: int, steps: int, peak: float
) -> dict:
    """Return one row of the table: the figures of one size `SIDE:BATCH:FILTERS` in one precision."""
    keras.utils.clear_session()
    keras.config.set_dtype_policy(precision)
    sides, batch, filters = size.split(":")
    batch, (height, *width) = int(batch), map(int, sides.split("x"))
    build, settings_of, paper = FAMILIES[family]
    widths = {"generator_filters": int(filters), "discriminator_filters": int(filters)}
    settings = settings_of(**{**paper, **widths, **changes})
    game = build(height, *(width or [height]), settings, palette)
    betas = {"beta_1": settings.beta_1, "beta_2": settings.beta_2}
    gen = Side.of([game.generator], keras.optimizers.Adam(settings.generator_rate, **betas))
    disc = Side.of(game.disc_networks, keras.optimizers.Adam(settings.discriminator_rate, **betas))
    state = state_of(gen, disc)
    inputs, targets = noise_batch(game, batch)
    start = time.perf_counter()
    step = build_step(gen, disc, game.terms_of).lower(state, inputs, targets).compile()
    compile_s = time.perf_counter() - start

    def burst():
        # It waits for several steps together: the next is prepared while one runs, as in training.
        nonlocal state
        for _ in range(steps):
            state, losses = step(state, inputs, targets)
        return state, losses

    _timed(burst)
    step_s = statistics.median(_timed(burst) for _ in range(rounds)) / steps
    work = batch * game.gigaflop
    return {
        "ms": round(1e3 * step_s, 3),
        "images_per_s": round(batch / step_s, 2),
        "share_of_matrix_peak": round(work / step_s / peak, 4),
        "epoch_s": round(EPOCH_PAIRS * step_s / batch, 3),
        "compile_s": round(compile_s, 1),
        "gigaflop": round(work, 1),
        "matrix_peak_gflops": round(peak),
        **memory_mib(step),
    }


def memory_mib(step: jax.stages.Compiled) -> dict[str, int | None]:
    """Return the memory of a step and the most that the process has held on the device so far, None if unknown."""
    plan, device = step.memory_analysis(), jax.devices()[0].memory_stats() or {}
    held = device.get("peak_bytes_in_use")
    planned = plan.argument_size_in_bytes + plan.output_size_in_bytes + plan.temp_size_in_bytes
    return {
        "step_mib": round((planned - plan.alias_size_in_bytes) / 2**20),
        "process_peak_mib": None if held is None else round(held / 2**20),
    }


def parse_change(word: str) -> tuple[str, object]:
    """Return the key and the value of `KEY=VALUE`; the value is JSON or a word."""
    key, _, value = word.partition("=")
    try:
        return key, json.loads(value)
    except json.JSONDecodeError:
        return key, value


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--family", choices=FAMILIES, default="pix2pix")
    parser.add_argument("--set", nargs="+", default=[], metavar="KEY=VALUE", help="other settings of the family")
    parser.add_argument("--palette", action="store_true", help="three more input channels")
    sizes = ["256:1:64", "256:4:64", "256:16:64", "256:64:64"]
    parser.add_argument("--sizes", nargs="+", default=sizes, metavar="SIDE:BATCH:FILTERS", help="or HEIGHTxWIDTH:...")
    precisions = ["float32", "mixed_bfloat16"]
    parser.add_argument("--precisions", nargs="+", default=precisions, choices=precisions)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=20, help="steps in a round")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write the figures as JSON, too")
    arguments = parser.parse_args()
    changes = dict(map(parse_change, arguments.set))
    device = jax.devices()[0]
    machine = {"device": device.device_kind, "platform": device.platform, "jax": jax.__version__}
    print(f"{device.device_kind} ({device.platform}), JAX {jax.__version__}, {arguments.family}")
    rows = []
    for precision in arguments.precisions:
        peak = matrix_peak(precision)
        print(f"\n{precision}: matrix peak {peak:.0f} GFLOP/s", flush=True)
        for size in arguments.sizes:
            row = measure(
                arguments.family, size, precision, changes, arguments.palette, arguments.rounds, arguments.steps, peak
            )
            sides, batch, filters = size.split(":")
            title = f"{sides if 'x' in sides else f'{sides}x{sides}'}, batch {batch}, {filters} filters"
            print(
                f"  {title:34}{row['ms']:9.2f} ms {row['images_per_s']:9.2f} images/s "
                f"{row['share_of_matrix_peak']:6.1%} of the peak, {row['epoch_s']:8.2f} s an epoch of {EPOCH_PAIRS} "
                f"pairs, {row['step_mib']} MiB, compiled in {row['compile_s']:.1f} s",
                flush=True,
            )
            rows.append({"size": title, "precision": precision, **row})
            if arguments.out:
                found = {"machine": machine, "family": arguments.family, "changes": changes, "rows": rows}
                arguments.out.write_text(json.dumps(found, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
