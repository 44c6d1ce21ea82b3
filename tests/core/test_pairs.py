"""Names of all kinds: they are kept unchanged, or refused with the name."""

import os

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from pix2street.core.classes import cityscapes_classes
from pix2street.core.errors import UserError
from pix2street.core.images import read_ids
from pix2street.core.pairs import Dataset, drawing_of, pair_id_of, plain_name, refuse_unusable

NAMES = [
    "NA", "nan", "null", "None", "1e5", "007", "True", " x ", 'a,b "c"', "=1+1", "=41", "-x", "%41", "a#b", "con",
    "o'b", "a;b", "$HOME", "<b>", "a&b", "Straße 中文 🚗", "e\u0301", "\u00e9", "a.b", "[1]", "x" * 251, "é" * 125,
]  # fmt: skip
BOUNDED = settings(max_examples=300, derandomize=True, deadline=None)


@pytest.mark.parametrize("name", NAMES)
def test_every_name_that_files_and_tables_can_have_is_taken(name):
    refuse_unusable([name, f"train/inputs/{name}"], "here")


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        (os.fsdecode(b"stra\xdfe"), r"the name 'stra\udcdfe' must be UTF-8, but is not; rename the file"),
        ("a\nb", r"the name 'a\nb' must be on one line"),
        ("a\rb", r"the name 'a\rb' must be on one line"),
        ("a\tb", r"the name 'a\tb' must be on one line"),
        ("a\x1b[2Jb", r"the name 'a\x1b[2Jb' must be on one line"),
        ("a\u2028b", r"the name 'a\u2028b' must be on one line"),
        ("x" * 252, "must have at most 255 bytes with .png behind it, it has 256"),
        ("é" * 126, "must have at most 255 bytes with .png behind it, it has 256"),
        ("#" * 100, "must have at most 255 bytes with .png behind it, it has 300"),
        ("train/..", "must name a file, but does not"),
        ("", "must name a file, but does not"),
    ],
)
def test_what_cannot_be_a_name_everywhere_is_refused_by_name(name, rule):
    with pytest.raises(UserError) as error:
        refuse_unusable(["good", name], "here")
    assert str(error.value).startswith("here: the name ")
    assert rule in str(error.value)
    str(error.value).encode()


@BOUNDED
@given(st.text() | st.sampled_from(NAMES))
def test_a_name_that_is_taken_can_be_a_file_and_comes_back_from_its_plain_form(tmp_path_factory, name):
    try:
        refuse_unusable([name], "here")
    except UserError:
        return
    assume("/" not in name)
    plain = plain_name(name)
    assert pair_id_of(plain) == name
    assert not set(plain) & set("%#?:;&\\'\"")
    assert plain.strip(" ") == plain
    folder = tmp_path_factory.getbasetemp() / "names"
    for one in (f"{name}.png", plain):
        (folder / one).mkdir(parents=True, exist_ok=True)
        assert one in os.listdir(folder)


def test_usual_names_are_plain():
    assert plain_name("aachen_000001-000019.v2 (copy)") == "aachen_000001-000019.v2 =28copy=29"
    assert plain_name("town_1") == "town_1"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"name": "x"', "must be complete JSON"),
        ('{"name": "x"}', "is not as this version writes it (KeyError: 'classes')"),
        ('{"classes": null, "edges": null, "colour": 1}', "is not as this version writes it (TypeError: "),
        ('{"classes": [{"id": 1}], "edges": null}', "is not as this version writes it (KeyError: 'color')"),
    ],
)
def test_a_dataset_that_is_damaged_or_older_is_one_message(tmp_path, text, message):
    (tmp_path / "dataset.json").write_text(text)
    with pytest.raises(UserError) as error:
        Dataset.read(tmp_path)
    assert str(error.value).startswith(f"{tmp_path}/dataset.json: {message}")
    assert str(error.value).endswith("; run `dvc repro`, which makes it")


def test_a_drawing_is_shown_in_the_colours_of_its_classes_where_it_has_any(tiny_pairs):
    path = tiny_pairs[0].input_path
    colors = drawing_of(path, cityscapes_classes())
    assert (colors[read_ids(path) == 7] == (128, 64, 128)).all()
    assert (colors[read_ids(path) == 23] == (70, 130, 180)).all()
    assert (drawing_of(path, None) == np.repeat(read_ids(path)[..., None], 3, axis=2)).all()
