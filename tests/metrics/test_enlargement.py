import numpy as np
import pytest

from pix2street.core.images import reduce_photo, write_png
from pix2street.metrics import enlargement
from pix2street.metrics.samples import Samples

TARGET = np.random.default_rng(0).integers(40, 200, (40, 48, 3)).astype(np.uint8)


def measured(folder, photo: np.ndarray) -> dict[str, float]:
    paths = [folder / name for name in ("photo.png", "target.png", "input.png")]
    for path, pixels in zip(paths, (photo, TARGET, reduce_photo(TARGET, 4)), strict=True):
        write_png(path, pixels)
    return {name: float(values[0]) for name, values in enlargement.measure(*([path] for path in paths), 4).items()}


def test_the_target_itself_is_perfect(tmp_path):
    scores = measured(tmp_path, TARGET)
    assert scores == {"psnr_luma": np.inf, "ssim_luma": 1.0, "consistency": 0.0}
    found = enlargement.score(Samples(enlarged={name: np.array([value]) for name, value in scores.items()}))
    assert found == {"psnr_luma": None, "ssim_luma": 1.0, "consistency": 0.0}


def test_a_photo_that_is_brighter_by_four_levels(tmp_path):
    scores = measured(tmp_path, TARGET + np.uint8(4))
    assert scores["psnr_luma"] == pytest.approx(20 * np.log10(255 / 4))
    assert scores["consistency"] == pytest.approx(4 / 127.5, rel=0.05)


def test_the_border_counts_for_the_input_alone(tmp_path):
    framed = TARGET.copy()
    framed[:4], framed[-4:], framed[:, :4], framed[:, -4:] = 0, 0, 0, 0
    scores = measured(tmp_path, framed)
    assert scores["psnr_luma"] == np.inf
    assert scores["consistency"] > 0.1


def test_invented_details_cost_psnr_and_hardly_the_agreement_with_the_input(tmp_path):
    rows, columns = np.indices(TARGET.shape[:2])
    chequered = np.clip(TARGET + ((rows + columns) % 2 * 40 - 20)[..., None], 0, 255).astype(np.uint8)
    scores = measured(tmp_path, chequered)
    assert scores["psnr_luma"] < 23
    assert scores["consistency"] < 0.02


def test_other_photos_have_no_such_scores():
    assert enlargement.score(Samples()) == {}
