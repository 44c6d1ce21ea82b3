"""The verdict on a row of the history, in words: whether a player has won, and the faults of the photos."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pix2street.models.interface import Term
from pix2street.reporting.measures import FAULTS, faults_of

# Shares of a term's equilibrium. A cross-entropy below a tenth of ln 2 means a mean confidence of 93 %, so that the
# other side gets hardly any gradient. Between the two shares a side is ahead, which is usual.
WON = 0.1
AHEAD = 0.5


def verdict(row: Mapping[str, float], terms: Sequence[Term], settings: Mapping[str, Any]) -> str:
    """Return a sentence or more about one epoch: whether a side has won, and every fault in its row.

    Args:
        terms: the terms of the family.
        settings: the settings of the family.
    """
    sentences = [who_has_won(row, terms, settings), *(faults_in_words(row) or ["No fault was found in the photos."])]
    return " ".join(filter(None, sentences))


def faults_in_words(row: Mapping[str, float]) -> list[str]:
    """Return a sentence with its value for every fault in one epoch's row."""
    return [f"{FAULTS[name].sentence} ({name} {row[name]:.2f})." for name in faults_of(row)]


def diagnostics_verdict(row: Mapping[str, float]) -> str:
    """Return whether the training's own diagnostics found faults in one epoch, and which."""
    faults = faults_in_words(row)
    if not faults:
        return "The training's own diagnostics found no fault."
    count = "a fault" if len(faults) == 1 else f"{len(faults)} faults"
    return f"The training's own diagnostics found {count}: {' '.join(faults)}"


def who_has_won(row: Mapping[str, float], terms: Sequence[Term], settings: Mapping[str, Any]) -> str:
    """Return one sentence about the game, from one epoch's mean terms; none where a side has no equilibrium.

    A side has won if all its adversarial terms are below a tenth of their equilibrium, their value when the
    discriminator cannot tell real from generated; it is ahead if all are below half of it.
    """
    gen, disc = (_share_of_equilibrium(row, terms, settings, side) for side in ("generator", "discriminator"))
    if gen is None or disc is None:
        return ""
    values = "; ".join(_values(row, terms, settings))
    if gen < WON:
        return f"The generator has won: the discriminator takes its photos for real ({values})."
    if disc < WON:
        return f"The discriminator has won: it tells nearly all photos, and teaches little more ({values})."
    if disc < AHEAD:
        return f"Neither network has won; the discriminator is ahead ({values})."
    if gen < AHEAD:
        return f"Neither network has won; the generator is ahead ({values})."
    return f"Neither network has won ({values})."


def _share_of_equilibrium(
    row: Mapping[str, float], terms: Iterable[Term], settings: Mapping[str, Any], side: str
) -> float | None:
    """Return the largest adversarial term of a side as a share of its equilibrium; None where one has none."""
    references = {term.name: term.reference(settings) for term in terms if term.player == side}
    if not references or None in references.values():
        return None
    return max(row[name] / reference for name, reference in references.items())


def _values(row: Mapping[str, float], terms: Iterable[Term], settings: Mapping[str, Any]) -> list[str]:
    """Return the terms with an equilibrium by panel; totals repeat their parts and are left out."""
    panels: dict[tuple[str, float], list[str]] = {}
    for term in sorted(terms, key=lambda term: not term.player):
        reference = term.reference(settings)
        if reference is not None and not term.total:
            panels.setdefault((term.panel, reference), []).append(f"{term.name} {row[term.name]:.2f}")
    return [f"{', '.join(values)}, even at {reference:.2f}" for (_, reference), values in panels.items()]
