"""Validate: compare the manifest with its limits, before a training."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pix2street.core.edge_maps import EdgeMaps
from pix2street.core.errors import UserError
from pix2street.core.files import sha256_of
from pix2street.core.pairs import (
    SUBSETS,
    Dataset,
    count_notes,
    read_left_out,
    read_manifest,
)
from pix2street.settings.validate import Validate, Waivers
from pix2street.validation.borders import look_at_borders
from pix2street.validation.class_ids import look_at_ids
from pix2street.validation.derived import with_derived_columns
from pix2street.validation.domains import FIT_CHECKS, checks_not_made, look_at_domains
from pix2street.validation.fit import Suspects, block_agreement, block_lead, blocks
from pix2street.validation.results import run_checks
from pix2street.validation.suite import Findings, build_checks

OFFENDERS_SHOWN = 20
FAULTS_SHOWN = 3
COLUMNS_SHOWN = {
    "leak": ["target_splits"],
    "near_duplicate": ["near"],
    "domains_apart": ["domain"],
    "near_domain": ["domain_near"],
    "group": ["group"],
    "class_ids": ["unknown"],
    "fit": ["exchanged"],
    "equal_sizes": [f"{half}_source_{side}_px" for half in ("input", "target") for side in ("height", "width")],
}
"""The columns that the terminal shows for the offenders of a check, besides the checked one."""


def validate_split(
    split: Path, size: tuple[int, int], limits: Validate, data_docs: Path | None = None
) -> tuple[dict[str, Any], pd.DataFrame]:
    """Return the verdict on the folder `split`, and the manifest with the columns that decided it.

    Args:
        size: the working size, (height_px, width_px).
        data_docs: the folder for Great Expectations' pages; None writes none.

    Raises:
        UserError: a waiver names an unknown check or pair.
    """
    dataset = Dataset.read(split)
    manifest = read_manifest(split)
    alone = dataset.input_from == "none"
    on_disk = _on_disk(split, manifest["target_path"])
    on_disk = on_disk if alone else on_disk & _on_disk(split, manifest["input_path"])
    found = Findings(
        look_at_ids(dataset, manifest),
        look_at_borders(dataset, manifest),
        manifest["target_mode"].value_counts().to_dict(),
        look_at_domains(dataset, manifest),
    )
    if found.ids.note:
        print(found.ids.note)
    checks = build_checks(dataset, found, (size[0] * dataset.target_frames, size[1]), limits)
    _refuse_unknown_waivers(limits.waive, [check.key for check in checks], set(manifest["pair_id"]))
    known_ids = [entry.id for entry in dataset.classes.entries] if dataset.classes else []
    not_made = checks_not_made(dataset)
    measured = not any(key in entry["checks"] for entry in not_made for key in FIT_CHECKS)
    fit = _fit(split, manifest, on_disk) if measured else _no_fit(manifest)
    table = with_derived_columns(manifest, known_ids, on_disk, fit, limits.min_hash_distance, alone)
    table = table.assign(
        misread_share=found.ids.misread_share,
        seam_share=found.borders.seam_share,
        between_ratio=found.borders.between_ratio,
        domain_train=found.domains.least("train"),
        domain_val=found.domains.least("val"),
        domain_ratio=found.domains.ratio,
    )
    results = run_checks(table, checks, limits.waive, data_docs)
    counts = table["pair_of"].value_counts()
    verdict = {
        "success": all(result["success"] or result["waived"] for result in results),
        "pairs": {name: int(counts[name]) for name in SUBSETS if name in counts},
        "files": _account(table, read_left_out(split)) | _count_passed(table, results),
        "read": count_notes(manifest),
        "waived": limits.waive.model_dump(),
        "checks": results,
    }
    if dataset.domains:
        verdict["domains"] = {name: found.domains.counts[name] for name in verdict["pairs"]}
        verdict["not_checked"] = not_made
    return verdict, table


def _account(table: pd.DataFrame, left_out: pd.DataFrame) -> dict[str, Any]:
    """Return the number of files: the number found is the sum of those in pairs, faulty ones and those left out."""
    faulty = int(table.loc[table["fault"] != "", "files"].sum())
    reasons = left_out.groupby("left_out")["files"].sum().sort_index().sort_values(ascending=False, kind="stable")
    return {
        "found": int(table["files"].sum() + left_out["files"].sum()),
        "in_pairs": int(table["files"].sum()) - faulty,
        "faulty": faulty,
        "left_out": int(left_out["files"].sum()),
        "left_out_for": {reason: int(count) for reason, count in reasons.items()},
    }


def _count_passed(table: pd.DataFrame, results: list[dict[str, Any]]) -> dict[str, int]:
    """Return how many files were checked, and how many of them belong to rows that passed or failed."""
    failing = {
        pair_id
        for result in results
        if not result["waived"] and not result["warning"]
        for pair_id in result["offending"]
    }
    failed = table["pair_id"].isin(failing)
    return {
        "checked": int(table["files"].sum()),
        "passed": int(table.loc[~failed, "files"].sum()),
        "failed": int(table.loc[failed, "files"].sum()),
    }


def refuse_failures(verdict: dict[str, Any], table: pd.DataFrame) -> None:
    """Raise `UserError` with the offending rows if a check failed and is not waived."""
    if verdict["success"]:
        return
    failed = [check for check in verdict["checks"] if not check["success"] and not check["waived"]]
    if (faults := table["fault"]).ne("").all():
        # Without a pair every other check fails, too, and would hide the reason.
        listed = "".join(f"\n  {fault}" for fault in faults.head(FAULTS_SHOWN))
        more = (
            f"\n  ... and {len(faults) - FAULTS_SHOWN} more in data/split/manifest.csv"
            if len(faults) > FAULTS_SHOWN
            else ""
        )
        what = "image could be read" if "domains" in verdict else "pair could be made"
        raise UserError(f"no {what} of {verdict['files']['checked']} files:{listed}{more}")
    lines = [
        f"{len(failed)} of {len(verdict['checks'])} checks failed. Look at reports/validate/index.html, fix or remove "
        "these pairs and run again, or waive a check or a pair in validate.waive:"
    ]
    for check in failed:
        lines += _lines_of(check, table)
    raise UserError("\n".join(lines))


def warnings_of(verdict: dict[str, Any], table: pd.DataFrame) -> str:
    """Return the lines about checks that passed with a warning; empty if none did."""
    warned = [check for check in verdict["checks"] if check["warning"] and not check["waived"]]
    lines = [f"{len(warned)} of {len(verdict['checks'])} checks passed with a warning; the run goes on:"]
    for check in warned:
        lines += _lines_of(check, table)
    return "\n".join(lines) if warned else ""


def _lines_of(check: dict[str, Any], table: pd.DataFrame) -> list[str]:
    """Return a check's rule and way out, and a table of the first offenders."""
    lines = [f"\n  {check['key']}: {check['rule']}{_limits_of(check)}: {_extent(check)}"]
    lines += [f"  {check['way_out']}"] if check["way_out"] else []
    rows = table[table["pair_id"].isin(check["offending"][:OFFENDERS_SHOWN])]
    if len(rows):
        columns = dict.fromkeys(["pair_id", "split", check["column"], *COLUMNS_SHOWN.get(check["key"], [])])
        lines.append(rows[list(columns)].to_string(index=False, max_colwidth=500))
    if len(check["offending"]) > OFFENDERS_SHOWN:
        more = len(check["offending"]) - OFFENDERS_SHOWN
        lines.append(f"  ... and {more} more in reports/validate/verdict.json")
    return lines


