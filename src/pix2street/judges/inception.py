"""The Inception network of 2015, whose features every published FID compares, for photos on disk.

The file is `classify_image_graph_def.pb` (TensorFlow authors, Apache-2.0) as TTUR used it (Heusel et al., "GANs trained
by a two time-scale update rule converge to a local Nash equilibrium", 2017). The Inception networks of Keras and
torchvision have other weights, so distances over them cannot be compared with published ones.
"""

import hashlib
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath

import numpy as np
import tensorflow as tf
from google.protobuf.message import DecodeError

from pix2street.core.archives import open_source
from pix2street.core.errors import UserError
from pix2street.core.fetching import cache_folder, fetch_file
from pix2street.core.files import sha256_of, write_bytes
from pix2street.core.images import read_rgb, resize_clean
from pix2street.core.limits import Limits

URL = "https://storage.googleapis.com/download.tensorflow.org/models/image/imagenet/inception-2015-12-05.tgz"
GRAPH = "classify_image_graph_def.pb"
GRAPH_SHA256 = "009d6814d1bc560d4e7b236e170e9b2d5ca6f4b57bd8037f6db05776204415c6"
SIDE_PX = 299
FEATURES = 2048
WAY_OUT = f"get {GRAPH} or {URL.rsplit('/')[-1]}, save it and set `evaluate.inception: <path>` in params.yaml"


def fetch_inception(path: Path | None = None, url: str = URL, sha256: str = GRAPH_SHA256) -> Path:
    """Return the path of the network's .pb: `path`, unchecked, or else a checked file that is fetched once.

    Args:
        path: a .pb, or an archive or a folder that holds `classify_image_graph_def.pb`; None fetches `url`.
        sha256: the checksum of the .pb in the archive at `url`.

    Raises:
        UserError: the file does not exist, the machine has no network, the archive is broken, or its checksum differs.
    """
    if path is not None:
        graph = path / GRAPH if path.is_dir() else path
        if not graph.exists():
            raise UserError(f"{graph}: no such file, evaluate.inception is {path}; {WAY_OUT}, or leave it empty")
        return graph if graph.suffix == ".pb" else _unpack(graph)
    cached = _cached(sha256)
    if not cached.exists():
        try:
            archive = fetch_file(url, cache_folder() / PurePosixPath(url).name)
            try:
                _unpack(archive, sha256)
            except UserError:
                archive.unlink(missing_ok=True)
                raise
        except UserError as error:
            raise UserError(f"{error}; or {WAY_OUT}") from error
    return cached


def _cached(sha256: str) -> Path:
    return cache_folder() / f"inception-{sha256[:16]}.pb"


def _unpack(archive: Path, expected: str | None = None) -> Path:
    """Return the .pb of an archive, unpacked into the cache under its checksum."""
    with open_source(archive, Limits(max_files=100, max_gib=1, max_ratio=100)) as source:
        name = next((name for name in source.names if PurePosixPath(name).name == GRAPH), None)
        if name is None:
            raise UserError(f"{archive}: holds no {GRAPH}, but {', '.join(source.names[:5])}")
        ((_, content),) = source.read([name])
    sha256 = hashlib.sha256(content).hexdigest()
    if expected not in (None, sha256):
        raise UserError(f"{archive}: sha256 of its {GRAPH} is {sha256}, expected {expected}; removed")
    if not _cached(sha256).exists():
        write_bytes(_cached(sha256), content)
    return _cached(sha256)


