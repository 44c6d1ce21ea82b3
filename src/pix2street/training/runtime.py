"""The devices and threads on which TensorFlow computes, and its determinism."""

import os
from collections.abc import Callable

import keras
import tensorflow as tf

from pix2street.core.errors import UserError
from pix2street.core.numerics import settle_keras


def prepare(
    key: str, device: str, seed: int, deterministic: bool = True, *, intra_op_threads: int, inter_op_threads: int
) -> None:
    """Configure TensorFlow for the whole process, before it computes anything.

    Args:
        key: the key of `device` in `params.yaml`, for the error message.
        device: "gpu" requires a GPU, "auto" uses one if the machine has one, "cpu" uses none.
        seed: the seed of Python, NumPy and TensorFlow.
        deterministic: use only kernels that give the same bits in every run.
        intra_op_threads: the number of CPU threads within an operation; the last bits of results depend on it.
        inter_op_threads: the number of operations that may run at the same time.

    Raises:
        UserError: `device` is "gpu" but TensorFlow sees none, or Keras computes with another library.
    """
    settle_keras()
    # TensorFloat-32 is the default on GPUs that have it; without this line NVIDIA_TF32_OVERRIDE could change that.
    tf.config.experimental.enable_tensor_float_32_execution(True)
    tf.config.threading.set_intra_op_parallelism_threads(intra_op_threads)
    tf.config.threading.set_inter_op_parallelism_threads(inter_op_threads)
    gpus = tf.config.list_physical_devices("GPU")
    if device == "gpu" and not gpus:
        raise UserError(
            f"{key}: gpu, but TensorFlow sees none; install the CUDA libraries with `pip install -e '.[gpu]'`, "
            "check `nvidia-smi`, or choose auto or cpu"
        )
    if device == "cpu":
        tf.config.set_visible_devices([], "GPU")
    for gpu in gpus:
        tf.config.experimental.set_memory_growth(gpu, True)
    keras.utils.set_random_seed(seed)
    if deterministic:
        tf.config.experimental.enable_op_determinism()


Strategy = tf.distribute.Strategy


def _multi_worker() -> Strategy:
    if "TF_CONFIG" not in os.environ:
        raise UserError(
            "train.device.strategy: multi_worker needs TF_CONFIG in each worker's environment (docs/training.md); for "
            "one machine choose one_device or mirrored"
        )
    return tf.distribute.MultiWorkerMirroredStrategy()


STRATEGIES: dict[str, Callable[[], Strategy]] = {
    "one_device": tf.distribute.get_strategy,
    "mirrored": tf.distribute.MirroredStrategy,
    "multi_worker": _multi_worker,
}
"""The strategies that spread a training over devices. Call one after `prepare`, before TensorFlow computes."""


def worker_of(strategy: Strategy) -> int:
    """Return this process' number among all processes of the training; number 0 writes the outputs."""
    resolver = strategy.cluster_resolver
    if not resolver or not resolver.task_type or resolver.task_type == "chief":
        return 0
    workers_before = 1 if "chief" in resolver.cluster_spec().jobs else 0
    return workers_before + resolver.task_id
