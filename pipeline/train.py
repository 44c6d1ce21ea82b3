"""train: train a model and record every epoch; an interrupted training continues from its last checkpoint."""

from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from pix2street.core.files import fresh_folder
from pix2street.core.numerics import kernels
from pix2street.layout import Layout
from pix2street.params import Params
from pix2street.stage import run_stage


def main(params: Params, layout: Layout) -> None:
    from pix2street.core.tables import write_table
    from pix2street.steps.train import open_checkpoints, train_model
    from pix2street.tracking.run import Run
    from pix2street.training.runtime import STRATEGIES, prepare, worker_of

    train, compute = params.train, params.compute
    device = train.device
    prepare("train.device.device", device.device, train.run.seed, device.deterministic, **compute.model_dump())
    strategy = STRATEGIES[device.strategy]()
    worker = worker_of(strategy)
    sections = {"train": train, "generate": params.generate, "compute": compute}
    process = {"devices": strategy.num_replicas_in_sync, "worker": worker, "kernels": kernels()}
    with open_checkpoints(layout.checkpoints, layout.split, **sections, process=process) as checkpoints:
        fit = partial(train_model, layout.split, strategy=strategy, checkpoints=checkpoints, **sections)
        if worker:
            # Only the first worker writes outputs and records; the others compute the same and keep checkpoints.
            with TemporaryDirectory() as folder:
                fit(Path(folder), Path(folder), lambda *_: None)
        else:
            with (
                fresh_folder(layout.generator) as generator_folder,
                fresh_folder(layout.samples) as samples_folder,
                Run.start(layout, params.model_dump(by_alias=True), checkpoints.key) as run,
            ):
                history = fit(generator_folder, samples_folder, run.record_epoch)
                run.record_training(generator_folder)
            write_table(layout.history, history)
        checkpoints.remove()


if __name__ == "__main__":
    run_stage(main, tensorflow=True)
