"""Parameters decide all numbers; the environment decides none. This file is also the script that hostile and clean
environments run: `test_numerics.py SPLIT FOLDER`.
"""

import ast
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from pix2street.core import numerics
from pix2street.core.errors import UserError
from pix2street.core.files import sha256_of

TESTS = Path(__file__).parent
KERAS_JSON = {
    "floatx": "float16", "epsilon": 1e-2, "backend": "jax", "image_data_format": "channels_first", "nnx_enabled": True,
}  # fmt: skip
HOSTILE = {
    "KERAS_BACKEND": "jax",
    "KERAS_NNX_ENABLED": "true",
    "KERAS_MAX_EPOCHS": "0",
    "KERAS_MAX_STEPS_PER_EPOCH": "1",
    "OMP_NUM_THREADS": "1",
    "ONEDNN_DEFAULT_FPMATH_MODE": "ANY",
    "DNNL_MAX_CPU_ISA": "SSE41",
    "OPENBLAS_CORETYPE": "Nehalem",
    "OPENBLAS_NUM_THREADS": "2",
    "PYTHONHASHSEED": "5",
    "TF_DETERMINISTIC_OPS": "0",
    "TF_ENABLE_ONEDNN_OPTS": "0",
    "TF_FUNCTION_JIT_COMPILE_DEFAULT": "1",
    "TF_NUM_INTEROP_THREADS": "1",
    "TF_NUM_INTRAOP_THREADS": "7",
    "TF_XLA_FLAGS": "--tf_xla_auto_jit=2 --tf_xla_cpu_global_jit",
    "XLA_FLAGS": "--xla_cpu_enable_fast_math=true",
    "NVIDIA_TF32_OVERRIDE": "0",
}


# In a new process


def main(split: Path, folder: Path) -> None:
    """Write a judge and a generator after a tiny training, and the photos of `predict` and of the served model."""
    from pix2street.cli import main as pix2street
    from pix2street.stage import UNASKED, load_quietly, with_clear_errors

    with with_clear_errors("train", folder, computes=True):
        load_quietly("tensorflow")
        assert "keras" in sys.modules
        assert not sys.modules.keys() & {*UNASKED}
        train(split, folder)
    generator, inputs = folder / "generator", split / "val/inputs"
    pix2street(["predict", str(inputs), "--model", str(generator), "--out", str(folder / "photos")])
    serve(generator, inputs / "p4.png", folder / "served.png")


def train(split: Path, folder: Path) -> None:
    import numpy as np
    from tiny_models import PARAMS, TINY_TRAIN, changed

    from pix2street.metrics.frechet import distance_of
    from pix2street.steps.segment import make_jury
    from pix2street.steps.train import train_model
    from pix2street.training.runtime import STRATEGIES, prepare

    prepare("train.device.device", "cpu", 0, intra_op_threads=1, inter_op_threads=2)
    for name in ("generator", "samples", "judge"):
        (folder / name).mkdir()
    sections = {"train": changed(TINY_TRAIN, run={"epochs": 1}), "generate": PARAMS.generate, "compute": PARAMS.compute}
    folders = (split, folder / "generator", folder / "samples")
    history = train_model(*folders, lambda *_: None, strategy=STRATEGIES["one_device"](), **sections)
    history.to_csv(folder / "history.csv")
    segment = changed(PARAMS.segment, filters=4, epochs=1, batch=1, learning_rate=1e-3)
    make_jury(split, folder / "judge", folder, segment)
    features = np.random.default_rng(0).normal([[[0]], [[0.1]]], 1, (2, 300, 256))
    (folder / "distance").write_text(repr(distance_of(*features)), encoding="utf-8")


def serve(generator: Path, source: Path, photo: Path) -> None:
    import base64

    import pandas as pd

    from pix2street.inference.serving import _load_pyfunc

    image = base64.b64encode(source.read_bytes()).decode()
    answer = _load_pyfunc(str(generator)).predict(pd.DataFrame({"image": [image], "name": [source.stem]}))
    photo.write_bytes(base64.b64decode(answer["image"][0]))


# In the process of the tests


def run(split: Path, folder: Path, **variables: str) -> tuple[dict[str, str], str]:
    """Return the hash of every file that the script writes, and its standard error."""
    home = folder / "home"
    home.mkdir(parents=True)
    out = folder / "out"
    out.mkdir()
    clean = {name: value for name, value in os.environ.items() if not numerics.READ.fullmatch(name)}
    done = subprocess.run(
        [sys.executable, __file__, split, out], env={**clean, "HOME": str(home), **variables},
        capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-4000:]
    assert not (home / ".keras").exists()
    return {str(path.relative_to(out)): sha256_of(path) for path in out.rglob("*") if path.is_file()}, done.stderr


def test_a_hostile_environment_changes_no_byte(road_and_sky, tmp_path):
    (tmp_path / "keras.json").write_text(json.dumps(KERAS_JSON))
    clean, said = run(road_and_sky, tmp_path / "clean")
    assert "not used" not in said
    hostile, said = run(road_and_sky, tmp_path / "hostile", KERAS_HOME=str(tmp_path), **HOSTILE)
    assert hostile == clean
    assert {
        "generator/generator.weights.h5",
        "judge/judge_1/segmenter.weights.h5",
        "photos/p4.png",
        "served.png",
    } <= set(clean)
    assert clean["served.png"] == clean["photos/p4.png"]
    assert json.loads((tmp_path / "clean/out/generator/card.json").read_text())["kernels"] == ""
    said = next(line for line in said.splitlines() if "not used" in line)
    unused = sorted({*HOSTILE, "KERAS_HOME"} - {"OMP_NUM_THREADS", "PYTHONHASHSEED"})
    assert said == f"train: not used: {', '.join(unused)}; {numerics.WHY_UNUSED}"


