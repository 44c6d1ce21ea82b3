"""Small files in a folder, and a disk that is soon full."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


def put(folder: Path, *names: str) -> None:
    """Write files below `folder`, each with its name as its content."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(os.fsencode(name))


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[None]:
    """Make `folder` a file system of a size, e.g. "64k", in this block; skip the test where it cannot be mounted."""
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("a small file system can only be mounted by root")
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)
