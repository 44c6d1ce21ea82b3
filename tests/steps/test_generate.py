import shutil
from dataclasses import replace

import numpy as np
import pytest
from shipped import PARAMS, changed
from tiny_models import save_moved, tiny_bank, tiny_card, tiny_codes

from pix2street.core.classes import cityscapes_classes
from pix2street.core.errors import UserError
from pix2street.core.files import sha256_of
from pix2street.core.images import read_ids, read_rgb
from pix2street.core.pairs import read_pairs
from pix2street.core.palettes import PaletteBank
from pix2street.core.seeds import derive_seed
from pix2street.core.styles import seed_of, with_style
from pix2street.inference.card import GeneratorCard
from pix2street.inference.translator import Translator
from pix2street.layers.networks import load_network, load_untrained
from pix2street.steps.generate import draw_photos, generate_photos, mean_colors
from pix2street.training.batches import InputEncoding


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """Return the folder of a generator that was "trained" by moving every weight a little."""
    folder = tmp_path_factory.mktemp("model")
    save_moved(folder, tiny_card(InputEncoding("color", cityscapes_classes())))
    return folder


@pytest.fixture(scope="module")
def photos(road_and_sky, model, tmp_path_factory):
    out = tmp_path_factory.mktemp("out")
    for folder in (out / "generated", out / "baselines"):
        folder.mkdir()
    generate_photos(road_and_sky, model, out / "generated", out / "baselines", changed(PARAMS.generate, seed=0))
    return out


def test_every_held_out_input_has_its_photos(photos):
    expected = {"p4.png", "p5.png"}
    for folder in ("generated", "baselines/untrained", "baselines/mean_color"):
        assert {path.name for path in (photos / folder / "val").iterdir()} == expected
        assert [path.name for path in (photos / folder).iterdir()] == ["val"]


def test_photos_of_train_are_made_in_the_same_way_only_where_they_are_asked_for(road_and_sky, model, photos, tmp_path):
    folders = {"generated": tmp_path / "generated", "baselines": tmp_path / "baselines"}
    generate_photos(road_and_sky, model, *folders.values(), changed(PARAMS.generate, seed=0), photos_of_train=True)
    card = GeneratorCard.read(model)
    for folder in ("generated", "baselines/untrained", "baselines/mean_color"):
        made = tmp_path / folder
        assert {path.name for path in made.iterdir()} == {"train", "val"}
        assert {path.name for path in (made / "train").iterdir()} == {f"p{index}.png" for index in range(4)}
        assert (made / "val/p4.png").read_bytes() == (photos / folder / "val/p4.png").read_bytes()
    ids = read_ids(road_and_sky / "train/inputs/p0.png")
    photo = Translator(load_network(model, "generator"), card).translate(ids, "p0")
    np.testing.assert_array_equal(read_rgb(tmp_path / "generated/train/p0.png"), photo)


def test_generating_never_changes_a_weight_and_is_a_function_of_the_seed(road_and_sky, model, photos, tmp_path):
    before = sha256_of(model / "generator.weights.h5")
    for name, seed in {"same": 0, "other": 1}.items():
        (tmp_path / name / "g").mkdir(parents=True)
        folders = tmp_path / name / "g", tmp_path / name / "b"
        generate_photos(road_and_sky, model, *folders, changed(PARAMS.generate, seed=seed))
    assert sha256_of(model / "generator.weights.h5") == before
    first = (photos / "generated/val/p4.png").read_bytes()
    assert (tmp_path / "same/g/val/p4.png").read_bytes() == first
    assert (tmp_path / "other/g/val/p4.png").read_bytes() != first


def test_the_untrained_baseline_is_the_network_before_its_training(road_and_sky, photos, model):
    card = GeneratorCard.read(model)
    ids = read_ids(road_and_sky / "val/inputs/p4.png")
    loaders = {"generated": load_network, "baselines/untrained": load_untrained}
    expected = {name: Translator(load(model, "generator"), card).translate(ids, "p4") for name, load in loaders.items()}
    for name, photo in expected.items():
        np.testing.assert_array_equal(read_rgb(photos / name / "val/p4.png"), photo)
    assert (expected["generated"] != expected["baselines/untrained"]).any()


