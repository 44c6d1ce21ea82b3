import keras
import model_battery
import pytest

from pix2street.models import GENERATORS


@pytest.fixture(params=GENERATORS.values(), ids=GENERATORS.keys())
def build(request):
    return request.param


def test_shape_and_range(build):
    model_battery.check_shape_and_range(build)


def test_files(build, tmp_path):
    model_battery.check_files(build, tmp_path)


def test_one_step_moves_every_weight(build):
    def optimizer(network):
        adam = keras.optimizers.Adam(0.01, beta_1=0.5)
        adam.build(network.trainable_variables)
        return adam

    model_battery.check_one_step_moves_every_weight(build, optimizer)
