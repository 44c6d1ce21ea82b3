"""What decides numbers beside the parameters: Keras' settings, and variables that the libraries below it read.

All of it is set here, once for every entry: a user's own settings of Keras, TensorFlow, oneDNN, XLA and OpenBLAS change
no bit. `docs/reproducibility.md` lists what was tried. Nothing here loads a library that computes.
"""

import os
import re
from collections.abc import Mapping

from pix2street.errors import UserError

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
"""Keras' global settings, `keras.config.<name>`. `train.precision` is set where the trained networks are built."""

VARIABLES = {
    # No folder: Keras finds no keras.json in it, writes none, and has the settings of a new installation.
    "KERAS_HOME": os.devnull,
    # TensorFlow's own default depends on the processor.
    "TF_ENABLE_ONEDNN_OPTS": "1",
    # OpenBLAS would take all cores, and what it adds up depends on how many there are.
    "OPENBLAS_NUM_THREADS": "1",
}
"""Variables that have one right value."""

KERNELS = ("ONEDNN_MAX_CPU_ISA", "OPENBLAS_CORETYPE", "NPY_DISABLE_CPU_FEATURES", "NPY_ENABLE_CPU_FEATURES")
"""Variables that choose among the processor's kernels, as another processor would: left alone and recorded."""

READ = re.compile(
    r"(KERAS|TF|XLA|ONEDNN|DNNL|OPENBLAS|GOTO)_.*|NPY_(DIS|EN)ABLE_CPU_FEATURES|NVIDIA_TF32_OVERRIDE"
    r"|CUBLAS_WORKSPACE_CONFIG|CUDNN_ERRATA_JSON_FILE"
)
"""Variables that the libraries read: unset, but for those of `VARIABLES` and `KERNELS`, and for `HARMLESS`."""

HARMLESS = re.compile(
    r"TF_(CONFIG|CPP_.*|DUMP_.*|LOG_.*|GRPC_.*|FORCE_GPU_ALLOW_GROWTH|FORCE_UNIFIED_MEMORY|GPU_ALLOCATOR"
    r"|GPU_THREAD_(MODE|COUNT)|GPU_HOST_MEM_LIMIT_IN_MB|PER_DEVICE_MEMORY_LIMIT_MB|DEVICE_MIN_SYS_MEMORY_IN_MB"
    r"|CPU_BFC_MEM_LIMIT_IN_MB|MIN_GPU_MULTIPROCESSOR_COUNT|ENABLED_DEVICE_TYPES)"
    r"|XLA_PJRT_GPU_HOST_MEMORY_.*"
)
"""Variables that say which devices and workers there are, how much memory they may take, and what is logged."""

HARMLESS_XLA_FLAGS = ("--xla_gpu_cuda_data_dir=", "--xla_dump")
"""What of XLA_FLAGS says where files lie: without the first XLA may not find CUDA."""

WHY_UNUSED = "numbers come from params.yaml, not from the environment (docs/reproducibility.md)"

KERNEL_NAMES = re.compile(r"[\w ,:+-]+")
"""A value of `KERNELS`; a card holds no path."""


def pin() -> list[str]:
    """Make the environment of this process, and of those that it starts, the one in which the product computes.

    To be called before NumPy, TensorFlow and Keras are loaded, which read it once.

    Returns:
        the names of variables that were set to something else, which is not used.
    """
    wanted = {**VARIABLES, "KERAS_BACKEND": BACKEND}
    others = {
        name: os.environ[name] for name in sorted(os.environ) if READ.fullmatch(name) and not _may_stay(name, wanted)
    }
    for name in others:
        del os.environ[name]
    if flags := _harmless(others.get("XLA_FLAGS", "")):
        os.environ["XLA_FLAGS"] = flags
    os.environ.update(wanted)
    return [name for name, value in others.items() if value]


def choose_backend(backend: str) -> None:
    """Let Keras compute with another backend, with its other settings as `pin` makes them.

    For what compares backends alone, and before Keras is loaded: no stage and no command does so.
    """
    for name in [name for name in os.environ if name.startswith("KERAS_")]:
        del os.environ[name]
    os.environ.update({"KERAS_HOME": VARIABLES["KERAS_HOME"], "KERAS_BACKEND": backend})


def settle_keras() -> list[str]:
    """Give Keras its settings also where it was loaded before `pin`, in a notebook say.

    Returns:
        the names of settings that were others.

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


def kernels() -> dict[str, str]:
    """What of the environment chooses the processor's kernels: nothing, on a machine where nobody has said so."""
    return {name: os.environ[name] for name in KERNELS if KERNEL_NAMES.fullmatch(os.environ.get(name, ""))}


def differing_kernels(recorded: Mapping[str, str]) -> str:
    """How the kernels that this process chooses differ from those that a card names; empty where they do not."""
    here = kernels()
    return ", ".join(
        f"{name} is {here.get(name, 'unset')} and was {recorded.get(name, 'unset')}"
        for name in KERNELS
        if here.get(name) != recorded.get(name)
    )


def _may_stay(name: str, wanted: Mapping[str, str]) -> bool:
    value = os.environ[name]
    if name == "XLA_FLAGS":
        return _harmless(value) == value
    return value == wanted.get(name) or name in kernels() or HARMLESS.fullmatch(name) is not None


def _harmless(flags: str) -> str:
    """What of XLA_FLAGS changes no number."""
    return " ".join(flag for flag in flags.split() if flag.startswith(HARMLESS_XLA_FLAGS))