def test_draws_are_further_photos_of_the_first_inputs_that_differ_in_their_noise(road_and_sky, model, photos, tmp_path):
    drawn = {}
    for name, pairs in {"one": 1, "again": 1, "all": 9}.items():
        draw_photos(road_and_sky, model, tmp_path / name, changed(PARAMS.generate, draws=2, draw_pairs=pairs))
        drawn[name] = {
            path.relative_to(tmp_path / name).as_posix(): path.read_bytes() for path in (tmp_path / name).rglob("*.png")
        }
    assert drawn["one"].keys() == {"1/val/p4.png", "2/val/p4.png"}
    assert drawn["one"] == drawn["again"]
    assert drawn["all"].keys() == {f"{draw}/val/{pair}.png" for draw in (1, 2) for pair in ("p4", "p5")}
    assert drawn["one"].items() <= drawn["all"].items()
    first = (photos / "generated/val/p4.png").read_bytes()
    assert len({first, *drawn["one"].values()}) == 3


def test_draws_are_a_function_of_the_seed_and_none_are_made_if_none_are_wanted(road_and_sky, model, tmp_path):
    found = []
    for seed in (0, 1):
        draw_photos(road_and_sky, model, tmp_path / str(seed), changed(PARAMS.generate, seed=seed, draw_pairs=1))
        found.append({(tmp_path / f"{seed}/{draw}/val/p4.png").read_bytes() for draw in (1, 2, 3, 4)})
    assert len(found[0] | found[1]) == 8
    draw_photos(road_and_sky, model, tmp_path / "none", changed(PARAMS.generate, draws=0))
    assert not (tmp_path / "none").exists()


def test_a_generator_without_noise_draws_nothing(road_and_sky, model, tmp_path):
    draw_photos(road_and_sky, model, tmp_path / "off", changed(PARAMS.generate, dropout=False))
    silent = tmp_path / "silent"
    shutil.copytree(model, silent)
    replace(GeneratorCard.read(model), noise="none").write(silent)
    draw_photos(road_and_sky, silent, tmp_path / "none", PARAMS.generate)
    assert not (tmp_path / "off").exists()
    assert not (tmp_path / "none").exists()


@pytest.fixture(scope="module", params=["palette", "code"])
def styled(request, tmp_path_factory):
    """Return the folder of a generator that has styles and no noise."""
    folder = tmp_path_factory.mktemp("styled")
    save_moved(folder, tiny_card(InputEncoding("onehot", cityscapes_classes(), request.param), noise="none"))
    return folder


def bank_of(folder):
    return GeneratorCard.read(folder).read_bank(folder)


def test_photos_with_styles_follow_from_seed_and_pair_id(road_and_sky, styled, tmp_path):
    photos = {}
    for name, seed in {"one": 0, "again": 0, "other": 1}.items():
        (tmp_path / name).mkdir()
        settings = changed(PARAMS.generate, seed=seed, dropout=False)
        generate_photos(road_and_sky, styled, tmp_path / name, tmp_path / f"{name}_baselines", settings)
        photos[name] = [(tmp_path / name / f"val/{pair_id}.png").read_bytes() for pair_id in ("p4", "p5")]
    assert photos["one"] == photos["again"]
    assert all(one != other for one, other in zip(photos["one"], photos["other"], strict=True))
    ids = read_ids(road_and_sky / "val/inputs/p4.png")
    np.testing.assert_array_equal(
        read_rgb(tmp_path / "other/val/p4.png"), Translator.read(styled).translate(ids, "p4", 1)
    )
    style = bank_of(styled).draw(ids, seed_of("p4", 0))
    np.testing.assert_array_equal(
        read_rgb(tmp_path / "one/val/p4.png"), Translator.read(styled).translate(with_style(ids, style), "x")
    )


