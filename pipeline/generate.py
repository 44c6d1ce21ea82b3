"""generate: make a photo of every held-out input by the generator and by the baselines, and further photos of some."""

from pix2street.core.files import fresh_folder
from pix2street.layout import Layout
from pix2street.params import Params
from pix2street.stage import run_stage


def main(params: Params, layout: Layout) -> None:
    from pix2street.steps.generate import draw_photos, generate_photos
    from pix2street.steps.generate_domains import generate_cycles, generate_domains
    from pix2street.steps.generate_latents import generate_latents
    from pix2street.training.runtime import prepare

    prepare("generate.device", params.generate.device, params.generate.seed, **params.compute.model_dump())
    with fresh_folder(layout.generated) as folder, fresh_folder(layout.baselines) as baselines_folder:
        generate_photos(
            layout.split,
            layout.generator,
            folder,
            baselines_folder,
            params.generate,
            photos_of_train=params.evaluate.usefulness,
        )
        draw_photos(layout.split, layout.generator, folder / layout.draws.name, params.generate)
        generate_domains(layout.split, layout.generator, folder / layout.domains.name, params.generate)
        generate_latents(layout.generator, folder / layout.latents.name, params.generate)
        generate_cycles(layout.split, layout.generator, folder, folder / layout.cycled.name, params.generate)


if __name__ == "__main__":
    run_stage(main, tensorflow=True)
