"""On JAX, networks and losses are the same functions with the same gradients as on TensorFlow: they are pure Keras 3.

Keras has one backend a process, so this file is also the script that each backend runs:
`test_jax.py BACKEND FOLDER [further]`.
"""

import importlib.util
import json
import os
import subprocess
import sys
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from pix2street.core.numerics import choose_backend

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
SHAPE = (32, 32, 3)
WEIGHTS = SimpleNamespace(l1_weight=100.0, feature_weight=0.0, disc_loss_weight=0.5)
UPSAMPLE_OF_NORM = {"batch": "transpose", "instance": "resize"}

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("jax") is None, reason="JAX is not installed: pip install 'pix2street[jax]'"
)


# In the process of a backend


def build_networks(norm: str) -> tuple:
    from shipped import PARAMS

    from pix2street.models import pix2pix
    from pix2street.models.interface import Task

    form = {"norm": norm, "upsample": UPSAMPLE_OF_NORM[norm], "product_side_px": 8, "dropout_share": 0.0}
    filters = {"generator_filters": 4, "discriminator_filters": 4}
    settings, task = PARAMS.train.pix2pix.model_copy(update={**filters, **form}), Task(SHAPE, SHAPE)
    return pix2pix.build_generator(task, settings, 0), pix2pix.build_discriminator(task, settings, 0)


def named(norm: str, kind: str, network, variables: list, values: list) -> dict[str, np.ndarray]:
    """Return each value as an array, by the name that both backends give its variable."""
    from keras import ops

    return {
        f"{norm}|{kind}|{network.name}|{variable.path}": ops.convert_to_numpy(value)
        for variable, value in zip(variables, values, strict=True)
    }


def on_tensorflow(norm: str) -> tuple[dict, dict]:
    """Return the weights and the batch from which both backends start, and TensorFlow's results."""
    import tensorflow as tf

    from pix2street.models import pix2pix

    rng = np.random.default_rng(0)
    networks = generator, discriminator = build_networks(norm)
    inputs, targets = tf.constant(rng.uniform(-1, 1, (2, 2, *SHAPE)), "float32")
    start = {f"{norm}|inputs": inputs.numpy(), f"{norm}|targets": targets.numpy()}
    for network in networks:
        network.set_weights([rng.normal(weight, 0.1) for weight in network.get_weights()])
        start |= named(norm, "weight", network, network.weights, network.get_weights())
    with tf.GradientTape(persistent=True) as tape:
        generated = generator(inputs, training=True)
        real_logits = discriminator({"input": inputs, "target": targets}, training=True)
        generated_logits = discriminator({"input": inputs, "target": generated}, training=True)
        views = [[real_logits]], [[generated_logits]]
        losses = pix2pix.losses(*views, generated, targets, WEIGHTS, WEIGHTS.l1_weight)
    made = {f"{norm}|losses": np.array(list(losses.values()))}
    for network, total in zip(networks, ("gen_total", "disc_total"), strict=True):
        variables, others = network.trainable_variables, network.non_trainable_variables
        made |= named(norm, "gradient", network, variables, tape.gradient(losses[total], variables))
        made |= named(norm, "average", network, others, [variable.value for variable in others])
    return start, made


