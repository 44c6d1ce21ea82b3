"""The training of the classifier of domains, on real images alone."""

from collections.abc import Callable, Sequence

import keras
import numpy as np

from pix2street.core.domains import DomainImage
from pix2street.core.images import to_unit
from pix2street.core.seeds import derive_seed
from pix2street.judges.domain_classifier import DomainCard, DomainClassifier, build_classifier, shown_to_it
from pix2street.settings.segment import Domains
from pix2street.training.players import OnePassAdam

SALT = 0x646F6D61
"""A part of the classifier's seed that no other training has."""
BATCH = 16
LEARNING_RATE = 0.002


def train_classifier(
    images: Sequence[DomainImage], domains: Sequence[str], settings: Domains, seed: int, on_step: Callable[[], None]
) -> DomainClassifier:
    """Return a classifier that was trained on these images, of which every domain has at least one.

    A step sees `BATCH` images, half of them mirrored on average. Each has a random domain, and is a random one of its
    images, so that a domain with many images does not weigh more. The learning rate falls to 0 along a half cosine.

    Args:
        seed: the seed of the section; that of the classifier follows from it.
    """
    seed = derive_seed(SALT, seed)
    pixels = shown_to_it([image.path for image in images], settings.side_px)
    members = [np.array([index for index, image in enumerate(images) if image.domain == domain]) for domain in domains]
    network = build_classifier(settings.side_px, len(domains), settings.filters, seed)
    # A model around the network is compiled, since a compiled network would save its optimizer with its weights.
    trainer = keras.Model(network.inputs, network.outputs)
    rate = keras.optimizers.schedules.CosineDecay(LEARNING_RATE, settings.steps)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    trainer.compile(OnePassAdam(rate, global_clipnorm=1.0), loss, jit_compile=False)
    for step in range(settings.steps):
        rng = np.random.default_rng([seed, step])
        numbers = rng.integers(len(domains), size=BATCH)
        shown = pixels[[rng.choice(members[number]) for number in numbers]]
        mirrored = rng.random(BATCH) < 0.5
        shown[mirrored] = shown[mirrored, :, ::-1]
        trainer.train_on_batch(to_unit(shown.astype(np.float32)), numbers)
        on_step()
    return DomainClassifier(network, DomainCard([*domains], settings.side_px))
