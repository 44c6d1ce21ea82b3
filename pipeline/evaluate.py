"""evaluate: score generated and real photos and the baselines."""

from pix2street.core.files import fresh_folder, read_json, user_path, write_json
from pix2street.layout import Layout
from pix2street.params import Params
from pix2street.stage import run_stage


def main(params: Params, layout: Layout) -> None:
    from functools import partial

    from pix2street.core.domains import PhotoFolders
    from pix2street.core.tables import write_table
    from pix2street.steps.evaluate import evaluate_photos, judge_score_of, style_of
    from pix2street.steps.evaluate_domains import evaluate_domains, with_cycles, with_domains
    from pix2street.steps.evaluate_frames import with_horizons
    from pix2street.steps.evaluate_usefulness import with_usefulness
    from pix2street.tracking.run import Run
    from pix2street.training.runtime import prepare

    prepare("evaluate.device", params.evaluate.device, 0, **params.compute.model_dump())
    inception = params.evaluate.inception
    evaluate = partial(
        evaluate_photos,
        layout.split,
        layout.segmenter,
        inception=layout.root / user_path(inception) if inception else None,
        judge_score=read_json(layout.segmenter / "score.json", judge_score_of),
        generator={
            "norm": params.generate.norm,
            "dropout": params.generate.dropout,
            "seed": params.generate.seed,
            "checkpoint": params.train.run.keep,
            **style_of(params.train.data.style),
        },
    )
    draws = layout.draws if params.generate.draws else None
    with fresh_folder(layout.judged) as judged:
        folders = PhotoFolders(layout.generated, layout.baselines, draws)
        metrics, tables = evaluate(folders, judged, params.evaluate)
        if not any(judged.iterdir()):
            # DVC warns of an empty folder.
            (judged / "none.txt").write_text("no photo was looked at for classes\n", encoding="utf-8")
    if params.evaluate.usefulness:
        metrics = with_usefulness(
            metrics, layout.split, layout.segmenter, layout.generated, layout.baselines, params.segment
        )
    metrics, tables["horizons"] = with_horizons(metrics, layout.split, folders)
    metrics = with_cycles(metrics, layout.split, layout.generated, layout.cycled)
    of_domains = evaluate_domains(evaluate, layout.split, layout.domains, params.evaluate)
    metrics, tables["domains"] = with_domains(metrics, of_domains)
    for name, table in tables.items():
        write_table(layout.evaluated / f"{name}.csv", table)
    write_json(layout.metrics, metrics)
    with Run.of_weights(layout, params.model_dump(by_alias=True)) as run:
        run.record_metrics(metrics)


if __name__ == "__main__":
    run_stage(main, tensorflow=True)
