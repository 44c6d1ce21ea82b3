"""A trained generator as files that other programs run, SavedModel and ONNX, each checked against `predict`.

The files take stored pixels and give photos: the graph holds the encoding, the rounding and the padding for sizes that
the network itself does not take. Noise is off, because it depends on an input's name, which a graph does not know.
"""
