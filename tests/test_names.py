"""Families, their networks and their terms are named in their own modules: a new family changes no other source."""

import re
from pathlib import Path

import pytest

from pix2street.models import MODELS, open_family

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src/pix2street"
OWN = ("models", "layers")
"""The rooms that may name them."""
SUFFIXES = (".py", ".jinja", ".yaml", ".json", ".html", ".js", ".css")

TERMS = sorted({term.name for model in MODELS for term in open_family(model).TERMS})
PATTERNS = {
    "a term": re.compile(rf"\b({'|'.join(TERMS)})\b"),
    "a network": re.compile(r"\bunet\b|build_unet|patchgan", re.IGNORECASE),
    # In quotes, or as a part of a dotted name; a sentence may speak of a paper, and pix2pix_sets is a source of data.
    "a family": re.compile(rf"""["'/]({"|".join(MODELS)})["'/]|\.({"|".join(MODELS)})\b|\b({"|".join(MODELS)})\.\w"""),
}

EXCEPT = {
    "src/pix2street/datasets/pix2pix_sets.py": "a family",  # holds the address and the folder of these authors' data
    "src/pix2street/inference/card.py": "a family",  # holds that of generators that were recorded before cards
    "src/pix2street/settings/train.py": "a family",  # holds former keys, and the keys that they are now
}


def sources() -> list[Path]:
    package = [path for path in PACKAGE.rglob("*") if path.relative_to(PACKAGE).parts[0] not in OWN]
    return [
        path
        for path in (*package, *(ROOT / "pipeline").iterdir(), *(ROOT / ".dvc/plots").iterdir(), ROOT / "dvc.yaml")
        if path.suffix in SUFFIXES
    ]


def found_in(text: str) -> list[tuple[str, str]]:
    """Return the kind and the text of every name of a family, a network or a term."""
    return [(kind, match[0]) for kind, pattern in PATTERNS.items() for match in pattern.finditer(text)]


def test_no_source_names_a_family_a_network_or_a_term():
    found = {
        (name, kind, word)
        for path in sources()
        for name in [path.relative_to(ROOT).as_posix()]
        for kind, word in found_in(path.read_text(encoding="utf-8"))
        if EXCEPT.get(name) != kind
    }
    assert found == set()


@pytest.mark.parametrize(
    "text",
    [
        'row["gen_gan"]', "y: [disc_real, disc_generated]", "from pix2street.models.unet import build", "build_unet(",
        "trained against a PatchGAN", 'params["train"]["pix2pix"]', "train.pix2pix.l1_weight", "models/pix2pix/",
        "import pix2street.models.pix2pix", "pix2pix.TERMS", "settings.pix2pix",
    ],
)  # fmt: skip
def test_a_name_in_code_is_found(text):
    assert found_in(text)


@pytest.mark.parametrize(
    "text",
    [
        "the noise z of pix2pix (Isola et al. 2017)", "The sets that the authors of pix2pix publish", "pix2pix_sets",
        "pix2street.datasets.pix2pix_sets", "a U-Net (Ronneberger et al. 2015)", "the usual state of pix2pix.\n",
    ],
)  # fmt: skip
def test_a_word_of_prose_is_not(text):
    assert not found_in(text)


def test_it_looks_at_every_kind_of_source():
    assert {path.suffix for path in sources()} == {*SUFFIXES}
