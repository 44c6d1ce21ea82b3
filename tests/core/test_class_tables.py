import codecs
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pix2street.core.class_tables import NAMED_TABLES, read_class_table, with_void
from pix2street.core.classes import VOID, ClassEntry, ClassTable, cityscapes_classes
from pix2street.core.errors import UserError
from pix2street.settings.download import TABLE_NAMES

HEADER = "id,name,red,green,blue,evaluated"
ROWS = ("0,void,0,0,0,0", "7,road,128,64,128,1", "26,car,0,0,142,1")
PLAIN = ClassTable(
    (
        ClassEntry(0, "void", (0, 0, 0), False),
        ClassEntry(7, "road", (128, 64, 128), True),
        ClassEntry(26, "car", (0, 0, 142), True),
    )
)


def table_of(*rows: str, header: str = HEADER) -> bytes:
    return "\n".join([header, *rows, ""]).encode()


def read(content: bytes, label_pixels: str = "colors") -> ClassTable:
    return read_class_table(content, "classes.csv", label_pixels)


def message(content: bytes, label_pixels: str = "colors") -> str:
    with pytest.raises(UserError) as refused:
        read(content, label_pixels)
    return str(refused.value)


@pytest.mark.parametrize(
    "content",
    [
        table_of(*ROWS),
        codecs.BOM_UTF8 + table_of(*ROWS),
        table_of(*ROWS).replace(b"\n", b"\r\n"),
        table_of(*ROWS).replace(b"\n", b"\r"),
        table_of(*ROWS).replace(b"\n", b"\n\n"),
        table_of(*ROWS).replace(b",", b" , "),
        table_of(*ROWS).rstrip(b"\n"),
        table_of(*ROWS, ",,,,,", " , ,"),
        table_of(*(f"{row},,," for row in ROWS), header=f"{HEADER},,,"),
        table_of('"0","void","0","0","0","0"', '7, "road", 128, 64, 128, 1', *ROWS[2:]),
        table_of("0.0,void,0,0,0,0.0", "7.0,road,128.0,64,128,1.0", "+26,car,0,0,142.,1"),
        table_of("0,void,0,0,0,FALSE", "7,road,128,64,128,True", "26,car,0,0,142,yes"),
        table_of(*ROWS, header="ID,Name,Red,Green,Blue,Evaluated"),
        table_of("0,0,0,0,0,void,x", "1,128,64,128,7,road,y", "1,0,0,142,26,car,z",
                 header="evaluated,red,green,blue,id,name,note"),
    ],
)  # fmt: skip
def test_a_table_is_read_as_it_is_meant(content):
    assert read(content) == PLAIN


def test_names_stay_names_whatever_a_spreadsheet_would_take_them_for():
    names = [
        "None",
        "null",
        "NA",
        "nan",
        "NaN (sic)",
        "",
        "TRUE",
        "7",
        "1e5",
        "Straße",
        "door, double",
        'the "old" one',
    ]
    rows = [f'{place},"{name.replace(chr(34), 2 * chr(34))}",{place},0,0,1' for place, name in enumerate(names) if name]
    assert [entry.name for entry in read(table_of(*rows)).entries] == [name for name in names if name]