def on_jax(norm: str, start: dict) -> dict:
    """Return JAX's results from the same start, by plain differentiation and by the benchmark's step."""
    import jax
    import keras
    from jax_games import pix2pix_terms
    from jax_step import Side, build_step, state_of

    from pix2street.models import pix2pix

    networks = generator, discriminator = build_networks(norm)
    inputs, targets = start[f"{norm}|inputs"], start[f"{norm}|targets"]
    for network in networks:
        network.set_weights([start[f"{norm}|weight|{network.name}|{weight.path}"] for weight in network.weights])
    weights = [[variable.value for variable in network.trainable_variables] for network in networks]
    others = [[variable.value for variable in network.non_trainable_variables] for network in networks]

    def total_of(name, gen_weights, disc_weights):
        generated, _ = generator.stateless_call(gen_weights, others[0], inputs, training=True)
        pairs = [{"input": inputs, "target": photo} for photo in (targets, generated)]
        views = [[[discriminator.stateless_call(disc_weights, others[1], pair, training=True)[0]]] for pair in pairs]
        losses = pix2pix.losses(*views, generated, targets, WEIGHTS, WEIGHTS.l1_weight)
        return losses[name], jax.numpy.stack(list(losses.values()))

    @jax.jit
    def differentiate(*weights):
        gen_gradients, losses = jax.grad(partial(total_of, "gen_total"), 0, has_aux=True)(*weights)
        disc_gradients, _ = jax.grad(partial(total_of, "disc_total"), 1, has_aux=True)(*weights)
        return losses, gen_gradients, disc_gradients

    losses, *gradients = differentiate(*weights)
    # At a learning rate of 1, stochastic gradient descent moves a weight by its gradient.
    optimizers = (
        keras.optimizers.SGD(1.0),
        keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(1.0), initial_scale=2.0**10),
    )
    sides = [Side.of([network], optimizer) for network, optimizer in zip(networks, optimizers, strict=True)]
    step = build_step(*sides, pix2pix_terms(*networks, WEIGHTS))
    state, step_losses = step(state_of(*sides), inputs, targets)
    made = {f"{norm}|losses": losses, f"{norm}|step losses": step_losses}
    moved = [
        [old - new for old, new in zip(before, after, strict=True)]
        for before, after in zip(weights, state[0::3], strict=True)
    ]
    for network, *values, averages in zip(networks, gradients, moved, state[1::3], strict=True):
        for kind, of_kind in zip(("gradient", "move"), values, strict=True):
            made |= named(norm, kind, network, network.trainable_variables, of_kind)
        made |= named(norm, "average", network, network.non_trainable_variables, averages)
    return made


def spectral() -> dict[str, np.ndarray]:
    """Return the vectors and the photos of a network with spectral layers after one step of the power iteration."""
    import keras
    from keras import ops

    from pix2street.layers.spectral import SpectralConv2D, SpectralResizeConv2D, advance_power_iterations

    rng = np.random.default_rng(0)
    both = [SpectralConv2D(4, 3, 2, padding="same"), SpectralResizeConv2D(3, 3, padding="same")]
    network = keras.Sequential([keras.Input(SHAPE), *both])
    network.set_weights([rng.normal(0, 0.3, weight.shape) for weight in network.get_weights()])
    advance_power_iterations(network)
    vectors = np.concatenate([ops.convert_to_numpy(vector) for vector in network.non_trainable_variables])
    photos = ops.convert_to_numpy(network(rng.uniform(-1, 1, (2, *SHAPE)).astype("float32"), training=True))
    return {"spectral vectors": vectors, "spectral photos": photos}


def oasis() -> dict[str, np.ndarray]:
    """Return the photo and the losses of OASIS with the same random weights on every backend; its noise is off."""
    from keras import ops
    from shipped import PARAMS

    from pix2street.models import oasis
    from pix2street.models.interface import Task

    rng = np.random.default_rng(0)
    task = Task((*SHAPE[:2], 4), SHAPE, labels=4, void=(3,))
    small = {"generator_filters": 4, "discriminator_filters": 4}
    settings = PARAMS.train.oasis.model_copy(update={**small, "disc_norm": "instance"})
    generator, discriminator = oasis.build_generator(task, settings, 0), oasis.build_discriminator(task, settings, 0)
    for network in (generator, discriminator):
        for weight in network.trainable_variables:
            is_noise = weight.path.endswith("/scale")
            weight.assign(np.zeros(weight.shape) if is_noise else rng.normal(0, 0.2, weight.shape))
    labels = np.eye(4, dtype="float32")[rng.integers(0, 4, (2, *SHAPE[:2]))]
    target = rng.uniform(-1, 1, (2, *SHAPE)).astype("float32")
    photo = generator(labels, training=True)
    seen = (discriminator(one, training=True) for one in (target, photo))
    losses = oasis.losses(*seen, photo, target, labels, np.array([0, 0, 0, 1], "float32"), settings)
    return {
        "oasis photo": ops.convert_to_numpy(photo),
        "oasis losses": np.array([ops.convert_to_numpy(value) for value in losses.values()]),
    }


