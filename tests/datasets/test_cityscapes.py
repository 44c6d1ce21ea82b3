import json
import re

import numpy as np
import pytest
from sources import LIMITS, PASSWORD, SHIPPED, USERNAME, cityscapes_files, cityscapes_site, frames, zipped

from pix2street.core.classes import cityscapes_classes
from pix2street.core.errors import UserError
from pix2street.core.images import png_bytes, read_ids, read_rgb, resize_labels, resize_photo
from pix2street.datasets.cityscapes import fetch as fetch_cityscapes

SETTINGS = SHIPPED.cityscapes.model_copy(
    update={"height_px": 32, "width_px": 32, "train_pairs": 12, "val_pairs": 4, "site": "http://127.0.0.1:9"}
)


@pytest.fixture(autouse=True)
def nobody(monkeypatch, tmp_path):
    """Hide the credentials and the cache of this machine's user."""
    for name in ("CITYSCAPES_USERNAME", "CITYSCAPES_PASSWORD"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "share"))
    monkeypatch.setenv("PIX2STREET_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def source(tmp_path):
    folder = tmp_path / "source"
    folder.mkdir()
    return folder


@pytest.fixture
def out(tmp_path):
    folder = tmp_path / "out"
    folder.mkdir()
    return folder


def store(source, form: str, changes: dict[str, bytes | None] | None = None) -> None:
    """Write the archives or the extracted tree; `changes` replaces files by name, None removes one."""
    for part, files in cityscapes_files().items():
        files = {**files, **{name: content for name, content in (changes or {}).items() if name.startswith(part)}}
        files = {name: content for name, content in files.items() if content is not None}
        if form == "archives":
            (source / f"{part}_trainvaltest.zip").write_bytes(zipped(files))
        else:
            for name, content in files.items():
                (source / name).parent.mkdir(parents=True, exist_ok=True)
                (source / name).write_bytes(content)


def fetch(out, source, **changes):
    return fetch_cityscapes(out, source, LIMITS, SETTINGS.model_copy(update=changes))


def refusal(source, out, **changes) -> str:
    with pytest.raises(UserError) as refused:
        fetch(out, source, **changes)
    return str(refused.value)


@pytest.mark.parametrize("form", ["archives", "tree"])
def test_frames_are_exact(source, out, form):
    store(source, form)
    dataset = fetch(out, source)
    assert dataset.classes == cityscapes_classes()
    assert (dataset.input_from, dataset.label_pixels) == ("file", "ids")
    for split, pair_id, photo, ids in frames(12, 4):
        subset = out / split
        assert (read_ids(subset / "inputs" / f"{pair_id}.png") == resize_labels(ids, 32, 32)).all()
        assert (read_rgb(subset / "targets" / f"{pair_id}.png") == resize_photo(photo, 32, 32)).all()
    assert sum(path.suffix == ".png" for path in out.rglob("*")) == 2 * 16


def test_every_file_of_the_archives_is_accounted_for(source, out, capsys):
    store(source, "archives")
    fetch(out, source)
    labels, photos = "gtFine_trainvaltest.zip", "leftImg8bit_trainvaltest.zip"
    assert (out / "left_out.csv").read_text().splitlines() == [
        "source,reason,files",
        f"{labels}/README,no labelIds and no photo of a frame,1",
        f"{labels}/gtFine/test/*/*_gtFine_labelIds.png,the labels of test are withheld,1",
        f"{labels}/gtFine/train/*/*_gtFine_color.png,no labelIds and no photo of a frame,12",
        f"{labels}/gtFine/train/*/*_gtFine_polygons.json,no labelIds and no photo of a frame,12",
        f"{labels}/gtFine/val/*/*_gtFine_color.png,no labelIds and no photo of a frame,4",
        f"{labels}/gtFine/val/*/*_gtFine_polygons.json,no labelIds and no photo of a frame,4",
        f"{photos}/leftImg8bit/test/*/*_leftImg8bit.png,the labels of test are withheld,1",
        f"{photos}/license.txt,no labelIds and no photo of a frame,1",
    ]
    assert "68 files found: 32 in 16 pairs, 36 left out (34 x" in capsys.readouterr().out


def test_archive_and_tree_give_equal_bytes_in_any_order_of_names(source, out, tmp_path):
    store(source, "tree")
    (tmp_path / "zips").mkdir()
    for part, files in cityscapes_files().items():
        (tmp_path / "zips" / f"{part}_trainvaltest.zip").write_bytes(zipped(dict(reversed(files.items()))))
    fetch(out, source)
    (tmp_path / "other").mkdir()
    fetch(tmp_path / "other", tmp_path / "zips")
    files = [path.relative_to(out) for path in out.rglob("*.png")]
    assert len(files) == 2 * 16
    assert all((out / file).read_bytes() == (tmp_path / "other" / file).read_bytes() for file in files)


def test_a_part_of_the_set_is_refused_until_it_is_asked_for(source, out):
    gone = "train/aachen/aachen_000003_000019"
    store(
        source,
        "archives",
        {f"gtFine/{gone}_gtFine_labelIds.png": None, f"leftImg8bit/{gone}_leftImg8bit.png": None},
    )
    message = refusal(source, out)
    assert "11 frames in train, expected 12" in message
    assert "download.cityscapes.train_pairs: 11" in message
    fetch(out, source, train_pairs=11)


def test_a_frame_without_its_other_half_is_named(source, out):
    store(source, "archives", {"gtFine/val/lindau/lindau_000013_000019_gtFine_labelIds.png": None})
    assert "1 frames lack one half" in refusal(source, out)
    assert "val/lindau_000013_000019: no labels" in refusal(source, out)
    assert list(out.iterdir()) == []


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"\x89PNG\r\n", "not a readable image"),
        (png_bytes(np.zeros((64, 128, 3), np.uint8)), "labels are (64, 128, 3)"),
        (png_bytes(np.zeros((32, 128), np.uint8)), "labels are (32, 128), photo is (64, 128, 3)"),
    ],
)
def test_a_broken_frame_is_named(source, out, content, why):
    store(source, "archives", {"gtFine/train/aachen/aachen_000002_000019_gtFine_labelIds.png": content})
    message = refusal(source, out)
    assert "1 frames cannot be used" in message
    assert re.search(rf"\n  aachen_000002_000019: .*{re.escape(why)}", message)


