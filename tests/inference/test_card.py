import json
from dataclasses import replace

import numpy as np
import pytest
from tiny_models import save_moved, tiny_card, write_as_before_cards

from pix2street.core.classes import cityscapes_classes
from pix2street.core.errors import UserError
from pix2street.core.scales import Scale
from pix2street.inference.card import GeneratorCard
from pix2street.inference.translator import Translator
from pix2street.training.batches import InputEncoding

ENCODING = InputEncoding("onehot", cityscapes_classes())


def test_a_card_is_read_as_it_was_written(tmp_path):
    card = tiny_card(
        ENCODING, "grey", 32, 48, "moving", False, 7, scale=Scale(2, 2), conditions={"hour": 3}, kernels="AVX2"
    )
    card.write(tmp_path)
    assert GeneratorCard.read(tmp_path) == card


@pytest.mark.parametrize(
    ("noise", "noise_on", "noisy"),
    [("none", True, False), ("dropout", True, True), ("dropout", False, False), ("latent", True, True)],
)
def test_photos_are_noisy_where_a_generator_has_noise_that_is_on(noise, noise_on, noisy):
    assert tiny_card(ENCODING, noise=noise, noise_on=noise_on).noisy is noisy


@pytest.mark.parametrize("style", ["palette", "code"])
def test_photos_follow_a_seed_where_there_is_noise_or_a_style(style):
    styled = replace(ENCODING, style=style)
    assert not tiny_card(ENCODING, noise="none").seeded
    assert not tiny_card(ENCODING, noise_on=False).seeded
    assert tiny_card(ENCODING).seeded
    card = tiny_card(styled, noise="none")
    assert (card.seeded, card.noisy) == (True, False)


def test_a_card_keeps_its_style_and_one_without_has_none(tmp_path):
    styled = tiny_card(replace(ENCODING, style="palette"))
    styled.write(tmp_path)
    assert GeneratorCard.read(tmp_path) == styled
    fields = json.loads((tmp_path / "card.json").read_text())
    del fields["encoding"]["style"]
    (tmp_path / "card.json").write_text(json.dumps(fields))
    assert GeneratorCard.read(tmp_path) == tiny_card(ENCODING)


@pytest.mark.parametrize(("size", "multiple_px"), [((128, 128), 128), ((32, 48), 16), ((96, 64), 32)])
def test_a_generator_from_before_cards_is_used_as_it_was(tmp_path, size, multiple_px):
    card = tiny_card(ENCODING, "left", *size, "moving", False, 7, kernels="AVX2")
    write_as_before_cards(tmp_path, card)
    assert GeneratorCard.read(tmp_path) == card
    assert card.multiple_px == multiple_px


def test_photos_of_a_generator_from_before_cards_are_the_same(tmp_path):
    card = tiny_card(ENCODING, "left", 32, 48)
    save_moved(tmp_path, card, product_side_px=4)
    ids = np.full((33, 20), 7, np.uint8)
    photo = Translator.read(tmp_path).translate(ids, "x")
    write_as_before_cards(tmp_path, card)
    assert (Translator.read(tmp_path).translate(ids, "x") == photo).all()


@pytest.mark.parametrize("name", ["card.json", "usage.json"])
@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ('{"encoding": ', "must be complete JSON"),
        ('{"encoding": {"encoding": "color", "classes": null}}', "is not as this version writes it"),
        ("{}", r"is not as this version writes it \(KeyError: .*\); name another folder, or run `dvc repro`"),
    ],
)
def test_a_card_that_is_damaged_or_of_another_version_is_one_message(tmp_path, name, text, fault):
    (tmp_path / name).write_text(text)
    with pytest.raises(UserError, match=f"{name}: {fault}"):
        GeneratorCard.read(tmp_path)


def test_a_folder_without_a_generator_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"must hold card.json, as models/generator does; name another folder, or"):
        GeneratorCard.read(tmp_path)
