"""Run the checks and describe their results, without a time or an id."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import great_expectations as gx
import pandas as pd
from great_expectations.core import ExpectationValidationResult
from great_expectations.data_context.types.base import ProgressBarsConfig
from great_expectations.expectations.expectation_configuration import ExpectationConfiguration

from pix2street.settings.validate import Waivers
from pix2street.validation.check import TOLERATED_ROWS, Check

SITE = "pix2street"


def run_checks(
    manifest: pd.DataFrame, checks: Sequence[Check], waive: Waivers, data_docs: Path | None = None
) -> list[dict[str, Any]]:
    """Return each check's result: key, rule, limits, success, rows checked, offending pair_ids, and its waivers.

    A check that tolerates some offenders passes with a warning if it finds only so few. A check without rows to test
    fails, although Great Expectations lets it pass.

    Args:
        manifest: the manifest with its derived columns.
        data_docs: the folder for Great Expectations' pages; None builds none.
    """
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    if data_docs is not None:
        store = {"class_name": "TupleFilesystemStoreBackend", "base_directory": str(data_docs.resolve())}
        context.add_data_docs_site(SITE, {"class_name": "SiteBuilder", "store_backend": store})
    asset = context.data_sources.add_pandas("pandas").add_dataframe_asset("manifest")
    batches = asset.add_batch_definition_whole_dataframe("all")
    suite = context.suites.add(gx.ExpectationSuite("manifest", [check.expectation for check in checks]))
    definition = context.validation_definitions.add(gx.ValidationDefinition(name="manifest", data=batches, suite=suite))
    # Great Expectations copies what it filters.
    columns = {check.expectation.configuration.kwargs.get("column") for check in checks}
    needed = manifest[[name for name in manifest if name in {"pair_id", "pair_of", *columns}]]
    result = definition.run(
        batch_parameters={"dataframe": needed},
        result_format={"result_format": "COMPLETE", "unexpected_index_column_names": ["pair_id"]},
    )
    if data_docs is not None:
        context.build_data_docs()
    return [_describe(check, found, waive) for check, found in _in_order(checks, result.results)]


def _in_order(
    checks: Sequence[Check], results: Iterable[ExpectationValidationResult]
) -> list[tuple[Check, ExpectationValidationResult]]:
    """Return each check with its result; Great Expectations sorts results by column."""
    by_key = {_key(result.expectation_config): result for result in results}
    if len(by_key) != len(checks):
        raise RuntimeError(f"{len(checks)} checks gave {len(by_key)} results")
    return [(check, by_key[_key(check.expectation.configuration)]) for check in checks]


def _key(configuration: ExpectationConfiguration) -> str:
    kwargs = {key: value for key, value in configuration.kwargs.items() if key != "batch_id"}
    return json.dumps([configuration.type, kwargs], sort_keys=True, default=str)


def _describe(check: Check, found: ExpectationValidationResult, waive: Waivers) -> dict[str, Any]:
    kwargs = check.expectation.configuration.kwargs
    offending = sorted({str(row["pair_id"]) for row in found.result.get("unexpected_index_list") or []})
    excused = [pair_id for pair_id in offending if pair_id in waive.pairs]
    observed = found.result.get("observed_value")
    rows = found.result.get("element_count")
    # Great Expectations does not test null values.
    checked = rows - found.result.get("missing_count", 0) if rows is not None else None
    left = len(offending) - len(excused)
    success = bool(found.success) or (bool(offending) and left == 0)
    tolerated = check.tolerated_share is not None and 0 < left <= max(TOLERATED_ROWS, check.tolerated_share * checked)
    return {
        "key": check.key,
        "rule": check.rule,
        "way_out": check.way_out,
        "expectation": type(check.expectation).__name__,
        "column": kwargs.get("column"),
        "least": kwargs.get("min_value"),
        "most": kwargs.get("max_value"),
        "success": (success or tolerated) and checked != 0,
        "warning": tolerated and not success,
        "waived": check.key in waive.checks,
        "observed": round(float(observed), 6) if observed is not None else None,
        "checked": checked,
        "offending": [pair_id for pair_id in offending if pair_id not in waive.pairs],
        "waived_pairs": excused,
    }
