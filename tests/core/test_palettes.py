from collections import Counter
from dataclasses import fields

import numpy as np
import pytest

from pix2street.core.errors import UserError
from pix2street.core.images import read_rgb, write_png
from pix2street.core.layouts import DONORS
from pix2street.core.pairs import Pair
from pix2street.core.palettes import (
    FILE,
    MIN_REGION_PX,
    NEIGHBOURS,
    SIZE_POWER,
    PaletteBank,
    Regions,
    palette_of,
    read_palettes,
)

ROAD, SKY, CAR = 7, 23, 26


def street(cars=2, side=16):
    """Return a drawing: sky above road, and on the road cars of 4x4 pixels with a pixel between them."""
    ids = np.full((side, side), SKY, np.uint8)
    ids[side // 2 :] = ROAD
    for car in range(cars):
        ids[side - 5 : side - 1, 1 + 5 * car : 5 + 5 * car] = CAR
    return ids


def photo_of(ids, light, paints):
    """Return a photo in which road and sky have the level `light`, and each car its paint."""
    regions = Regions.of(ids)
    colors = np.full((len(regions.class_ids), 3), light)
    colors[regions.class_ids == CAR] = paints
    return regions.paint(colors)


def bank_of(photos=40, cars=2, seed=0):
    """Return a bank of streets from dark to light, in which every car has a paint of its own."""
    rng, ids = np.random.default_rng(seed), street(cars)
    lights = np.linspace(20, 200, photos).round()
    return PaletteBank.of((Regions.of(ids), photo_of(ids, light, rng.integers(0, 256, (cars, 3)))) for light in lights)


def colors_at(palette, mask):
    return np.unique(palette[mask].reshape(-1, 3), axis=0)


def test_each_region_has_its_mean_colour():
    ids = np.array([[1] * 4 + [2] * 4 + [1] * 4] * 4, np.uint8)
    photo = np.zeros((4, 12, 3), np.uint8)
    photo[:2, :4], photo[:, 4:8], photo[:, 8:] = (200, 100, 50), (7, 8, 9), (30, 60, 90)
    palette = palette_of(ids, photo)
    assert colors_at(palette, np.s_[:, :4]).tolist() == [[100, 50, 25]]
    assert colors_at(palette, np.s_[:, 4:8]).tolist() == [[7, 8, 9]]
    assert colors_at(palette, np.s_[:, 8:]).tolist() == [[30, 60, 90]]


def test_regions_are_connected_by_their_sides_and_in_the_order_of_their_first_pixels():
    ids = np.array([[0, 0, 5], [5, 5, 0], [5, 0, 0]], np.uint8)
    regions = Regions.of(ids)
    assert regions.places.tolist() == [[0, 0, 1], [2, 2, 3], [2, 3, 3]]
    assert regions.class_ids.tolist() == [0, 5, 5, 0]
    assert regions.areas_px.tolist() == [2, 1, 3, 3]
    assert regions.firsts.tolist() == [0, 2, 3, 5]


def test_a_small_region_has_the_mean_colour_of_its_class_in_the_photo():
    ids = np.zeros((8, 8), np.uint8)
    ids[:4, :4], ids[6:, 6:] = 1, 1
    photo = np.zeros((8, 8, 3), np.uint8)
    photo[:4, :4], photo[6:, 6:] = 40, 140
    palette = palette_of(ids, photo)
    assert (palette[0, 0] == 40).all()
    assert (palette[7, 7] == (16 * 40 + 4 * 140) / 20).all()


@pytest.mark.parametrize("seed", range(3))
def test_a_palette_is_a_fixed_point_and_keeps_the_photos_mean(seed):
    rng = np.random.default_rng(seed)
    ids = np.kron(rng.integers(0, 3, (4, 4)), np.ones((4, 4))).astype(np.uint8)
    photo = rng.integers(0, 256, (16, 16, 3)).astype(np.uint8)
    palette = palette_of(ids, photo)
    np.testing.assert_array_equal(palette_of(ids, palette), palette)
    np.testing.assert_allclose(palette.mean((0, 1)), photo.mean((0, 1)), atol=0.5)


def test_a_palette_is_mirrored_with_its_drawing():
    rng, ids = np.random.default_rng(0), street(3, 24)
    photo = rng.integers(0, 256, (24, 24, 3)).astype(np.uint8)
    np.testing.assert_array_equal(palette_of(ids[:, ::-1], photo[:, ::-1]), palette_of(ids, photo)[:, ::-1])


def test_rows_of_the_bank_are_the_regions_that_are_not_small():
    ids = street(2)
    ids[0, 0] = 9
    photo = photo_of(ids, 100, [[10, 20, 30], [40, 50, 60]])
    photo[0, 0] = 77
    bank = PaletteBank.of([(Regions.of(ids), photo)] * 2)
    assert bank.counts.tolist() == [5, 5]
    # The one small region of a class stands for the class.
    rows = dict(
        zip(zip(bank.class_ids.tolist(), bank.areas_px.tolist(), strict=True), bank.colors.tolist(), strict=True)
    )
    assert rows[9, 1] == [77] * 3
    assert rows[SKY, 127] == [100] * 3
    assert [color for (class_id, _), color in rows.items() if class_id == CAR] == [[40, 50, 60]]
    assert bank.photo_colors.tolist() == [np.rint(photo.mean((0, 1))).tolist()] * 2


def test_what_has_one_colour_a_photo_is_found_from_the_colours():
    bank = bank_of()
    assert bank.uniform[[ROAD, SKY, CAR]].tolist() == [True, True, False]
    ids = street(2)
    dyed = PaletteBank.of((Regions.of(ids), photo_of(ids, light, light)) for light in np.linspace(20, 200, 40))
    assert dyed.uniform[CAR]


def test_a_draw_is_a_function_of_drawing_and_seed():
    bank, ids = bank_of(), street(2)
    drawn = [bank.draw(ids, seed) for seed in range(8)]
    np.testing.assert_array_equal(drawn[0], bank.draw(ids.copy(), 0))
    assert len({palette.tobytes() for palette in drawn}) == 8
    assert drawn[0].shape == (16, 16, 3)
    assert drawn[0].dtype == np.uint8


def test_uniform_classes_have_their_colour_in_one_photo_and_things_one_of_its_light():
    bank, ids = bank_of(), street(3)
    lights = sorted(set(bank.colors[bank.class_ids == ROAD][:, 0].tolist()))
    for seed in range(10):
        palette = bank.draw(ids, seed)
        ((level, *_),) = road = colors_at(palette, ids == ROAD)
        assert road.tolist() == colors_at(palette, ids == SKY).tolist()
        place = lights.index(level)
        near = bank.photo_colors.astype(float)
        order = np.argsort(((near - near[place]) ** 2).sum(axis=1), kind="stable")[:NEIGHBOURS]
        lent = bank.colors[(bank.class_ids == CAR) & np.isin(bank._owners, order)].tolist()
        assert all(color in lent for color in colors_at(palette, ids == CAR).tolist())


def test_a_draw_has_no_colour_that_its_class_never_has():
    bank, ids = bank_of(), street(3)
    for class_id in (ROAD, SKY, CAR):
        known = {tuple(color) for color in bank.colors[bank.class_ids == class_id].tolist()}
        for seed in range(5):
            assert {tuple(color) for color in colors_at(bank.draw(ids, seed), ids == class_id).tolist()} <= known


@pytest.mark.parametrize("car", [0, 1, 2])
def test_a_car_that_is_painted_in_leaves_the_other_colours(car):
    bank = bank_of()
    with_car, without = street(3), street(3)
    without[:, 1 + 5 * car : 5 + 5 * car][without[:, 1 + 5 * car : 5 + 5 * car] == CAR] = ROAD
    same = with_car == without
    assert len(Regions.of(without).areas_px) == 4
    for seed in range(5):
        np.testing.assert_array_equal(bank.draw(with_car, seed)[same], bank.draw(without, seed)[same])


def test_a_few_pixels_more_seldom_change_the_colour_of_a_region():
    rng, photos = np.random.default_rng(0), []
    for _ in range(NEIGHBOURS):
        ids = np.full((24, 24), SKY, np.uint8)
        for row in range(0, 24, 6):
            ids[row : row + 5, : rng.integers(4, 24)] = CAR
        cars = np.count_nonzero(Regions.of(ids).class_ids == CAR)
        photos.append((Regions.of(ids), photo_of(ids, 100, rng.integers(0, 256, (cars, 3)))))
    bank, small, large = PaletteBank.of(photos), np.full((24, 24), SKY, np.uint8), np.full((24, 24), SKY, np.uint8)
    small[3:8, 3:15], large[3:8, 3:16] = CAR, CAR
    same = [(bank.draw(small, seed)[3, 3] == bank.draw(large, seed)[3, 3]).all() for seed in range(100)]
    assert 60 <= sum(same) < 100


def test_regions_of_one_size_are_drawn_equally_often_and_others_by_their_size():
    bank, ids = bank_of(2 * NEIGHBOURS), street(3)
    light = bank.photo_colors[NEIGHBOURS]
    cars = [tuple(bank.draw(ids, seed, light)[12, column].tolist()) for seed in range(400) for column in (2, 7, 12)]
    counts = sorted(Counter(cars).values())
    assert len(counts) == 2 * NEIGHBOURS
    assert counts[0] > 1200 / len(counts) / 2
    assert counts[-1] < 1200 / len(counts) * 2
    together = Counter(cars[::3][seed] == cars[1::3][seed] for seed in range(400))
    assert together[True] < 2 * 400 / len(counts)

    sizes = np.full((20, 20), SKY, np.uint8)
    sizes[2:6, 2:6], sizes[2:6, 10:15] = CAR, CAR
    unequal = PaletteBank.of([(Regions.of(sizes), photo_of(sizes, 100, [[0] * 3, [200] * 3]))] * NEIGHBOURS)
    drawing = np.full((20, 20), SKY, np.uint8)
    drawing[2:6, 2:6] = CAR
    lighter = np.mean([unequal.draw(drawing, seed)[3, 3, 0] > 100 for seed in range(2000)])
    assert lighter == pytest.approx(1 / (1 + (20 / 16) ** SIZE_POWER), abs=0.04)


def test_large_regions_have_the_colours_of_large_ones():
    rng, photos = np.random.default_rng(0), []
    for _ in range(NEIGHBOURS):
        ids = np.full((20, 20), SKY, np.uint8)
        ids[:10, :10], ids[12:, 2:6], ids[12:, 12:16] = CAR, CAR, CAR
        photos.append((Regions.of(ids), photo_of(ids, 100, [[200 + rng.integers(9)] * 3, [0] * 3, [90] * 3])))
    bank, drawing = PaletteBank.of(photos), np.full((30, 30), CAR, np.uint8)
    assert not bank.uniform[CAR]
    assert all(bank.draw(drawing, seed).min() >= 200 for seed in range(10))
    drawing[4:] = SKY
    drawing[10:15, 10:17] = CAR
    assert all(bank.draw(drawing, seed)[12, 12, 0] <= 90 for seed in range(10))


def test_small_regions_share_the_mean_of_the_drawn_colours():
    bank, ids = bank_of(), street(2)
    ids[0, :3], ids[2, :3] = CAR, CAR
    for seed in range(5):
        palette = bank.draw(ids, seed)
        large = [palette[12, 2].astype(float), palette[12, 7].astype(float)]
        np.testing.assert_array_equal(palette[0, 0], np.rint(np.mean(large, axis=0)))
        np.testing.assert_array_equal(palette[2, 0], palette[0, 0])
    assert MIN_REGION_PX > 3


def test_donors_have_drawings_that_resemble_the_drawing():
    plain, rich = street(0), street(2)
    photos = [(plain, photo_of(plain, 10 + index, 0)) for index in range(DONORS)]
    photos += [(rich, photo_of(rich, 150 + index, 99)) for index in range(DONORS)]
    bank = PaletteBank.of((Regions.of(ids), photo) for ids, photo in photos)
    assert all(bank.draw(rich, seed)[0, 0, 0] >= 150 for seed in range(20))
    lights = {int(bank.draw(plain, seed)[0, 0, 0]) for seed in range(60)}
    assert max(lights) < 100
    assert len(lights) > DONORS / 2


def test_lights_are_those_of_the_donors_but_none_twice_while_there_are_others():
    bank, ids = bank_of(20), street(2)
    lights = bank.lights(ids, range(20))
    assert (lights[0] == bank.light(ids, 0)).all()
    assert len(np.unique(lights, axis=0)) == 20
    own = np.array([bank.light(ids, seed) for seed in range(20)])
    assert len(np.unique(own, axis=0)) < 20
    assert (lights == own).all(axis=1).sum() >= 10
    assert (bank.lights(ids, [5, 5])[0] == bank.light(ids, 5)).all()
    few = bank_of(3)
    assert len(np.unique(few.lights(ids, range(3)), axis=0)) == 3
    assert len(few.lights(ids, range(9))) == 9


def test_a_class_that_the_donor_lacks_comes_from_the_photo_nearest_in_colour():
    plain, rich = street(0), street(1)
    photos = [(plain, photo_of(plain, 10 * index, 0)) for index in range(DONORS)]
    photos += [(rich, photo_of(rich, 40, 41)), (rich, photo_of(rich, 200, 201))]
    bank = PaletteBank.of((Regions.of(ids), photo) for ids, photo in photos)
    dark, light = (bank.draw(rich, 0, like=np.full(3, level)) for level in (20, 150))
    assert (dark[0, 0] == 20).all()
    assert colors_at(dark, rich == CAR).tolist() == [[41] * 3]
    assert colors_at(light, rich == CAR).tolist() == [[201] * 3]
    unknown = np.full((4, 4), 99, np.uint8)
    assert (bank.draw(unknown, 0, like=np.full(3, 20)) == 20).all()


def test_the_mean_palette_has_the_mean_of_every_class():
    ids = street(2)
    photos = [(Regions.of(ids), photo_of(ids, light, paint)) for light, paint in ((50, 10), (150, 30))]
    palette = PaletteBank.of(photos).mean(ids)
    assert (palette[ids == ROAD] == 100).all()
    assert (palette[ids == CAR] == 20).all()
    unknown = PaletteBank.of(photos).mean(np.full((1, 1), 99, np.uint8))
    assert np.abs(unknown - np.mean([photo.mean() for _, photo in photos])).max() <= 1


def test_equal_banks_give_equal_bytes_and_are_read_as_they_were(tmp_path):
    for name in ("a", "b"):
        bank = bank_of()
        assert bank.uniform.any()
        bank.write(tmp_path / name)
    assert (tmp_path / "a" / FILE).read_bytes() == (tmp_path / "b" / FILE).read_bytes()
    read = PaletteBank.read(tmp_path / "a")
    for field in fields(PaletteBank):
        np.testing.assert_array_equal(getattr(read, field.name), getattr(bank, field.name))
    np.testing.assert_array_equal(read.draw(street(), 5), bank.draw(street(), 5))


def test_a_bank_that_is_missing_or_broken_is_one_message(tmp_path):
    with pytest.raises(UserError, match=rf"{FILE}: no such file; a generator with train.data.style: palette needs"):
        PaletteBank.read(tmp_path)
    bank_of().write(tmp_path)
    whole = (tmp_path / FILE).read_bytes()
    arrays = dict(np.load(tmp_path / FILE))

    def refused():
        with pytest.raises(UserError, match=rf"{FILE}: must hold the colours of the training photos \(.*\); run"):
            PaletteBank.read(tmp_path)

    for broken in (b"", whole[: len(whole) // 2], b"no archive", whole.replace(b"descr", b"dexcr")):
        (tmp_path / FILE).write_bytes(broken)
        refused()
    for changes in (
        {"counts": arrays["counts"][:-1]},
        {"counts": np.zeros_like(arrays["counts"])},
        {"colors": arrays["colors"][:-1]},
        {"class_ids": arrays["class_ids"].astype(np.int64)},
        {"more": np.zeros(3)},
    ):
        np.savez(tmp_path / FILE, **{**arrays, **changes})
        refused()


def test_palettes_of_pairs_are_those_of_their_photos(tmp_path):
    pairs, palettes = [], []
    for index in range(3):
        ids = street(index + 1)
        photo = photo_of(ids, 50 * index, np.full((index + 1, 3), 90))
        pair = Pair(f"p{index}", tmp_path / f"i{index}.png", tmp_path / f"t{index}.png")
        write_png(pair.input_path, ids)
        write_png(pair.target_path, photo)
        pairs.append(pair)
        palettes.append(palette_of(ids, photo))
    pngs, bank = read_palettes(pairs)
    for png, palette in zip(pngs, palettes, strict=True):
        (tmp_path / "x.png").write_bytes(png)
        np.testing.assert_array_equal(read_rgb(tmp_path / "x.png"), palette)
    assert len(bank.counts) == 3


def test_the_light_of_a_photo_is_its_mean_colour():
    photo = np.random.default_rng(0).integers(0, 256, (9, 7, 3)).astype(np.uint8)
    np.testing.assert_allclose(bank_of().light_of(photo), photo.mean((0, 1)))
