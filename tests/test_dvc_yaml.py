"""dvc.yaml says what the code does: no stage goes stale silently, and what it declares is needed."""

import ast
import re
from pathlib import Path

import pytest
from closure import import_closure
from ruamel.yaml import YAML

from pix2street.layout import Layout
from pix2street.params import Params, read_params
from pix2street.verification.wiring import wiring_files

ROOT = Path(__file__).parents[1]
STAGES = YAML(typ="safe").load((ROOT / "dvc.yaml").read_text())["stages"]

# None of these can change an output: DVC tracks the values that params.py checks one by one, the paths of layout.py are
# the outputs' names, stage.py wraps a step, and tracking/run.py and tracking/registry.py only record.
WIRING = {ROOT / name for name in wiring_files(ROOT)}


def script_of(stage: str) -> Path:
    return ROOT / "pipeline" / f"{stage}.py"


def code_deps(script: Path) -> set[Path]:
    """Return what a stage must declare: its imports except the wiring, what only that imports, and mere docstrings."""
    step_imports = [node for node in ast.walk(ast.parse(script.read_text())) if isinstance(node, ast.ImportFrom)]
    closure: set[Path] = {script}
    for node in step_imports:
        module = ROOT / "src" / Path(*node.module.split(".")).with_suffix(".py")
        if node.module.startswith("pix2street") and module not in WIRING:
            closure |= {module, *import_closure(module, ROOT / "src", WIRING)}
            package = module.parent / "__init__.py"
            closure |= {package} if package.exists() and module.parent.name != "pix2street" else set()
    return {path for path in closure if not is_docstring_alone(path)}


def is_docstring_alone(path: Path) -> bool:
    """Return whether a file is the `__init__.py` of a room and does nothing when it is imported."""
    if path.name != "__init__.py":
        return False
    return all(
        isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) for node in ast.parse(path.read_text()).body
    )


def declared_lines(stage: str) -> dict[str, set[Path]]:
    """Return the files that each line of code in a stage's `deps` means: one, or all of a folder."""
    lines = {dep: ROOT / dep for dep in STAGES[stage]["deps"] if dep.startswith(("src/", "pipeline/"))}
    return {
        dep: {file for file in path.rglob("*") if file.suffix in (".py", ".jinja", ".csv")} if path.is_dir() else {path}
        for dep, path in lines.items()
    }


def declared_code(stage: str) -> set[Path]:
    return set().union(*declared_lines(stage).values())


def named(paths: set[Path]) -> list[str]:
    return sorted(str(path.relative_to(ROOT)) for path in paths)


@pytest.mark.parametrize("stage", STAGES)
def test_declared_code_covers_the_import_closure(stage):
    assert named(code_deps(script_of(stage)) - declared_code(stage)) == []


@pytest.mark.parametrize("stage", STAGES)
def test_every_declared_line_covers_what_no_other_covers(stage):
    closure, lines = code_deps(script_of(stage)), declared_lines(stage)
    assert [dep for dep, files in lines.items() if not files & closure] == []
    assert sum(len(files) for files in lines.values()) == len(declared_code(stage))


@pytest.mark.parametrize("stage", STAGES)
def test_a_room_is_declared_whole_only_where_a_third_of_it_is_needed(stage):
    closure = code_deps(script_of(stage))
    for dep, files in declared_lines(stage).items():
        files = {file for file in files if not is_docstring_alone(file)}
        assert 3 * len(files & closure) >= len(files), (dep, named(files - closure))


def params_read(script: Path) -> set[str]:
    """Return the sections, or single keys, of `params.yaml` that a script hands on except to recording."""
    tree = ast.parse(script.read_text())
    recording = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func).startswith("Run.")
        for inner in ast.walk(node)
    }
    chains = [
        ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Attribute) and id(node) not in recording
    ]
    paths = [re.sub(r"_(\.|$)", r"\1", chain).split(".")[1:] for chain in chains if chain.startswith("params.")]
    if ["model_dump"] in paths:
        return set(read_params(ROOT / "params.yaml").model_dump(by_alias=True))
    whole = {path[0] for path in paths if path[-1] in ("model_dump", "settings", "dataset")}
    return whole | {".".join(path) for path in paths if len(path) > 1 and path[0] not in whole}


@pytest.mark.parametrize("stage", STAGES)
def test_declared_params_are_those_the_script_reads(stage):
    assert set(STAGES[stage]["params"]) == params_read(script_of(stage))


def test_every_section_of_the_typed_parameters_is_some_stages():
    declared = {key.split(".")[0] for stage in STAGES.values() for key in stage["params"]}
    # `verify` judges a whole commit: no stage reads it.
    assert declared == {field.alias or name for name, field in Params.model_fields.items()} - {"verify"}


def test_a_stage_is_a_verb_in_every_tree():
    for stage, block in STAGES.items():
        assert block["cmd"] == f"python pipeline/{stage}.py"
        assert script_of(stage).is_file()
        assert (ROOT / f"src/pix2street/steps/{stage}.py").is_file()
        assert stage in YAML(typ="safe").load((ROOT / "params.yaml").read_text())


def test_the_code_of_a_metric_never_retrains_the_gan():
    assert not [path for path in declared_code("train") if "metrics" in path.parts or "judges" in path.parts]


def test_a_missing_dependency_would_be_found():
    assert ROOT / "src/pix2street/metrics/frechet.py" in code_deps(script_of("evaluate"))


def test_the_layout_knows_every_output():
    listed = {
        stage: [next(iter(out)) if isinstance(out, dict) else out for out in block["outs"]]
        for stage, block in STAGES.items()
    }
    for stage, block in STAGES.items():
        listed[stage] += [next(iter(metric)) for metric in block.get("metrics", [])]
    known = {stage: [str(path.relative_to(ROOT)) for path in paths] for stage, paths in Layout(ROOT).outputs.items()}
    assert {stage: sorted(paths) for stage, paths in known.items()} == {s: sorted(paths) for s, paths in listed.items()}
