"""The measures that every training takes after each epoch, and the limits at which they become faults.

`training/diagnostics.py` computes the measures. The limits are in this module, so that a change of limits or words
does not train again.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from pix2street.models.interface import Term

MEASURES = (
    Term("holdout_l1", "L1, 0 to 2"),
    Term("diversity", "photos differ, as real ones do: 1"),
    Term("sensitivity", "photos differ, as real ones do: 1"),
    Term("saturated_share", "saturated pixels, less real ones"),
    Term("checkerboard", "checkerboard, dB above real"),
    Term("light_kept", "light of input and photo, correlation"),
    Term("edges_kept", "edges of input and photo, correlation"),
    Term("domain_sensitivity", "photos of other domains differ, as real ones do: 1"),
)
"""The columns of the history that no family declares.

`holdout_l1` is missing where no pairs are kept apart, `light_kept` and `edges_kept` but for photos of photos without
pairs, and `domain_sensitivity` but for generators that are told the domain.
"""


@dataclass(frozen=True)
class Fault:
    """A fault in the photos, and the value of its measure beyond which it is reported.

    Args:
        real: the value of the measure for real photos.
    """

    sentence: str
    limit: float
    real: float

    @property
    def below(self) -> bool:
        """Whether values below the limit are the fault; otherwise values above it are."""
        return self.limit < self.real

    def found_in(self, value: float) -> bool:
        """Return whether this value of the measure is beyond the limit."""
        return value < self.limit if self.below else value > self.limit


# The limits: a tenth of the real photos' differences, a quarter more of all pixels, three times the power of real
# photos at the frequency of up-sampling (5 dB: a person sees it in foliage), more light exchanged than a night does, a
# tenth of the edges' correlation, and a twentieth of two photos' difference between domains.
FAULTS = {
    "diversity": Fault("Different inputs give nearly the same photo", limit=0.1, real=1),
    "sensitivity": Fault("The photo hardly depends on the input", limit=0.1, real=1),
    "saturated_share": Fault("Many more pixels are black or white than in real photos", limit=0.25, real=0),
    "checkerboard": Fault("Up-sampling leaves a checkerboard", limit=5, real=0),
    "light_kept": Fault("Bright and dark are exchanged", limit=-0.3, real=1),
    "edges_kept": Fault("The photo does not show what its input shows", limit=0.1, real=1),
    "domain_sensitivity": Fault("The photo hardly depends on the domain", limit=0.05, real=1),
}
"""Faults by the name of their measure."""


def faults_of(row: Mapping[str, float]) -> list[str]:
    """Return the measures in a row of the history that are beyond their limits."""
    return [name for name, fault in FAULTS.items() if name in row and fault.found_in(row[name])]
