"""Tiny generators behind the page: of classes with validation inputs, plain and with each style, and of colours."""

import pytest
from tiny_models import save_moved, tiny_card

from pix2street.core.classes import cityscapes_classes
from pix2street.demo.drawings import examples_of
from pix2street.demo.server import create_app
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
    return create_app(labels_translator, examples_of(labels_translator.card, road_and_sky))


@pytest.fixture(scope="session")
def styled_app(styled_translator, road_and_sky):
    return create_app(styled_translator, examples_of(styled_translator.card, road_and_sky))


@pytest.fixture(scope="session")
def coded_app(coded_translator, road_and_sky):
    return create_app(coded_translator, examples_of(coded_translator.card, road_and_sky))


@pytest.fixture(scope="session")
def colors_app(colors_translator, tmp_path_factory):
    return create_app(colors_translator, examples_of(colors_translator.card, tmp_path_factory.mktemp("empty")))
