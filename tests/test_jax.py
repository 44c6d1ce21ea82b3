"""Networks and losses are pure Keras 3: on JAX they are the same functions, with the same gradients, as on TensorFlow.

Keras has one backend a process, so this file is also the script that each backend runs: `test_jax.py BACKEND FOLDER`.
"""

import importlib.util
import json
import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
SHAPE = (32, 32, 3)
L1_WEIGHT, DISC_LOSS_WEIGHT = 100.0, 0.5
UPSAMPLE_OF_NORM = {"batch": "transpose", "instance": "resize"}

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("jax") is None, reason="JAX is not installed: pip install 'pix2street[jax]'"
)


# In a backend's process


def networks_of(norm: str) -> tuple:
    from pix2street.gan.patchgan import build_patchgan
    from pix2street.generators.unet import build_unet

    unet = {"norm": norm, "upsample": UPSAMPLE_OF_NORM[norm], "product_side_px": 8, "dropout_share": 0.0}
    return build_unet(SHAPE, 3, 4, 0, **unet), build_patchgan(SHAPE, SHAPE, 4, 0, norm)


def named(norm: str, kind: str, network, variables: list, values: list) -> dict[str, np.ndarray]:
    from keras import ops

    return {
        f"{norm}|{kind}|{network.name}/{variable.path}": ops.convert_to_numpy(value)
        for variable, value in zip(variables, values, strict=True)
    }


def run_tensorflow(folder: Path) -> None:
    """Write the weights and the batch that both backends start from, and what TensorFlow makes of them."""
    import tensorflow as tf

    from pix2street.gan.losses import LOSS_NAMES, pix2pix_losses

    rng = np.random.default_rng(0)
    start, made = {}, {}
    for norm in UPSAMPLE_OF_NORM:
        networks = generator, discriminator = networks_of(norm)
        inputs, targets = rng.uniform(-1, 1, (2, 2, *SHAPE)).astype("float32")
        start |= {f"{norm}|inputs": inputs, f"{norm}|targets": targets}
        inputs, targets = tf.constant(inputs), tf.constant(targets)
        for network in networks:
            network.set_weights([rng.normal(weight, 0.1) for weight in network.get_weights()])
            start |= named(norm, "weight", network, network.weights, network.get_weights())
        with tf.GradientTape(persistent=True) as tape:
            generated = generator(inputs, training=True)
            real_logits = discriminator({"input": inputs, "target": targets}, training=True)
            generated_logits = discriminator({"input": inputs, "target": generated}, training=True)
            losses = pix2pix_losses(real_logits, generated_logits, generated, targets, L1_WEIGHT, DISC_LOSS_WEIGHT)
        made[f"{norm}|losses"] = np.array([losses[name] for name in LOSS_NAMES])
        for network, total in zip(networks, ("gen_total", "disc_total"), strict=True):
            variables, others = network.trainable_variables, network.non_trainable_variables
            made |= named(norm, "gradient", network, variables, tape.gradient(losses[total], variables))
            made |= named(norm, "average", network, others, others)
    np.savez(folder / "start.npz", **start)
    np.savez(folder / "tensorflow.npz", **made)


