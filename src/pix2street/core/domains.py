"""The images of a data set with domains, and the pictures that show a translation between two of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pix2street.core.errors import UserError
from pix2street.core.pairs import Dataset, Pair, read_manifest, read_pairs


@dataclass(frozen=True)
class DomainImage:
    """One image of a domain on disk.

    Args:
        scene: what the image shows, by a name that images of the same scene in other domains share; None for an image
            whose scene no other domain is known to show.
        group: see `Dataset.group_pattern`.
    """

    pair_id: str
    domain: str
    path: Path
    scene: str | None
    group: str


def read_images(folder: Path, split: str) -> list[DomainImage]:
    """Return the images of one split in the manifest's order, none of faulty rows; the list may be empty.

    Raises:
        UserError: the data set has no domains.
    """
    manifest = read_manifest(folder)
    if "domain" not in manifest:
        raise UserError(
            f"{folder}: this data set has no domains; choose one that has in download.dataset (unpaired_folders, "
            "domain_folders, or synthetic_streets with its domains)"
        )
    rows = manifest[manifest["fault"].isna() & (manifest["split"] == split)]
    return [
        DomainImage(
            row.pair_id,
            row.domain,
            folder / row.target_path,
            row.scene if isinstance(row.scene, str) else None,
            row.group,
        )
        for row in rows.itertuples()
    ]


def translations(images: Sequence[DomainImage], source: str, target: str) -> list[Pair]:
    """Return a pair for each image of the domain `source`: its own image, and what a translation should look like.

    The target is the image of the same scene in the domain `target`. An image without such a counterpart gets one of
    that domain's images in turn, at which one can look but against which nothing can be measured.
    """
    theirs = [image for image in images if image.domain == target]
    same = {image.scene: image.path for image in theirs if image.scene is not None}
    ours = [image for image in images if image.domain == source]
    return [
        Pair(image.pair_id, image.path, same.get(image.scene) or theirs[index % len(theirs)].path)
        for index, image in enumerate(ours)
        if theirs
    ]


def pairs_to_translate(folder: Path, split: str, drawings: bool, domain: int | None = None) -> list[Pair]:
    """Return the inputs of a generator in one split, each beside a target; the list may be empty.

    They are the pairs of the split. In a set with domains, a generator of photos gets translations from the first
    domain to another, or to the first from the second; see `translations`.

    Args:
        drawings: whether the generator takes class ids.
        domain: the number of the domain to which it translates; None for the second.
    """
    domains = Dataset.read(folder).domains
    if drawings or not domains:
        return read_pairs(folder, split)
    target = 1 if domain is None else domain
    return translations(read_images(folder, split), domains[0 if target else 1], domains[target])
