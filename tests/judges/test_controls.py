"""Judges that are trained on other photos of the same drawings, at toy sizes."""

import numpy as np
import pytest
from shipped import PARAMS, changed

from pix2street.core.classes import ClassEntry, ClassTable
from pix2street.core.images import read_ids, read_rgb, write_png
from pix2street.core.pairs import Pair
from pix2street.judges import controls
from pix2street.judges.controls import controls_of, judged_by_controls
from pix2street.judges.training import in_turns
from pix2street.metrics import segmentation

TABLE = ClassTable(tuple(ClassEntry(id, name, (id, id, id), True) for id, name in [(1, "dark"), (2, "light")]))
SEGMENT = changed(PARAMS.segment, filters=4, epochs=4, batch=4, learning_rate=0.02)


@pytest.fixture(scope="module")
def train(tmp_path_factory):
    """Return 40 pairs of 32x32: blocks of two classes at random, dark and light with a little noise."""
    folder, rng = tmp_path_factory.mktemp("blocks"), np.random.default_rng(0)
    pairs = []
    for index in range(40):
        ids = np.kron(rng.integers(1, 3, (2, 2)), np.ones((16, 16))).astype(np.uint8)
        target = np.where(ids[..., None] == 1, 40, 200) + rng.integers(-9, 10, (32, 32, 3))
        pair = Pair(f"p{index}", folder / f"input_{index}.png", folder / f"p{index}.png")
        write_png(pair.input_path, ids)
        write_png(pair.target_path, target.astype(np.uint8))
        pairs.append(pair)
    return pairs


def photos_of(train, folder, photo_of):
    folder.mkdir()
    for pair in train:
        write_png(folder / pair.target_path.name, photo_of(pair))
    return [folder / pair.target_path.name for pair in train]


def mean_iou(train, judged):
    matrix = segmentation.measure([pair.input_path for pair in train], judged, TABLE).sum(axis=0)
    return segmentation.scores_of(matrix, TABLE)["mean_iou"]


def test_the_controls_are_the_drawings_of_train_with_their_own_photos(train, tmp_path):
    photos = {name: [tmp_path / name / pair.target_path.name for pair in train] for name in ("generated", "grey")}
    every = controls_of(train, photos, seed=0)
    assert list(every) == ["real", "generated", "real_and_generated", "grey", "shuffled"]
    for name, control in every.items():
        assert sorted(pair.input_path for pair in control.pairs) == sorted(pair.input_path for pair in train), name
    assert every["real"].pairs == train
    for name in ("generated", "grey"):
        assert [pair.target_path for pair in every[name].pairs] == photos[name]
    both = every["real_and_generated"]
    assert both.pairs == train
    assert both.others == every["generated"].pairs


@pytest.mark.parametrize("seed", range(5))
def test_no_shuffled_target_stays_with_its_drawing(train, seed):
    shuffled = controls_of(train, {"generated": [pair.target_path for pair in train]}, seed)["shuffled"].pairs
    assert sorted(pair.target_path for pair in shuffled) == sorted(pair.target_path for pair in train)
    target_of = {pair.input_path: pair.target_path for pair in train}
    assert not [pair for pair in shuffled if pair.target_path == target_of[pair.input_path]]


def test_a_judge_learns_from_real_photos_as_from_equal_ones_but_nothing_from_shuffled_ones(train, tmp_path, capsys):
    copies = photos_of(train, tmp_path / "copies", lambda pair: read_rgb(pair.target_path))
    every = controls_of(train, {"generated": copies}, SEGMENT.seed)
    del every["generated"]  # the photos in turns are of this set and real ones
    reached, seen = {}, {}
    for name, judged in judged_by_controls(every, [pair.target_path for pair in train], TABLE, SEGMENT):
        reached[name], seen[name] = mean_iou(train, judged), np.stack([read_ids(path) for path in judged])
    assert reached["real"] > 0.8
    assert reached["shuffled"] < 0.6
    # Equal bytes, seeds and updates give equal judges.
    np.testing.assert_array_equal(seen["real_and_generated"], seen["real"])
    bars = capsys.readouterr().err
    assert [name for name in every if f"usefulness, {name}:" not in bars] == []


def test_in_turns_an_epoch_shows_every_drawing_once_and_the_next_one_the_other_photos(train, tmp_path):
    made = controls_of(train, {"generated": [tmp_path / pair.target_path.name for pair in train]}, 0)["generated"]
    epochs = [in_turns(train, made.pairs, epoch) for epoch in range(4)]
    for pairs in epochs:
        assert [pair.input_path for pair in pairs] == [pair.input_path for pair in train]
        assert sum(pair.target_path.parent == tmp_path for pair in pairs) == len(train) / 2
    assert {pair.target_path for pair in epochs[0]}.isdisjoint(pair.target_path for pair in epochs[1])
    assert (epochs[0], epochs[1]) == (epochs[2], epochs[3])


def test_the_files_of_a_control_are_gone_when_the_next_is_asked_for(train, monkeypatch):
    class Blind:
        def judge(self, photos, folder):
            for photo in photos:
                (folder / photo.name).write_bytes(b"")

    monkeypatch.setattr(controls, "_trained", lambda *_: Blind())
    every = controls_of(train, {"generated": [pair.target_path for pair in train]}, 0)
    kept = []
    for _, judged in judged_by_controls(every, [pair.target_path for pair in train], TABLE, SEGMENT):
        assert all(path.exists() for path in judged)
        assert not any(path.exists() for path in kept)
        kept = judged
