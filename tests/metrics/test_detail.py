import numpy as np
import pytest

from pix2street.core.images import write_png
from pix2street.metrics import detail
from pix2street.metrics.looks import Looks
from pix2street.metrics.samples import Samples


@pytest.fixture(scope="module")
def looks(tmp_path_factory):
    """Return the looks of photos of noise, of others of the same kind, and of softer ones."""
    found = {}
    for seed, (kind, deviation) in enumerate({"real": 30, "alike": 30, "soft": 10}.items()):
        folder, rng = tmp_path_factory.mktemp(kind), np.random.default_rng(seed)
        for number in range(6):
            noise = rng.normal(128, deviation, (32, 32, 3)).clip(0, 255).astype(np.uint8)
            write_png(folder / f"{number}.png", noise)
        found[kind] = Looks.of(sorted(folder.iterdir()), 3)
    return found


def scores(looks, kind: str) -> dict:
    return detail.score(Samples(looks=(looks[kind], looks["real"]), enlarged={}))


def test_equal_sets_have_no_distance(looks):
    found = scores(looks, "real")
    assert found["frechet_detail"] == pytest.approx(0, abs=1e-6)
    # The estimate has no bias, so that equal sets, which are closer than chance allows, are below zero.
    assert -0.05 < found["kid_detail"] <= 0


def test_soft_photos_are_further_away_than_others_of_the_same_kind(looks):
    alike, soft = scores(looks, "alike"), scores(looks, "soft")
    assert alike["frechet_detail"] < 0.4 * soft["frechet_detail"]
    assert alike["kid_detail"] < 0.2 * soft["kid_detail"]


def test_it_is_the_finest_level_that_counts(looks):
    patches = detail.patches_of(looks["real"])
    level = looks["real"].patches[32]
    assert patches.shape == (level.shape[0] * level.shape[1], 3 * 49)
    assert (patches[1] == level[0, 1].ravel()).all()


def test_only_enlargements_are_scored(looks):
    assert detail.score(Samples(looks=(looks["soft"], looks["real"]))) == {}