class Inception:
    """A frozen Inception network that looks at photos on disk.

    Attributes:
        sha256: the checksum of the network's file.
        published: whether it is the network that published FIDs used.

    Raises:
        UserError: the file is no graph, or lacks the first or the last node of the network of 2015.
    """

    def __init__(self, path: Path):
        self.sha256 = sha256_of(path)
        self.published = self.sha256 == GRAPH_SHA256
        try:
            graph = _modern(tf.compat.v1.GraphDef.FromString(path.read_bytes()))
            missing = {"ResizeBilinear", "pool_3"} - {node.name for node in graph.node}
            if missing:
                raise ValueError(f"it has no node {', '.join(sorted(missing))}")
            self._network = tf.compat.v1.wrap_function(
                lambda fed: tf.graph_util.import_graph_def(graph, {"ResizeBilinear:0": fed}, ["pool_3:0"])[0],
                [tf.TensorSpec([None, SIDE_PX, SIDE_PX, 3], tf.float32)],
            )
            if self._network.outputs[0].shape.as_list()[1:] != [1, 1, FEATURES]:
                raise ValueError(f"its pool_3 is {self._network.outputs[0].shape}, not [N, 1, 1, {FEATURES}]")
        except (DecodeError, ValueError) as error:
            raise UserError(f"{path}: this is not the Inception network of 2015 ({error}); {WAY_OUT}") from error

    def features(self, photos: Sequence[Path], resize: str, batch: int = 16) -> Iterator[np.ndarray]:
        """Yield each batch's `pool_3`, `[n, 2048]` float32; `batch` changes the speed and at most the last bits.

        Args:
            photos: photos of one size; other threads read a few batches of them ahead.
            resize: the way photos become 299x299: "tf" uses the graph's first node, TensorFlow 1's bilinear resize
                without antialiasing, as in TTUR; "clean" uses `resize_clean`, as in clean-fid.
        """
        shape = read_rgb(photos[0]).shape if photos else ()
        chunks = [photos[start : start + batch] for start in range(0, len(photos), batch)]
        for fed in _ahead(lambda chunk: self.fed(chunk, resize, shape), chunks):
            yield self.look(fed)

    def look(self, fed: np.ndarray) -> np.ndarray:
        """Return `pool_3`, `[n, 2048]` float32, of the photos that `fed` prepared."""
        return self._network(tf.constant(fed)).numpy().reshape(-1, FEATURES)

    def fed(self, photos: Sequence[Path], resize: str, shape: tuple[int, ...]) -> np.ndarray:
        """Return the photos in the form that the network takes, `[n, 299, 299, 3]` float32 in [0, 255].

        Raises:
            UserError: a photo has another shape than `shape`, `(H, W, 3)`.
        """
        pixels = []
        for photo in photos:
            pixels.append(read_rgb(photo))
            if pixels[-1].shape != shape:
                size, others = (f"{height}x{width}" for height, width, _ in (pixels[-1].shape, shape))
                raise UserError(
                    f"{photo}: {size} px, but the first photo has {others}; all must have one size, run the stage again"
                )
        if resize == "clean":
            return np.stack([resize_clean(photo, SIDE_PX) for photo in pixels])
        # The resize is always done on the CPU, so that the network is fed the same bits on every machine.
        with tf.device("CPU"):
            return tf.raw_ops.ResizeBilinear(images=np.stack(pixels), size=[SIDE_PX, SIDE_PX]).numpy()


def _modern(graph: tf.compat.v1.GraphDef) -> tf.compat.v1.GraphDef:
    """Return the same network without two operations of 2015.

    `BatchNormWithGlobalNormalization` has since left TensorFlow; `CheckNumerics` looks at every activation, which costs
    a fifth of the speed.
    """
    modern = tf.compat.v1.GraphDef()
    modern.versions.producer = tf.version.GRAPH_DEF_VERSION
    for old in graph.node:
        node = modern.node.add()
        node.CopyFrom(old)
        node.ClearField("input")
        node.input.extend(name for name in old.input if not name.startswith("^"))
        if old.op == "CheckNumerics":
            node.op = "Identity"
            del node.attr["message"]
        if old.op == "BatchNormWithGlobalNormalization":
            signal, mean, variance, beta, gamma = node.input
            if not old.attr["scale_after_normalization"].b:
                gamma = f"{old.name}/ones"
                modern.node.add(name=gamma, op="OnesLike", input=[mean]).attr["T"].CopyFrom(old.attr["T"])
            node.Clear()
            node.name, node.op = old.name, "FusedBatchNormV3"
            node.input.extend([signal, gamma, beta, mean, variance])
            for name in ("T", "U"):
                node.attr[name].CopyFrom(old.attr["T"])
            node.attr["epsilon"].f = old.attr["variance_epsilon"].f
            node.attr["is_training"].b = False
    return modern


def _ahead(work: Callable, items: Iterable) -> Iterator:
    """Yield `work(item)` for each item in order; other threads work a few items ahead."""
    threads = min(4, os.cpu_count() or 1)
    with ThreadPoolExecutor(threads) as pool:
        coming = deque()
        for item in items:
            coming.append(pool.submit(work, item))
            if len(coming) > threads:
                yield coming.popleft().result()
        while coming:
            yield coming.popleft().result()
