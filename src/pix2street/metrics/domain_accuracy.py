"""The share of translations that a classifier of domains names as the domain that they shall have."""

from typing import Any

from pix2street.metrics.bootstrap import interval_of, resamples
from pix2street.metrics.samples import Samples

PROTOCOL = {
    "version": 1,
    "scores": ["domain_accuracy"],
    "classifier_trained_on": "real images of train",
    "ceiling": "the share of the target domain's real held-out images that it names right",
}


def score(samples: Samples) -> dict[str, Any]:
    """Return `domain_accuracy` with its interval; nothing for photos that no classifier has seen."""
    if samples.named is None:
        return {}
    names, target = samples.named
    right = (names == target).astype(float)
    return {
        "domain_accuracy": float(right.mean()),
        "domain_accuracy_interval": interval_of(resamples(len(right)) @ right / len(right)),
    }
