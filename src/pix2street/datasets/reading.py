"""One reading of a source's names: its settings, the images and folders that it finds, and how it refuses names."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, Literal, NamedTuple, NoReturn

from pix2street.core.errors import UserError
from pix2street.core.yaml import as_yaml
from pix2street.datasets.folder_names import FolderName, side_of_setting
from pix2street.settings.download import Naming, PairedFolder

SHOWN = 5
SIDES = {"inputs": "input_folder", "targets": "target_folder"}
Changes = dict[str, dict[str, Any]]

Form = Literal["left", "right", "folders", "photos", "domains", "videos"]
"""The contents of an image: `left` or `right`, a pair side by side, its input on this side; `folders`, an input or a
target; `photos`, a photo whose input is drawn from it later; `domains`, a photo or drawing of one domain; `videos`, a
frame of the video that its folder is."""


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
        form: the contents of its images.
        naming: the settings that say what names mean.
        paired: the settings that name the folders or files of inputs and targets; needed only for the form `folders`.
        domains: the folders of the domains that are set; only for the form `domains`.
        notes, left_out: see `Arrangement`.
    """

    path: Path
    form: Form
    naming: Naming
    paired: PairedFolder | None = None
    domains: tuple[str, ...] = ()
    notes: list[str] = field(default_factory=list, init=False)
    left_out: dict[str, str] = field(default_factory=dict, init=False)

    @property
    def folders(self) -> dict[str, str]:
        """The setting of each side or domain; empty where folders say neither."""
        if self.form == "domains":
            return {domain: domain for domain in self.domains}
        return {side: getattr(self.paired, key) for side, key in SIDES.items()} if self.form == "folders" else {}

    @property
    def items(self) -> str:
        """The word for what is divided into splits."""
        return {"domains": "images", "videos": "videos"}.get(self.form, "pairs")

    @property
    def side_words(self) -> dict[str, tuple[str, ...]]:
        """The words of each side that is set as a folder, not as a pattern of names."""
        return {side: side_of_setting(setting) for side, setting in self.folders.items() if "*" not in setting}

    def refuse(self, text: str, changes: Changes | None = None) -> NoReturn:
        raise ArrangementError(self.path, text, changes)

    def declare(self, folders: Mapping[str, str]) -> Changes:
        """Return the setting that says what these folders are, beside those that are declared already."""
        return {"own_images": {"split_folders": {**self.naming.split_folders, **folders}}}


@dataclass(frozen=True, eq=False)
class Folder:
    """One folder that holds images; each is one object, so that half a million names are told apart quickly.

    Args:
        parts: the meaning of each name on its path.
        wrapped: the number of these names that all images share.
        rest: the names on its path that say neither split nor side, without those that all images share.
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
    def destination(self) -> str:
        """The image's path below the downloaded folder, without its ending."""
        return "/".join(part for part in (self.folder.split, self.folder.side, self.pair_id) if part)


def folders_of(images: Iterable[Image]) -> list[Folder]:
    """Return each folder once, in the order of the images."""
    return list(dict.fromkeys(image.folder for image in images))


def split_names(images: Iterable[Image]) -> dict[str, str]:
    """Return the split of every folder name that says one, in the order of the names."""
    parts = [part for folder in folders_of(images) for part in folder.parts]
    return dict(sorted((part.name, part.split) for part in parts if part.split))


def listed(names: Iterable[str], form=repr) -> str:
    """Return the first names, one on each line, and the number of the others."""
    names = list(names)
    more = f"\n  and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return "".join(f"\n  {form(name)}" for name in names[:SHOWN]) + more


def in_folders(names: Iterable[str]) -> str:
    """Return the first folders of these images, with the number of images in each."""
    folders = sorted(Counter(str(PurePosixPath(name).parent) for name in names).items())
    shown = [f"{'the root' if folder == '.' else repr(folder)} ({count})" for folder, count in folders[:SHOWN]]
    return ", ".join(shown) + (f" and {len(folders) - SHOWN} more folders" if len(folders) > SHOWN else "")


def images_are(count: int) -> str:
    """Return the beginning of a sentence about this number of images."""
    return f"{count} images are" if count > 1 else "1 image is"
