"""Which device TensorFlow computes on, with how many threads, and that it does so deterministically."""

import keras
import tensorflow as tf

from pix2street.errors import UserError


def prepare(key: str, device: str, seed: int, intra_op_threads: int, inter_op_threads: int) -> str:
    """Set TensorFlow up for a whole process, before it computes anything; returns "cpu" or "gpu".

    Args:
        key: where `device` stands in `params.yaml`, for the error message.
        device: "gpu" insists on one, "auto" takes one when there is one, "cpu" leaves it alone.
        seed: of Python, NumPy and TensorFlow.
        intra_op_threads: CPU threads within an operation; the results' last bits depend on them.
        inter_op_threads: operations that may run side by side.

    Raises:
        UserError: `device` is "gpu" and TensorFlow sees none.
    """
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
    tf.config.experimental.enable_op_determinism()
    return "gpu" if gpus and device != "cpu" else "cpu"
