"""The graph as an ONNX file: converted, narrowed, written, and opened in ONNX Runtime.

The libraries are loaded when they are used; an export as SavedModel needs none of them.
"""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pix2street.inference.card import GeneratorCard
from pix2street.inference.export.formats import feeds_of

if TYPE_CHECKING:
    from onnx import ModelProto

OPSET = 17


def to_onnx(serve: Callable, card: GeneratorCard, description: Mapping[str, Any]) -> "ModelProto":
    """Return the graph of a serving function as an ONNX model that says in its metadata what it is."""
    import onnx
    import tf2onnx

    model, _ = tf2onnx.convert.from_function(serve, serve.input_signature, opset=OPSET)
    sides = [
        *((feed, "N" if card.encoding.latent else "NHW") for feed in model.graph.input),
        *((output, ("N", *card.scale.named())) for output in model.graph.output),
    ]
    for value, names in sides:
        for dimension, name in zip(value.type.tensor_type.shape.dim, names, strict=False):
            if not dimension.dim_value:
                dimension.dim_param = name
    if card.encoding.domains:
        # An input with a value of its own may be left out.
        usual = onnx.numpy_helper.from_array(np.array([card.encoding.domain], np.int32), "domain")
        model.graph.initializer.append(usual)
    model.graph.name, dataset = "pix2street", description["dataset"]
    model.doc_string = f"{dataset['direction']}; {dataset['title']}, {dataset['licence']}"
    texts = {"card": json.dumps(card.to_json())}
    texts |= {name: value if isinstance(value, str) else json.dumps(value) for name, value in description.items()}
    onnx.helper.set_model_props(model, {f"pix2street.{name}": text for name, text in texts.items()})
    return model


def narrowed(model: "ModelProto", kernels: str) -> "ModelProto":
    """Return a copy whose convolutions' kernels are stored as float16, or as int8 with a scale for each output channel.

    A runtime widens them once, when it loads the file; all computation remains in float32.
    """
    from onnx import ModelProto, helper, numpy_helper

    copy = ModelProto()
    copy.CopyFrom(model)
    graph = copy.graph
    # The axis of output channels in `[out, in, h, w]` and in `[in, out, h, w]`.
    output_axis = {"Conv": 0, "ConvTranspose": 1}
    axis_of = {node.input[1]: output_axis[node.op_type] for node in graph.node if node.op_type in output_axis}
    stored, widening = [], []
    for tensor in graph.initializer:
        if tensor.name not in axis_of:
            stored.append(tensor)
            continue
        name, kernel = tensor.name, numpy_helper.to_array(tensor)
        widened = name
        if kernels == "int8":
            others = tuple(axis for axis in range(kernel.ndim) if axis != axis_of[name])
            scale = np.maximum(np.abs(kernel).max(axis=others, keepdims=True) / 127, np.float32(1e-12))
            kernel, widened = np.rint(kernel / scale), f"{name}_unscaled"
            stored.append(numpy_helper.from_array(scale.astype(np.float32), f"{name}_scale"))
        stored.append(numpy_helper.from_array(kernel.astype(kernels), f"{name}_stored"))
        widening.append(
            helper.make_node(
                "Cast", [f"{name}_stored"], [widened], to=helper.np_dtype_to_tensor_dtype(np.dtype("float32"))
            )
        )
        if kernels == "int8":
            widening.append(helper.make_node("Mul", [widened, f"{name}_scale"], [name]))
    nodes = list(graph.node)
    for values, kept in ((graph.initializer, stored), (graph.node, widening + nodes)):
        del values[:]
        values.extend(kept)
    return copy


def write_onnx(model: "ModelProto", path: Path) -> None:
    """Write a model that ONNX's own check passes."""
    import onnx

    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, path)


def open_onnx(path: Path, threads: int, card: GeneratorCard) -> Callable[..., dict[str, np.ndarray]]:
    """Return the function of an ONNX file, loaded as its users load it; see `runners.Runner`."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    if card.encoding.domains:
        options.log_severity_level = 3  # else a warning says that the optional input could be computed in advance
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    names = ["photo", "unit"]

    def run(stored: np.ndarray, domain: int | None = None) -> dict[str, np.ndarray]:
        return dict(zip(names, session.run(names, feeds_of(stored, card, domain)), strict=True))

    return run