def randomise(networks: tuple, rng: np.random.Generator) -> list[list[np.ndarray]]:
    """Set random weights and return them; those of noise are 0, so that it changes nothing but their gradients."""
    for weight in [weight for network in networks for weight in network.weights]:
        is_noise = weight.path.endswith("/scale")
        weight.assign(np.zeros(weight.shape) if is_noise else rng.normal(0, 0.2, weight.shape))
    return [network.get_weights() for network in networks]


def oasis_step(backend: str) -> dict[str, np.ndarray]:
    """Return what a step of OASIS moves every weight by but those of noise, and its losses.

    On TensorFlow it is the step of the training, on JAX that of the benchmark.
    """
    from keras import ops
    from shipped import PARAMS

    from pix2street.models import oasis
    from pix2street.models.interface import Task

    task = Task((*SHAPE[:2], 7), SHAPE, labels=4, void=(3,))
    small = {"generator_filters": 4, "discriminator_filters": 4, "levels": 2, "hinge_weight": 1.0}
    settings = PARAMS.train.oasis.model_copy(update={**small, "disc_norm": "spectral"})
    rng = np.random.default_rng(1)
    labels = np.eye(4, dtype="float32")[rng.integers(0, 4, (2, *SHAPE[:2]))]
    inputs = np.concatenate([labels, rng.uniform(-1, 1, (2, *SHAPE)).astype("float32")], axis=-1)
    target = rng.uniform(-1, 1, (2, *SHAPE)).astype("float32")
    generator = oasis.build_generator(task, settings, 0)
    take = oasis_step_of_training if backend == "tensorflow" else oasis_step_of_benchmark
    networks, before, terms = take(task, settings, generator, inputs, target, rng)
    made = {f"oasis step|loss|{name}": ops.convert_to_numpy(terms[name]) for name in terms if name != "disc_labelmix"}
    for network, old in zip(networks, before, strict=True):
        for weight, one, other in zip(network.weights, old, network.get_weights(), strict=True):
            if not weight.path.endswith("/scale"):
                made[f"oasis step|move|{network.name}|{weight.path}"] = one - other
    return made


# At a learning rate of 1, stochastic gradient descent moves a weight by its gradient.


def oasis_step_of_training(task, settings, generator, inputs, target, rng) -> tuple:
    """Take a step; return the networks, their weights before it, and the losses."""
    import keras
    from keras import ops

    from pix2street.models import oasis
    from pix2street.training.players import AdamPlayer

    def make_player(networks, **_):
        player = AdamPlayer(networks, keras.optimizers.SGD(1.0), 1.0)
        player.optimizer.build(player.weights)
        return player

    training = oasis.build_training(task, settings, generator, make_player, 0)
    networks = generator, training.networks["discriminator"]
    before = randomise(networks, rng)
    terms = training.step({"input": ops.convert_to_tensor(inputs), "target": ops.convert_to_tensor(target)})
    return networks, before, terms


def oasis_step_of_benchmark(task, settings, generator, inputs, target, rng) -> tuple:
    """Take a step; return the networks, their weights before it, and the losses."""
    import keras
    from jax_games import oasis_terms
    from jax_step import Side, build_step, state_of

    from pix2street.models import oasis

    networks = generator, discriminator = generator, oasis.build_discriminator(task, settings, 0)
    mask, names = oasis.build_mask(task, 0), []
    before = randomise(networks, rng)
    of_game = oasis_terms(generator, discriminator, mask, task, settings)

    def terms_of(*pair):
        terms = of_game(*pair)
        names[:] = terms
        return terms

    sides = [Side.of(some, keras.optimizers.SGD(1.0)) for some in ([generator], [discriminator, mask])]
    state, losses = build_step(*sides, terms_of)(state_of(*sides), inputs, target)
    for side, trained, others in zip(sides, state[0::3], state[1::3], strict=True):
        for variable, value in zip(side.trained + side.others, trained + others, strict=True):
            variable.assign(value)
    return networks, before, dict(zip(names, losses, strict=True))


