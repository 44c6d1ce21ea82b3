import hashlib
import io
import socket
import tarfile

import numpy as np
import pytest
import tensorflow as tf
from inception_graph import small_graph, write_graph
from PIL import Image
from web import serving

from pix2street.core.errors import UserError
from pix2street.core.images import write_png
from pix2street.judges.inception import GRAPH, GRAPH_SHA256, Inception, fetch_inception

SHAPE = (48, 64, 3)


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Return seven photos of smooth noise."""
    folder = tmp_path_factory.mktemp("photos")
    rng = np.random.default_rng(0)
    for index in range(7):
        small = Image.fromarray(rng.integers(0, 256, (12, 16, 3)).astype(np.uint8))
        write_png(folder / f"{index}.png", np.asarray(small.resize((64, 48), Image.Resampling.BICUBIC)))
    return sorted(folder.iterdir())


@pytest.fixture(scope="module")
def inception(tmp_path_factory):
    return Inception(write_graph(tmp_path_factory.mktemp("network") / GRAPH))


@pytest.fixture
def cache(tmp_path, monkeypatch):
    folder = tmp_path / "cache"
    monkeypatch.setenv("PIX2STREET_CACHE", str(folder))
    return folder


def pixels_of(paths) -> np.ndarray:
    return np.stack([np.asarray(Image.open(path)) for path in paths]).astype(np.float32)


def features_of(network: Inception, photos, *how, **settings) -> np.ndarray:
    return np.concatenate(list(network.features(photos, *how, **settings)))


def bilinear_of_tf1(pixels: np.ndarray, side: int) -> np.ndarray:
    """Resize as `align_corners=False` before TensorFlow 2: output pixel i is read at input position i * in / out."""
    for axis in (1, 2):
        length = pixels.shape[axis]
        places = np.arange(side) * (length / side)
        low = places.astype(int)
        share = (places - low).reshape([side if at == axis else 1 for at in range(4)])
        above = np.take(pixels, np.minimum(low + 1, length - 1), axis)
        pixels = np.take(pixels, low, axis) * (1 - share) + above * share
    return pixels


def test_tf_feeds_the_graphs_own_bilinear_resize(inception, photos):
    fed = inception.fed(photos, "tf", SHAPE)
    assert fed.dtype == np.float32
    assert np.abs(fed - bilinear_of_tf1(pixels_of(photos), 299)).max() < 1e-2


def test_clean_feeds_pillows_antialiased_bicubic(inception, photos):
    fed = inception.fed(photos, "clean", SHAPE)
    assert fed.dtype == np.float32
    for found, path in zip(fed, photos, strict=True):
        for channel, part in enumerate(Image.open(path).split()):
            resized = part.convert("F").resize((299, 299), Image.Resampling.BICUBIC)
            assert (found[..., channel] == np.asarray(resized).clip(0, 255)).all()
    close = tf.image.resize(pixels_of(photos), [299, 299], "bicubic", antialias=True).numpy().clip(0, 255)
    assert np.abs(fed - close).max() < 0.05


@pytest.mark.parametrize("resize", ["tf", "clean"])
def test_features_are_those_of_the_old_operations(inception, photos, resize):
    graph = small_graph(0, 2048)
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        begin, given = ("ExpandDims", pixels_of(photos)) if resize == "tf" else ("ResizeBilinear", None)
        image = tf.compat.v1.placeholder(tf.float32, [None, None, None, 3])
        pool = tf.import_graph_def(graph, {f"{begin}:0": image}, ["pool_3:0"])[0]
        given = inception.fed(photos, resize, SHAPE) if given is None else given
        expected = session.run(pool, {image: given}).reshape(-1, 2048)
    assert expected.std(axis=0).max() > 1e-2
    np.testing.assert_allclose(features_of(inception, photos, resize), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("resize", ["tf", "clean"])
def test_features_come_in_order_for_every_batch_size(inception, photos, resize):
    whole = features_of(inception, photos, resize)
    assert whole.shape == (7, 2048)
    assert whole.dtype == np.float32
    assert [len(part) for part in inception.features(photos, resize, batch=3)] == [3, 3, 1]
    for batch in (1, 3, 7):
        found = features_of(inception, photos, resize, batch=batch)
        np.testing.assert_allclose(found, whole, rtol=1e-5, atol=1e-6)
    turned = features_of(inception, photos[::-1], resize)
    np.testing.assert_allclose(turned[::-1], whole, rtol=1e-5, atol=1e-6)


def test_equal_photos_give_equal_bits(inception, photos, tmp_path):
    again = Inception(write_graph(tmp_path / GRAPH))
    assert (features_of(inception, photos, "tf", batch=2) == features_of(again, photos, "tf", batch=2)).all()


def test_only_a_few_batches_are_read_ahead(inception, photos, monkeypatch):
    read = []
    fed = inception.fed
    monkeypatch.setattr(inception, "fed", lambda chunk, *rest: read.append(chunk) or fed(chunk, *rest))
    stream = inception.features(photos * 20, "tf", batch=1)
    next(stream)
    assert len(read) <= 5
    stream.close()


def test_no_photos_give_no_features(inception):
    assert list(inception.features([], "tf")) == []


def test_photos_of_unlike_sizes_are_refused(inception, photos, tmp_path):
    write_png(tmp_path / "large.png", np.zeros((64, 64, 3), np.uint8))
    with pytest.raises(UserError, match=r"large.png: 64x64 px, but the first photo has 48x64; all must have one size"):
        features_of(inception, [*photos, tmp_path / "large.png"], "clean", batch=4)


def test_an_unreadable_photo_is_refused(inception, photos, tmp_path):
    (tmp_path / "bad.png").write_bytes(b"no image")
    with pytest.raises(UserError, match=r"bad.png: not a readable image"):
        features_of(inception, [*photos, tmp_path / "bad.png"], "tf")


def test_another_network_is_not_the_published_one(inception, tmp_path, monkeypatch):
    assert not inception.published
    content = small_graph(0, 2048).SerializeToString(deterministic=True)
    assert inception.sha256 == hashlib.sha256(content).hexdigest() != GRAPH_SHA256
    monkeypatch.setattr("pix2street.judges.inception.GRAPH_SHA256", inception.sha256)
    assert Inception(write_graph(tmp_path / GRAPH)).published


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"without": "ResizeBilinear"}, "it has no node ResizeBilinear"),
        ({"without": "pool_3"}, "it has no node pool_3"),
        ({"without": "conv"}, "conv"),
        ({"features": 64}, r"its pool_3 is \(None, 1, 1, 64\), not \[N, 1, 1, 2048\]"),
    ],
)
def test_a_graph_of_another_shape_is_refused(tmp_path, change, reason):
    path = write_graph(tmp_path / GRAPH, **change)
    with pytest.raises(
        UserError, match=rf"{GRAPH}: this is not the Inception network of 2015 \(.*{reason}.*evaluate.inception"
    ):
        Inception(path)


@pytest.mark.parametrize("content", [b"", b"<html>", bytes(range(256)) * 40])
def test_a_file_that_is_no_graph_is_refused(tmp_path, content):
    (tmp_path / GRAPH).write_bytes(content)
    with pytest.raises(UserError, match="not the Inception network of 2015"):
        Inception(tmp_path / GRAPH)


CONTENT = b"the network" * 1000
SHA256 = hashlib.sha256(CONTENT).hexdigest()


def archive(name: str = GRAPH, content: bytes = CONTENT) -> bytes:
    """Write a .tgz like the published one, with the network beside its licence."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for member, data in {"LICENSE": b"Apache", name: content}.items():
            info = tarfile.TarInfo(member)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def left_over(folder) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if not path.name.endswith(".lock"))


