"""The code around every step that can change no output: no stage declares it, and every workspace holds it."""

import ast
from collections.abc import Iterable
from pathlib import Path

WIRING = (
    "src/pix2street/params.py",
    "src/pix2street/settings",
    "src/pix2street/layout.py",
    "src/pix2street/profiles.py",
    "src/pix2street/stage.py",
    "src/pix2street/tracking/run.py",
    "src/pix2street/tracking/registry.py",
)
"""The modules, and the folders of modules, that no stage declares (see the head of `dvc.yaml`)."""

FORMER_WIRING = ("src/pix2street/tracking.py", "src/pix2street/registry.py")
"""Modules of older commits that are wiring as well."""

LOADED_BY_NAME = ("src/pix2street/models",)
"""Folders whose modules the wiring imports by a computed name: a family's settings are in its module of `models`."""


def wiring_files(root: Path) -> set[str]:
    """Return the files of `WIRING` that the repository at `root` has."""
    return _modules(root, WIRING)


def loaded_with_wiring(root: Path) -> set[str]:
    """Return the wiring, present and former, and every module of the package that is loaded with it.

    These are the modules that the wiring imports when it is loaded, by name or as `LOADED_BY_NAME`, and those that they
    import in turn. An import within a function does not count.
    """
    found: set[str] = set()
    waiting = [*_modules(root, ("src/pix2street/__init__.py", *WIRING, *FORMER_WIRING, *LOADED_BY_NAME))]
    while waiting:
        name = waiting.pop()
        found.add(name)
        for node in ast.parse((root / name).read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ImportFrom) and f"{node.module}.".startswith("pix2street."):
                # An imported name may be a module itself.
                for module in (node.module, *(f"{node.module}.{alias.name}" for alias in node.names)):
                    path = "src/" + module.replace(".", "/")
                    files = (f"{path}.py", f"{path}/__init__.py")
                    waiting += [file for file in files if (root / file).is_file() and file not in found]
    return found


def _modules(root: Path, paths: Iterable[str]) -> set[str]:
    """Return the modules among `paths` and below the folders among them; a path that is missing has none."""
    modules: set[str] = set()
    for path in paths:
        if (root / path).is_dir():
            modules |= {file.relative_to(root).as_posix() for file in (root / path).rglob("*.py")}
        elif (root / path).is_file():
            modules.add(path)
    return modules