def pix2pixhd() -> dict[str, np.ndarray]:
    """Return the photo and the losses of pix2pixHD with its enhancer for one drawing with edges."""
    from keras import ops
    from shipped import PARAMS, changed

    from pix2street.layers.patchgan import with_hidden_maps
    from pix2street.models import pix2pixhd
    from pix2street.models.interface import Task

    rng = np.random.default_rng(0)
    small = {"generator_filters": 4, "discriminator_filters": 4, "downs": 2, "blocks": 1, "enhancer_blocks": 1}
    settings = changed(PARAMS.train.pix2pixhd, enhancer=True, scales=1, **small)
    task = Task((*SHAPE[:2], 4), SHAPE, labels=4)
    networks = pix2pixhd.build_generator(task, settings, 0), *pix2pixhd.build_discriminators(task, settings, 0).values()
    for network in networks:
        network.set_weights([rng.normal(0, 0.1, weight.shape) for weight in network.get_weights()])
    inputs = ops.one_hot(rng.integers(0, 4, (1, *SHAPE[:2])), 4)
    target = ops.convert_to_tensor(rng.uniform(-1, 1, (1, *SHAPE)), "float32")
    photo = networks[0](inputs, training=True)
    viewer = with_hidden_maps(networks[1])
    views = [[viewer({"input": inputs, "target": one}, training=True)] for one in (target, photo)]
    losses = pix2pixhd.losses(*views, photo, target, settings)
    return {
        "pix2pixhd photo": ops.convert_to_numpy(photo),
        "pix2pixhd losses": np.array([float(value) for value in losses.values()]),
    }


def cyclegan() -> dict[str, np.ndarray]:
    """Return what both generators of CycleGAN make of an image, all losses, and what a pool gives."""
    from keras import ops
    from shipped import PARAMS, changed

    from pix2street.layers.pool import ImagePool
    from pix2street.models import cyclegan
    from pix2street.models.interface import Task

    rng = np.random.default_rng(0)
    small = {"generator_filters": 2, "discriminator_filters": 4, "blocks": 1}
    settings, task = changed(PARAMS.train.cyclegan, **small), Task(SHAPE, SHAPE)
    forth, back = (cyclegan.build_generator(task, settings, seed) for seed in (0, 1))
    judge = cyclegan.build_discriminator(task, settings, 0)
    for network in (forth, back, judge):
        network.set_weights([rng.normal(0, 0.1, weight.shape) for weight in network.get_weights()])
    one, other = (ops.convert_to_tensor(rng.uniform(-1, 1, (1, *SHAPE)), "float32") for _ in range(2))
    ways = []
    for go, come, source, end in ((forth, back, one, other), (back, forth, other, one)):
        made = go(source, training=True)
        seen = [judge(image, training=True) for image in (end, made, made)]
        ways.append(cyclegan.Way(source, come(made, training=True), *seen, end, go(end, training=True)))
    pool, given = ImagePool(2, 0), []
    for number in range(8):
        given.append(ops.convert_to_numpy(pool(np.full((1, *SHAPE), number, "float32")))[0, 0, 0, 0])
    return {
        "cyclegan images": np.stack([ops.convert_to_numpy(way.again) for way in ways]),
        "cyclegan losses": np.array([float(value) for value in cyclegan.losses(*ways, settings).values()]),
        "cyclegan pool": np.isin(given, range(8)),
    }


