"""Parameters, files, links and code that README, CONTRIBUTING and docs show exist."""

import ast
import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path

from pages import FENCE, ROOT, blocks_of, inline_code, of_pages
from project import merge
from ruamel.yaml import YAML

from pix2street.core.errors import UserError
from pix2street.core.yaml import as_yaml
from pix2street.layout import Layout
from pix2street.params import parse_params

PARAMS = YAML(typ="safe").load((ROOT / "params.yaml").read_text())


def flat(values: dict, above: str = "") -> Iterator[str]:
    """Yield the dotted keys of all sections and values."""
    for key, value in values.items():
        yield f"{above}{key}"
        if isinstance(value, dict):
            yield from flat(value, f"{above}{key}.")


KEYS = set(flat(PARAMS))
NOT_OURS = {"image_data_format": "Keras'"}
"""Settings of others that pages show as `name: value`."""


def unknown_keys(page: str) -> list[str]:
    """Return line and text of all code that names a parameter, in full or with its value, which does not exist."""
    faults = []
    for line, code in inline_code(page):
        named = re.fullmatch(rf"((?:{'|'.join(PARAMS)})(?:\.[a-z_0-9]+)+)(?:: (.+))?", code)
        short = re.fullmatch(r"([a-z_][a-z_0-9.]*): (\S.*)", code)
        if named and Path(named[1]).suffix in (".csv", ".json", ".md", ".py", ".yaml"):
            continue
        if named and named[1] not in KEYS:
            faults.append(f"{line}: {code}")
        elif short and short[1] not in NOT_OURS:
            meant = [key for key in KEYS if f".{key}".endswith(f".{short[1]}")]
            if not any(is_valid(key, short[2]) for key in meant):
                faults.append(f"{line}: {code}")
    return faults


def is_valid(key: str, text: str) -> bool:
    """Return whether params.yaml may have this value at `key`, apart from rules that concern several keys."""
    values = YAML(typ="safe").load(text)
    for name in reversed(key.split(".")):
        values = {name: values}
    try:
        parse_params(as_yaml(merge(PARAMS, values)), "params.yaml")
    except UserError as error:
        return f"{key}: " not in str(error)
    return True


@of_pages
def test_every_parameter_that_is_named_exists_and_may_have_its_value(path):
    assert unknown_keys(path.read_text()) == []


def test_a_parameter_that_does_not_exist_is_found():
    page = "`train.epochs`, `train.run.epochs`, `checkpoint: best`, `keep: best`, `keep: none`, `train.py`"
    assert unknown_keys(page) == ["1: train.epochs", "1: checkpoint: best", "1: keep: none"]


@of_pages
def test_blocks_of_yaml_are_parts_of_params_yaml(path):
    for line, language, lines in blocks_of(path.read_text()):
        values = YAML(typ="safe").load("\n".join(lines)) if language == "yaml" else {}
        # A profile's part is tested with the other profiles.
        if values and "params" not in values:
            parse_params(as_yaml(merge(PARAMS, values)), f"{path.name}, line {line}")


@of_pages
def test_blocks_of_python_compile_and_import_what_there_is(path):
    for line, language, lines in blocks_of(path.read_text()):
        if language == "python":
            for node in ast.walk(ast.parse("\n".join(lines), f"{path.name}, line {line}")):
                modules = [name.name for name in node.names] if isinstance(node, ast.Import) else []
                modules += [node.module] if isinstance(node, ast.ImportFrom) else []
                assert all(importlib.util.find_spec(module) for module in modules), (line, modules)


def missing_files(page: str) -> list[str]:
    """Return line and text of all code that names a file of this repository or an output, and none is there."""
    rooms = {path.name for path in (ROOT / "src/pix2street").iterdir()}
    layout = Layout(ROOT)
    outputs = [output for stage in layout.outputs.values() for output in stage]
    known = [*outputs, layout.data_docs, ROOT / "data/source", ROOT / "data/judge"]
    faults = []
    for line, code in inline_code(page):
        text = code.rstrip("/")
        if not re.fullmatch(r"[\w./{},-]+", text) or "/" not in text:
            continue
        for name in expanded(text):
            top = name.split("/")[0]
            if top in ("src", "tests", "pipeline", "docs", "profiles", "benchmarks"):
                present = (ROOT / name).exists()
            elif top in ("data", "reports", "models") and not name.endswith(".py"):
                path = ROOT / name
                present = any(path.is_relative_to(one) or one.is_relative_to(path) for one in known)
            elif top in rooms and Path(name).suffix in (".py", ".csv", ".jinja"):
                present = (ROOT / "src/pix2street" / name).exists()
            else:
                continue
            faults += [] if present else [f"{line}: {name}"]
    return faults


def expanded(text: str) -> list[str]:
    """Return the names that a name with braces means."""
    braces = re.search(r"\{([^{}]*)\}", text)
    if not braces:
        return [text]
    return [
        name
        for part in braces[1].split(",")
        for name in expanded(f"{text[: braces.start()]}{part}{text[braces.end() :]}")
    ]


@of_pages
def test_every_file_that_is_named_exists(path):
    assert missing_files(path.read_text()) == []


def test_a_file_that_does_not_exist_is_found():
    page = "`src/fly.py`, `src/pix2street`, `models/{fly,pix2pix}.py`, `data/split/{train,val}/`, `reports/fly/a.csv`"
    assert missing_files(page) == ["1: src/fly.py", "1: models/fly.py", "1: reports/fly/a.csv"]


def broken_links(path: Path, page: str) -> list[str]:
    """Return the links to files and headings that lead nowhere."""
    faults = []
    prose = FENCE.sub("", page)
    for link in re.findall(r"\]\(<?([^)>\s]+)", prose):
        if re.match(r"https?:|mailto:", link):
            continue
        name, _, anchor = link.partition("#")
        target = path.parent / name if name else path
        if not target.exists() or (anchor and target.suffix == ".md" and anchor not in anchors_of(target.read_text())):
            faults.append(link)
    return faults


def anchors_of(page: str) -> set[str]:
    """Return the names of a page's headings, as MkDocs and GitHub make them."""
    prose = FENCE.sub("", page)
    titles = re.findall(r"^#+ (.*)$", prose, re.M)
    return {re.sub(r"\s+", "-", re.sub(r"[^\w\s-]", "", title).strip().lower()) for title in titles}


@of_pages
def test_every_link_leads_somewhere(path):
    assert broken_links(path, path.read_text()) == []


def test_a_broken_link_is_found():
    page = "[a](data.md#classes-and-their-ids) [b](data.md#fly) [c](fly.md) [d](#here) [e](#fly)\n\n## Here\n"
    path = ROOT / "docs/index.md"
    assert broken_links(path, page) == ["data.md#fly", "fly.md", "#here", "#fly"]


@of_pages
def test_no_line_is_longer_than_120_but_tables_links_and_code(path):
    page = FENCE.sub("", path.read_text())
    long = [line for line in page.splitlines() if len(line) > 120 and line.lstrip()[:1] != "|" and "](" not in line]
    assert long == []
