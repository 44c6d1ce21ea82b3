"""The formats that a generator is exported in; this module loads no library of theirs."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import numpy as np

    from pix2street.inference.card import GeneratorCard


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


def feeds_of(stored: "np.ndarray", card: "GeneratorCard", domain: int | None = None) -> "dict[str, np.ndarray]":
    """Return the inputs of a file by name, from a batch of stored pixels with their styles behind them, if any.

    Args:
        domain: the number of the domain of the photos; None leaves the input out, for the one of the card.
    """
    import numpy as np

    encoding = card.encoding
    if encoding.latent:
        return {"latent": stored}
    told = {} if domain is None else {"domain": np.array([domain], np.int32)}
    if encoding.style == "none":
        return {"pixels": stored} | told
    pixels, style = stored[..., : encoding.drawing_channels], stored[..., encoding.drawing_channels :]
    return {
        "pixels": pixels[..., 0] if encoding.classes else pixels,
        encoding.style: style[:, 0, 0] if encoding.style == "code" else style,
    } | told


FORMATS = {
    "savedmodel": Format("savedmodel", "tensorflow"),
    "onnx": Format("generator.onnx", "onnxruntime"),
    "onnx-float16": Format("generator_float16.onnx", "onnxruntime", "float16"),
    "onnx-int8": Format("generator_int8.onnx", "onnxruntime", "int8"),
}