def cut() -> dict[str, np.ndarray]:
    """Return CUT's contrast of the patches of two images at all of their places, and what the heads make of them."""
    from keras import ops
    from shipped import PARAMS, changed

    from pix2street.layers.contrast import patch_contrast, take_places
    from pix2street.models import cut
    from pix2street.models.interface import Task

    rng = np.random.default_rng(0)
    settings = changed(PARAMS.train.cut, generator_filters=2, blocks=1, head_width=16)
    encoder = cut.encoder_of(cut.build_generator(Task(SHAPE, SHAPE), settings, 0), settings)
    heads = cut.build_heads(encoder, settings, 0)
    for network in (encoder, heads):
        network.set_weights([rng.normal(0, 0.2, weight.shape) for weight in network.get_weights()])
    images = (ops.convert_to_tensor(rng.uniform(-1, 1, (1, *SHAPE)), "float32") for _ in range(2))
    queries, keys = (
        heads([take_places(tap, np.arange(0, 64, 3)) for tap in encoder(image, training=True)]) for image in images
    )
    pairs = zip(queries, keys, strict=True)
    return {
        "cut features": np.stack([ops.convert_to_numpy(one) for one in queries]),
        "cut contrasts": np.array([[float(value) for value in patch_contrast(*pair, 0.07)] for pair in pairs]),
    }


def stargan() -> dict[str, np.ndarray]:
    """Return what StarGAN makes of an image in two domains, and all losses."""
    from keras import ops
    from shipped import PARAMS, changed

    from pix2street.layers.conditions import with_planes
    from pix2street.layers.penalties import one_lipschitz
    from pix2street.models import stargan
    from pix2street.models.interface import Task

    rng = np.random.default_rng(0)
    settings = changed(PARAMS.train.stargan, generator_filters=2, discriminator_filters=2, blocks=1)
    task = Task(SHAPE, SHAPE, conditions={"domain": 3})
    generator, judge = stargan.build_generator(task, settings, 0), stargan.build_discriminator(task, settings, 0)
    for network in (generator, judge):
        network.set_weights([rng.normal(0, 0.3, weight.shape) for weight in network.get_weights()])
    image = ops.convert_to_tensor(rng.uniform(-1, 1, (2, *SHAPE)), "float32")
    domains = np.array([0, 2], "int32")
    photos = generator(with_planes(image, domains, 3), training=True)
    real, generated = judge(image, training=True), judge(photos, training=True)
    losses = stargan.losses_of_generator(generated, domains, photos, image, settings)
    losses |= stargan.losses_of_discriminator(real, generated, domains, one_lipschitz(photos), settings)
    return {
        "stargan photos": ops.convert_to_numpy(photos),
        "stargan losses": np.array([float(value) for value in losses.values()]),
    }


def stylegan() -> dict[str, np.ndarray]:
    """Return what StyleGAN2 makes of two latents, and what its discriminator says of them when they are augmented."""
    from keras import ops
    from shipped import PARAMS, changed

    from pix2street.layers.differentiable import DRAWS, KINDS, augmented
    from pix2street.models import stylegan
    from pix2street.models.interface import Task

    rng = np.random.default_rng(0)
    settings = changed(PARAMS.train.stylegan, latent=4, generator_filters=2, discriminator_filters=2, max_filters=4)
    task = Task(SHAPE, SHAPE, latent=stylegan.latent_of(SHAPE, settings))
    generator, judge = stylegan.build_generator(task, settings, 0), stylegan.build_discriminator(task, settings, 0)
    for network, deviation in ((generator, 0.7), (judge, 1.8)):
        network.set_weights([rng.normal(0, deviation, weight.shape) for weight in network.get_weights()])
    for layer in generator.layers:
        # Each backend draws its own noise.
        if layer.name.endswith("_noise"):
            layer.scale.assign(np.zeros(layer.scale.shape))
    latents = rng.normal(size=(2, task.latent[0], 5))
    latents[..., -1] = 0.7
    photos = generator(ops.convert_to_tensor(latents, "float32"))
    draws = ops.convert_to_tensor(rng.uniform(size=(2, DRAWS)), "float32")
    return {
        "stylegan photos": ops.convert_to_numpy(photos),
        "stylegan logits": ops.convert_to_numpy(judge(augmented(photos, draws, KINDS))),
    }


