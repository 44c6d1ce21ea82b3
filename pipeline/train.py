"""train: pix2pix, recorded epoch by epoch; an interrupted training goes on from its last checkpoint."""

from pathlib import Path
from tempfile import TemporaryDirectory

from pix2street.core.files import fresh_folder
from pix2street.core.numerics import kernels
from pix2street.core.tables import write_table
from pix2street.layout import Layout
from pix2street.params import Params
from pix2street.stage import run_stage


def main(params: Params, layout: Layout) -> None:
    from pix2street.steps.train import open_checkpoints, train_pix2pix
    from pix2street.tracking.run import Run
    from pix2street.training.runtime import STRATEGIES, prepare, worker_of

    prepare(
        "train.device",
        params.train.device,
        params.train.seed,
        params.train.deterministic,
        **params.compute.model_dump(),
    )
    strategy = STRATEGIES[params.train.strategy]()
    worker = worker_of(strategy)
    settings = {
        **params.train.model_dump(exclude={"device", "strategy", "deterministic", "max_checkpoint_gib"}),
        "inference_norm": params.generate.norm,
        "inference_dropout": params.generate.dropout,
        "inference_seed": params.generate.seed,
        **params.compute.model_dump(),
    }
    key = {**settings, "deterministic": params.train.deterministic}
    key |= {"devices": strategy.num_replicas_in_sync, "worker": worker, "kernels": kernels()}
    with open_checkpoints(layout.checkpoints, layout.split, key, params.train.max_checkpoint_gib) as checkpoints:
        if worker:
            # The first worker alone writes outs and records; the others compute the same and keep checkpoints.
            with TemporaryDirectory() as folder:
                out = Path(folder)
                train_pix2pix(layout.split, out, out, lambda *_: None, strategy, checkpoints=checkpoints, **settings)
        else:
            with (
                fresh_folder(layout.generator) as generator_folder,
                fresh_folder(layout.samples) as samples_folder,
                Run.start(layout, params.model_dump(by_alias=True), checkpoints.key) as run,
            ):
                history = train_pix2pix(
                    layout.split,
                    generator_folder,
                    samples_folder,
                    run.record_epoch,
                    strategy,
                    checkpoints=checkpoints,
                    **settings,
                )
                run.record_training(generator_folder)
            write_table(layout.history, history)
        checkpoints.remove()


if __name__ == "__main__":
    run_stage(main, tensorflow=True)