def test_a_category_may_be_left_out_of_a_row():
    categories = [e.category for e in read(table_of(ROWS[0], f"{ROWS[1]},flat", header=f"{HEADER},category")).entries]
    assert categories == ["", "flat"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "classes.csv: is empty"),
        (b"\n\n,,\n", "classes.csv: is empty"),
        (table_of(), f"classes.csv: holds no class; write a row for each below the header {HEADER}"),
        (table_of(*ROWS).replace(b",", b";"), "line 1: the columns are separated by semicolons"),
        (table_of(*ROWS).replace(b",", b"\t"), "line 1: the columns are separated by tabs"),
        (b"sep=;\n" + table_of(*ROWS).replace(b",", b";"), "line 1: the columns are separated by semicolons"),
        (table_of(*ROWS[1:], header=ROWS[0]), "line 1: a class table begins with the names of its columns"),
        (b"id,name\n1,a\n", "line 1: a class table has the columns id, name, red, green, blue, evaluated; red, green"),
        (table_of(*ROWS, header=f"{HEADER},id"), "line 1: the column id stands twice"),
        (table_of(*ROWS, "8,Straße,1,2,3,1").decode().encode("latin-1"), "line 5: a class table is UTF-8 text"),
        (table_of(*ROWS).decode().encode("utf-16"), "this is UTF-16 or no text"),
        (b"PK\3\4\0\0", "this is UTF-16 or no text"),
        (table_of(*ROWS, "7,truck,0,0,70,1"), "line 5: the id 7 stands in line 3 already; every class needs an id"),
        (table_of(*ROWS, "8,Car,0,0,70,1"), "line 5: the name Car stands in line 4 already"),
        (table_of(*ROWS, "8,truck,0,0,142,0"), "line 5: the colour 0, 0, 142 stands in line 4 already"),
        (table_of(ROWS[0], "7,road,128,64,128,0"), "no class is evaluated, so that nothing could be scored"),
        (table_of(*ROWS, "300,bus,0,60,100,1"), "line 5: id is 0 to 255, not 300"),
        (table_of(*ROWS, "-1,license plate,0,0,143,0"), "line 5: id is 0 to 255, -1 cannot stand in an image; remove"),
        (table_of(*ROWS, "8,bus,0,60,-1,1"), "line 5: blue is 0 to 255, not -1"),
        (table_of(*ROWS, "8,bus,0,0.5,1,1"), "line 5: green is a whole number of 0 to 255, not '0.5'"),
        (table_of(*ROWS, "8,bus,#003C64,60,100,1"), "not '#003C64'; write a hex colour as its three numbers"),
        (table_of(*ROWS, "eight,bus,0,60,100,1"), "line 5: id is a whole number of 0 to 255, not 'eight'"),
        (table_of(*ROWS, "8,bus,0,60,100,maybe"), "line 5: evaluated is 0 or 1, not 'maybe'"),
        (table_of(*ROWS, "8,bus,0,60,100,2"), "line 5: evaluated is 0 or 1, not '2'"),
        (table_of(*ROWS, "8,,0,60,100,1"), "line 5: has no name"),
        (table_of(*ROWS, "8,bus,0,60"), "line 5: has no blue, evaluated"),
        (table_of(*ROWS, "8,bus, big,0,60,100,1"), "line 5: has 7 values for 6 columns; a name with a comma"),
        (table_of(*ROWS, "8,Void,0,60,100,1"), "line 5: void is the name of what is not evaluated"),
        (table_of(*ROWS, '8,"bus,0,60,100,1', "9,van,1,2,3,1"), "line 5: a value holds a line break; look for a quote"),
        (table_of(*ROWS, '8,"b\nus",0,60,100,1'), "line 5: a value holds a line break"),
        (table_of(*ROWS, "8,b\x07us,0,60,100,1"), "line 5: the name holds a control character"),
        (table_of(*ROWS, f"8,{'x' * 101},0,60,100,1"), "line 5: the name has 101 characters, at most 100"),
        (table_of(*ROWS, f"8,{'x' * 200_000},0,60,100,1"), "line 5: is no row of a CSV file"),
    ],
)  # fmt: skip
def test_each_mistake_is_named_with_its_line(content, said):
    assert said in message(content)


def test_all_mistakes_stand_in_one_message():
    said = message(table_of("x,a,0,0,0,1", "1,b,0,0,999,1", "2,c,1,1,1,1", "2,c,1,1,1,1"))
    assert said.startswith("classes.csv: 5 mistakes; correct them in the file:\n  line 2: id is")
    assert "\n  line 3: blue is 0 to 255, not 999" in said
    assert said.count("\n  line 5: ") == 3
    many = message(table_of(*(f"{place},n{place},0,0,x,1" for place in range(40))))
    assert many.endswith("... and 30 more")


def test_ids_may_share_a_colour_and_what_no_score_counts_may_too():
    shared = table_of(*ROWS, "27,truck,0,0,142,1")
    assert len(read(shared, "ids").entries) == 4
    assert len(read(table_of(*ROWS, "1,ego,0,0,0,0")).entries) == 4


def test_255_is_an_id_like_any_other_and_the_marker_of_what_is_not_scored_stays_apart():
    table = read(table_of("0,background,0,0,0,1", "255,object,255,255,255,1"))
    assert table.to_evaluated(np.array([0, 255], np.uint8)).tolist() == [0, 1]
    rows = [f"{place},c{place},{place},0,0,{int(place < 255)}" for place in range(256)]
    full = read(table_of(*rows))
    assert full.to_evaluated(np.array([0, 254, 255], np.uint8)).tolist() == [0, 254, VOID]
    assert "256 classes are evaluated, at most 255 may be" in message(table_of(*rows).replace(b",0\n", b",1\n"))


def test_void_is_what_255_or_void_names_and_no_score_counts():
    table = read(
        table_of(*ROWS, "200,rest,9,9,9,0", "201,edge,8,8,8,0,VOID", "255,ignore,0,0,0,0", header=f"{HEADER},category")
    )
    assert np.flatnonzero(table.void).tolist() == [0, 201, 255]
    assert not read(table_of("255,object,255,255,255,1")).void.any()


def test_a_void_id_is_added_to_a_table_that_has_none():
    added = with_void(cityscapes_classes(), 255)
    assert added.entries[:-1] == cityscapes_classes().entries
    assert (added.entries[-1].id, added.entries[-1].is_void) == (255, True)
    assert [entry.name for entry in with_void(PLAIN, 255).entries] == ["void", "road", "car", "void 255"]
    assert with_void(read(table_of(*ROWS, "9,rest,1,1,1,0")), 9).void[9]
    with pytest.raises(UserError, match="void_id: 7 is the id of road, which scores count"):
        with_void(PLAIN, 7)


