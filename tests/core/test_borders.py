import numpy as np
import pytest
from PIL import Image

from pix2street.core.borders import between_ratio, describe_borders, other_neighbours, seams
from pix2street.datasets.synthetic_streets.scene import draw_scene

IDS = np.array([[3, 3, 3, 3], [3, 3, 7, 7], [9, 9, 7, 7]], np.uint8)


def test_the_neighbours_that_differ_are_known():
    lowest, highest = other_neighbours(IDS)
    assert lowest.tolist() == [[255, 7, 7, 7], [9, 7, 3, 3], [3, 3, 3, 255]]
    assert highest.tolist() == [[0, 7, 7, 7], [9, 9, 9, 3], [3, 7, 9, 0]]


def test_borders_are_counted_by_class():
    described = describe_borders(IDS)
    # The 3 and the two 7 in the middle and the second 9 touch two others; the 7 lie between.
    assert described == {
        "class_borders": "3:1/6 7:2/4 9:1/2",
        "touching_share": round(4 / 12, 6),
        "between_share": round(2 / 12, 6),
    }


def test_a_class_is_a_seam_where_nearly_all_of_it_touches_two_others():
    assert seams({5: (9, 10), 6: (6, 10), 1: (7, 10)}) == [1, 5]


def test_nothing_is_concluded_from_few_borders():
    assert between_ratio(0.002, 0.002) == 0
    assert between_ratio(0.01, 0.004) == pytest.approx(0.4)


@pytest.mark.parametrize("side", [64, 96, 128])
@pytest.mark.parametrize("filter", [Image.Resampling.BILINEAR, Image.Resampling.BICUBIC, Image.Resampling.LANCZOS])
def test_averaged_ids_differ_from_those_of_nearest_neighbours(side, filter):
    def ratio(filter):
        drawings = [Image.fromarray(draw_scene(0, index, 128, 128)[1]) for index in range(8)]
        described = [describe_borders(np.asarray(drawing.resize((side, side), filter))) for drawing in drawings]
        return between_ratio(
            *(np.mean([row[f"{name}_share"] for row in described]) for name in ("touching", "between"))
        )

    assert ratio(Image.Resampling.NEAREST) < 0.42
    if side != 128:  # nothing is resized
        assert ratio(filter) > 0.52
