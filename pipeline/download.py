"""download: get the data set as pairs of images."""

from pix2street.core.files import fresh_folder
from pix2street.layout import Layout
from pix2street.params import Params
from pix2street.stage import run_stage


def main(params: Params, layout: Layout) -> None:
    from pix2street.steps.download import download

    with fresh_folder(layout.downloaded) as folder:
        download(params.download, layout.root, folder)


if __name__ == "__main__":
    run_stage(main)
