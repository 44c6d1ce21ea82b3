"""The photos of a data set by themselves, for generators that have no input."""

from pathlib import Path

from pix2street.core.pairs import Pair, read_manifest


def read_photos(folder: Path, split: str) -> list[Pair]:
    """Return the targets of one split in the manifest's order, of all domains, each as its own input."""
    manifest = read_manifest(folder)
    rows = manifest[manifest["fault"].isna() & (manifest["split"] == split)]
    return [Pair(row.pair_id, folder / row.target_path, folder / row.target_path) for row in rows.itertuples()]
