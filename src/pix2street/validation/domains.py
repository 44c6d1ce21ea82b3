"""The checks that a set with domains has, and those that a set without pairs cannot have."""

from dataclasses import dataclass, replace

import pandas as pd

from pix2street.core.pairs import SUBSETS, Dataset
from pix2street.settings.validate import Validate
from pix2street.validation.check import Check, among, at_least, largest_at_most, smallest_at_least

FIT_CHECKS = ("fit", "outlier", "shifted")
NEED_INPUTS = ("input_channels", "input_mode", "input_uniform", "equal_sizes", *FIT_CHECKS)

IMAGE_RULES = {
    "readable": "every file can be read and is in the folder of a domain",
    "train_pairs": "train has images",
    "val_pairs": "val has images",
    "split": "an image is in train, val or test",
    "unique_id": "every id is unique",
    "on_disk": "every image is on disk",
    "target_channels": "images have three channels",
    "target_mode": "images are stored in 8 bits a channel",
    "aspect": "an image is shaped like the others of its domain",
    "unique_pair": "no image occurs twice",
    "leak": "no image is in two subsets",
    "near_duplicate": "no image is nearly one of another subset",
}
"""The rules of checks in words that fit images without pairs, by the keys of the checks."""


@dataclass(frozen=True)
class DomainFindings:
    """Figures of the domains of a whole set.

    Args:
        counts: the number of sound images in each domain, in the order of the domains, by subset.
    """

    counts: dict[str, dict[str, int]]

    def least(self, subset: str) -> int:
        """Return the number of images in the smallest domain of a subset."""
        return min(self.counts[subset].values(), default=0)

    @property
    def ratio(self) -> float:
        """How many times more images the largest domain has in train than the smallest."""
        return round(max(self.counts["train"].values(), default=0) / max(self.least("train"), 1), 4)

    def listed(self, subset: str) -> str:
        """Return a sentence with the number of images of each domain."""
        counts = ", ".join(f"{domain} {count}" for domain, count in self.counts[subset].items())
        return f"{subset} has {counts}"


def look_at_domains(dataset: Dataset, manifest: pd.DataFrame) -> DomainFindings:
    """Return the findings in the manifest's columns; empty ones for a set without domains."""
    columns = ["split", "domain"] if dataset.domains else ["split"]
    sound = manifest.loc[manifest["fault"].isna(), columns]
    counts = {
        subset: {
            domain: int(((sound["split"] == subset) & (sound["domain"] == domain)).sum()) for domain in dataset.domains
        }
        for subset in SUBSETS
    }
    return DomainFindings(counts)


def domain_checks(found: DomainFindings, limits: Validate) -> list[Check]:
    """Return the checks that each domain has images enough, and that no image is in two domains."""
    more = "Add images, or leave the domain out"
    return [
        Check(
            "domain_train",
            "train has images of every domain",
            smallest_at_least("domain_train", limits.min_domain_train),
            f"{more}: {found.listed('train')}",
        ),
        Check(
            "domain_val",
            "val has images of every domain",
            smallest_at_least("domain_val", limits.min_domain_val),
            f"{more}: {found.listed('val')}",
        ),
        Check(
            "domain_balance",
            "no domain has many times the images of another",
            largest_at_most("domain_ratio", limits.max_domain_ratio),
            f"Add images of the smaller domains or remove some of the larger: {found.listed('train')}",
        ),
        Check("domains_apart", "no image is in two domains", among("target_domains", 1)),
        Check(
            "near_domain",
            "no image is nearly one of another domain",
            at_least("domain_distance", limits.min_hash_distance),
            "Remove one of each two; where images of one name show one scene in both domains, set `scenes: true` in "
            "the section of the data set",
        ),
    ]


def checks_not_made(dataset: Dataset) -> list[dict[str, str | list[str]]]:
    """Return the keys of the checks that a set cannot have, each list with its reason; empty for a set of pairs."""
    if dataset.input_from == "none":
        return [
            {"checks": list(NEED_INPUTS), "reason": "images stand alone, and no input belongs to a target"},
            {"checks": ["size"], "reason": "images of a domain may have any size"},
        ]
    if dataset.scenes:
        return [{"checks": list(FIT_CHECKS), "reason": "the photos of all domains fit the same input"}]
    return []


def adapt(checks: list[Check], dataset: Dataset) -> list[Check]:
    """Return the checks that a set can have, in words that fit it."""
    left_out = {key for entry in checks_not_made(dataset) for key in entry["checks"]}
    kept = [check for check in checks if check.key not in left_out]
    if dataset.input_from != "none":
        return kept
    return [replace(check, rule=IMAGE_RULES.get(check.key, check.rule)) for check in kept]
