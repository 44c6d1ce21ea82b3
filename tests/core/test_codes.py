from dataclasses import fields

import numpy as np
import pytest

from pix2street.core.classes import cityscapes_classes
from pix2street.core.codes import (
    DEVIATIONS,
    FILE,
    NUMBERS,
    CodeBank,
    read_codes,
    unexplained,
    whitening,
)
from pix2street.core.errors import UserError
from pix2street.core.images import to_unit, write_png
from pix2street.core.layouts import CELLS, DONORS
from pix2street.core.pairs import Pair

CLASSES = cityscapes_classes()
ROAD, SKY, CAR = 7, 23, 26


def street(horizon=16, side=32, car=0):
    """Return a drawing: sky above road, and on the road a car that is `car` pixels wide."""
    ids = np.full((side, side), SKY, np.uint8)
    ids[horizon:] = ROAD
    ids[side - 8 : side - 4, :car] = CAR
    return ids


def photos(count=60, seed=0, noise=2.0):
    """Return drawings of streets and their photos: each has a light, a tint and a gradient of its own."""
    rng, pairs = np.random.default_rng(seed), []
    for _ in range(count):
        ids = street(int(rng.integers(10, 22)))
        level = np.where(ids[..., None] == SKY, 150.0, 90.0) + rng.uniform(-40, 40) + rng.uniform(-15, 15, 3)
        level = level + np.linspace(0, rng.uniform(-20, 20), len(ids))[:, None, None]
        pairs.append((ids, np.clip(level + rng.normal(0, noise, (*ids.shape, 3)), 0, 255).astype(np.uint8)))
    return pairs


def test_codes_of_the_training_photos_are_white():
    bank = CodeBank.of(photos(), CLASSES)
    codes = DEVIATIONS * to_unit(bank.codes.astype(np.float64))
    inside = ((bank.codes > 0) & (bank.codes < 255)).all(axis=1)
    assert inside.mean() > 0.9
    np.testing.assert_allclose(codes.mean(axis=0), 0, atol=0.05)
    np.testing.assert_allclose(np.cov(codes, rowvar=False, bias=True), np.eye(NUMBERS), atol=0.1)


def test_whitened_rows_have_the_identity_as_covariance_and_give_their_rows_again():
    rng = np.random.default_rng(2)
    rest = rng.normal(size=(50, NUMBERS)) @ rng.normal(size=(NUMBERS, 30))
    rest -= rest.mean(axis=0)
    encoder = whitening(rest)
    codes = rest @ encoder
    np.testing.assert_allclose(codes.T @ codes / 50, np.eye(NUMBERS), atol=1e-9)
    # Rows of as many dimensions as a code has numbers are made of nothing else.
    np.testing.assert_allclose(codes @ np.linalg.pinv(encoder), rest, atol=1e-9)


def test_the_largest_entry_of_each_component_is_positive_and_the_first_explains_most():
    rng = np.random.default_rng(3)
    rest = rng.normal(size=(40, 20)) * np.linspace(5, 1, 20)
    rest -= rest.mean(axis=0)
    for rows in (rest, -rest, rest[::-1]):
        encoder = whitening(rows)
        assert (np.take_along_axis(encoder, np.abs(encoder).argmax(axis=0)[None], axis=0) > 0).all()
        np.testing.assert_allclose(encoder, whitening(rest), atol=1e-9)
    assert (np.diff(np.linalg.norm(encoder, axis=0)) > 0).all()


def test_components_that_the_photos_do_not_have_are_zero():
    bank = CodeBank.of(photos(3), CLASSES)
    assert (bank.encoder[:, :2] != 0).any(axis=0).all()
    assert (bank.encoder[:, 2:] == 0).all()
    assert np.ptp(bank.codes[:, 2:]) == 0
    grey = [(ids, np.repeat(photo[..., :1], 3, axis=2)) for ids, photo in photos()]
    assert np.isfinite(CodeBank.of(grey, CLASSES).encoder).all()
    same = CodeBank.of(photos(1) * 5, CLASSES)
    assert (same.encoder == 0).all()
    assert np.abs(to_unit(same.codes.astype(float))).max() < 0.01