def run_jax(folder: Path) -> None:
    """Write what JAX makes of the same start, by plain differentiation and by the benchmark's step."""
    import jax
    import keras

    from pix2street.gan.losses import LOSS_NAMES, pix2pix_losses

    sys.path.insert(0, str(BENCHMARKS))
    import jax_step

    start, made = np.load(folder / "start.npz"), {}
    for norm in UPSAMPLE_OF_NORM:
        networks = generator, discriminator = networks_of(norm)
        inputs, targets = (keras.ops.convert_to_tensor(start[f"{norm}|{kind}"]) for kind in ("inputs", "targets"))
        for network in networks:
            network.set_weights([start[f"{norm}|weight|{network.name}/{weight.path}"] for weight in network.weights])
        others = [[variable.value for variable in network.non_trainable_variables] for network in networks]

        def total_of(name, gen_weights, disc_weights):
            generated, _ = generator.stateless_call(gen_weights, others[0], inputs, training=True)
            pairs = [{"input": inputs, "target": photo} for photo in (targets, generated)]
            logits = [discriminator.stateless_call(disc_weights, others[1], pair, training=True)[0] for pair in pairs]
            losses = pix2pix_losses(*logits, generated, targets, L1_WEIGHT, DISC_LOSS_WEIGHT)
            return losses[name], jax.numpy.stack([losses[name] for name in LOSS_NAMES])

        def differentiate(*weights):
            gen_gradients, losses = jax.grad(partial(total_of, "gen_total"), 0, has_aux=True)(*weights)
            disc_gradients, _ = jax.grad(partial(total_of, "disc_total"), 1, has_aux=True)(*weights)
            return losses, gen_gradients, disc_gradients

        weights = [[variable.value for variable in network.trainable_variables] for network in networks]
        made[f"{norm}|losses"], *gradients = jax.jit(differentiate)(*weights)
        for network, values in zip(networks, gradients, strict=True):
            made |= named(norm, "gradient", network, network.trainable_variables, values)

        # At a learning rate of 1, stochastic gradient descent moves every weight by its gradient.
        optimizers = [
            keras.optimizers.SGD(1.0),
            keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(1.0), initial_scale=2.0**10),
        ]
        for network, optimizer in zip(networks, optimizers, strict=True):
            optimizer.build(network.trainable_variables)
        step = jax_step.build_step(*networks, *optimizers, L1_WEIGHT, DISC_LOSS_WEIGHT)
        state, losses = step(jax_step.state_of(*zip(networks, optimizers, strict=True)), inputs, targets)
        made[f"{norm}|step losses"] = losses
        for network, before, after, averages in zip(networks, weights, state[0::3], state[1::3], strict=True):
            moves = [old - new for old, new in zip(before, after, strict=True)]
            made |= named(norm, "move", network, network.trainable_variables, moves)
            made |= named(norm, "average", network, network.non_trainable_variables, averages)
    np.savez(folder / "jax.npz", **made)
    (folder / "modules.json").write_text(json.dumps(sorted(sys.modules)))


# In pytest's process


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """What both backends made of the same start, and the modules of JAX's process."""
    folder = tmp_path_factory.mktemp("backends")
    for backend in ("tensorflow", "jax"):
        # On the CPU, since GPUs round float32.
        environment = {**os.environ, "KERAS_BACKEND": backend, "CUDA_VISIBLE_DEVICES": "-1", "JAX_PLATFORMS": "cpu"}
        done = subprocess.run(
            [sys.executable, __file__, backend, folder],
            env=environment, capture_output=True, text=True, timeout=300,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-4000:]
    modules = json.loads((folder / "modules.json").read_text())
    return dict(np.load(folder / "tensorflow.npz")), dict(np.load(folder / "jax.npz")), modules


def difference(one: np.ndarray, other: np.ndarray) -> float:
    return np.linalg.norm(one - other) / np.linalg.norm(other)


def of_kind(arrays: dict[str, np.ndarray], kind: str) -> dict[str, np.ndarray]:
    """The arrays of one kind, by norm, network and variable."""
    parts = {name: name.split("|") for name in arrays}
    return {f"{p[0]}: {p[2]}": arrays[name] for name, p in parts.items() if p[1] == kind}


def test_the_same_losses(made):
    on_tensorflow, on_jax, _ = made
    for norm in UPSAMPLE_OF_NORM:
        np.testing.assert_allclose(on_jax[f"{norm}|losses"], on_tensorflow[f"{norm}|losses"], rtol=1e-5)
        np.testing.assert_allclose(on_jax[f"{norm}|step losses"], on_tensorflow[f"{norm}|losses"], rtol=1e-5)


if __name__ == "__main__":
    {"tensorflow": run_tensorflow, "jax": run_jax}[sys.argv[1]](Path(sys.argv[2]))
