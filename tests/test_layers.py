"""Who may import whom."""

import ast
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src/pix2street"

BOTTOM = {
    "accounting",
    "archives",
    "borders",
    "errors",
    "fetching",
    "files",
    "formats",
    "hashes",
    "layout",
    "lockfile",
    "norms",
    "images",
    "classes",
    "class_tables",
    "numbering",
    "pairs",
    "params",
    "profiles",
    "saved_view",
    "seeds",
    "networks",
    "numerics",
    "spool",
    "tables",
}
THIRD = {"datasets", "validation", "batches", "generators", "gan", "judges", "metrics", "runtime"}
SECOND = {
    "demo",
    "doctor",
    "probe",
    "registry",
    "reporting",
    "stage",
    "steps",
    "store",
    "system_metrics",
    "tracking",
    "translation",
    "usage",
    "verification",
}
TOP = {"cli"}
# Named in one place each, so that another could take its place.
ONLY_IN = {
    "mlflow": {"store.py", "probe.py", "system_metrics.py", "tracking.py", "registry.py", "translation/serving.py"},
    "dvc": {"verification.py"},
    "great_expectations": {"validation/suite.py", "validation/verdict.py"},
    "tensorflow": {
        "batches.py",
        "runtime.py",
        "norms.py",
        "gan/step.py",
        "gan/loop.py",
        "gan/adam.py",
        "judges/inception.py",
        "translation/export.py",
    },
    "onnx": {"translation/export.py"},
    "onnxruntime": {"translation/export.py"},
    "tf2onnx": {"translation/export.py"},
    "matplotlib": {"reporting/figures.py"},
    "jinja2": {"steps/report.py", "reporting/model_card.py", "reporting/validation.py", "reporting/comparison.py"},
    "requests": {"fetching.py", "datasets/cityscapes.py"},
    "fastapi": {"demo/server.py"},
    "uvicorn": {"demo/server.py"},
    "PIL": {"images.py", "datasets/scene.py"},
}
# A generator's step is one module of `steps`; so is every other.
LONERS = {"steps"}


def imports_of(source: str) -> set[str]:
    """Dotted names of everything a file imports."""
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom):
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    return names


def faults_of(path: str, source: str) -> list[str]:
    """What a file below the package, named by its path there, imports and must not."""
    member = path.split("/")[0].removesuffix(".py")
    allowed = set(BOTTOM)
    if member in SECOND | TOP:
        allowed |= THIRD | (SECOND - LONERS)
    if member not in LONERS:
        allowed.add(member)
    faults = []
    for name in sorted(imports_of(source)):
        top, *rest = name.split(".")
        if top == "pix2street" and rest and rest[0] not in allowed:
            faults.append(f"{path} imports {name}")
        if top == "pipeline":
            faults.append(f"{path} imports {name}")
        if top in ONLY_IN and path not in ONLY_IN[top]:
            faults.append(f"{path} imports {name}")
    return faults


def test_every_module_keeps_to_its_layer():
    files = {path.relative_to(PACKAGE).as_posix(): path.read_text() for path in PACKAGE.rglob("*.py")}
    members = {name.split("/")[0].removesuffix(".py") for name in files} - {"__init__"}
    assert members == BOTTOM | THIRD | SECOND | TOP
    assert [fault for name, source in files.items() for fault in faults_of(name, source)] == []


def test_networks_and_losses_are_pure_keras():
    pure = ["generators/unet.py", "generators/blocks.py", "gan/patchgan.py", "gan/losses.py"]
    pure += ["judges/segmenter.py", "judges/pretrained.py"]
    for name in pure:
        assert "tensorflow" not in {module.split(".")[0] for module in imports_of((PACKAGE / name).read_text())}


def test_scripts_import_steps_and_never_a_network():
    for script in (ROOT / "pipeline").glob("*.py"):
        used = {name.split(".")[1] for name in imports_of(script.read_text()) if name.startswith("pix2street.")}
        assert used <= BOTTOM | SECOND | {"runtime"}, script


def test_violations_are_found():
    assert faults_of("gan/loop.py", "from pix2street.models.unet import build_unet")
    assert faults_of("steps/train.py", "from pix2street.steps.split import split_pairs")
    assert faults_of("images.py", "from pix2street.steps import split")
    assert faults_of("metrics/l1.py", "import tensorflow as tf")
    assert faults_of("steps/train.py", "import mlflow.keras")
    assert not faults_of("steps/train.py", "from pix2street.training.loop import train_epochs")