def test_the_network_is_fetched_once_and_used_offline(cache):
    asked = []

    def answer(request):
        asked.append(request.path)
        request.send_file(archive())

    with serving(answer) as url:
        path = fetch_inception(url=f"{url}/inception.tgz", sha256=SHA256)
    assert path.read_bytes() == CONTENT
    assert fetch_inception(url=f"{url}/inception.tgz", sha256=SHA256) == path
    assert asked == ["/inception.tgz"]
    assert left_over(cache) == [path.name, "inception.tgz"]


@pytest.mark.parametrize(
    ("served", "reason"),
    [
        (archive(content=b"another network"), f"sha256 of its {GRAPH} is .*, expected {SHA256}; removed"),
        (archive(name="other.pb"), f"holds no {GRAPH}, but LICENSE, other.pb"),
        (archive(name=f"../{GRAPH}"), "leads out of its folder"),
        (archive()[:-60], "a broken archive"),
        (b"text", "neither a folder nor a zip nor a tar"),
    ],
)
def test_a_wrong_archive_is_refused_and_nothing_stays(cache, served, reason):
    with (
        serving(lambda request: request.send_file(served)) as url,
        pytest.raises(UserError, match=rf"{reason}.*set `evaluate.inception: <path>` in params.yaml"),
    ):
        fetch_inception(url=f"{url}/inception.tgz", sha256=SHA256)
    assert left_over(cache) == []


def test_without_a_network_the_error_says_what_to_do(cache, monkeypatch):
    monkeypatch.setattr("pix2street.core.fetching.time.sleep", lambda seconds: None)
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"http://127.0.0.1:{server.getsockname()[1]}/inception.tgz"
    with pytest.raises(UserError, match=r"given up after .* save it and set `evaluate.inception: <path>`"):
        fetch_inception(url=address, sha256=SHA256)
    assert left_over(cache) == []


def test_what_lies_on_disk_is_used_as_it_is(cache, tmp_path):
    (tmp_path / GRAPH).write_bytes(CONTENT)
    (tmp_path / "my.tgz").write_bytes(archive())
    assert fetch_inception(tmp_path / GRAPH) == tmp_path / GRAPH
    assert fetch_inception(tmp_path) == tmp_path / GRAPH
    unpacked = fetch_inception(tmp_path / "my.tgz")
    assert unpacked.read_bytes() == CONTENT
    assert unpacked == fetch_inception(tmp_path / "my.tgz")
    assert (tmp_path / "my.tgz").exists()


@pytest.mark.parametrize("name", ["nowhere.pb", "nowhere/inception.tgz", ""])
def test_a_missing_file_is_named(tmp_path, name):
    with pytest.raises(UserError, match=r"no such file, evaluate.inception is .*; get classify_image_graph_def.pb or"):
        fetch_inception(tmp_path / name)