def test_named_tables_are_what_their_makers_say():
    tables = {name: table() for name, table in NAMED_TABLES.items()}
    train = tables["cityscapes_train_ids"]
    assert [entry.id for entry in train.entries] == [*range(19), 255]
    assert train.evaluated_names == cityscapes_classes().evaluated_names
    assert (train.entries[13].name, train.entries[13].color) == ("car", (0, 0, 142))
    voc = tables["pascal_voc"]
    assert [entry.id for entry in voc.entries] == [*range(21), 255]
    # The development kit's own colours.
    colors = {entry.name: entry.color for entry in voc.entries}
    assert colors["aeroplane"] == (128, 0, 0)
    assert colors["cow"] == (64, 128, 0)
    assert colors["tvmonitor"] == (0, 64, 128)
    assert colors["void"] == (224, 224, 192)
    first, zero = tables["ade20k"], tables["ade20k_from_zero"]
    assert [entry.id for entry in first.entries] == list(range(151))
    assert [entry.id for entry in zero.entries] == [*range(150), 255]
    assert first.evaluated_names == zero.evaluated_names
    names = {entry.id: (entry.name, entry.color) for entry in first.entries}
    assert names[1] == ("wall", (120, 120, 120))
    assert names[21] == ("car", (0, 102, 200))
    assert names[150] == ("flag", (92, 0, 255))
    for table in tables.values():
        assert len({entry.name for entry in table.entries}) == len(table.entries)
        assert ClassTable.from_json(table.to_json()) == table


VALUES = [
    "0", "1", "7", "255", "256", "-1", "1.0", "1.5", "true", "", " ", "#804080", "road", "Road", "NA", '"', '"a',
    "a\nb", "\t", ";", "\ufeff", "\u2028", "é",
]  # fmt: skip


def spoilt(dice: random.Random) -> bytes:
    """A table with up to three values changed, added or removed, and sometimes a byte."""
    rows = [[str(place), f"class {place}", "1", "2", "3", "1"] for place in range(dice.randrange(4))]
    for row in dice.choices(rows, k=dice.randrange(4)) if rows else []:
        place = dice.randrange(len(row) + 1)
        row[place : place + dice.randrange(2)] = dice.choices(VALUES, k=dice.randrange(2))
    header = dice.choice([HEADER, HEADER, f"{HEADER},category", HEADER.upper(), "", "id,name"])
    content = bytearray(table_of(*(",".join(row) for row in rows), header=header))
    if dice.random() < 0.2:
        content[dice.randrange(len(content))] = dice.randrange(256)
    return bytes(content)


def test_whatever_a_file_holds_it_is_a_table_or_one_message():
    dice, tables, refusals = random.Random(0), [], []
    for _ in range(5000):
        try:
            tables.append(read(spoilt(dice), "ids"))
        except UserError as error:
            refusals.append(str(error))
    assert all(said.startswith("classes.csv") for said in refusals)
    assert all(table.evaluated_names for table in tables)
    assert all(len({entry.id for entry in table.entries}) == len(table.entries) for table in tables)
    assert min(len(tables), len(refusals)) > 500


def test_the_parameters_know_every_table_by_name():
    assert ("none", *NAMED_TABLES) == TABLE_NAMES


CELLS = st.sampled_from(
    [
        "0",
        "7",
        "255",
        "256",
        "-1",
        "1.0",
        "road",
        "NA",
        "null",
        "",
        " ",
        "#804080",
        "TRUE",
        "false",
        '"a,b"',
        '"',
        "Stra\xdfe",
    ]
) | st.text(max_size=4)


@settings(derandomize=True, deadline=None, max_examples=300, database=None)
@given(
    header=st.sampled_from([HEADER, HEADER + ",category", HEADER.upper(), "", HEADER.replace(",", ";"), "a,b"]),
    rows=st.lists(st.lists(CELLS, min_size=1, max_size=8), max_size=6),
    sound=st.sets(st.integers(0, 255), max_size=4),
    separator=st.sampled_from([",", ", ", ";", "\t"]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "latin-1"]),
    pixels=st.sampled_from(["ids", "colors"]),
)
def test_any_table_is_read_as_written_or_refused_by_its_name(header, rows, sound, separator, encoding, pixels):
    lines = [separator.join(row) for row in rows]
    lines += [separator.join([str(i), f"class {i}", str(i), "9", "9", "1"]) for i in sorted(sound)]
    content = "\n".join([header, *lines]).encode(encoding, errors="replace")
    try:
        table = read(content, pixels)
    except UserError as error:
        refusal = str(error)
    else:
        refusal = ""
    if refusal:
        assert refusal.startswith("classes.csv")
        return
    assert table.evaluated_names
    assert len({entry.id for entry in table.entries}) == len(table.entries) <= 256
    assert {entry.id for entry in table.entries} >= sound
