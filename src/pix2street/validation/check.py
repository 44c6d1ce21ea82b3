"""One check of the manifest, and the expectations of Great Expectations that checks are made of."""

from dataclasses import dataclass
from typing import Any

import great_expectations.expectations as gxe
from great_expectations.expectations.expectation import Expectation

TOLERATED_ROWS = 2


@dataclass(frozen=True)
class Check:
    """A rule that the manifest must keep.

    Args:
        key: the name by which the check can be waived.
        rule: the rule in words.
        expectation: the rule as Great Expectations tests it.
        way_out: what the user can do if the check fails; empty if the rule says it all.
        tolerated_share: a share of the checked rows. Up to it, and always up to `TOLERATED_ROWS`, offenders cause a
            warning and no failure. None if any offender fails the check.
    """

    key: str
    rule: str
    expectation: Expectation
    way_out: str = ""
    tolerated_share: float | None = None


def among(column: str, *values: Any) -> Expectation:
    """Expect every value of the column to be one of `values`."""
    return gxe.ExpectColumnValuesToBeInSet(column=column, value_set=list(values))


def unique(column: str) -> Expectation:
    """Expect no value of the column to occur twice."""
    return gxe.ExpectColumnValuesToBeUnique(column=column)


def at_least(column: str, least: float) -> Expectation:
    """Expect every value of the column to reach `least`."""
    return gxe.ExpectColumnValuesToBeBetween(column=column, min_value=least)


def at_most(column: str, most: float) -> Expectation:
    """Expect no value of the column to exceed `most`."""
    return gxe.ExpectColumnValuesToBeBetween(column=column, max_value=most)


def mean_at_least(column: str, least: float) -> Expectation:
    """Expect the mean of the column to reach `least`."""
    return gxe.ExpectColumnMeanToBeBetween(column=column, min_value=least)


def largest_at_most(column: str, most: float) -> Expectation:
    """Expect the largest value of the column, a figure of the whole set, not to exceed `most`."""
    return gxe.ExpectColumnMaxToBeBetween(column=column, max_value=most)


def smallest_at_least(column: str, least: float) -> Expectation:
    """Expect the smallest value of the column, a figure of the whole set, to reach `least`."""
    return gxe.ExpectColumnMinToBeBetween(column=column, min_value=least)


def pairs_at_least(subset: str, least: int) -> Expectation:
    """Expect `least` sound pairs or more in a subset."""
    return gxe.ExpectTableRowCountToBeBetween(
        min_value=least, row_condition=f'pair_of=="{subset}"', condition_parser="pandas"
    )