def main(backend: str, folder: Path, further: bool) -> None:
    choose_backend(backend)
    sys.path.insert(0, str(BENCHMARKS))
    if further:
        norms, made = ["instance"], oasis() | oasis_step(backend) | pix2pixhd() | cyclegan() | cut() | stargan()
        made |= stylegan()
    else:
        norms, made = ["batch"], spectral()
    start = {}
    if backend == "tensorflow":
        for norm in norms:
            both = on_tensorflow(norm)
            start, made = start | both[0], made | both[1]
        np.savez(folder / "start.npz", **start)
    else:
        for norm in norms:
            made |= on_jax(norm, np.load(folder / "start.npz"))
    np.savez(folder / f"{backend}.npz", **made)
    (folder / f"{backend}.json").write_text(json.dumps(sorted(sys.modules)), encoding="utf-8")


# In the process of the tests


def run(command: list, **variables: str) -> str:
    """Run a command on the CPU, as GPUs round float32, with code that compiles in half the time; return its output."""
    cpu = {"CUDA_VISIBLE_DEVICES": "-1", "JAX_PLATFORMS": "cpu", "XLA_FLAGS": "--xla_backend_optimization_level=0"}
    done = subprocess.run(
        [sys.executable, *command], env={**os.environ, **cpu, **variables},
        capture_output=True, text=True, timeout=3600,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-4000:]
    return done.stdout


