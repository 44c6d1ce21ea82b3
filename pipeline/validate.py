"""validate: stop the pipeline if the split pairs break a limit."""

import shutil

from pix2street.core.files import write_json, write_text
from pix2street.layout import Layout
from pix2street.params import Params
from pix2street.stage import run_stage


def main(params: Params, layout: Layout) -> None:
    from pix2street.reporting.validation import render_validation
    from pix2street.steps.validate import passed, refuse_failures, validate_split, warnings_of

    shutil.rmtree(layout.data_docs, ignore_errors=True)
    size = params.split.height_px, params.split.width_px
    verdict, table = validate_split(layout.split, size, params.validate_, layout.data_docs)
    layout.passed.unlink(missing_ok=True)
    write_json(layout.verdict, verdict)
    write_text(layout.validation_page, render_validation(layout.split, verdict, table))
    if warnings := warnings_of(verdict, table):
        print(warnings)
    refuse_failures(verdict, table)
    write_json(layout.passed, passed(layout.split))
    left_out = f", {files['left_out']} more left out" if (files := verdict["files"])["left_out"] else ""
    print(f"validation passed: {len(verdict['checks'])} checks on {files['checked']} files{left_out}")


if __name__ == "__main__":
    run_stage(main)
