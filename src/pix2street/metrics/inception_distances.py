"""The names and the protocol of distances over the features of an Inception network."""

from collections.abc import Mapping
from typing import Any

from pix2street.metrics import frechet, kid

RESIZED = {
    "tf": "TensorFlow 1 bilinear to 299x299, as TTUR",
    "clean": "PIL bicubic, antialiased, to 299x299, as clean-fid",
}


def keys_of(sha256: str, published: bool, resize: str, subset: str, images: int) -> dict[str, str]:
    """Return the key of each distance, by metric: they are called FID and KID only if the network is the published one.

    Args:
        sha256: the checksum of the network's file.
        resize: the way photos are resized, a key of `RESIZED`.
        images: the number of photos of `subset`.
    """
    names = {"frechet": "fid", "kid": "kid"}
    if not published:
        names = {"frechet": f"frechet_{sha256[:8]}", "kid": f"mmd_{sha256[:8]}"}
    return {metric: f"{name}_{resize}_{subset}{images}" for metric, name in names.items()}


def protocol_of(sha256: str, resize: str, keys: Mapping[str, str], images: int, targets: int) -> dict[str, Any]:
    """Return the protocol of the distances between `images` photos and `targets` real ones, by their keys."""
    details = {"network_sha256": sha256, "photos_resized": RESIZED[resize], "photos": images, "targets": targets}
    return {
        keys["frechet"]: {**frechet.PROTOCOL, "scores": [keys["frechet"]], **details},
        keys["kid"]: {**kid.PROTOCOL, "scores": [keys["kid"], f"{keys['kid']}_std"], **details},
    }
