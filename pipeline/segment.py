"""segment: get the judges, which name the class of each pixel of a photo, and the classifier of domains."""

from pix2street.core.files import fresh_folder
from pix2street.layout import Layout
from pix2street.params import Params
from pix2street.stage import run_stage


def main(params: Params, layout: Layout) -> None:
    from pix2street.steps.segment import make_jury
    from pix2street.steps.segment_domains import make_domain_classifier
    from pix2street.training.runtime import prepare

    prepare("segment.device", params.segment.device, params.segment.seed, **params.compute.model_dump())
    with fresh_folder(layout.segmenter) as folder:
        make_jury(layout.split, folder, layout.root / params.segment.path, params.segment)
        make_domain_classifier(layout.split, folder, params.segment)


if __name__ == "__main__":
    run_stage(main, tensorflow=True)
