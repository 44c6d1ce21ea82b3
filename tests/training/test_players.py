import keras
import numpy as np
import pytest
import tensorflow as tf

from pix2street.training.players import Adams, OnePassAdam, learning_rate_share


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


@pytest.mark.parametrize("scale_losses", [False, True])
def test_averages_follow_the_weights(scale_losses):
    network = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, kernel_initializer="ones")])
    rates = {"learning_rate": 0.1, "beta_1": 0.5, "beta_2": 0.999}
    player = Adams(network, ema_decay=0.75, scale_losses=scale_losses)([network], **rates)
    expected = []
    for step in range(40):
        gradients = [tf.ones_like(weight) * 1024 for weight in network.trainable_variables]
        player.optimizer.apply(gradients, network.trainable_variables)
        kernel = network.get_weights()[0]
        # The first average is the first weights; later decays are 1/10, 2/11, ... up to 0.75.
        decay = min(0.75, step / (9 + step))
        expected.append(decay * expected[-1] + (1 - decay) * kernel if step else kernel)
        np.testing.assert_allclose(player.averages_of(network)[0], expected[-1], rtol=1e-6, atol=1e-6)
    other = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    assert Adams(network, ema_decay=0.75)([other], **rates).averages_of(other) == []


def test_the_rate_is_constant_or_falls_to_zero_over_the_second_half():
    assert [learning_rate_share("constant", epoch, 4) for epoch in range(4)] == [1] * 4
    # The reference's 100 + 100 epochs: the 101st is the first with less, and the 200th still trains.
    shares = [learning_rate_share("linear", epoch, 200) for epoch in range(200)]
    assert shares[:100] == [1] * 100
    assert shares[100] == pytest.approx(1 - 1 / 101)
    assert shares[199] == pytest.approx(1 / 101)
    np.testing.assert_allclose(np.diff(shares[99:]), -1 / 101)
    assert learning_rate_share("linear", 0, 1) == 1
