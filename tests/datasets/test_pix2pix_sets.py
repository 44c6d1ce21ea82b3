import pytest
from sources import LIMITS, PIX2PIX_SETS, pix2pix_archive, tarred
from web import serving

from pix2street.core.errors import UserError
from pix2street.datasets.pix2pix_sets import fetch
from pix2street.settings.download import Pix2pixSets


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path):
    monkeypatch.setenv("PIX2STREET_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def run(tmp_path, name: str, archive: bytes, direction: str = "forth", asked: list | None = None):
    def answer(request):
        (asked if asked is not None else []).append(request.path)
        request.send_file(archive)

    out = tmp_path / direction
    out.mkdir()
    with serving(answer) as url:
        return fetch(out, name, LIMITS, Pix2pixSets(base_url=f"{url}/sets/", direction=direction))


@pytest.mark.parametrize(
    ("name", "forth", "back"),
    [
        ("facades", ("labels to facade", "right"), ("facade to labels", "left")),
        ("maps", ("aerial to map", "left"), ("map to aerial", "right")),
        ("night2day", ("day to night", "right"), ("night to day", "left")),
        ("edges2shoes", ("sketch to photo", "left"), ("photo to sketch", "right")),
        ("edges2handbags", ("sketch to photo", "left"), ("photo to sketch", "right")),
    ],
)
def test_each_set_has_its_direction_and_is_fetched_once(tmp_path, cache, name, forth, back):
    assert name in PIX2PIX_SETS
    archive, asked = pix2pix_archive(name), []
    for direction, (words, half) in {"forth": forth, "back": back}.items():
        dataset = run(tmp_path, name, archive, direction, asked)
        assert (dataset.direction, dataset.input_from) == (words, half)
        assert list(dataset.archives) == [f"{name}.tar.gz"]
    assert asked == [f"/sets/{name}.tar.gz"]
    assert (cache / f"pix2pix/{name}.tar.gz").read_bytes() == archive


def test_the_authors_numbers_become_unique(tmp_path):
    run(tmp_path, "maps", pix2pix_archive("maps", 2, 1))
    assert sorted(path.stem for path in tmp_path.glob("forth/*/*")) == ["train_1", "train_2", "val_1"]


def test_a_missing_archive_is_one_message_with_every_way_out(tmp_path, cache):
    with serving(lambda request: request.send(404)) as url, pytest.raises(UserError) as refused:
        fetch(tmp_path, "maps", LIMITS, Pix2pixSets(base_url=url, direction="forth"))
    for expected in (
        f"{url}/maps.tar.gz: the server answers 404",
        f"maps.tar.gz (239 MB) is not there. Put it into {cache}/pix2pix",
        "download.pix2pix_sets.base_url",
        "dvc exp run -S download.dataset=synthetic_streets",
    ):
        assert expected in str(refused.value)


def test_an_image_outside_the_splits_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"1 image is in no train/, val/ or test/:\n  'maps/odd\.jpg'"):
        run(tmp_path, "maps", tarred({"maps/odd.jpg": b"x", "maps/train/1.jpg": b"x"}))


def test_a_dangerous_archive_is_refused(tmp_path):
    with pytest.raises(UserError, match="leads out of its folder"):
        run(tmp_path, "maps", tarred({"maps/train/1.jpg": b"x", "../evil.jpg": b"x"}))
    assert list((tmp_path / "forth").iterdir()) == []
