"""The curves of a training, panel by panel, as the terms of its family and the measures of every family arrange them.

This module does not name any family or term, so that a new family needs no change here.
"""

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Literal, get_origin

from pix2street.models import MODELS, open_family
from pix2street.models.interface import Term
from pix2street.reporting.measures import FAULTS, MEASURES

if TYPE_CHECKING:
    import pandas as pd

Panels = dict[str, list[Term]]
"""Terms by the title of the plot in which they are drawn, in the order of the plots."""

RUN_PARAMETERS = ("download.dataset", "train.model", "train.run.epochs", "train.run.batch", "train.run.seed")
"""Parameters by which runs of every family differ."""


def panels_of(terms: Iterable[Term], history: "pd.DataFrame", settings: Mapping[str, Any]) -> Panels:
    """Return the panels of a training: first those of the family's terms, then the measures', the totals last.

    A measure is drawn among the family's terms where they share a panel. Measures that the history lacks are left out,
    and so are terms that the settings of the family switch off.
    """
    panels: Panels = {}
    for term in (*terms, *MEASURES):
        if term.name in history and term.is_measured(settings):
            panels.setdefault(term.panel, []).append(term)
    return dict(sorted(panels.items(), key=lambda panel: all(term.total for term in panel[1])))


def references_of(terms: Iterable[Term], settings: Mapping[str, Any]) -> dict[float, str]:
    """Return the reference values of a panel's curves, with their meaning in words.

    The value of real photos has no words, because the title of the panel explains it.

    Args:
        settings: the settings of the family.
    """
    references = {}
    for term in terms:
        if (reference := term.reference(settings)) is not None:
            references[reference] = f"cannot tell: {reference:.3g}"
        if fault := FAULTS.get(term.name):
            references[fault.limit] = f"fault {'below' if fault.below else 'above'} {fault.limit:g}"
            references[fault.real] = ""
    return references


def tables_of(terms: Iterable[Term], history: "pd.DataFrame", settings: Mapping[str, Any]) -> dict[str, "pd.DataFrame"]:
    """Return a table for each of `panels_of`, by the name of its file: the columns `epoch`, `term` and `value`."""
    return {
        re.sub(r"\W+", "_", title).strip("_"): history.melt(
            "epoch", [term.name for term in curves], var_name="term", value_name="value"
        )
        for title, curves in panels_of(terms, history, settings).items()
    }


def compared_curves() -> list[str]:
    """Return the columns of the history that are worth comparing between runs, over all families."""
    terms = [term for model in MODELS for term in open_family(model).TERMS]
    return list(dict.fromkeys(term.name for term in (*terms, *MEASURES) if not term.total))


def compared_parameters() -> list[str]:
    """Return the parameters that are worth a column in a list of runs, over all families.

    For a family these are the choices of its form and the weights of its losses.
    """
    chosen = [
        f"train.{model}.{name}"
        for model in MODELS
        for name, field in open_family(model).Settings.model_fields.items()
        if get_origin(field.annotation) is Literal or name.endswith("_weight")
    ]
    return [*RUN_PARAMETERS, *chosen]
