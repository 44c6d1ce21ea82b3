"""report: one page a person reads, and a summary for a pull request."""

from pix2street.files import write_text
from pix2street.layout import Layout
from pix2street.params import Params
from pix2street.stage import run_stage

PACKAGES = ("tensorflow", "keras", "numpy", "pandas", "great-expectations", "dvc", "mlflow")


def main(params: Params, layout: Layout) -> None:
    from pix2street.tracking import Run

    write_text(layout.report_page, "")
    with Run.of_weights(layout, params.model_dump(by_alias=True)) as run:
        run.record_report()


if __name__ == "__main__":
    run_stage(main)
