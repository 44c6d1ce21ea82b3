"""train: pix2pix, recorded epoch by epoch."""

from pix2street.files import fresh_folder, write_text
from pix2street.layout import Layout
from pix2street.params import Params
from pix2street.stage import run_stage


def main(params: Params, layout: Layout) -> None:
    from pix2street.runtime import prepare
    from pix2street.steps.train import train_pix2pix
    from pix2street.tracking import Run

    prepare("train.device", params.train.device, params.train.seed, **params.compute.model_dump())
    with (
        fresh_folder(layout.generator) as generator_folder,
        fresh_folder(layout.samples) as samples_folder,
        Run.start(layout, params.model_dump(by_alias=True)) as run,
    ):
        history = train_pix2pix(
            layout.split,
            generator_folder,
            samples_folder,
            run.record_epoch,
            **params.train.model_dump(exclude={"device"}),
            inference_norm=params.generate.norm,
            inference_dropout=params.generate.dropout,
            inference_seed=params.generate.seed,
        )
        run.record_training(generator_folder)
    write_text(layout.history, history.to_csv(index=False, lineterminator="\n"))


if __name__ == "__main__":
    run_stage(main, tensorflow=True)
