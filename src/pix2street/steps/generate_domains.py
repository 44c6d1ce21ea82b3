"""Generate, for models of more than one translation: photos of every domain, and inputs gone forth and back."""

from dataclasses import replace
from pathlib import Path

from tqdm import tqdm

from pix2street.core.domains import pairs_to_translate
from pix2street.core.pairs import HELD_OUT_SUBSETS, write_photos
from pix2street.inference.card import GeneratorCard
from pix2street.inference.free_translations import write_free_translations
from pix2street.inference.in_use import as_inference, translate
from pix2street.inference.ways import folder_of
from pix2street.layers.networks import load_network
from pix2street.settings.generate import Generate
from pix2street.training.batches import plain_batches


def generate_domains(split: Path, generator_folder: Path, folder: Path, settings: Generate) -> None:
    """Write the translations of the held-out images to every domain into `folder`, which is missing if there is one.

    They are `<domain>/generated/{val,test}/<pair_id>.png`, and beside them those of `write_free_translations` in
    `<domain>/baselines`. Images of the first domain are translated to each other one, and those of the second to the
    first.
    """
    card = GeneratorCard.read(generator_folder)
    if not card.encoding.domains:
        return
    inference = as_inference(load_network(generator_folder, "generator"), settings.norm, settings.dropout)
    for number, domain in enumerate(card.encoding.domains):
        encoding = replace(card.encoding, domain=number)
        found = {name: pairs_to_translate(split, name, False, number) for name in HELD_OUT_SUBSETS}
        subsets = {name: pairs for name, pairs in found.items() if pairs}
        for name, pairs in subsets.items():
            photos = translate(
                inference, plain_batches(pairs, encoding, 1), [pair.pair_id for pair in pairs], settings.seed
            )
            shown = tqdm(photos, desc=f"{name}, to {domain}", total=len(pairs), unit=" photos")
            write_photos(folder / domain / "generated" / name, pairs, shown)
        write_free_translations(split, domain, subsets, folder / domain / "baselines")


def generate_cycles(split: Path, generator_folder: Path, generated: Path, folder: Path, settings: Generate) -> None:
    """Write `{val,test}/<pair_id>.png`, the held-out inputs forth and back, into `folder`.

    The way back begins with the photos in `generated`, as they are on disk. It is that of a generator of its own, or of
    the same generator, told the first domain. There is no folder for a generator without a way back.
    """
    card = GeneratorCard.read(generator_folder)
    if card.encoding.domains:
        source, encoding = generator_folder, replace(card.encoding, domain=0)
    elif (generator_folder / "back").is_dir():
        source = folder_of(generator_folder, "back")
        encoding = GeneratorCard.read(source).encoding
    else:
        return
    inference = as_inference(load_network(source, "generator"), settings.norm, settings.dropout)
    for name in HELD_OUT_SUBSETS:
        if pairs := card.inputs_in(split, name):
            photos = [replace(pair, input_path=generated / name / f"{pair.pair_id}.png") for pair in pairs]
            again = translate(
                inference, plain_batches(photos, encoding, 1), [pair.pair_id for pair in pairs], settings.seed
            )
            write_photos(folder / name, pairs, tqdm(again, desc=f"{name}, back", total=len(pairs), unit=" photos"))
