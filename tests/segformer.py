"""A SegFormer small enough for tests."""

import pytest


def small_segformer(classes=19):
    """Return an untrained SegFormer of KerasHub with two of the four stages, for squares of 64 px."""
    models = pytest.importorskip("keras_hub").models
    encoder = models.MiTBackbone(
        image_shape=(64, 64, 3),
        num_layers=2,
        hidden_dims=[8, 16],
        layerwise_depths=[1, 1],
        layerwise_num_heads=[1, 2],
        layerwise_sr_ratios=[8, 1],
        layerwise_patch_sizes=[7, 3],
        layerwise_strides=[4, 2],
        max_drop_path_rate=0.1,
    )
    backbone = models.SegFormerBackbone(image_encoder=encoder, projection_filters=16)
    return models.SegFormerImageSegmenter(backbone=backbone, num_classes=classes)
