"""The content of a folder: its regular files, links followed, and a reason for each of the rest."""

import os
from dataclasses import dataclass
from pathlib import Path

from pix2street.core.errors import UserError
from pix2street.core.formats import DANGLING, why_unwanted


@dataclass(frozen=True)
class Tree:
    """The content of a folder: the regular files, all else with its reason, and the links to folders among it.

    A name that ends in `/` is a folder's.
    """

    names: list[str]
    left_out: dict[str, str]
    linked: list[str]


def walk(root: Path, max_linked: int) -> Tree:
    """List the content of a folder, sorted by name.

    Links are followed. A link to a folder that contains it is listed instead, so that the walk ends; hidden folders
    and litter are listed and not entered.

    Args:
        max_linked: how many files and folders may be reached through links to folders.

    Raises:
        UserError: the links lead to more.
    """
    names: list[str] = []
    left_out: dict[str, str] = {}
    links: list[str] = []
    linked = 0
    above = frozenset(_identity(folder) for folder in [root.resolve(), *root.resolve().parents])
    todo = [("", above, False)]
    while todo:
        folder, above, through_link = todo.pop()
        for entry in _entries(root, folder, left_out):
            name = folder + entry.name
            linked += through_link
            if linked > max_linked:
                raise UserError(
                    f"{root}: links lead to more than {max_linked:,} files (download.max_files), the last in {folder}; "
                    "remove those that lead back and forth"
                )
            unwanted, link = why_unwanted(name), entry.is_symlink()
            if link and not os.path.exists(entry.path):
                left_out[name] = unwanted or DANGLING
            elif unwanted and link:
                left_out[name] = unwanted
            elif entry.is_dir():
                here = _identity(entry.path)
                if here in above:
                    left_out[f"{name}/"] = "link to a folder that contains it"
                else:
                    links += [name] if link else []
                    todo.append((f"{name}/", above | {here}, through_link or link))
            elif unwanted:
                left_out[name] = unwanted
            elif entry.is_file():
                names.append(name)
            else:
                left_out[name] = "no regular file"
    return Tree(sorted(names), dict(sorted(left_out.items())), sorted(links))


def _entries(root: Path, folder: str, left_out: dict[str, str]) -> list[os.DirEntry]:
    """Return the content of one folder; if it cannot be read, note the reason and return nothing."""
    try:
        with os.scandir(root / folder) as entries:
            return list(entries)
    except PermissionError:
        if not folder:
            raise
        left_out[folder] = "folder that you may not read"
        return []


def _identity(folder: Path | str) -> tuple[int, int]:
    """Return a value that is equal for two paths only if they lead to the same folder."""
    status = os.stat(folder)
    return status.st_dev, status.st_ino
