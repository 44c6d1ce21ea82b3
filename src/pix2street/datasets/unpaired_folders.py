"""A user's two folders of photos or drawings, of which none belongs to one in the other folder."""

from pathlib import Path

from pix2street.core.limits import Limits
from pix2street.core.pairs import Dataset
from pix2street.datasets.domain_folders import fetch_domains
from pix2street.settings.download import OwnImages, UnpairedFolders


def fetch(folder: Path, path: Path, limits: Limits, own: OwnImages, settings: UnpairedFolders) -> Dataset:
    """Copy the images, see `fetch_domains`; the first domain is the input, the second the target."""
    domains = [settings.input_folder, settings.target_folder]
    return fetch_domains("unpaired_folders", folder, path, limits, own, domains, settings.scenes)
