import keras
import model_battery
import pytest
from tiny_models import SETTINGS, SMALL

from pix2street.models import MODELS, open_family


@pytest.fixture(scope="module", params=MODELS)
def family(request):
    module = open_family(request.param)
    return module, getattr(SETTINGS, request.param).model_copy(update=SMALL[request.param])


@pytest.fixture(scope="module")
def first(family):
    """Return the first step of a training, on which no test takes another."""
    keras.utils.set_random_seed(0)
    return model_battery.FirstStep(*family)


def test_shape_and_range(family):
    model_battery.check_shape_and_range(*family)


def test_sides(family):
    model_battery.check_sides(*family)


def test_files(family, tmp_path):
    model_battery.check_files(*family, tmp_path)


def test_one_step_moves_every_weight(first):
    model_battery.check_one_step_moves_every_weight(first)


def test_a_step_with_codes(family):
    if not model_battery.task_of(family[0]).labels:
        pytest.skip("a code needs drawings and their photos")
    model_battery.check_a_step_with_codes(*family)


def test_terms(family, first):
    model_battery.check_terms(*family, first)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_precision(family, policy):
    model_battery.check_precision(*family, policy)


def test_a_seed_decides_all(family, first):
    model_battery.check_a_seed_decides_all(*family, first)


# A step of these changes networks and Adams alone, as in the trainings that test_loop.py resumes.
WITHOUT_STATE = {"pix2pix", "pix2pixhd", "oasis", "srgan"}


@pytest.mark.parametrize(
    "family",
    [pytest.param(name, marks=pytest.mark.nightly if name in WITHOUT_STATE else ()) for name in MODELS],
    indirect=True,
)
def test_resume(family, tmp_path):
    model_battery.check_resume(*family, tmp_path)
