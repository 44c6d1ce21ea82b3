import pytest

from pix2street.files import fresh_folder, write_json, write_text


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
