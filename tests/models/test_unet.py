import numpy as np
import pytest
from pix2street.models.unet import build_unet, count_levels


def trainable(network) -> int:
    return sum(int(np.prod(variable.shape)) for variable in network.trainable_variables)


def test_parameters_at_256_px_follow_from_the_layer_sizes():
    # Kernels are 4x4 = 16. A bias stands only where no norm follows; a norm has a scale and an offset.
    encoder = 16 * (3 * 64 + 64 * 128 + 128 * 256 + 256 * 512 + 4 * 512 * 512) + 64 + 512
    encoder_norms = 2 * (128 + 256 + 512 + 512 + 512 + 512)
    # Each decoder block but the first sees the block below and a skip.
    decoder = 16 * (512 * 512 + 3 * 1024 * 512 + 1024 * 256 + 512 * 128 + 256 * 64)
    decoder_norms = 2 * (512 + 512 + 512 + 512 + 256 + 128 + 64)
    output = 16 * 128 * 3 + 3
    expected = encoder + encoder_norms + decoder + decoder_norms + output
    assert expected == 54_414_531
    assert trainable(build_unet((256, 256, 3), 3, 64, 0)) == expected


@pytest.mark.parametrize(
    ("size", "levels"), [((256, 256), 8), ((128, 128), 7), ((128, 256), 7), ((96, 128), 5), ((32, 48), 4)]
)
def test_depth_follows_from_the_size(size, levels):
    assert count_levels(*size) == levels
    network = build_unet((*size, 5), 3, 2, 0)
    assert network.get_layer(f"encode_{levels}").output.shape[1:3] == (size[0] >> levels, size[1] >> levels)
    assert network.output_shape == (None, *size, 3)


def test_dropout_stands_in_the_first_three_decoder_blocks():
    names = [layer.name for layer in build_unet((64, 64, 3), 3, 2, 0).layers if "dropout" in layer.name]
    assert names == ["decode_1_dropout", "decode_2_dropout", "decode_3_dropout"]


def test_weights_start_as_the_paper_says_and_follow_the_seed():
    first, same, other = (build_unet((64, 64, 3), 3, 16, seed).get_weights() for seed in (0, 0, 1))
    assert all((a == b).all() for a, b in zip(first, same, strict=True))
    kernels = [weight for weight in first if weight.ndim == 4]
    assert max(abs(float(kernel.mean())) for kernel in kernels) < 0.002
    assert [round(float(kernel.std()), 2) for kernel in kernels] == [0.02] * len(kernels)
    assert any((a != b).any() for a, b in zip(first, other, strict=True))
    assert len({kernel.ravel()[0] for kernel in kernels}) == len(kernels)
