import pytest

from pix2street.core.errors import UserError
from pix2street.core.pairs import write_manifest
from pix2street.training.holdout import hold_out


def test_pairs_are_kept_apart_by_whole_groups(tmp_path):
    rows = [
        {"pair_id": f"{city}_{i}", "split": "train", "group": city, "input_path": "i", "target_path": "t"}
        for city, count in (("a", 3), ("b", 2), ("c", 5))
        for i in range(count)
    ]
    write_manifest(tmp_path, rows)
    for seed in range(4):
        trained, apart = hold_out(tmp_path, 5, seed)
        assert sorted(pair.pair_id for pair in trained + apart) == sorted(row["pair_id"] for row in rows)
        cities = {pair.pair_id[0] for pair in apart}
        assert cities in ({"a", "b"}, {"c"})
        assert not cities & {pair.pair_id[0] for pair in trained}
    assert hold_out(tmp_path, 0, 0)[1] == []
    with pytest.raises(UserError, match="holdout_pairs: 9 leaves fewer than two to train on"):
        hold_out(tmp_path, 9, 0)


def test_groups_that_are_too_large_are_said(tmp_path, capsys):
    row = {"split": "train", "group": "all", "input_path": "i", "target_path": "t"}
    write_manifest(tmp_path, [{"pair_id": f"p{i}", **row} for i in range(9)])
    trained, apart = hold_out(tmp_path, 2, 0)
    assert (len(trained), len(apart)) == (7, 2)
    assert "every group of train has more than 2 pairs" in capsys.readouterr().out
