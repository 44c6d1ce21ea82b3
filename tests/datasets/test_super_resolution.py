import pytest
from shipped import PARAMS, changed
from sources import HEIGHT_PX, WIDTH_PX, small_download

from pix2street.core.images import read_rgb
from pix2street.datasets.synthetic_streets.scene import draw_scene
from pix2street.steps.download import download


@pytest.mark.parametrize("photos", ["synthetic_streets", "own"])
def test_photos_are_drawn_or_taken_and_the_input_is_left_to_split(tmp_path, photos):
    for name in ("source", "out"):
        (tmp_path / name).mkdir()
    with small_download("super_resolution", tmp_path / "source") as settings:
        download(changed(settings, super_resolution={"photos": photos, "factor": 2}), tmp_path, tmp_path / "out")
    found = sorted((tmp_path / "out/train").iterdir())
    assert len(found) == 12
    assert read_rgb(found[0]).shape == (HEIGHT_PX, WIDTH_PX, 3)
    if photos == "synthetic_streets":
        drawn, _ = draw_scene(PARAMS.download.synthetic_streets.seed, 0, HEIGHT_PX, WIDTH_PX)
        assert (read_rgb(found[0]) == drawn).all()
