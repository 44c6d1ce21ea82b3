"""evaluate: score generated and real photos and the baselines."""

import json

from pix2street.files import fresh_folder, write_json, write_text
from pix2street.layout import Layout
from pix2street.params import Params
from pix2street.stage import run_stage


def main(params: Params, layout: Layout) -> None:
    from pix2street.runtime import prepare
    from pix2street.steps.evaluate import evaluate_photos
    from pix2street.tracking import Run

    prepare("evaluate.device", params.evaluate.device, 0, **params.compute.model_dump())
    inception = params.evaluate.inception
    with fresh_folder(layout.judged) as judged:
        metrics, tables = evaluate_photos(
            layout.split,
            layout.segmenter,
            layout.generated,
            layout.baselines,
            judged,
            inception=layout.root / inception if inception else None,
            judge_score=json.loads((layout.segmenter / "score.json").read_text(encoding="utf-8")),
            generator={
                "norm": params.generate.norm,
                "dropout": params.generate.dropout,
                "seed": params.generate.seed,
                "checkpoint": params.train.checkpoint,
            },
            **params.evaluate.model_dump(exclude={"device", "inception"}),
        )
    for name, table in tables.items():
        write_text(layout.evaluated / f"{name}.csv", table.to_csv(index=False, lineterminator="\n"))
    write_json(layout.metrics, metrics)
    with Run.of_weights(layout, params.model_dump(by_alias=True)) as run:
        run.record_metrics(metrics)


if __name__ == "__main__":
    run_stage(main, tensorflow=True)
