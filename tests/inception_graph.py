"""A small frozen network with the ends and the old operations of the Inception graph of 2015."""

from pathlib import Path

import numpy as np
import tensorflow as tf

FLOAT, INT = tf.float32.as_datatype_enum, tf.int32.as_datatype_enum


def write_graph(path: Path, seed: int = 0, without: str = "", features: int = 2048) -> Path:
    """Write the network with weights drawn from `seed`; `without` leaves out the node of that name."""
    graph = small_graph(seed, features)
    kept = tf.compat.v1.GraphDef(versions=graph.versions, node=[node for node in graph.node if node.name != without])
    path.write_bytes(kept.SerializeToString(deterministic=True))
    return path


def small_graph(seed: int, features: int) -> tf.compat.v1.GraphDef:
    """Return the graph: JPEG or `ExpandDims:0`, resize, [-1, 1], two branches, joined, 8x8, `pool_3`; of version 8."""
    graph = tf.compat.v1.GraphDef()
    graph.versions.producer = 8
    rng = np.random.default_rng(seed)

    def constant(name: str, value) -> str:
        node = graph.node.add(name=name, op="Const")
        node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(value))
        node.attr["dtype"].type = node.attr["value"].tensor.dtype
        return name

    def add(name: str, op: str, *inputs: str, **attributes) -> str:
        node = graph.node.add(name=name, op=op, input=inputs)
        if op != "DecodeJpeg" and op != "Cast":
            node.attr["T"].type = FLOAT
        for key, value in attributes.items():
            if isinstance(value, list):
                node.attr[key].list.i.extend(value)
            else:
                kind = {bool: "b", float: "f", bytes: "s", int: "i"}[type(value)]
                setattr(node.attr[key], "type" if key in ("SrcT", "DstT", "Tdim") else kind, value)
        return name

    def weights(name: str, *shape: int, low: float = -1.0) -> str:
        return constant(name, rng.uniform(low, 1, shape).astype(np.float32))

    def convolution(name: str, signal: str, side: int, width_in: int, width: int, stride: int, gain: float) -> str:
        parameters = constant(
            f"{name}/conv2d_params", rng.normal(0, gain, (side, side, width_in, width)).astype(np.float32)
        )
        strides = [1, stride, stride, 1]
        out = add(f"{name}/Conv2D", "Conv2D", signal, parameters, strides=strides, padding=b"SAME")
        statistics = [
            weights(f"{name}/batchnorm/{part}", width, low=0.1 if part == "moving_variance" else -1.0)
            for part in ("moving_mean", "moving_variance", "beta", "gamma")
        ]
        # The real graph holds a gamma everywhere and uses it nowhere.
        scaled = {"variance_epsilon": 1e-3, "scale_after_normalization": name == "conv"}
        out = add(f"{name}/batchnorm", "BatchNormWithGlobalNormalization", out, *statistics, **scaled)
        check = add(f"{name}/CheckNumerics", "CheckNumerics", out, message=b"batchnorm is not finite")
        return add(name, "Relu", add(f"{name}/control_dependency", "Identity", out, f"^{check}"))

    add("DecodeJpeg", "DecodeJpeg", constant("DecodeJpeg/contents", b""), channels=3)
    add("Cast", "Cast", "DecodeJpeg", SrcT=tf.uint8.as_datatype_enum, DstT=FLOAT)
    add("ExpandDims", "ExpandDims", "Cast", constant("ExpandDims/dim", np.int32(0)), Tdim=INT)
    add("ResizeBilinear", "ResizeBilinear", "ExpandDims", constant("ResizeBilinear/size", np.int32([299, 299])))
    add("Sub", "Sub", "ResizeBilinear", constant("Sub/y", np.float32(128)))
    add("Mul", "Mul", "Sub", constant("Mul/y", np.float32(0.0078125)))
    first = convolution("conv", "Mul", 3, 3, 8, 8, 0.2)
    branches = [convolution(f"mixed/{name}", first, side, 8, 8, 1, 0.2) for name, side in (("a", 1), ("b", 3))]
    joined = add("mixed/join", "Concat", constant("mixed/join/concat_dim", np.int32(3)), *branches, N=2)
    small = add("pool", "MaxPool", joined, ksize=[1, 5, 5, 1], strides=[1, 5, 5, 1], padding=b"SAME")
    last = convolution("mixed_10", small, 1, 16, features, 1, 0.3)
    add("pool_3", "AvgPool", last, ksize=[1, 8, 8, 1], strides=[1, 1, 1, 1], padding=b"VALID")
    return graph