def test_a_damaged_archive_is_named_by_its_frame(source, out):
    store(source, "archives")
    path = source / "leftImg8bit_trainvaltest.zip"
    data = bytearray(path.read_bytes())
    offset = data.index(b"aachen_000005_000019_leftImg8bit.png") + 500
    data[offset] ^= 255
    path.write_bytes(data)
    message = refusal(source, out)
    frame = "aachen_000005_000019"
    assert message == (
        f"1 frames cannot be used; get the archives again:\n  {frame}: BadZipFile: Bad CRC-32 for file "
        f"'leftImg8bit/train/aachen/{frame}_leftImg8bit.png'"
    )


def test_missing_data_is_one_message_with_every_way_out(source, out, tmp_path):
    message = refusal(source, out)
    for expected in (
        "gtFine_trainvaltest.zip (241 MB)",
        "leftImg8bit_trainvaltest.zip (11 GB)",
        str(source),
        str(tmp_path / "cache"),
        "https://www.cityscapes-dataset.com/register/",
        "CITYSCAPES_USERNAME and CITYSCAPES_PASSWORD",
        "dvc exp run -S download.dataset=synthetic_streets",
    ):
        assert expected in message


@pytest.mark.parametrize("break_after", [None, 5000])
def test_an_official_login_fetches_into_the_cache_once(source, out, tmp_path, monkeypatch, break_after):
    monkeypatch.setenv("CITYSCAPES_USERNAME", USERNAME)
    monkeypatch.setenv("CITYSCAPES_PASSWORD", PASSWORD)
    with cityscapes_site(break_after=break_after) as (url, site):
        fetch(out, source, site=url)
    assert site.asked[:4] == ["GET /login", "POST /login", "GET /downloads/", "GET /md5-sum/"]
    assert (site.asked.count("GET /file-handling/") == 2) == (break_after is None)
    cached = {path.name: path.read_bytes() for path in (tmp_path / "cache/cityscapes").glob("*.zip")}
    assert cached == site.archives
    (tmp_path / "again").mkdir()
    fetch(tmp_path / "again", source)


def test_credentials_stored_by_csdownload_are_used_if_nobody_else_may_read_them(source, out, tmp_path):
    stored = tmp_path / "share/cityscapesscripts/credentials.json"
    stored.parent.mkdir(parents=True)
    stored.write_text(json.dumps({"username": USERNAME, "password": PASSWORD}))
    stored.chmod(0o644)
    with cityscapes_site() as (url, _):
        message = refusal(source, out, site=url)
        assert f"{stored}: others may read this password; run chmod 600 on it" in message
        assert PASSWORD not in message
        stored.chmod(0o600)
        fetch(out, source, site=f"{url}/")
    (tmp_path / "cache").rename(tmp_path / "gone")
    stored.write_text(f'{{"password": "{PASSWORD}"')
    message = refusal(source, out)
    assert "no username and password in it" in message
    assert PASSWORD not in message


def test_a_refused_login_is_said_without_the_password(source, out, monkeypatch):
    monkeypatch.setenv("CITYSCAPES_USERNAME", USERNAME)
    monkeypatch.setenv("CITYSCAPES_PASSWORD", "wrong-one")
    with cityscapes_site() as (url, _):
        message = refusal(source, out, site=url)
    assert "the login was refused; check CITYSCAPES_USERNAME and CITYSCAPES_PASSWORD" in message
    assert "wrong-one" not in message


def test_a_site_that_is_down_is_said(source, out, monkeypatch):
    monkeypatch.setenv("CITYSCAPES_USERNAME", USERNAME)
    monkeypatch.setenv("CITYSCAPES_PASSWORD", PASSWORD)
    assert "http://127.0.0.1:9: no login possible" in refusal(source, out)


def test_an_account_without_access_is_said(source, out, monkeypatch):
    monkeypatch.setenv("CITYSCAPES_USERNAME", USERNAME)
    monkeypatch.setenv("CITYSCAPES_PASSWORD", PASSWORD)
    with cityscapes_site() as (url, site):
        site._names.remove("leftImg8bit_trainvaltest.zip")
        message = refusal(source, out, site=url)
    assert "this account may not fetch leftImg8bit_trainvaltest.zip" in message
