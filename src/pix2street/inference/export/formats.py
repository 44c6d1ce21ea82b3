"""The formats that a generator is exported in; this module loads no library of theirs."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class Format:
    """A kind of exported file.

    Args:
        path: the file's or folder's path in the exported folder.
        runtime: the library that runs it.
        kernels: the type that the convolutions' kernels are stored as; it is widened when a file is loaded.
    """

    path: str
    runtime: Literal["tensorflow", "onnxruntime"]
    kernels: Literal["float32", "float16", "int8"] = "float32"

    @property
    def exact(self) -> bool:
        """Return whether its photos are held to the limits; those of narrower kernels are measured and scored."""
        return self.kernels == "float32"

    @property
    def libraries(self) -> tuple[str, ...]:
        """Return the libraries that it needs beside those of the pipeline."""
        return ("onnx", "onnxruntime", "tf2onnx") if self.runtime == "onnxruntime" else ()


def feeds_of(stored: "np.ndarray") -> dict[str, "np.ndarray"]:
    """Return the inputs of a file by name, from a batch of stored pixels or of class ids with their palettes behind."""
    if stored.ndim == 4 and stored.shape[-1] == 4:
        return {"pixels": stored[..., 0], "palette": stored[..., 1:]}
    return {"pixels": stored}


FORMATS = {
    "savedmodel": Format("savedmodel", "tensorflow"),
    "onnx": Format("generator.onnx", "onnxruntime"),
    "onnx-float16": Format("generator_float16.onnx", "onnxruntime", "float16"),
    "onnx-int8": Format("generator_int8.onnx", "onnxruntime", "int8"),
}