def test_what_the_drawing_says_is_no_part_of_the_rest():
    rng = np.random.default_rng(4)
    drawings = rng.dirichlet(np.ones(5), (3000, CELLS))
    colors = rng.uniform(0, 255, (5, 3))
    rest = unexplained(drawings, drawings @ colors)
    np.testing.assert_allclose(rest, np.broadcast_to(rest.mean((0, 1)), rest.shape), atol=0.1)
    noise = rng.normal(0, 30, (3000, CELLS, 3))
    left = unexplained(drawings, drawings @ colors + noise)
    np.testing.assert_allclose((left - left.mean((0, 1))).std(), 30, rtol=0.02)


def test_a_code_tells_the_light_and_not_the_horizon():
    rng, pairs, lights, horizons = np.random.default_rng(5), [], [], []
    for light in rng.uniform(-60, 60, 80):
        horizon = int(rng.integers(8, 25))
        ids = street(horizon)
        photo = np.where(ids[..., None] == SKY, 190.0, 70.0) + light + rng.normal(0, 3, (32, 32, 3))
        pairs.append((ids, np.clip(photo, 0, 255).astype(np.uint8)))
        lights.append(light)
        horizons.append(horizon)
    first = CodeBank.of(pairs, CLASSES).codes[:, 0]
    assert abs(np.corrcoef(first, lights)[0, 1]) > 0.98
    assert abs(np.corrcoef(first, horizons)[0, 1]) < 0.3


def test_the_order_of_pairs_changes_the_order_of_codes_alone():
    pairs = photos()
    order = np.random.default_rng(6).permutation(len(pairs))
    bank, other = CodeBank.of(pairs, CLASSES), CodeBank.of([pairs[i] for i in order], CLASSES)
    np.testing.assert_allclose(other.encoder, bank.encoder, atol=1e-9)
    np.testing.assert_array_equal(other.codes, bank.codes[order])
    np.testing.assert_array_equal(other.drawings, bank.drawings[order])


def test_a_mirrored_pair_has_the_same_code():
    pairs = photos()
    mirrored = [(ids[:, ::-1], photo[:, ::-1]) for ids, photo in pairs]
    bank = CodeBank.of(pairs, CLASSES)
    np.testing.assert_array_equal(CodeBank.of(mirrored, CLASSES).codes, bank.codes)
    np.testing.assert_array_equal(bank.light_of(mirrored[3][1]), bank.light_of(pairs[3][1]))


def test_a_photo_alone_has_its_own_code_where_all_drawings_are_one():
    rng = np.random.default_rng(7)
    ids = street()
    pairs = [(ids, np.clip(photo, 0, 255).astype(np.uint8)) for photo in rng.uniform(0, 255, (30, 32, 32, 3))]
    bank = CodeBank.of(pairs, CLASSES)
    for index in range(5):
        np.testing.assert_array_equal(bank.light_of(pairs[index][1]), bank.codes[index])
    large = pairs[0][1].repeat(3, axis=0).repeat(2, axis=1)
    np.testing.assert_array_equal(bank.light_of(large), bank.codes[0])


def test_a_photo_far_from_all_others_stays_within_the_range():
    bank = CodeBank.of(photos(), CLASSES)
    for level in (0, 255):
        code = bank.light_of(np.full((16, 16, 3), level, np.uint8))
        assert code.dtype == np.uint8
        assert set(code[:1].tolist()) <= {0, 255}


def test_drawn_codes_are_whole_codes_of_photos_with_similar_drawings():
    pairs = [(street(horizon, car=car), photo) for horizon, car in ((8, 0), (24, 30)) for _, photo in photos(DONORS)]
    bank = CodeBank.of(pairs, CLASSES)
    known = [code.tobytes() for code in bank.codes]
    for drawing, own in ((street(9), known[:DONORS]), (street(23, 40, 30), known[DONORS:])):
        drawn = [bank.draw(drawing, seed).tobytes() for seed in range(60)]
        assert drawn == [bank.draw(drawing.copy(), seed).tobytes() for seed in range(60)]
        assert set(drawn) <= set(own)
        assert len(set(drawn)) > DONORS / 2
        assert drawn == [bank.light(drawing[:, ::-1], seed).tobytes() for seed in range(60)]


