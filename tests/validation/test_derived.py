import pandas as pd
import pytest

from pix2street.validation.derived import class_distance


def test_the_distance_of_class_shares_is_half_the_sum_of_their_differences():
    pairs = pd.DataFrame(
        {
            "split": ["train", "train", "val"],
            "class_shares": ["7:0.5 23:0.5", "7:1.0", "7:0.25 26:0.75"],
        }
    )
    # train has 0.75 and 0.25, val 0.25 and 0 and 0.75 of a class that train lacks.
    assert list(class_distance(pairs)) == pytest.approx([0, 0, (0.5 + 0.25 + 0.75) / 2])
