"""Tables come back as they were written, for every content of their texts."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pix2street.core import tables
from pix2street.core.errors import UserError
from pix2street.core.tables import TEXT_COLUMNS, as_csv, parse_table, read_table, write_rows, write_table

SPECIAL = [
    "", "NA", "N/A", "null", "nan", "NaN", "None", "<NA>", "007", "1e5", "-0", "inf", "True", " x ", "a,b", '"', '""',
    "a\nb", "a\rb", "a\r\nb", "\n", ",", "=1+1", "Straße", "e\u0301", "\u2028", "\x00", "\ufeff", "🚗",
]  # fmt: skip
BOUNDED = settings(max_examples=300, derandomize=True, deadline=None)
# The texts hold every character of Unicode except surrogates, which UTF-8 does not have.
TEXT = st.sampled_from(SPECIAL) | st.text(st.characters(exclude_categories=["Cs"])) | st.text('",\r\n a')


def same(a, b) -> bool:
    """Return whether two cells are the same, down to the sign of zero; a missing cell equals only another."""
    if pd.isna(a) or pd.isna(b):
        return pd.isna(a) and pd.isna(b)
    return type(a) is type(b) and a == b and (isinstance(a, str) or math.copysign(1, a) == math.copysign(1, b))


def round_trip(table: pd.DataFrame, text_columns) -> pd.DataFrame:
    return parse_table(as_csv(table), text_columns, "t.csv")


@BOUNDED
@given(st.lists(st.tuples(st.none() | TEXT, st.none() | TEXT), max_size=8), TEXT)
def test_any_text_comes_back_and_is_told_from_a_missing_one(rows, name):
    table = pd.DataFrame(rows, columns=["a" + name, "b"], dtype=object)
    back = round_trip(table, [*table.columns])
    assert [*back.columns] == [*table.columns]
    assert len(back) == len(rows)
    for place in (0, 1):
        assert all(map(same, back.iloc[:, place].tolist(), (row[place] for row in rows)))


@BOUNDED
@given(st.lists(st.none() | TEXT, max_size=5))
def test_a_table_of_one_column_keeps_its_rows(cells):
    back = round_trip(pd.DataFrame({"a": pd.Series(cells, dtype=object)}), ["a"])
    assert len(back) == len(cells)
    assert all(map(same, back["a"].tolist(), cells))


@BOUNDED
@given(st.lists(st.floats(allow_nan=True, allow_infinity=True), min_size=1), st.data())
def test_numbers_come_back_to_the_last_bit(floats, data):
    ints = data.draw(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=len(floats), max_size=len(floats)))
    table = pd.DataFrame({"x": np.array(floats), "n": np.array(ints, np.int64)})
    back = round_trip(table, [])
    assert (back["x"].dtype, back["n"].dtype) == (np.float64, np.int64)
    assert all(map(same, back["x"].tolist(), floats))
    assert back["n"].tolist() == ints


@BOUNDED
@given(
    st.lists(st.tuples(st.text("ab_ 0", min_size=1), st.floats(width=32), st.integers(-9, 9)), min_size=1),
    st.booleans(),
)
def test_the_bytes_are_those_of_pandas_where_its_reader_would_not_stumble(rows, with_missing):
    table = pd.DataFrame(rows, columns=["a", "x", "n"])
    if with_missing:
        table.loc[0, ["a", "n"]] = None
    assert as_csv(table) == table.to_csv(index=False, lineterminator="\n")


def test_equal_tables_are_equal_bytes_and_are_read_by_their_names(tmp_path):
    table = pd.DataFrame({"pair_id": SPECIAL, "class": SPECIAL[::-1], "right": range(len(SPECIAL))})
    write_table(tmp_path / "class_pixels.csv", table)
    back = read_table(tmp_path / "class_pixels.csv")
    assert back["pair_id"].tolist() == SPECIAL
    assert back["class"].tolist() == SPECIAL[::-1]
    write_table(tmp_path / "again.csv", back)
    assert (tmp_path / "again.csv").read_bytes() == (tmp_path / "class_pixels.csv").read_bytes()
    assert TEXT_COLUMNS["confusion"] == ("truth", "judged")


def test_a_missing_text_an_empty_one_and_a_number_are_written_each_in_its_way():
    table = pd.DataFrame({"a": ["", None, "NA"], "x": [1.0, math.nan, 0.1]})
    assert as_csv(table) == 'a,x\n"",1.0\n,\nNA,0.1\n'


def test_a_table_without_rows_keeps_its_columns():
    back = round_trip(pd.DataFrame(columns=["pair_id", "right"]), ["pair_id"])
    assert [*back.columns] == ["pair_id", "right"]
    assert back.empty


@pytest.mark.parametrize("cell", [True, b"x", [1], pd.Timestamp(0)])
def test_what_is_neither_text_nor_number_is_not_written(cell):
    with pytest.raises(TypeError, match="texts and numbers"):
        as_csv(pd.DataFrame({"a": pd.Series([cell], dtype=object)}))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "must begin with the names of its columns"),
        (",b\n", "must begin with the names of its columns"),
        ("a,x\n1\n", "row 2 must have 2 cells, as its header has, it has 1"),
        ("a,x\n1,2,3\n", "row 2 must have 2 cells, as its header has, it has 3"),
        ('a,x\n"b,1\n', "line 2 is damaged"),
        ('a,x\nb"c,1\n', "line 2 is damaged"),
        ("a,x\r\nb,1\r\n", "line 1 is damaged"),
        ("a,x\nb,one\n", "a column of numbers holds something else"),
        ("a,x\nb,1\nc", "row 3 must have 2 cells"),
    ],
)
def test_a_damaged_table_is_one_message(text, message):
    with pytest.raises(UserError) as error:
        parse_table(text, ["a"], "images.csv")
    assert message in str(error.value)
    assert str(error.value).startswith("images.csv: ")
    assert "run `dvc repro`" in str(error.value)


def test_a_missing_table_is_one_message(tmp_path):
    with pytest.raises(UserError, match=r"history\.csv: no such file; run `dvc repro`"):
        read_table(tmp_path / "history.csv")


def test_a_text_that_utf_8_does_not_have_is_never_half_written(tmp_path):
    with pytest.raises(UnicodeEncodeError):
        write_table(tmp_path / "t.csv", pd.DataFrame({"a": pd.Series(["\udcdf"], dtype=object)}))
    assert list(tmp_path.iterdir()) == []


def test_a_table_in_several_parts_is_that_in_one(tmp_path, monkeypatch):
    texts = ["a", "b\nc,", '"', None, "", "d", "e"]
    table = pd.DataFrame({"a": pd.Series(texts, dtype="str"), "n": range(7), "x": [1, 2, 3, 4, 5, 6.5, None]})
    whole = as_csv(table)
    monkeypatch.setattr(tables, "CHUNK_ROWS", 2)
    assert as_csv(table) == whole
    write_table(tmp_path / "t.csv", table)
    back = read_table(tmp_path / "t.csv", ["a"])
    pd.testing.assert_frame_equal(back, table)
    pd.testing.assert_frame_equal(read_table(tmp_path / "t.csv", ["a"], columns=["x", "y"]), table[["x"]])
    with pytest.raises(UserError, match="row 6 must have 1 cells"):
        parse_table("n\n1\n2\n3\n4\n5,5\n", [], "t.csv")


def test_rows_are_written_as_they_come_and_what_one_lacks_is_missing(tmp_path):
    write_rows(tmp_path / "t.csv", ["a", "x"], iter([{"x": np.float32(0.5), "a": "p,q"}, {"a": "", "more": 1}, {}]))
    assert (tmp_path / "t.csv").read_text() == 'a,x\n"p,q",0.5\n"",\n,\n'
    with pytest.raises(ZeroDivisionError):
        write_rows(tmp_path / "t.csv", ["a"], ({"a": 1 / number} for number in (1, 0)))
    assert [path.name for path in tmp_path.iterdir()] == ["t.csv"]
    assert (tmp_path / "t.csv").read_text().startswith("a,x")
