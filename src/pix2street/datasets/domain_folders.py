"""A user's folders of photos or drawings, one for each domain: summer and winter, or four hours of the day."""

from collections.abc import Sequence
from pathlib import Path

from pix2street.core.archives import open_source
from pix2street.core.limits import Limits
from pix2street.core.pairs import Dataset
from pix2street.datasets.domains import arrange_domains
from pix2street.datasets.own_images import copy_images, images_of, say_notes
from pix2street.settings.download import DomainFolders, OwnImages


def fetch(folder: Path, path: Path, limits: Limits, own: OwnImages, settings: DomainFolders) -> Dataset:
    """Copy the images, see `fetch_domains`."""
    return fetch_domains("domain_folders", folder, path, limits, own, settings.domains, settings.scenes)


def fetch_domains(
    name: str, folder: Path, path: Path, limits: Limits, own: OwnImages, domains: Sequence[str], scenes: bool
) -> Dataset:
    """Copy a source's images, byte for byte, to `folder/<split>/<domain>/<domain>_<name>.<ext>`.

    Args:
        name: the name of the data set.
        domains, scenes: see `arrange_domains`.

    Raises:
        UserError: the source is missing or holds no image, or `arrange_domains` refuses its names.
    """
    with open_source(path, limits) as source:
        images, others = images_of(source)
        arrangement, domains = arrange_domains(path, images, own, domains, scenes)
        say_notes(path, arrangement)
        copy_images(source, folder, arrangement.destinations, others | arrangement.left_out, alone=True)
    return Dataset(
        name=name,
        title=own.title,
        direction=f"{domains[0]} to {domains[1]}" if len(domains) == 2 else f"between {', '.join(domains)}",
        licence=own.licence,
        home_page=own.home_page,
        input_from="none",
        group_pattern=own.group_pattern,
        domains=domains,
        scenes=scenes,
    )
