"""report: write a page for people, a summary for a pull request, a model card, and the curves for `dvc plots`."""

import platform
from contextlib import suppress
from importlib.metadata import version
from typing import TYPE_CHECKING

from pix2street.core.errors import UserError
from pix2street.core.files import fresh_folder, read_json, with_keys, write_bytes, write_text
from pix2street.layout import Layout
from pix2street.params import Params
from pix2street.stage import run_stage

if TYPE_CHECKING:
    from pix2street.reporting.evidence import Evidence

PACKAGES = ("tensorflow", "keras", "numpy", "pandas", "great-expectations", "dvc", "mlflow")


def main(params: Params, layout: Layout) -> None:
    from pix2street.core.pairs import plain_name
    from pix2street.core.tables import write_table
    from pix2street.profiles import better_in_the_same_time
    from pix2street.reporting.curves import tables_of
    from pix2street.reporting.examples import as_strip
    from pix2street.reporting.model_card import as_model_card
    from pix2street.steps.report import render_report
    from pix2street.tracking.run import Run

    evidence = read_evidence(params, layout)
    page, summary = render_report(evidence)
    with fresh_folder(layout.report_samples) as folder:
        for example in evidence.examples:
            for caption, png in example.images.items():
                write_bytes(folder / plain_name(example.pair_id) / f"{caption}.png", png)
        for example in evidence.videos:
            write_bytes(folder / plain_name(example.pair_id) / "frames.png", example.images["frames"])
            write_bytes(folder / plain_name(example.pair_id) / "film.webp", example.images["film"])
    write_bytes(layout.strip, as_strip(evidence.examples))
    with fresh_folder(layout.curves) as folder:
        for name, table in tables_of(evidence.family.TERMS, evidence.history, evidence.settings).items():
            write_table(folder / f"{name}.csv", table)
    write_text(layout.report_page, page)
    write_text(layout.report_summary, summary)
    write_text(layout.model_card, as_model_card(evidence))
    with Run.of_weights(layout, params.model_dump(by_alias=True)) as run:
        run.record_metrics(evidence.metrics)
        run.record_report()
        run.record_hashes("report")
    print(f"report: {layout.report_page.relative_to(layout.root)}")
    # A fault in a profile of one's own is named where it is chosen; it must not end a pipeline that does not use it.
    with suppress(UserError):
        if better := better_in_the_same_time(layout.params, layout.profiles):
            print(f"report: {better}")


def read_evidence(params: Params, layout: Layout) -> "Evidence":
    """Return the outputs of the earlier stages that the report shows.

    Raises:
        UserError: an output is damaged.
    """
    from pix2street.core.pairs import Dataset
    from pix2street.core.tables import read_table
    from pix2street.reporting.domains import read_domains
    from pix2street.reporting.evidence import Evidence
    from pix2street.reporting.examples import Folders, read_examples, read_extremes, read_styles
    from pix2street.reporting.frames import read_videos

    metrics = read_json(layout.metrics, with_keys("split", "pairs", "generated", "baselines"))
    folders = Folders(layout.split, layout.generated, layout.baselines, layout.judged)
    images = read_table(layout.evaluated / "images.csv")
    return Evidence(
        params=params.model_dump(by_alias=True),
        dataset=Dataset.read(layout.split),
        verdict=read_json(layout.verdict, with_keys("success", "pairs", "files", "waived", "checks")),
        history=read_table(layout.history),
        sheets={int(path.stem.removeprefix("epoch_")): path.read_bytes() for path in layout.samples.glob("*.png")},
        metrics=metrics,
        class_iou=read_table(layout.evaluated / "class_iou.csv"),
        confusion=read_table(layout.evaluated / "confusion.csv"),
        examples=read_examples(folders, metrics["split"], images, params.report.sample_pairs),
        extremes=read_extremes(folders, metrics["split"], images, params.report.extreme_pairs),
        versions={"python": platform.python_version(), **{name: version(name) for name in PACKAGES}},
        styles=read_styles(folders, layout.draws, metrics["split"]),
        grids={path.stem: path.read_bytes() for path in sorted(layout.latents.glob("*.png"))},
        domains=read_domains(layout.split, layout.domains, metrics["split"], params.report.sample_pairs),
        videos=read_videos(
            layout.split, layout.generated, layout.baselines, metrics["split"], params.report.sample_pairs
        ),
    )


if __name__ == "__main__":
    run_stage(main)
