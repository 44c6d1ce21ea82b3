"""segment: train the judge on real photos."""

from pix2street.files import fresh_folder
from pix2street.layout import Layout
from pix2street.params import Params
from pix2street.stage import run_stage


def main(params: Params, layout: Layout) -> None:
    from pix2street.runtime import prepare
    from pix2street.steps.segment import train_judge

    prepare("segment.device", params.segment.device, params.segment.seed, **params.compute.model_dump())
    with fresh_folder(layout.segmenter) as folder:
        train_judge(layout.split, folder, **params.segment.model_dump(exclude={"device"}))


if __name__ == "__main__":
    run_stage(main, tensorflow=True)
