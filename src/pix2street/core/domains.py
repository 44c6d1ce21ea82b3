"""The images of a data set with domains, and the pictures that show a translation between two of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pix2street.core.errors import UserError
from pix2street.core.latents import FOLDER as LATENTS
from pix2street.core.pairs import Dataset, Pair, read_manifest, read_pairs
from pix2street.core.photos import read_photos
from pix2street.core.protocol import NO_INPUTS

NOT_EXACT = "images of the target domain, of which none belongs to an input: only sets of photos are compared"
"""A line that only the protocol of a translation without exact targets has."""


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


@dataclass(frozen=True)
class Photographed:
    """The pairs of a subset of which a generator made photos.

    Args:
        pairs: each input beside a target.
        real: the real photos that are compared with the generated ones as a set: the targets of the pairs where they
            are exact, else every image of the target domain once.
        domains: the domains of the inputs and of the targets; None for the pairs of the subset itself.
        exact: whether each target shows what the photo of its input should be.
        labels: the class ids of each pair's input; empty for a set without classes.
        alone: whether the photos have no inputs; then the pairs are the photos of the subset, which are also `real`.
    """

    pairs: list[Pair]
    real: list[Path]
    domains: tuple[str, str] | None = None
    exact: bool = True
    labels: Sequence[Path] = ()
    alone: bool = False

    def protocol(self) -> dict[str, Any]:
        """Return the lines of the protocol that only a translation between domains, or photos without inputs, have."""
        if self.alone:
            return {"inputs": NO_INPUTS, "real_photos": len(self.real)}
        if self.domains is None:
            return {}
        facts = {"from": self.domains[0], "to": self.domains[1], "exact": self.exact, "real_photos": len(self.real)}
        return {"translation": facts if self.exact else {**facts, "targets": NOT_EXACT}}


@dataclass(frozen=True)
class PhotoFolders:
    """The folders of photos that are scored together.

    Args:
        generated: the generator's photos, `<subset>/<pair_id>.png`.
        baselines: a folder for each baseline, arranged like `generated`.
        draws: a folder for each further draw of the first drawings, arranged like `generated`; empty for a generator
            without noise, None if none were asked for. Its folder `one_style` is no draw.
        domain: the number of the domain to which the photos are translated, see `photographed`.
    """

    generated: Path
    baselines: Path
    draws: Path | None = None
    domain: int | None = None


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
    return translations(read_images(folder, split), *ends_of(domains, domain))


def ends_of(domains: Sequence[str], domain: int | None = None) -> tuple[str, str]:
    """Return the domain from which images are translated to that of this number, and that domain."""
    target = 1 if domain is None else domain
    return domains[0 if target else 1], domains[target]


def photographed(folder: Path, split: str, photos: Path, domain: int | None = None) -> Photographed:
    """Return the pairs of one split whose photos are in `photos`; there may be none.

    They are the pairs of the split, or, in a set with domains, translations from the first domain to the second. If
    there are photos of images of other domains, too, a generator of drawings made them, which has the pairs as inputs.
    Photos with a folder of latents beside them have no inputs.

    Args:
        domain: the number of the domain to which the photos are translated, as in `pairs_to_translate`; None for the
            second, or for photos of drawings.
    """
    dataset = Dataset.read(folder)
    if (photos.parent / LATENTS).is_dir():
        pairs = read_photos(folder, split)
        return Photographed(pairs, [pair.target_path for pair in pairs], exact=False, alone=True)
    pairs = [] if dataset.input_from == "none" else read_pairs(folder, split)
    labels = {pair.pair_id: pair.input_path for pair in pairs} if dataset.classes else {}
    if dataset.domains:
        images = read_images(folder, split)
        source, target = ends_of(dataset.domains, domain)
        sources = {image.pair_id for image in images if image.domain == source}
        if not pairs or domain is not None or {path.stem for path in photos.glob("*.png")} <= sources:
            return _translated(images, source, target, labels)
    return Photographed(pairs, [pair.target_path for pair in pairs], labels=[*labels.values()])


def _translated(images: Sequence[DomainImage], source: str, target: str, labels: Mapping[str, Path]) -> Photographed:
    """Return the translations between two domains; `labels` are the class ids of every image, by pair_id."""
    pairs, theirs = translations(images, source, target), [image for image in images if image.domain == target]
    known = {image.scene for image in theirs if image.scene is not None}
    exact = known >= {image.scene for image in images if image.domain == source}
    real = [pair.target_path for pair in pairs] if exact else [image.path for image in theirs]
    of_pairs = [labels[pair.pair_id] for pair in pairs] if labels else ()
    return Photographed(pairs, real, (source, target), exact, of_pairs)
