import keras
import numpy as np
import tensorflow as tf

from pix2street.gan.adam import OnePassAdam


def test_fifty_steps_are_those_of_keras():
    rng = np.random.default_rng(0)
    start = [rng.normal(size=shape).astype("float32") for shape in ((4, 4, 8, 16), (16,), ())]
    gradients = [[tf.constant(rng.normal(size=v.shape).astype("float32")) for v in start] for _ in range(50)]

    def train(kind) -> list[np.ndarray]:
        variables = [keras.Variable(value) for value in start]
        optimizer = kind(2e-3, beta_1=0.5)
        optimizer.build(variables)
        apply = tf.function(lambda step_gradients: optimizer.apply(step_gradients, variables))
        for step_gradients in gradients:
            apply(step_gradients)
        assert int(optimizer.iterations) == 50
        return [np.array(v) for v in [*variables, *optimizer.variables[2:]]]

    for one, other in zip(train(keras.optimizers.Adam), train(OnePassAdam), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)
