"""dvc.yaml agrees with the code: no stage misses a dependency, and every declared dependency is needed."""

import ast
import re
from collections.abc import Collection, Iterable
from functools import cache, reduce
from pathlib import Path

import pytest
from closure import import_closure
from ruamel.yaml import YAML
from shipped import PARAMS

from pix2street.layout import Layout
from pix2street.models import MODELS
from pix2street.params import Params
from pix2street.verification.wiring import wiring_files

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src/pix2street"
STAGES = YAML(typ="safe").load((ROOT / "dvc.yaml").read_text())["stages"]

# None of these can change an output. DVC tracks each value that params.py and settings/ check, the paths of layout.py
# are the names of outputs, stage.py surrounds a step, profiles.py is the source of a printed sentence, and
# tracking/run.py and tracking/registry.py only record.
WIRING = {ROOT / name for name in wiring_files(ROOT)}


def resolve(text: str, model: str = "") -> str:
    """Return a line of `dvc.yaml` with each `${key}` replaced by its value in `params.yaml`.

    Args:
        model: the value of `train.model`; empty for that in `params.yaml`.
    """

    def value_of(found: re.Match) -> str:
        if found[1] == "train.model" and model:
            return model
        return str(reduce(getattr, found[1].split("."), PARAMS))

    return re.sub(r"\$\{([\w.]+)\}", value_of, text)


def script_of(stage: str) -> Path:
    return ROOT / "pipeline" / f"{stage}.py"


@cache
def code_deps(script: Path, model: str = "") -> set[Path]:
    """Return the files that a stage must declare: its imports, but for the wiring and for mere docstrings.

    Args:
        model: the chosen family, for a stage that opens it by name.
    """
    closure = {script} | closure_of(imports_of(ast.walk(ast.parse(script.read_text()))))
    if model:
        family = ROOT / "src" / Path(*MODELS[model].split(".")).with_suffix(".py")
        tree = ast.parse(family.read_text())
        # Functions import what networks are made of; the head of a family is all that other stages load.
        closure |= {family} | closure_of(imports_of(ast.walk(tree) if builds_networks(closure) else tree.body))
    return {path for path in closure if not is_docstring_alone(path)}


def imports_of(nodes: Iterable[ast.AST]) -> set[str]:
    """Return the modules of the package from which these nodes import."""
    modules = {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module}
    return {module for module in modules if module.startswith("pix2street")}


def closure_of(modules: Iterable[str]) -> set[Path]:
    """Return the files of these modules and of all that they import; what only the wiring imports is left out."""
    closure: set[Path] = set()
    for name in modules:
        folder = ROOT / "src" / Path(*name.split("."))
        module = folder / "__init__.py" if folder.is_dir() else folder.with_suffix(".py")
        if module not in WIRING:
            closure |= {module, *import_closure(module, ROOT / "src", WIRING)}
            package = module.parent / "__init__.py"
            closure |= {package} if package.exists() and module.parent != PACKAGE else set()
    return closure


def builds_networks(closure: set[Path]) -> bool:
    """Return whether one of these files lets a family build its networks."""
    return any(".build_generator(" in path.read_text() for path in closure if path.suffix == ".py")


def is_docstring_alone(path: Path) -> bool:
    """Return whether a file is the `__init__.py` of a room and does nothing when it is imported."""
    if path.name != "__init__.py":
        return False
    return all(
        isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) for node in ast.parse(path.read_text()).body
    )


def declared_lines(stage: str, model: str = "") -> dict[str, set[Path]]:
    """Return the files that each line of code in a stage's `deps` means: one, or all of a folder."""
    deps = [resolve(dep, model) for dep in STAGES[stage]["deps"]]
    lines = {dep: ROOT / dep for dep in deps if dep.startswith(("src/", "pipeline/"))}
    return {
        dep: {file for file in path.rglob("*") if file.suffix in (".py", ".jinja", ".csv")} if path.is_dir() else {path}
        for dep, path in lines.items()
    }


def declared_code(stage: str, model: str = "") -> set[Path]:
    return set().union(*declared_lines(stage, model).values())


def named(paths: set[Path]) -> list[str]:
    return sorted(str(path.relative_to(ROOT)) for path in paths)