def _limits_of(check: dict[str, Any]) -> str:
    """Return `, at least 3` or the like; empty for a check without limits."""
    words = {"least": "at least", "most": "at most"}
    return "".join(f", {word} {check[limit]:g}" for limit, word in words.items() if check[limit] is not None)


def _extent(check: dict[str, Any]) -> str:
    """Return the number of offending rows in words, or the observed value of the whole set."""
    if check["offending"]:
        return f"{len(check['offending'])} of {check['checked']} {'offend' if check['warning'] else 'fail'}"
    return f"it is {check['observed']:g}" if check["observed"] is not None else "nothing was checked"


def passed(split: Path) -> dict[str, str]:
    """Return the content of `passed.json`, on which later stages depend; it changes with the data, not with limits."""
    return {"manifest_sha256": sha256_of(split / "manifest.csv")}


def _refuse_unknown_waivers(waive: Waivers, keys: list[str], pair_ids: set[str]) -> None:
    """Raise `UserError` if a waiver names an unknown check or pair, because it would waive nothing."""
    if unknown := sorted(set(waive.checks) - set(keys)):
        raise UserError(
            f"validate.waive.checks: no check is called {', '.join(unknown)}; the checks are {', '.join(keys)}"
        )
    if unknown := sorted(set(waive.pairs) - pair_ids):
        raise UserError(f"validate.waive.pairs: the data set has no pair {', '.join(unknown)}; fix or remove the name")


def _on_disk(split: Path, names: pd.Series) -> pd.Series:
    """Return which of the names, some of them missing, are those of files below `split`."""
    return names.notna() & np.array([os.path.isfile(split / name) for name in names.fillna("")], bool)


def _fit(split: Path, manifest: pd.DataFrame, on_disk: pd.Series) -> pd.DataFrame:
    """Return how well each row's input and target fit together.

    Returns:
        Each row's `lead`, its `fit`, and `exchanged`, the pair_id with which its fit is lowest. Rows without images on
        disk have NaN and empty text; `fit` and `exchanged` are also missing for rows whose lead is too high to suspect.
    """
    lead, fit = np.full(len(manifest), np.nan), np.full(len(manifest), np.nan)
    exchanged, suspects = np.full(len(manifest), "", object), Suspects()
    pairs, subsets = manifest["input_path"].notna().to_numpy(), manifest["split"].where(on_disk)
    maps = EdgeMaps.open(split, int(pairs.sum())) if on_disk.any() else None
    places = np.cumsum(pairs) - 1
    for name in SUBSETS:
        rows = np.flatnonzero(subsets == name)
        for block in blocks(len(rows)) if len(rows) else []:
            some = maps.read(places[rows[block]])
            lead[rows[block]] = np.round(block_lead(block_agreement(some[:, 0], some[:, 1])), 6)
            suspects.add(rows[block], lead[rows[block]], some)
    found, others = suspects.fit()
    fit[suspects.rows] = np.round(found, 6)
    exchanged[suspects.rows] = np.where(others >= 0, manifest["pair_id"].to_numpy(object)[others], "")
    return pd.DataFrame({"fit": fit, "lead": lead, "exchanged": exchanged}, index=manifest.index)


def _no_fit(manifest: pd.DataFrame) -> pd.DataFrame:
    """Return the columns of `_fit` for a set in which it is not measured."""
    return pd.DataFrame({"fit": np.nan, "lead": np.nan, "exchanged": ""}, index=manifest.index)
