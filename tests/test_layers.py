"""The imports that each room and module of the package may have."""

import ast
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src/pix2street"

ROWS = (
    {"cli"},
    {"commands"},
    {"demo", "inference", "reporting", "stage", "steps", "tracking", "verification"},
    {"profiles"},
    {"params"},
    {"datasets", "judges", "metrics", "validation"},
    {"training"},
    {"models"},
    {"layers"},
    {"settings"},
    {"core", "layout"},
)
"""The rooms of the package and its loose modules from the top; no import points up."""

KNOWS = {
    "cli": {
        "commands",
        "core",
        "datasets",
        "demo",
        "inference",
        "layout",
        "params",
        "profiles",
        "reporting",
        "stage",
        "steps",
        "tracking",
        "training",
        "verification",
    },
    "commands": {"core", "inference"},
    "demo": {"core", "datasets", "inference"},
    "inference": {"core", "judges", "layers", "metrics", "stage", "training"},
    "reporting": {"core", "metrics", "models"},
    "stage": {"core", "layout", "params"},
    "steps": {
        "core",
        "datasets",
        "inference",
        "judges",
        "layers",
        "metrics",
        "models",
        "reporting",
        "settings",
        "training",
        "validation",
    },
    "tracking": {"core", "inference", "layout", "reporting"},
    "verification": {"core", "layout"},
    "datasets": {"core", "settings"},
    "judges": {"core", "layers", "settings", "training"},
    "metrics": {"core"},
    "models": {"core", "layers", "settings"},
    "training": {"core", "layers", "models", "settings"},
    "validation": {"core", "settings"},
    "layers": {"core"},
    "profiles": {"core", "params", "settings"},
    "params": {"core", "layout", "models", "settings"},
    "settings": {"core"},
    "core": set(),
    "layout": set(),
}
"""The rooms that each of them imports, no more and no less. A step imports no other step."""

# Each library is named in one room, so that another could replace it.
ONLY_IN = {
    "mlflow": {
        "inference/serving.py",
        "tracking/delivery.py",
        "tracking/description.py",
        "tracking/probe.py",
        "tracking/records.py",
        "tracking/registry.py",
        "tracking/retrieval.py",
        "tracking/run.py",
        "tracking/store.py",
        "tracking/system_metrics.py",
    },
    "dvc": {
        "tracking/lockfile.py",
        "verification/dvc_hashes.py",
        "verification/lock_check.py",
        "verification/verify.py",
        "verification/workspaces.py",
    },
    "great_expectations": {"validation/check.py", "validation/results.py"},
    "tensorflow": {
        "inference/export/graph.py",
        "judges/inception.py",
        "layers/norms.py",
        "models/cut.py",
        "models/cyclegan.py",
        "models/futuregan.py",
        "models/oasis.py",
        "models/pix2pix.py",
        "models/pix2pixhd.py",
        "models/srgan.py",
        "models/stargan.py",
        "models/stylegan.py",
        "training/augmentation.py",
        "training/batches.py",
        "training/distribution.py",
        "training/domains.py",
        "training/epoch.py",
        "training/latents.py",
        "training/loop.py",
        "training/noise.py",
        "training/players.py",
        "training/runtime.py",
        "training/tuning.py",
    },
    "onnx": {"inference/export/onnx_file.py"},
    "onnxruntime": {"inference/export/onnx_file.py"},
    "tf2onnx": {"inference/export/onnx_file.py"},
    "matplotlib": {"reporting/figures.py"},
    "jinja2": {"reporting/templates.py"},
    "requests": {"core/fetching.py", "datasets/cityscapes.py"},
    "fastapi": {"demo/server.py"},
    "uvicorn": {"demo/server.py"},
    "av": {"core/films.py"},
    "PIL": {
        "core/decoding.py",
        "core/images.py",
        "datasets/synthetic_streets/light.py",
        "datasets/synthetic_streets/textures.py",
    },
}


def imports_of(source: str) -> set[str]:
    """Return the dotted names of everything that a file imports."""
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom):
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    return names