CHOICES = [
    (stage, model)
    for stage in STAGES
    for model in (MODELS if PACKAGE / "models/__init__.py" in code_deps(script_of(stage)) else [""])
]
"""Every stage, with each family chosen where its code opens families by name."""


@pytest.mark.parametrize(("stage", "model"), CHOICES)
def test_declared_code_covers_the_import_closure(stage, model):
    assert named(code_deps(script_of(stage), model) - declared_code(stage, model)) == []


@pytest.mark.parametrize(("stage", "model"), CHOICES)
def test_every_declared_line_covers_what_no_other_covers(stage, model):
    closure, lines = code_deps(script_of(stage), model), declared_lines(stage, model)
    assert [dep for dep, files in lines.items() if not files & closure] == []
    assert sum(len(files) for files in lines.values()) == len(declared_code(stage, model))


@pytest.mark.parametrize(("stage", "model"), CHOICES)
def test_a_room_is_declared_whole_only_where_a_third_of_it_is_needed(stage, model):
    closure = code_deps(script_of(stage), model)
    for dep, files in declared_lines(stage, model).items():
        files = {file for file in files if not is_docstring_alone(file)}
        assert 3 * len(files & closure) >= len(files), (dep, named(files - closure))


def chains_of(tree: ast.AST, name: str, apart: Collection[int] = ()) -> list[list[str]]:
    """Return the longest attribute chains that begin with the variable `name`, as the attributes behind it.

    `params.train.run.seed` gives `["train", "run", "seed"]`. Nodes whose ids are in `apart` are passed over.
    """
    inner = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    chains = [
        ast.unparse(node).split(".")
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and id(node) not in inner and id(node) not in apart
    ]
    return [attributes for first, *attributes in chains if first == name]


def params_read(stage: str) -> set[str]:
    """Return the sections, or single keys, of `params.yaml` that a stage's script hands on, apart from recording.

    A section that is handed on whole, as `params.train` or what it dumps, counts whole. A stage that is handed the
    section of another stage reads of it the keys that its steps name, as `generate.norm`.
    """
    tree = ast.parse(script_of(stage).read_text())
    modules = {name for name in imports_of(ast.walk(tree)) if name.startswith("pix2street.steps.")}
    steps = [ast.parse((ROOT / "src" / Path(*name.split("."))).with_suffix(".py").read_text()) for name in modules]
    recording = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func).startswith("Run.")
        for inner in ast.walk(node)
    }
    paths = [[part.rstrip("_") for part in chain] for chain in chains_of(tree, "params", recording)]
    if ["model_dump"] in paths:
        return set(PARAMS.model_dump(by_alias=True))
    handed_on = {path[0] for path in paths if len(path) == 1}
    dumped = {path[0] for path in paths if path[-1] in ("model_dump", "settings", "dataset")}
    dumped |= {section for section in handed_on if ["model_dump"] in chains_of(tree, section)}
    keys = {".".join(path) for path in paths if len(path) > 1}
    for section in handed_on - {stage} - dumped:
        chains = [chain for step in steps for chain in chains_of(step, section)]
        keys |= {f"{section}.{chain[0]}" for chain in chains if chain[0] != "model_dump"}
    whole = dumped | handed_on & {stage}
    return collapsed(whole | {key for key in keys if key.split(".")[0] not in whole})


def collapsed(keys: set[str]) -> set[str]:
    """Return the keys, and instead of a section's keys its name if all of them are named."""
    sections = {name: set(value) for name, value in PARAMS.model_dump(by_alias=True).items()}
    for section, names in sections.items():
        every = {f"{section}.{name}" for name in names}
        if every <= keys:
            keys = keys - every | {section}
    return keys


@pytest.mark.parametrize("stage", STAGES)
def test_declared_params_are_those_the_script_reads(stage):
    assert collapsed({resolve(key) for key in STAGES[stage]["params"]}) == params_read(stage)


@pytest.mark.parametrize("model", MODELS)
def test_a_training_declares_the_section_of_the_chosen_family_and_no_other(model):
    declared = {resolve(key, model) for key in STAGES["train"]["params"]}
    assert {key for key in declared if key.removeprefix("train.") in MODELS} == {f"train.{model}"}
    assert "train" not in declared


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
