"""The step of every family is lowered for CUDA without a GPU, and what is lowered is the step of the training."""

import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from shipped import PARAMS
from tiny_models import SMALL

from pix2street.models import MODELS

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))

from families import start
from lowering import lowered, make_player, pure_step, variables_of


def of_families(*always: str) -> list:
    """Return the names of all families; those that are not named here are nightly tests."""
    return [name if name in always else pytest.param(name, marks=pytest.mark.nightly) for name in MODELS]


@pytest.fixture
def half_precision():
    keras.config.set_dtype_policy("mixed_bfloat16")
    yield
    keras.config.set_dtype_policy("float32")


@pytest.mark.parametrize("name", of_families("pix2pix", "stylegan"))
def test_a_step_is_lowered_for_cuda_in_half_precision(half_precision, name):
    text = lowered(name, PARAMS.train, 32, 2, SMALL[name])
    convolutions = [line for line in text.splitlines() if "stablehlo.convolution" in line]
    assert len(convolutions) > 10
    assert sum("bf16" in line for line in convolutions) > len(convolutions) / 2


@pytest.mark.parametrize("name", of_families("stylegan"))
def test_what_is_lowered_is_the_step_of_the_training(name):
    _, training, batch = start(name, PARAMS.train, 32, 2, SMALL[name])
    _, again, _ = start(name, PARAMS.train, 32, 2, SMALL[name], make_player)
    batch = {key: tf.convert_to_tensor(value) for key, value in batch.items()}
    values = [tf.convert_to_tensor(variable.value) for variable in variables_of(again)]
    moved, terms = tf.function(pure_step(again))(values, batch)
    expected = tf.function(training.step)(batch)
    for term, value in expected.items():
        np.testing.assert_allclose(terms[term], value, rtol=1e-3, atol=1e-4, err_msg=term)
    after = {id(variable): value for variable, value in zip(variables_of(again), moved, strict=True)}
    for network, copied in zip(training.networks.values(), again.networks.values(), strict=True):
        for variable, other in zip(network.variables, copied.variables, strict=True):
            np.testing.assert_allclose(after[id(other)], variable.value, rtol=1e-3, atol=1e-4, err_msg=variable.path)
