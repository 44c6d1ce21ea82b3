"""The files of the project that a Python file imports, directly or not; they are read, not run."""

import ast
from collections.abc import Collection
from pathlib import Path

PACKAGE = "pix2street"


def import_closure(script: Path, source: Path, without: Collection[Path] = frozenset()) -> set[Path]:
    """Return all files that running `script` may import, with their packages' templates and their tables.

    Imports inside functions count too.

    Args:
        source: the folder that holds the package; files elsewhere do not count.
        without: files to leave out, with what only they import.
    """
    found: set[Path] = set()
    waiting = [script]
    while waiting:
        for path in _imported_files(waiting.pop(), source) - found - set(without):
            found.add(path)
            waiting.append(path)
    folders = {path.parent for path in {script, *found} if path.parent != source / PACKAGE}
    templates = {file for folder in folders for file in folder.iterdir() if file.suffix == ".jinja"}
    tables = {table for path in found if (table := path.with_suffix(".csv")).is_file()}
    return found | templates | tables


def _imported_files(path: Path, source: Path) -> set[Path]:
    files: set[Path] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == PACKAGE:
            # A name may be a module of the package or a thing inside it.
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names if alias.name.split(".")[0] == PACKAGE]
        else:
            continue
        for name in names:
            parts = name.split(".")
            candidates = [source.joinpath(*parts).with_suffix(".py")]
            candidates += [source.joinpath(*parts[:i], "__init__.py") for i in range(2, len(parts) + 1)]
            files.update(candidate for candidate in candidates if candidate.is_file())
    return files
