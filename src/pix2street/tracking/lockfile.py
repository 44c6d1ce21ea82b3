"""The hashes of every dependency and output, as DVC takes them."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pix2street.core.errors import UserError

if TYPE_CHECKING:
    from dvc.output import Output


@dataclass(frozen=True)
class StageHashes:
    """The MD5 of each dependency and of each output of a stage, by path."""

    deps: dict[str, str]
    outs: dict[str, str]


def read_hashes(root: Path, current: str) -> dict[str, StageHashes]:
    """Return the hashes of every stage of `dvc.yaml` that has run, in the order of the stages.

    DVC writes a stage into `dvc.lock` when the stage has ended. For `current`, the stage that runs, `dvc.lock` still
    has the hashes of its last run, so DVC is asked for those of its files.

    Raises:
        UserError: `root` is no DVC repository, or DVC cannot read its files.
        OSError: a file of the running stage is missing.
    """
    # DVC takes a moment to import, which a training need not wait for.
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    try:
        with Repo(str(root)) as repo:
            hashes = {}
            for stage in repo.stage.load_all(str(root / "dvc.yaml")):
                deps = [dep for dep in stage.deps if dep not in stage.params]
                read = stage.name == current
                hashes[stage.name] = StageHashes(_hashes_of(deps, read), _hashes_of(stage.outs, read))
    except DvcException as error:
        raise UserError(f"DVC cannot name the hashes of its stages: {error}; fix it and run the stage again") from error
    return {name: one for name, one in hashes.items() if one.deps or one.outs}


def _hashes_of(items: "Iterable[Output]", read: bool) -> dict[str, str]:
    """Return the hash of each dependency or output: of the files where they are to be `read`, else of `dvc.lock`."""
    hashes = ((Path(item.def_path).as_posix(), item.get_hash() if read else item.hash_info) for item in items)
    return {path: found.value for path, found in hashes if found}