@pytest.mark.parametrize("name", ["stage", "cli", "params", "profiles", "layout"])
def test_what_is_imported_before_the_environment_is_settled_loads_nothing_that_reads_it(name):
    code = f"import sys, pix2street.{name}; print({{'numpy', 'keras', 'tensorflow'}} & sys.modules.keys())"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"


@pytest.mark.parametrize("script", sorted((TESTS.parent / "pipeline").glob("*.py")), ids=lambda script: script.stem)
def test_a_stage_loads_nothing_that_reads_the_environment_before_it_is_settled(script):
    code = (
        "import runpy, sys; runpy.run_path(sys.argv[1]); print({'numpy', 'keras', 'tensorflow'} & sys.modules.keys())"
    )
    command = [sys.executable, "-c", code, script]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "set()\n"


@pytest.fixture
def environment(monkeypatch) -> dict[str, str]:
    """Replace the environment of this process by an empty one."""
    monkeypatch.setattr(os, "environ", {})
    return os.environ


def own(environment: dict[str, str]) -> dict[str, str]:
    """Return the variables of the environment without those of pytest."""
    return {name: value for name, value in environment.items() if not name.startswith("PYTEST_")}


def test_variables_that_change_numbers_are_unset_and_named(environment):
    environment |= {
        "KERAS_BACKEND": "jax",
        "TF_SOMETHING_OF_TOMORROW": "1",
        "XLA_FLAGS": "--xla_gpu_cuda_data_dir=/opt/cuda --xla_cpu_enable_fast_math=true",
        "ONEDNN_MAX_CPU_ISA": "/a/path",
        "KERAS_TORCH_DEVICE": "",
    }
    named = ["KERAS_BACKEND", "ONEDNN_MAX_CPU_ISA", "TF_SOMETHING_OF_TOMORROW", "XLA_FLAGS"]
    assert numerics.pin() == named
    blas = {name: environment[name] for name in ("OPENBLAS_CORETYPE",) if name in environment}
    pinned = {**numerics.VARIABLES, **blas, "XLA_FLAGS": "--xla_gpu_cuda_data_dir=/opt/cuda"}
    assert own(environment) == pinned
    assert numerics.pin() == []
    assert own(environment) == pinned


def test_devices_memory_logs_and_kernels_stay_with_the_user(environment):
    users = {
        "CUDA_VISIBLE_DEVICES": "1",
        "OMP_NUM_THREADS": "2",
        "ONEDNN_MAX_CPU_ISA": "AVX2",
        "TF_CLI_CONFIG_FILE": "terraform",
        "TF_CONFIG": "{}",
        "TF_CPP_MIN_LOG_LEVEL": "0",
        "TF_GPU_ALLOCATOR": "cuda_malloc_async",
    }
    environment |= users
    assert numerics.pin() == []
    assert environment.items() >= users.items()
    assert numerics.kernels() == "AVX2"
    assert numerics.differing_kernels("AVX2") == ""
    said = "ONEDNN_MAX_CPU_ISA is AVX2 here and was SSE41 in training"
    assert numerics.differing_kernels("SSE41") == said
    environment["ONEDNN_MAX_CPU_ISA"] = "all"
    assert numerics.kernels() == ""
    assert numerics.differing_kernels("AVX2") == "ONEDNN_MAX_CPU_ISA is unset here and was AVX2 in training"


def test_another_backend_is_chosen_with_the_same_settings(environment):
    environment |= {"KERAS_MAX_EPOCHS": "1", "KERAS_HOME": "/somewhere", "XLA_FLAGS": "--xla_any"}
    numerics.choose_backend("jax")
    assert own(environment) == {"KERAS_BACKEND": "jax", "KERAS_HOME": os.devnull, "XLA_FLAGS": "--xla_any"}


def test_a_process_that_has_loaded_keras_gets_the_settings_too():
    import keras

    assert numerics.settle_keras() == []
    keras.config.set_floatx("float16")
    keras.config.set_epsilon(1e-2)
    keras.config.set_dtype_policy("mixed_float16")
    keras.config.set_max_epochs(1)
    assert numerics.settle_keras() == ["floatx", "epsilon", "dtype_policy", "max_epochs"]
    assert numerics.settle_keras() == []
    assert {layer.dtype for layer in (keras.layers.Dense(1), keras.layers.Conv2D(1, 1))} == {"float32"}


def test_a_process_that_has_loaded_another_backend_is_told_so(monkeypatch):
    import keras

    monkeypatch.setattr(keras.config, "backend", lambda: "jax")
    with pytest.raises(
        UserError, match="keras: must compute with tensorflow, was loaded with jax; load the model in a"
    ):
        numerics.settle_keras()


def test_every_script_pins_before_it_loads_what_computes():
    """Check that a script's first `pin` or `choose_backend` precedes its first import of a library that computes."""
    root = TESTS.parent
    scripts = [path for folder in ("benchmarks", "tests") for path in (root / folder).glob("*.py")]
    checked = []
    for path in scripts:
        body = ast.parse(path.read_text()).body
        if not any("__main__" in ast.unparse(node) for node in body):
            continue
        imports = [node.lineno for node in body if _loads_what_computes(node)]
        pins = [node.lineno for node in body if re.search(r"numerics\.(pin|choose_backend)\(", ast.unparse(node))]
        if imports:
            assert pins, path
            assert min(pins) < min(imports), path
            checked.append(path.name)
    assert {"tiny_training.py", "worker.py", "evaluation.py", "jax_step.py"} <= set(checked)


def _loads_what_computes(node: ast.stmt) -> bool:
    names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
    names += [node.module] if isinstance(node, ast.ImportFrom) else []
    return any(name.split(".")[0] in ("jax", "keras", "tensorflow") for name in names)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
