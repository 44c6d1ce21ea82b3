from pathlib import Path

import pytest

from pix2street.core.errors import UserError
from pix2street.core.files import fresh_folder, read_json, user_path, with_keys, write_json, write_text


def test_a_folder_is_there_whole_or_not_at_all(tmp_path):
    out = tmp_path / "out"
    with fresh_folder(out) as folder:
        (folder / "a").write_text("1")
        assert not out.exists()
    assert (out / "a").read_text() == "1"

    def fail():
        with fresh_folder(out) as folder:
            (folder / "a").write_text("2")
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        fail()
    assert (out / "a").read_text() == "1"
    assert list(tmp_path.iterdir()) == [out]


def test_what_stood_there_is_replaced(tmp_path):
    for name in ("a", "b"):
        with fresh_folder(tmp_path / "out") as folder:
            (folder / name).write_text("")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["b"]


def test_text_replaces_and_json_refuses_nan(tmp_path):
    path = tmp_path / "deep" / "file.json"
    write_text(path, "old")
    with pytest.raises(ValueError, match="Out of range"):
        write_json(path, {"loss": float("nan")})
    assert path.read_text() == "old"
    write_json(path, {"loss": 1})
    assert path.read_text() == '{\n  "loss": 1\n}\n'
    assert [file.name for file in path.parent.iterdir()] == ["file.json"]


@pytest.mark.parametrize("name", ["x" * 255, "é" * 127 + "x", "x" * 246])
def test_a_name_may_be_as_long_as_a_file_system_takes(tmp_path, name):
    write_text(tmp_path / name, "1")
    assert (tmp_path / name).read_text() == "1"
    with fresh_folder(tmp_path / "folders" / name) as folder:
        (folder / "a").touch()
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == [name]
    assert [path.name for path in (tmp_path / "folders").iterdir()] == [name]


def test_a_tilde_at_the_beginning_is_a_home_folder():
    assert user_path("~/a") == Path.home() / "a"
    assert user_path("a~/b") == Path("a~/b")
    assert user_path("~nobody-of-this-name/b") == Path("~nobody-of-this-name/b")


def test_json_is_read_through_what_makes_something_of_it(tmp_path):
    write_json(tmp_path / "a.json", {"name": "é", "more": 1})
    assert read_json(tmp_path / "a.json", with_keys("name")) == {"name": "é", "more": 1}
    assert read_json(tmp_path / "a.json", lambda value: value["more"] + 1) == 2


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "must be complete JSON"),
        (b'{"name": "x"', "must be complete JSON"),
        (b"[" * 100_000, "must be complete JSON"),
        (b'{"name": "\xdf"}', "must be UTF-8 text, byte 10 is none"),
        (b"\xff\xfe{\x00", "must be UTF-8 text, byte 0 is none"),
        (b'{"title": "x"}', "is not as this version writes it (KeyError: 'name')"),
        (b"[1]", "is not as this version writes it (TypeError: "),
        (b"null", "is not as this version writes it (TypeError: "),
        (b'"name"', "is not as this version writes it (TypeError: "),
    ],
)
def test_damaged_json_is_one_message_with_the_way_out(tmp_path, data, message):
    path = tmp_path / "a.json"
    path.write_bytes(data)
    with pytest.raises(UserError) as error:
        read_json(path, with_keys("name"))
    assert str(error.value).startswith(f"{path}: {message}")
    assert str(error.value).endswith("; run `dvc repro`, which makes it")


def test_missing_json_is_one_message(tmp_path):
    with pytest.raises(UserError, match=r"a\.json: no such file; get it"):
        read_json(tmp_path / "a.json", dict, "get it")
    with pytest.raises(UserError, match="must be a file, but is a folder"):
        read_json(tmp_path, dict)


@pytest.mark.parametrize("target", ["other_disk", "gone"])
def test_a_link_in_place_of_a_folder_is_refused_before_any_work(tmp_path, target):
    (tmp_path / "other_disk").mkdir()
    (tmp_path / "other_disk/kept.txt").write_text("years of work")
    (tmp_path / "split").symlink_to(tmp_path / target)
    refused = pytest.raises(UserError, match=r"split: must be a folder .* is a link to .*; remove the link")
    with refused, fresh_folder(tmp_path / "split"):
        pytest.fail("work was done")
    assert (tmp_path / "split").is_symlink()
    assert (tmp_path / "other_disk/kept.txt").read_text() == "years of work"
    assert {path.name for path in tmp_path.iterdir()} == {"other_disk", "split"}


def test_a_file_in_place_of_a_folder_is_refused_and_stays(tmp_path):
    (tmp_path / "split").write_text("a file")
    refused = pytest.raises(UserError, match=r"split: must be a folder .* but is a file; move it away")
    with refused, fresh_folder(tmp_path / "split"):
        pytest.fail("work was done")
    assert (tmp_path / "split").read_text() == "a file"


def test_a_folder_above_may_be_a_link(tmp_path):
    (tmp_path / "other_disk").mkdir()
    (tmp_path / "data").symlink_to(tmp_path / "other_disk")
    for text in ("first", "second"):
        with fresh_folder(tmp_path / "data/split") as folder:
            (folder / "a.txt").write_text(text)
    assert (tmp_path / "other_disk/split/a.txt").read_text() == "second"
