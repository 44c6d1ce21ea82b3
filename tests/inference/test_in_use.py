import keras
import numpy as np
import pytest
from tiny_models import build_unet

from pix2street.inference.in_use import as_inference, copy_weights, reseed, translate
from pix2street.layers.in_use import Mode, in_use

PHOTOS = np.random.default_rng(0).uniform(-1, 1, (3, 32, 32, 3)).astype("float32")


def moved(dropout_share: float) -> keras.Model:
    """Return a network in which every weight, and every average of a norm, is away from its start."""
    network = build_unet((32, 32, 3), 3, 4, 0, dropout_share=dropout_share, product_side_px=0)
    rng = np.random.default_rng(1)
    network.set_weights([weight + rng.uniform(0.05, 0.3, weight.shape) for weight in network.get_weights()])
    return network


@pytest.fixture
def generator():
    return moved(0.5)


def test_batch_norm_in_use_is_training_at_batch_one():
    network = moved(0.0)
    inference = as_inference(network, "batch", noise=False)
    expected, *_ = network.stateless_call(
        network.trainable_variables, network.non_trainable_variables, PHOTOS[:1], training=True
    )
    np.testing.assert_allclose(inference(PHOTOS[:1]), expected, atol=1e-5)


def test_moving_norm_in_use_is_keras_own_inference(generator):
    inference = as_inference(generator, "moving", noise=False)
    np.testing.assert_allclose(inference(PHOTOS), generator(PHOTOS, training=False), atol=1e-6)


@pytest.mark.parametrize("norm", ["batch", "moving"])
def test_an_image_does_not_depend_on_its_companions(generator, norm):
    inference = as_inference(generator, norm, noise=False)
    alone = np.concatenate([inference(PHOTOS[i : i + 1]) for i in range(3)])
    np.testing.assert_allclose(inference(PHOTOS), alone, atol=1e-5)


@pytest.mark.parametrize("norm", ["batch", "moving"])
@pytest.mark.parametrize("dropout", [True, False])
def test_generating_never_changes_a_weight(generator, norm, dropout):
    inference = as_inference(generator, norm, dropout)
    before = [weight.copy() for network in (generator, inference) for weight in network.get_weights()]
    inference(PHOTOS)
    inference.predict_on_batch(PHOTOS)
    after = [weight for network in (generator, inference) for weight in network.get_weights()]
    assert all((a == b).all() for a, b in zip(before, after, strict=True))


def test_dropout_is_a_function_of_the_key(generator):
    inference = as_inference(generator, "batch", noise=True)

    def photo(*key):
        reseed(inference, *key)
        return inference.predict_on_batch(PHOTOS[:1])

    first = photo(0, 1)
    assert (photo(0, 2) != first).any()
    assert (photo(1, 1) != first).any()
    assert (photo(0, 1) == first).all()


def test_translate_is_a_function_of_input_pair_id_and_seed(generator):
    inference = as_inference(generator, "batch", noise=True)
    batches = [{"input": PHOTOS[i : i + 1]} for i in range(3)]
    forward = list(translate(inference, batches, ["a", "b", "c"], 0))
    backward = list(translate(inference, batches[::-1], ["c", "b", "a"], 0))[::-1]
    assert all((x == y).all() for x, y in zip(forward, backward, strict=True))
    assert forward[0].shape == (32, 32, 3)
    assert forward[0].dtype == np.uint8
    other = list(translate(inference, batches, ["a", "b", "c"], 1))
    assert (other[0] != forward[0]).any()


def test_weights_are_copied_again_and_survive_a_reload(generator):
    inference = as_inference(generator, "batch", noise=False)
    generator.set_weights([weight * 0.9 for weight in generator.get_weights()])
    stale = inference(PHOTOS).numpy()
    copy_weights(generator, inference)
    assert (inference(PHOTOS).numpy() != stale).any()
    reloaded = keras.models.model_from_json(inference.to_json())
    reloaded.set_weights(inference.get_weights())
    np.testing.assert_array_equal(reloaded(PHOTOS), inference(PHOTOS))


class Whisper(keras.layers.Layer):
    """Noise on its input with weights that only its training needs, as a layer of another family might be."""

    def __init__(self, always=False, **kwargs):
        super().__init__(**kwargs)
        self.always = always
        self.seed_generator = keras.random.SeedGenerator(0)

    def build(self, shape):
        if not self.always:
            self.count = self.add_weight(name="count", initializer="zeros", trainable=False)
        self.loudness = self.add_weight(name="loudness", initializer="ones")

    def call(self, inputs, training=None):
        noise = keras.random.normal(keras.ops.shape(inputs), seed=self.seed_generator)
        return inputs + self.loudness * noise * float(self.always or bool(training))


@in_use.register
def _(layer: Whisper, mode: Mode):
    return Whisper(mode.noise, name=layer.name)


def test_a_layer_answers_for_itself():
    inputs = keras.Input((32, 32, 3), name="input")
    trained = keras.Model(inputs, Whisper(name="whisper")(inputs))
    trained.set_weights([np.float32(0.25), np.float32(5)])
    inference = as_inference(trained, "batch", noise=True)
    assert inference.get_layer("whisper").loudness == 0.25

    def noise(*key):
        reseed(inference, *key)
        return inference.predict_on_batch(PHOTOS[:1]) - PHOTOS[:1]

    assert noise(1).std() == pytest.approx(0.25, rel=0.1)
    assert (noise(1) == noise(1)).all()
    assert (noise(1) != noise(2)).any()
    assert (as_inference(trained, "batch", noise=False).predict_on_batch(PHOTOS) == PHOTOS).all()