def run_both(folder: Path, *options: str) -> Path:
    """Return the folder, into which both backends have written their results from the same start."""
    for backend in ("tensorflow", "jax"):
        run([__file__, backend, folder, *options])
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Return the folder of spectral layers and of pix2pix with batch norms."""
    return run_both(tmp_path_factory.mktemp("backends"))


@pytest.fixture(scope="module")
def further(tmp_path_factory) -> Path:
    """Return the folder of pix2pix with instance norms, and of the other families."""
    return run_both(tmp_path_factory.mktemp("further"), "further")


NORMS = pytest.mark.parametrize("norm", ["batch", pytest.param("instance", marks=pytest.mark.nightly)])


@pytest.fixture
def of_norm(request, norm) -> Path:
    """Return the folder of pix2pix with this norm."""
    return request.getfixturevalue("folder" if norm == "batch" else "further")


def agree(folder: Path, norm: str, reference: str, kind: str, limit: float) -> None:
    """Check that JAX's arrays of `kind` equal TensorFlow's of `reference`, by the norm of the difference over the norm.

    No gradient here is zero by mathematics; the smallest norm is 0.01.
    """
    theirs, ours = np.load(folder / "tensorflow.npz"), np.load(folder / "jax.npz")
    differences = {}
    for name in theirs:
        if name.startswith(f"{norm}|{reference}|"):
            size = np.linalg.norm(theirs[name])
            assert size > 1e-3, name
            own = ours[name.replace(reference, kind, 1)]
            differences[name] = np.linalg.norm(own - theirs[name]) / size
    assert {name.split("|")[2] for name in differences} == {"unet", "patchgan"}
    assert {name: value for name, value in differences.items() if not value < limit} == {}


@NORMS
def test_losses_and_gradients_are_the_same(of_norm, norm):
    theirs, ours = np.load(of_norm / "tensorflow.npz"), np.load(of_norm / "jax.npz")
    np.testing.assert_allclose(ours[f"{norm}|losses"], theirs[f"{norm}|losses"], rtol=1e-5)
    agree(of_norm, norm, "gradient", "gradient", 1e-4)


@NORMS
def test_the_step_meets_the_same_losses_and_moves_every_weight_by_its_gradient(of_norm, norm):
    theirs, ours = np.load(of_norm / "tensorflow.npz"), np.load(of_norm / "jax.npz")
    np.testing.assert_allclose(ours[f"{norm}|step losses"], theirs[f"{norm}|losses"], rtol=1e-5)
    agree(of_norm, norm, "gradient", "move", 1e-4)


def test_the_step_keeps_the_same_running_averages(folder):
    agree(folder, "batch", "average", "average", 1e-5)


def test_spectral_layers_are_the_same(folder):
    theirs, ours = np.load(folder / "tensorflow.npz"), np.load(folder / "jax.npz")
    for name in ("spectral vectors", "spectral photos"):
        np.testing.assert_allclose(ours[name], theirs[name], rtol=1e-4, atol=1e-5)


@pytest.mark.nightly
def test_oasis_is_the_same(further):
    theirs, ours = np.load(further / "tensorflow.npz"), np.load(further / "jax.npz")
    np.testing.assert_allclose(ours["oasis photo"], theirs["oasis photo"], atol=1e-4)
    np.testing.assert_allclose(ours["oasis losses"], theirs["oasis losses"], rtol=1e-4)
    assert np.std(theirs["oasis photo"]) > 0.1


@pytest.mark.nightly
def test_the_step_of_oasis_moves_every_weight_as_its_training_does(further):
    theirs, ours = np.load(further / "tensorflow.npz"), np.load(further / "jax.npz")
    moves = [name for name in theirs if name.startswith("oasis step|")]
    assert {name for name in ours if name.startswith("oasis step|")} == set(moves)
    assert {name.split("|")[2] for name in moves} >= {"decoder", "segmenting_discriminator", "disc_total"}
    for name in moves:
        size = np.linalg.norm(theirs[name])
        assert np.linalg.norm(ours[name] - theirs[name]) < 1e-3 * size + 1e-6, name
    assert any(name.endswith("/u") and np.linalg.norm(theirs[name]) > 0.1 for name in moves)


@pytest.mark.nightly
def test_photos_and_losses_of_pix2pixhd_are_the_same(further):
    theirs, ours = np.load(further / "tensorflow.npz"), np.load(further / "jax.npz")
    for name in ("pix2pixhd photo", "pix2pixhd losses"):
        np.testing.assert_allclose(ours[name], theirs[name], rtol=1e-4, atol=1e-5)


@pytest.mark.nightly
def test_images_losses_and_pools_of_cyclegan_are_the_same(further):
    theirs, ours = np.load(further / "tensorflow.npz"), np.load(further / "jax.npz")
    for name in ("cyclegan images", "cyclegan losses"):
        np.testing.assert_allclose(ours[name], theirs[name], rtol=1e-4, atol=1e-5)
    # Each backend draws its own numbers.
    assert theirs["cyclegan pool"].all()
    assert ours["cyclegan pool"].all()


@pytest.mark.nightly
@pytest.mark.parametrize(
    "name",
    ["cut features", "cut contrasts", "stargan photos", "stargan losses", "stylegan photos", "stylegan logits"],
)
def test_further_families_are_the_same(further, name):
    theirs, ours = np.load(further / "tensorflow.npz"), np.load(further / "jax.npz")
    np.testing.assert_allclose(ours[name], theirs[name], rtol=1e-3, atol=1e-4)
    assert np.std(theirs[name]) > 0.05


def test_jax_needs_no_tensorflow(folder):
    modules = json.loads((folder / "jax.json").read_text())
    assert {"jax", "tensorflow"} & set(modules) == {"jax"}


@pytest.mark.nightly
def test_the_step_is_timed_where_there_is_no_tensorflow(tmp_path):
    (tmp_path / "tensorflow.py").write_text("raise ImportError('TensorFlow is not here')")
    options = ["--sizes", "32:1:2", "--precisions", "float32", "--steps", "2", "--out", tmp_path / "results.json"]
    printed = run([BENCHMARKS / "jax_step.py", *options], KERAS_BACKEND="tensorflow", PYTHONPATH=str(tmp_path))
    parts = ("32x32, batch 1, 2 filters", "matrix peak", "images/s", "of the peak", "an epoch", "MiB", "compiled in")
    for promised in parts:
        assert promised in printed
    results = json.loads((tmp_path / "results.json").read_text())
    assert results["machine"]["platform"] == "cpu"
    (row,) = results["rows"]
    assert row["precision"] == "float32"
    assert row["images_per_s"] * row["epoch_s"] == pytest.approx(400, rel=0.05)
    assert 0 <= row["share_of_matrix_peak"] < 1
    assert row["compile_s"] >= 0


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), further=len(sys.argv) > 3)
