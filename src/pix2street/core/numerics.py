"""Settings besides the parameters that decide numbers: those of Keras, and variables that the libraries below it read.

This module sets all of them, so that a user's settings of Keras, TensorFlow, oneDNN, XLA and OpenBLAS change no bit.
`docs/reproducibility.md` lists the tested ones. This module does not load a library that computes.
"""

import os
import re
from collections.abc import Mapping
from pathlib import Path

from pix2street.core.errors import UserError

BACKEND = "tensorflow"

KERAS = {
    "floatx": "float32",
    "epsilon": 1e-7,
    "image_data_format": "channels_last",
    "dtype_policy": "float32",
    # Limits for debugging, which would end the judge's training early.
    "max_epochs": None,
    "max_steps_per_epoch": None,
}
"""Keras' global settings, `keras.config.<name>`. `train.device.precision` is set where networks to train are built."""

VARIABLES = {
    "KERAS_BACKEND": BACKEND,
    # No folder: Keras finds no keras.json in it, writes none, and has the settings of a new installation.
    "KERAS_HOME": os.devnull,
    # TensorFlow's own default depends on the processor.
    "TF_ENABLE_ONEDNN_OPTS": "1",
    # OpenBLAS would take all cores, and its sums depend on their number.
    "OPENBLAS_NUM_THREADS": "1",
}
"""Variables that have one right value."""

KERNELS = "ONEDNN_MAX_CPU_ISA"
"""The variable that selects the kernels of an older processor: it is left to the user and recorded in the card."""

READ = re.compile(
    r"(KERAS|TF|XLA|ONEDNN|DNNL)_.*|OPENBLAS_(NUM_THREADS|CORETYPE)|NVIDIA_TF32_OVERRIDE|CUBLAS_WORKSPACE_CONFIG"
)
"""Variables that the libraries read; all are unset but `VARIABLES`, `KERNELS` and `HARMLESS`."""

HARMLESS = re.compile(
    r"TF_(CONFIG|CPP_.*|DUMP_.*|GRPC_.*|FORCE_GPU_ALLOW_GROWTH|FORCE_UNIFIED_MEMORY|GPU_ALLOCATOR"
    r"|GPU_THREAD_(MODE|COUNT)|GPU_HOST_MEM_LIMIT_IN_MB|PER_DEVICE_MEMORY_LIMIT_MB|DEVICE_MIN_SYS_MEMORY_IN_MB"
    r"|CPU_BFC_MEM_LIMIT_IN_MB|MIN_GPU_MULTIPROCESSOR_COUNT|ENABLED_DEVICE_TYPES)|XLA_PJRT_GPU_HOST_MEMORY_.*"
    # Terraform's variables begin like TensorFlow's.
    r"|TF_(CLI_.*|VAR_.*|TOKEN_.*|LOG.*|REGISTRY_.*|PLUGIN_.*|DATA_DIR|INPUT|IN_AUTOMATION|WORKSPACE|IGNORE"
    r"|REATTACH_PROVIDERS|ACC.*|STATE_.*|ORGANIZATION|CLOUD_.*)"
)
"""Variables that set devices, workers, the memory that they may take, and what is logged."""

HARMLESS_XLA_FLAGS = ("--xla_gpu_cuda_data_dir=", "--xla_dump")
"""The flags of XLA_FLAGS that only set paths of files: without the first XLA may not find CUDA."""

WHY_UNUSED = "numbers come from params.yaml, not from the environment (docs/reproducibility.md)"


def pin() -> list[str]:
    """Set the environment of this process and its children to the one in which the project computes.

    It must be called before NumPy, TensorFlow and Keras are loaded, which read the environment once.

    Returns:
        the names of the variables whose other values are not used.
    """
    wanted = {**VARIABLES, **_blas_kernels()}
    others = {name: value for name, value in os.environ.items() if READ.fullmatch(name)}
    others = {name: value for name, value in others.items() if not _may_stay(name, value, wanted)}
    for name in others:
        del os.environ[name]
    if flags := _harmless(others.get("XLA_FLAGS", "")):
        os.environ["XLA_FLAGS"] = flags
    os.environ.update(wanted)
    return sorted(name for name, value in others.items() if value)


def choose_backend(backend: str) -> None:
    """Let Keras compute with another backend, with its other settings as `pin` makes them.

    It must be called before Keras is loaded. Only code that compares backends calls it: no stage and no command does.
    """
    for name in [name for name in os.environ if name.startswith("KERAS_")]:
        del os.environ[name]
    os.environ.update({"KERAS_HOME": VARIABLES["KERAS_HOME"], "KERAS_BACKEND": backend})


def settle_keras() -> list[str]:
    """Give Keras its settings even if it was loaded before `pin`, as in a notebook.

    Returns:
        the names of the settings that were different.

    Raises:
        UserError: it was loaded with another backend, which nothing can change.
    """
    import keras

    if keras.config.backend() != BACKEND:
        raise UserError(
            f"keras: must compute with {BACKEND}, was loaded with {keras.config.backend()}; load the model in a new "
            "process before anything imports keras, or unset KERAS_BACKEND"
        )
    changed = []
    for name, value in KERAS.items():
        now = getattr(keras.config, name)()
        if (now.name if name == "dtype_policy" else now) != value:
            getattr(keras.config, f"set_{name}")(value)
            changed.append(name)
    return changed


def kernels() -> str:
    """Return the processor to whose kernels the user limits oneDNN, such as AVX2; empty where there is no limit."""
    name = os.environ.get(KERNELS, "").upper()
    return name if re.fullmatch(r"\w+", name) and name not in ("ALL", "DEFAULT") else ""


def differing_kernels(recorded: str) -> str:
    """Return how the kernels of this process differ from those that a card names; empty where they are the same."""
    here = kernels()
    return "" if here == recorded else f"{KERNELS} is {here or 'unset'} here and was {recorded or 'unset'} in training"


def _blas_kernels() -> dict[str, str]:
    """Return the variable for one set of OpenBLAS' kernels where this processor has it.

    Scores then have the same digits on all processors that have it.
    """
    processor = Path("/proc/cpuinfo")
    has_avx2 = processor.is_file() and re.search(r"\bavx2\b", processor.read_text(encoding="utf-8", errors="replace"))
    return {"OPENBLAS_CORETYPE": "Haswell"} if has_avx2 else {}


def _may_stay(name: str, value: str, wanted: Mapping[str, str]) -> bool:
    if name == "XLA_FLAGS":
        return _harmless(value) == value
    return value == wanted.get(name) or (name == KERNELS and kernels() != "") or HARMLESS.fullmatch(name) is not None


def _harmless(flags: str) -> str:
    """Return the flags of XLA_FLAGS that change no number."""
    return " ".join(flag for flag in flags.split() if flag.startswith(HARMLESS_XLA_FLAGS))
