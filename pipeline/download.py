"""download: get the data set as side-by-side images."""

from pix2street.files import fresh_folder
from pix2street.layout import Layout
from pix2street.params import Params
from pix2street.stage import run_stage


def main(params: Params, layout: Layout) -> None:
    from pix2street.steps.download import download

    dataset = params.download.dataset
    settings = getattr(params.download, dataset).model_dump()
    if "path" in settings:
        settings["path"] = layout.root / settings["path"]
    with fresh_folder(layout.downloaded) as folder:
        download(dataset, settings, folder)


if __name__ == "__main__":
    run_stage(main)
