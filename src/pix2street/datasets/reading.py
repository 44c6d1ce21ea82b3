"""What the steps that read a source's names share: the settings, images and folders, and how a refusal lists them."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, Literal, NamedTuple, NoReturn

from pix2street.core.errors import UserError
from pix2street.core.yaml import as_yaml
from pix2street.datasets.folder_names import FolderName, side_of_setting

SHOWN = 5
SIDES = {"inputs": "input_folder", "targets": "target_folder"}
Changes = dict[str, dict[str, Any]]


class ArrangementError(UserError):
    """A refusal that may know the settings under which the images can be read.

    Args:
        changes: these settings by their section of `download` and their key; the message ends with them as YAML.
    """

    def __init__(self, path: Path, text: str, changes: Changes | None = None):
        super().__init__(f"{path}: {text}" + (f"\n{as_yaml({'download': changes}, indent=2)}" if changes else ""))
        self.changes = changes or {}


@dataclass
class Reading:
    """The settings under which a source's names are read, and what is noted on the way.

    Args:
        path: the source, for messages.
        form: `left` or `right`: side by side; `folders`: inputs and targets apart; `photos`: photos alone.
        input_folder, target_folder: the folders that hold them, at any depth, or with `*` their files' names.
        id_pattern: a regular expression whose first group, searched in a name without its ending, is the pair_id.
        id_from: whether the pair_id is the `name`, or the `path`: the sub-folders' names stand before it.
        split_folders: what folders with other names are: `train`, `val`, `test`, `ordinary` or `left_out`.
        split_shares: how images without folders for splits are divided; None where they may not be.
        notes, left_out: as in `Arrangement`.
    """

    path: Path
    form: Literal["left", "right", "folders", "photos"]
    input_folder: str = ""
    target_folder: str = ""
    id_pattern: str | None = None
    id_from: Literal["name", "path"] = "name"
    split_folders: Mapping[str, str] = field(default_factory=dict)
    group_pattern: str | None = None
    split_shares: Mapping[str, float] | None = None
    seed: int = 0
    notes: list[str] = field(default_factory=list, init=False)
    left_out: dict[str, str] = field(default_factory=dict, init=False)

    @property
    def folders(self) -> dict[str, str]:
        """The setting of each side, none where inputs and targets are not apart."""
        return {side: getattr(self, key) for side, key in SIDES.items()} if self.form == "folders" else {}

    @property
    def side_words(self) -> dict[str, tuple[str, ...]]:
        """The words of each side that is set as a folder, not as a pattern of names."""
        return {side: side_of_setting(setting) for side, setting in self.folders.items() if "*" not in setting}

    def refuse(self, text: str, changes: Changes | None = None) -> NoReturn:
        raise ArrangementError(self.path, text, changes)

    def declare(self, folders: Mapping[str, str]) -> Changes:
        """Return the setting that says what these folders are, beside what is said of others."""
        return {"own_images": {"split_folders": {**self.split_folders, **folders}}}


@dataclass(frozen=True, eq=False)
class Folder:
    """One folder that holds images; each is one object, so that half a million names are told apart quickly.

    Args:
        parts: what each name on its path says.
        wrapped: how many of them all images share.
        rest: the names on its path that say neither split nor side, without such wrappers.
    """

    path: str
    parts: tuple[FolderName, ...]
    wrapped: int
    split: str | None
    side: str = ""
    rest: tuple[str, ...] = ()


class Image(NamedTuple):
    """An image in the source by its name, the folder it is in, and its pair_id once that is known."""

    name: str
    folder: Folder
    pair_id: str = ""

    @property
    def place(self) -> str:
        """Where it goes below the downloaded folder, without its ending."""
        return "/".join(part for part in (self.folder.split, self.folder.side, self.pair_id) if part)


def folders_of(images: Iterable[Image]) -> list[Folder]:
    """Return each folder once, in the order of the images."""
    return list(dict.fromkeys(image.folder for image in images))


def split_names(images: Iterable[Image]) -> dict[str, str]:
    """Return the split of every folder name that says one, in the order of the names."""
    parts = [part for folder in folders_of(images) for part in folder.parts]
    return dict(sorted((part.name, part.split) for part in parts if part.split))


def listed(names: Iterable[str], form=repr) -> str:
    """Return the first names, a line each, and how many more there are."""
    names = list(names)
    more = f"\n  and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return "".join(f"\n  {form(name)}" for name in names[:SHOWN]) + more


def in_folders(names: Iterable[str]) -> str:
    """Return the first folders of these images and how many each holds."""
    folders = sorted(Counter(str(PurePosixPath(name).parent) for name in names).items())
    shown = [f"{'the root' if folder == '.' else repr(folder)} ({count})" for folder, count in folders[:SHOWN]]
    return ", ".join(shown) + (f" and {len(folders) - SHOWN} more folders" if len(folders) > SHOWN else "")


def images_are(count: int) -> str:
    return f"{count} images are" if count > 1 else "1 image is"