def room_of(path: str) -> str:
    return path.split("/")[0].removesuffix(".py")


def rooms_in(source: str) -> set[str]:
    """Return the rooms and loose modules that a file imports."""
    return {name.split(".")[1] for name in imports_of(source) if name.startswith("pix2street.")} & set(KNOWS)


def faults_of(path: str, source: str) -> list[str]:
    """Return the imports that a file of the package, named by its path in it, must not have."""
    room = room_of(path)
    allowed = KNOWS[room] | ({room} - {"steps"})
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


def files_of_the_package() -> dict[str, str]:
    """Return the source of every module by its path, without the package's own docstring."""
    files = {path.relative_to(PACKAGE).as_posix(): path.read_text() for path in PACKAGE.rglob("*.py")}
    assert imports_of(files.pop("__init__.py")) == set()
    return files


def test_every_room_has_a_row_and_the_root_has_few_loose_modules():
    files = files_of_the_package()
    assert {room_of(name) for name in files} == set(KNOWS) == set().union(*ROWS)
    assert sum(map(len, ROWS)) == len(KNOWS)
    loose = {room_of(name) for name in files if "/" not in name}
    assert loose == {"cli", "layout", "params", "profiles", "stage"}


def test_no_arrow_points_up():
    row_of = {room: number for number, row in enumerate(ROWS) for room in row}
    assert [(room, known) for room, rooms in KNOWS.items() for known in rooms if row_of[known] < row_of[room]] == []
    for row in ROWS[3:]:
        assert [(room, KNOWS[room] & row) for room in row if KNOWS[room] & row] == []


def test_no_two_rooms_know_each_other_even_by_way_of_others():
    unplaced = dict(KNOWS)
    while free := {room for room, known in unplaced.items() if not known & set(unplaced)}:
        unplaced = {room: known for room, known in unplaced.items() if room not in free}
    assert unplaced == {}


def test_every_module_keeps_to_its_arrows():
    assert [fault for name, source in files_of_the_package().items() for fault in faults_of(name, source)] == []


def test_every_arrow_is_used():
    used: dict[str, set[str]] = {room: set() for room in KNOWS}
    for name, source in files_of_the_package().items():
        used[room_of(name)] |= rooms_in(source) - {room_of(name)}
    assert used == KNOWS


def test_a_new_room_does_nothing_when_it_is_imported():
    for room in ("commands", "core", "inference", "layers", "tracking", "training", "verification"):
        assert imports_of((PACKAGE / room / "__init__.py").read_text()) == set()


def test_networks_and_losses_are_pure_keras():
    pure = ["layers/blocks.py", "layers/in_use.py", "layers/losses.py", "layers/networks.py", "layers/patchgan.py"]
    pure += [
        "layers/products.py",
        "judges/losses.py",
        "judges/network.py",
        "judges/segmenter.py",
        "judges/pretrained.py",
    ]
    for name in pure:
        assert "tensorflow" not in {module.split(".")[0] for module in imports_of((PACKAGE / name).read_text())}


def test_scripts_import_steps_and_never_a_network():
    for script in (ROOT / "pipeline").glob("*.py"):
        source = script.read_text()
        allowed = {"core", "layout", "params", "profiles", "reporting", "stage", "steps", "tracking"}
        assert rooms_in(source) <= allowed | {"training"}, script
        trained = {name for name in imports_of(source) if name.startswith("pix2street.training.")}
        assert {name.split(".")[2] for name in trained} <= {"runtime"}, script


def test_violations_are_found():
    assert faults_of("layers/blocks.py", "from pix2street.models.pix2pix import losses")
    assert faults_of("steps/train.py", "from pix2street.steps.split import split_pairs")
    assert faults_of("core/images.py", "from pix2street.steps import split")
    assert faults_of("core/images.py", "from pix2street import layers")
    assert faults_of("metrics/l1.py", "import tensorflow as tf")
    assert faults_of("steps/train.py", "import mlflow.keras")
    assert not faults_of("steps/train.py", "from pix2street.training.loop import train_epochs")