def test_a_given_light_is_the_code_and_the_mean_is_the_same_for_all():
    bank = CodeBank.of(photos(), CLASSES)
    light = bank.light(street(), 3)
    np.testing.assert_array_equal(bank.draw(street(20), 9, light), light)
    np.testing.assert_array_equal(bank.mean(street()), bank.mean(street(4)))
    np.testing.assert_allclose(to_unit(bank.mean(street()).astype(float)), 0, atol=0.02)


def test_drawings_in_colours_have_codes_too():
    rng = np.random.default_rng(8)
    pairs, hues = [], []
    for hue in rng.uniform(-40, 40, 50):
        # The drawing says how light each pixel is, and not its hue.
        grey = rng.integers(60, 190, (4, 4)).repeat(8, axis=0).repeat(8, axis=1)[..., None]
        photo = grey + hue * np.array([1, 0, -1])
        pairs.append((np.repeat(grey, 3, axis=2).astype(np.uint8), np.clip(photo, 0, 255).astype(np.uint8)))
        hues.append(hue)
    bank = CodeBank.of(pairs, None)
    assert abs(np.corrcoef(bank.codes[:, 0], hues)[0, 1]) > 0.98
    assert bank.drawings.shape == (50, CELLS * 3)
    assert bank.draw(pairs[0][0], 0).tobytes() in {code.tobytes() for code in bank.codes}


def test_equal_banks_give_equal_bytes_and_are_read_as_they_were(tmp_path):
    for name in ("a", "b"):
        bank = CodeBank.of(photos(20), CLASSES)
        bank.write(tmp_path / name)
    assert (tmp_path / "a" / FILE).read_bytes() == (tmp_path / "b" / FILE).read_bytes()
    read = CodeBank.read(tmp_path / "a")
    for field in fields(CodeBank):
        np.testing.assert_array_equal(getattr(read, field.name), getattr(bank, field.name))
    CodeBank.of([(photo, photo) for _, photo in photos(20)], None).write(tmp_path)
    assert CodeBank.read(tmp_path).class_ids.shape == (0,)


def test_a_bank_that_is_missing_or_broken_is_one_message(tmp_path):
    with pytest.raises(UserError, match=rf"{FILE}: no such file; a generator with train.data.style: code needs the co"):
        CodeBank.read(tmp_path)
    CodeBank.of(photos(20), CLASSES).write(tmp_path)
    whole = (tmp_path / FILE).read_bytes()
    arrays = dict(np.load(tmp_path / FILE))

    def refused():
        with pytest.raises(UserError, match=rf"{FILE}: must hold the codes of the training photos \(.*\); run"):
            CodeBank.read(tmp_path)

    for broken in (b"", whole[: len(whole) // 2], b"no archive"):
        (tmp_path / FILE).write_bytes(broken)
        refused()
    for changes in (
        {"codes": arrays["codes"][:-1]},
        {"codes": arrays["codes"][:0], "drawings": arrays["drawings"][:0]},
        {"codes": arrays["codes"].astype(np.float64)},
        {"class_ids": arrays["class_ids"][:-1]},
        {"class_ids": np.array(7, np.uint8)},
        {"encoder": arrays["encoder"] * np.nan},
        {"photo_mean": arrays["photo_mean"][1:]},
        {"more": np.zeros(3)},
    ):
        np.savez(tmp_path / FILE, **{**arrays, **changes})
        refused()


def test_codes_of_pairs_are_in_their_order_and_other_pairs_change_nothing(tmp_path):
    pairs = []
    for index, (ids, photo) in enumerate(photos(12)):
        pairs.append(Pair(f"p{index}", tmp_path / f"i{index}.png", tmp_path / f"t{index}.png"))
        write_png(pairs[-1].input_path, ids)
        write_png(pairs[-1].target_path, photo)
    bank = read_codes(pairs[:8], CLASSES)
    np.testing.assert_array_equal(bank.codes, CodeBank.of(photos(12)[:8], CLASSES).codes)
    assert len(bank.codes) == 8
    write_png(pairs[9].target_path, np.zeros((32, 32, 3), np.uint8))
    np.testing.assert_array_equal(read_codes(pairs[:8], CLASSES).codes, bank.codes)