def test_draws_of_a_generator_without_noise_differ_in_their_styles(road_and_sky, styled, tmp_path):
    settings = changed(PARAMS.generate, draws=3, draw_pairs=1, dropout=False)
    draw_photos(road_and_sky, styled, tmp_path / "draws", settings)
    assert len({path.read_bytes() for path in (tmp_path / "draws").glob("[0-9]/val/p4.png")}) == 3
    assert not (tmp_path / "draws/1/val/p5.png").exists()


def test_the_draws_of_an_input_differ_in_their_light_from_each_other_and_from_its_photo(road_and_sky, styled, tmp_path):
    few = shutil.copytree(styled, tmp_path / "few")
    (tiny_bank if isinstance(bank_of(styled), PaletteBank) else tiny_codes)(photos=24).write(few)
    bank, ids = bank_of(few), read_ids(road_and_sky / "val/inputs/p4.png")
    photos = len(np.unique(bank.photo_colors if isinstance(bank, PaletteBank) else bank.codes, axis=0))
    settings = changed(PARAMS.generate, draws=photos - 1, draw_pairs=1, dropout=False)
    draw_photos(road_and_sky, few, tmp_path / "draws", settings)
    seeds = [seed_of("p4", seed) for seed in (0, *(derive_seed(0, draw) for draw in range(1, photos)))]
    assert len({bank.light(ids, seed).tobytes() for seed in seeds}) < photos
    lights = bank.lights(ids, seeds)
    assert len(np.unique(lights, axis=0)) == photos
    translator = Translator.read(few)
    for draw in range(1, photos):
        style = bank.draw(ids, seeds[draw], lights[draw])
        expected = translator.translate(with_style(ids, style), "p4", derive_seed(0, draw))
        np.testing.assert_array_equal(read_rgb(tmp_path / f"draws/{draw}/val/p4.png"), expected)


def test_some_photos_have_the_light_of_the_first_generated_one(road_and_sky, styled, tmp_path):
    settings = changed(PARAMS.generate, seed=5, draws=1, draw_pairs=1, dropout=False)
    draw_photos(road_and_sky, styled, tmp_path / "draws", settings)
    folder = tmp_path / "draws/one_style/val"
    assert [path.name for path in sorted(folder.iterdir())] == ["p4.png", "p5.png"]
    first, second = (read_ids(road_and_sky / f"val/inputs/{pair_id}.png") for pair_id in ("p4", "p5"))
    translator, bank = Translator.read(styled), bank_of(styled)
    np.testing.assert_array_equal(read_rgb(folder / "p4.png"), translator.translate(first, "p4", 5))
    style = bank.draw(second, seed_of("p5", 5), bank.light(first, seed_of("p4", 5)))
    in_its_light = translator.translate(with_style(second, style), "p5", 5)
    np.testing.assert_array_equal(read_rgb(folder / "p5.png"), in_its_light)
    assert (in_its_light != translator.translate(second, "p5", 5)).any()
    draw_photos(road_and_sky, styled, tmp_path / "none", changed(PARAMS.generate, draws=0))
    assert not (tmp_path / "none").exists()


def test_a_generator_whose_bank_is_missing_is_refused(road_and_sky, styled, tmp_path):
    lone = shutil.copytree(styled, tmp_path / "lone")
    (file,) = lone.glob("*.npz")
    file.unlink()
    for use in (lambda: generate_photos(road_and_sky, lone, tmp_path, tmp_path, PARAMS.generate),
                lambda: draw_photos(road_and_sky, lone, tmp_path, PARAMS.generate),
                lambda: Translator.read(lone)):  # fmt: skip
        with pytest.raises(UserError, match=rf"{file.name}: no such file"):
            use()


def test_mean_colors_are_those_of_train_targets(road_and_sky, photos):
    colors = mean_colors(read_pairs(road_and_sky, "train"))
    assert np.abs(colors[7].astype(int) - 10).max() <= 1
    assert np.abs(colors[23].astype(int) - 200).max() <= 1
    photo = read_rgb(photos / "baselines/mean_color/val/p4.png")
    assert len(np.unique(photo.reshape(-1, 3), axis=0)) == 2
