"""split: cut every side-by-side image into an input and a target of the working size."""

from pix2street.files import fresh_folder
from pix2street.layout import Layout
from pix2street.params import Params
from pix2street.stage import run_stage


def main(params: Params, layout: Layout) -> None:
    from pix2street.steps.split import split_pairs

    with fresh_folder(layout.split) as folder:
        split_pairs(layout.downloaded, folder, **params.split.model_dump())


if __name__ == "__main__":
    run_stage(main)
