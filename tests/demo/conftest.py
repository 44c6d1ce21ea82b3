"""Tiny generators behind the page: of classes, plain and with each style, of colours, of domains, and of both ways."""

import numpy as np
import pytest
from tiny_models import save_moved, tiny_card

from pix2street.core.classes import cityscapes_classes
from pix2street.demo.drawings import examples_of
from pix2street.demo.server import Side, create_app
from pix2street.inference.translator import Translator
from pix2street.training.batches import InputEncoding


@pytest.fixture(scope="session")
def labels_translator(tmp_path_factory):
    folder = tmp_path_factory.mktemp("labels")
    save_moved(folder, tiny_card(InputEncoding("color", cityscapes_classes()), "left", 32, 32, "batch", True, 3))
    return Translator.read(folder)


@pytest.fixture(scope="session")
def colors_translator(tmp_path_factory):
    folder = tmp_path_factory.mktemp("colors")
    save_moved(folder, tiny_card(InputEncoding("color", None), "left", 32, 48, "batch", False, 0))
    return Translator.read(folder)


@pytest.fixture(scope="session")
def styled_translator(tmp_path_factory):
    folder = tmp_path_factory.mktemp("styled")
    save_moved(folder, tiny_card(InputEncoding("color", cityscapes_classes(), "palette"), noise="none", seed=3))
    return Translator.read(folder)


@pytest.fixture(scope="session")
def coded_translator(tmp_path_factory):
    folder = tmp_path_factory.mktemp("coded")
    save_moved(folder, tiny_card(InputEncoding("color", cityscapes_classes(), "code"), noise="none", seed=3))
    return Translator.read(folder)


@pytest.fixture(scope="session")
def labels_app(labels_translator, road_and_sky):
    return create_app({"forth": Side(labels_translator, examples_of(labels_translator.card, road_and_sky))})


@pytest.fixture(scope="session")
def styled_app(styled_translator, road_and_sky):
    return create_app({"forth": Side(styled_translator, examples_of(styled_translator.card, road_and_sky))})


@pytest.fixture(scope="session")
def coded_app(coded_translator, road_and_sky):
    return create_app({"forth": Side(coded_translator, examples_of(coded_translator.card, road_and_sky))})


@pytest.fixture(scope="session")
def colors_app(colors_translator, tmp_path_factory):
    return create_app(
        {"forth": Side(colors_translator, examples_of(colors_translator.card, tmp_path_factory.mktemp("empty")))}
    )


def photos(count: int) -> dict[str, np.ndarray]:
    """Return such photos by name."""
    pixels = np.random.default_rng(0).integers(0, 256, (count, 32, 32, 3)).astype(np.uint8)
    return {f"p{number}": photo for number, photo in enumerate(pixels)}


@pytest.fixture(scope="session")
def hours_translator(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hours")
    encoding = InputEncoding("color", None, domains=("day", "dusk", "night"), domain=1)
    save_moved(folder, tiny_card(encoding, "none", family="stargan", multiple_px=4, noise="none"))
    return Translator.read(folder)


@pytest.fixture(scope="session")
def hours_app(hours_translator):
    return create_app({"forth": Side(hours_translator, photos(2))})


@pytest.fixture(scope="session")
def both_translators(tmp_path_factory):
    """Return the translators of a generator of drawings, and of its way back."""
    form = {"family": "cyclegan", "multiple_px": 4, "noise": "none"}
    cards = {
        "forth": tiny_card(InputEncoding("color", cityscapes_classes()), "left", **form),
        "back": tiny_card(InputEncoding("color", None), "file", way="back", **form),
    }
    folders = {way: tmp_path_factory.mktemp(way) for way in cards}
    for way, card in cards.items():
        save_moved(folders[way], card)
    return {way: Translator.read(folder) for way, folder in folders.items()}


@pytest.fixture(scope="session")
def both_app(both_translators, road_and_sky):
    examples = {"forth": examples_of(both_translators["forth"].card, road_and_sky), "back": photos(1)}
    return create_app({way: Side(translator, examples[way]) for way, translator in both_translators.items()})
