"""The files of banks: what the training photos lend to drawings in use, as arrays by name."""

import io
import zipfile
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from pix2street.core.errors import UserError
from pix2street.core.files import REMAKE, write_bytes

Bank = TypeVar("Bank")


def arrays_of(bank: Any) -> dict[str, np.ndarray]:
    """Return the arrays of a bank, a dataclass, by the names of its fields."""
    return {field.name: getattr(bank, field.name) for field in fields(bank)}


def write_bank(path: Path, bank: Any) -> None:
    """Write a bank, a dataclass of arrays; equal ones give equal bytes."""
    buffer = io.BytesIO()
    np.savez(buffer, **arrays_of(bank))
    write_bytes(path, buffer.getvalue())


def read_bank(path: Path, build: Callable[..., Bank], style: str, content: str) -> Bank:
    """Return the bank at `path`.

    Args:
        build: returns the bank of the arrays, which are keywords, or raises an error where they do not fit together.
        style, content: the bank's `train.data.style` and the word for what it holds, for errors.

    Raises:
        UserError: the file is missing, damaged or not as `write_bank` leaves it.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            return build(**file)
    except FileNotFoundError as error:
        raise UserError(
            f"{path}: no such file; a generator with train.data.style: {style} needs the {content} of its training "
            f"photos beside it; {REMAKE}"
        ) from error
    except (OSError, ValueError, TypeError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        fault = f"{type(error).__name__}: {error}"
        raise UserError(f"{path}: must hold the {content} of the training photos ({fault}); {REMAKE}") from error


def refuse_other_forms(bank: Any, wanted: Mapping[str, tuple[type, tuple[int, ...]]]) -> None:
    """Raise ValueError where a bank's arrays have other types and shapes than `wanted` says."""
    forms = {name: (array.dtype, array.shape) for name, array in arrays_of(bank).items()}
    if forms != wanted:
        raise ValueError(f"the arrays are {forms}")


def unlike(lists: Iterable[np.ndarray]) -> np.ndarray:
    """Return a row of each list `[N, C]`, the first that no earlier list gave; a list without such a row its first."""
    picked: list[list[int]] = []
    for rows in lists:
        own = rows.tolist()
        picked.append(next((row for row in own if row not in picked), own[0]))
    return np.array(picked, np.uint8)
