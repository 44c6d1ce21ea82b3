"""Validate: hold the manifest against its limits before anything is trained on it."""

from pathlib import Path

import pandas as pd

from pix2street.errors import UserError
from pix2street.files import sha256_of
from pix2street.pairs import SPLITS, Dataset, read_manifest
from pix2street.validation.suite import build_checks, with_derived_columns
from pix2street.validation.verdict import run_checks

OFFENDERS_SHOWN = 20


def validate_split(
    split: Path,
    *,
    height_px: int,
    width_px: int,
    min_train_pairs: int,
    min_val_pairs: int,
    min_target_std: float,
    min_classes_in_input: int,
    data_docs: Path | None = None,
) -> dict:
    """The verdict on the manifest in the folder `split`: pairs by split, and each check's result."""
    manifest = read_manifest(split)
    classes = Dataset.read(split).classes
    files = {path.relative_to(split).as_posix() for path in split.rglob("*.png")}
    known_ids = [entry.id for entry in classes.entries] if classes else []
    checks = build_checks(
        classes=classes is not None,
        height_px=height_px,
        width_px=width_px,
        min_pairs={"train": min_train_pairs, "val": min_val_pairs},
        min_target_std=min_target_std,
        min_classes_in_input=min_classes_in_input,
    )
    results = run_checks(with_derived_columns(manifest, known_ids, files), checks, data_docs)
    counts = manifest["split"].value_counts()
    return {
        "success": all(result["success"] for result in results),
        "pairs": {name: int(counts[name]) for name in SPLITS if name in counts},
        "checks": results,
    }


def refuse_failures(verdict: dict, split: Path) -> None:
    """Raise UserError with a table of the offending rows where a check failed."""
    if verdict["success"]:
        return
    failed = [check for check in verdict["checks"] if not check["success"]]
    manifest = read_manifest(split).set_index("pair_id", drop=False)
    lines = [f"{len(failed)} of {len(verdict['checks'])} checks failed; mend or remove these pairs and run again:"]
    for check in failed:
        lines.append(f"\n  {check['name']}: {check['offending_count'] or 'the whole table'} of {check['checked']} fail")
        offenders = manifest.loc[manifest["pair_id"].isin(check["offending"][:OFFENDERS_SHOWN])]
        if len(offenders):
            columns = ["pair_id", "split", "height_px", "width_px", "input_channels", "class_ids", "target_std"]
            lines.append(pd.DataFrame(offenders)[columns].to_string(index=False))
        if check["offending_count"] > OFFENDERS_SHOWN:
            lines.append(
                f"  ... and {check['offending_count'] - OFFENDERS_SHOWN} more in reports/validate/verdict.json"
            )
    raise UserError("\n".join(lines))


def passed(split: Path) -> dict:
    """What later stages wait for: it changes with the data, not with a limit or a check's name."""
    return {"manifest_sha256": sha256_of(split / "manifest.csv")}
