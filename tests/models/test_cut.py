import keras
import numpy as np
import pytest
import tensorflow as tf
from model_battery import COLORS, batch, start
from shipped import changed
from tiny_models import SETTINGS, SMALL

from pix2street.core.errors import UserError
from pix2street.models import cut
from pix2street.models.interface import Task

TINY = changed(SETTINGS.cut, **SMALL["cut"])


@pytest.mark.parametrize(("blocks", "last"), [(9, "block_5"), (6, "block_3"), (2, "block_1")])
def test_the_encoder_gives_pixels_halvings_and_blocks_to_the_middle(blocks, last):
    generator = cut.build_generator(COLORS, changed(TINY, blocks=blocks), 0)
    taps = cut.encoder_of(generator, changed(TINY, blocks=blocks)).outputs
    shapes = [(None, 32, 64, 3), (None, 16, 32, 4), (None, 8, 16, 8), (None, 8, 16, 8)]
    assert [tap.shape for tap in taps] == shapes + shapes[-1:] * (last != "block_1")
    assert taps[-1] is generator.get_layer(last).output


def test_an_image_finds_its_own_patches():
    """The contrast of an image with itself is far below that with another image."""
    settings = changed(TINY, patches=64, head_width=32)
    encoder = cut.encoder_of(cut.build_generator(COLORS, settings, 0), settings)
    heads = cut.build_heads(encoder, settings, 0)
    one, other = (encoder(batch(seed)["target"]) for seed in (1, 2))
    draws = keras.random.SeedGenerator(0)
    same, found = cut.contrast_of(one, one, heads, settings, draws)
    different, lost = cut.contrast_of(other, one, heads, settings, draws)
    assert float(same) < float(different) / 2
    assert float(found) > 0.9
    assert float(lost) < 0.1


def losses_of(nce: float, identity: float | None, **changes) -> dict[str, float]:
    real, generated = (tf.fill((1, 3, 3, 1), value) for value in (0.8, 0.3))
    terms = cut.losses(real, generated, nce, identity, changed(TINY, **changes))
    return {name: float(value) for name, value in terms.items()}


def test_losses_are_those_of_the_paper():
    terms = losses_of(3.0, 2.0, nce_weight=1.0)
    assert terms["gen_total"] == pytest.approx(0.49 + (3 + 2) / 2)
    assert terms["disc_total"] == pytest.approx((0.04 + 0.09) / 2)
    fast = losses_of(3.0, None, nce_weight=10.0)
    assert fast["gen_total"] == pytest.approx(0.49 + 10 * 3)
    assert fast["gen_identity"] == 0


def test_terms_know_their_value_where_nobody_is_ahead():
    undecided = tf.fill((1, 3, 3, 1), 0.5)
    met = cut.losses(undecided, undecided, 3.0, 2.0, TINY)
    references = {term.name: term.reference({}) for term in cut.TERMS}
    for name, value in references.items():
        assert value is None or value == pytest.approx(float(met[name])) or name.endswith("accuracy"), name


def test_the_fast_form_trains_every_weight():
    training = start(cut, changed(TINY, nce_weight=10.0, identity=False, mirror_equivariance=True))
    before = [weight.numpy() for network in training.networks.values() for weight in network.trainable_variables]
    terms = training.step(batch(task=COLORS))
    after = [weight.numpy() for network in training.networks.values() for weight in network.trainable_variables]
    assert all((old != new).any() for old, new in zip(before, after, strict=True))
    assert float(terms["gen_identity"]) == 0


def test_a_mirrored_image_is_mirrored_back():
    draws, image = keras.random.SeedGenerator(0), batch(task=COLORS)["target"]
    coins = []
    for _ in range(20):
        turn = cut.mirrored_by(draws)
        np.testing.assert_array_equal(turn(turn(image)), image)
        coins.append(bool(np.any(turn(image) != image)))
    assert 4 < sum(coins) < 16


@pytest.mark.parametrize("task", [Task((32, 32, 4), (32, 32, 3), labels=4), Task((32, 32, 3), (32, 32, 1))])
def test_images_of_two_kinds_are_refused(task):
    with pytest.raises(UserError, match=r"both must be colours; set train.data.encoding to color"):
        cut.build_generator(task, TINY, 0)
