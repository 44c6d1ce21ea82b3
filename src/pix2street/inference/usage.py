"""How a trained generator is used, `usage.json` beside its weights: what it must be shown, and in which mode."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from pix2street.core.errors import UserError
from pix2street.core.files import read_json, write_json
from pix2street.core.pairs import InputFrom
from pix2street.training.batches import InputEncoding

FILE = "usage.json"


@dataclass(frozen=True)
class Usage:
    """What `generate` and everybody after it needs to know to show a generator what it was trained on.

    Args:
        input_from: where the inputs it was trained on came from, see `pairs.Dataset`.
        height_px, width_px: of the images it was trained on.
        norm, dropout, seed: of the section `generate`: the mode in which it was examined.
        intra_op_threads, inter_op_threads: of the section `compute`: the last bits depend on them.
        kernels: see `numerics.kernels`, in training: these bits depend on them, too.
    """

    encoding: InputEncoding
    input_from: InputFrom
    height_px: int
    width_px: int
    norm: str
    dropout: bool
    seed: int
    intra_op_threads: int = 1
    inter_op_threads: int = 2
    kernels: str = ""

    def write(self, folder: Path) -> None:
        write_json(folder / FILE, self.to_json())

    def to_json(self) -> dict[str, Any]:
        return {**vars(self), "encoding": self.encoding.to_json()}

    @classmethod
    def read(cls, folder: Path) -> Self:
        """What `folder` says of its generator.

        Raises:
            UserError: it says nothing, so that it is no generator of this project; or the file is damaged or of
                another form.
        """
        path = folder / FILE
        if not path.is_file():
            raise UserError(
                f"{folder}: must hold {FILE}, as models/generator does; name another folder, or run `dvc repro`"
            )
        return read_json(path, cls._of_json, "name another folder, or run `dvc repro`")

    @classmethod
    def _of_json(cls, fields: dict[str, Any]) -> Self:
        return cls(**{**fields, "encoding": InputEncoding.from_json(fields["encoding"])})
