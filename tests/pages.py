"""The blocks, commands and code in sentences of README, CONTRIBUTING and docs."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
of_pages = pytest.mark.parametrize("path", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
FENCE = re.compile(r"^( *)```.*\n(?:.*\n)*?\1```$", re.M)


def blocks_of(page: str) -> Iterator[tuple[int, str, list[str]]]:
    """Yield line, language and lines of every fenced block."""
    for fence in re.finditer(r"^( *)```(.*)\n((?:.*\n)*?)\1```$", page, re.M):
        yield page.count("\n", 0, fence.start()) + 1, fence[2].strip(), fence[3].splitlines()


def commands_of(lines: list[str]) -> list[str]:
    """Return the commands without comments and without the folder of the environment."""
    joined = "\n".join(lines).replace("\\\n", " ")
    commands = [re.sub(r"\s+# .*", "", line).strip() for line in joined.splitlines() if not line.startswith("#")]
    return [command.replace(".venv/bin/", "") for command in commands if command]


def in_passing(page: str) -> Iterator[tuple[int, str]]:
    """Yield line and text of every command that sentences and tables show."""
    programs = r"`((?:\.venv/bin/)?(?:make|dvc|pix2street|pip|python|git|mlflow|source) [^`]+)`"
    for line, code in inline_code(page):
        if command := re.fullmatch(programs, f"`{code}`"):
            yield line, command[1].removeprefix(".venv/bin/")


def inline_code(page: str) -> Iterator[tuple[int, str]]:
    """Yield line and text of all code outside of blocks; a line break inside it becomes a space."""
    prose = FENCE.sub(lambda block: "\n" * block[0].count("\n"), page)
    for found in re.finditer(r"(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)", prose, re.S):
        yield prose.count("\n", 0, found.start()) + 1, " ".join(found[2].split())


def commands_in(page: str) -> Iterator[tuple[int, str]]:
    """Yield line and text of all commands, in blocks and in sentences."""
    for line, language, lines in blocks_of(page):
        yield from ((line, command) for command in commands_of(lines) if language == "sh")
    yield from in_passing(page)
