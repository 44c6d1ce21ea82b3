"""Measurements of the exported files: a row for each format, and tables for the terminal."""

from dataclasses import dataclass, field

from pix2street.core.styles import BANK_FILES
from pix2street.inference.card import GeneratorCard

KERAS = "Keras"
"""The row of the network itself, which computes as in `predict`."""

PIXEL_LIMIT = 1
"""The number of levels, of 255, by which the photo of an exact file may differ from that of `predict`."""

UNIT_LIMIT = 1e-4
"""The same limit before rounding, in [-1, 1]."""


@dataclass
class Row:
    """The measurements of one format.

    Args:
        name: the name of the format, or `KERAS`.
        load_s: the time from its files to its first photo.
        images_per_s: its speed by the number of images in a batch.
        pixel_difference, unit_difference: the largest differences from `predict --no-dropout`, of 255 levels and before
            rounding.
    """

    name: str
    size_mib: float
    load_s: float
    images_per_s: dict[int, float] = field(default_factory=dict)
    pixel_difference: int = 0
    unit_difference: float = 0.0


@dataclass(frozen=True)
class Summary:
    """The measurements of an export.

    Args:
        costs: L1 and mean IoU (None without a judge) of the photos of `predict` and of each format that is not exact.
        images: the number of held-out images that the files were checked on.
        threads: the number of threads that each format ran with.
        mixed: whether the generator was trained in mixed precision, in which its row `Keras` computes; the files
            compute in float32.
    """

    rows: list[Row]
    costs: dict[str, tuple[float, float | None]]
    images: int
    threads: int
    card: GeneratorCard
    mixed: bool


def as_text(summary: Summary) -> str:
    """Return the summary as tables and notes."""
    card = summary.card
    batches = list(summary.rows[0].images_per_s)
    lines = [
        f"{'format':<14}{'MiB':>8}{'load s':>8}"
        + "".join(f"{f'images/s at {batch}':>16}" for batch in batches)
        + f"{'of 255':>9}{'unrounded':>11}"
    ]
    for row in summary.rows:
        speeds = "".join(f"{row.images_per_s[batch]:>16.1f}" for batch in batches)
        lines.append(
            f"{row.name:<14}{row.size_mib:>8.2f}{row.load_s:>8.2f}{speeds}{row.pixel_difference:>9d}"
            f"{row.unit_difference:>11.1e}"
        )
    lines += [
        "",
        "load: the time from files to the first photo. images/s: medians of runs that took turns, "
        f"{card.width_px}x{card.height_px} px, {summary.threads} thread(s) each.",
        "of 255, unrounded: the largest difference from `predict --no-dropout` over "
        f"{summary.images} held-out images; the limits are {PIXEL_LIMIT} and {UNIT_LIMIT:g}, but not for kernels of "
        "fewer bits.",
    ]
    if summary.costs:
        lines += ["", f"{'photos by':<22}{'L1':>8}{'mean IoU':>10}"]
    for maker, (l1, iou) in summary.costs.items():
        lines.append(f"{maker:<22}{l1:>8.4f}{'-' if iou is None else f'{iou:.4f}':>10}")
    lines += [""]
    if card.noisy:
        lines.append(
            f"The noise ({card.noise}) is off in the files: it follows an input's name, which they do not see. They "
            "give the photos of `predict --no-dropout`, not those of `predict` and of the evaluation."
        )
    if card.encoding.latent:
        lines.append(
            "The files take latents: normal numbers that the caller draws, and behind them the truncation; `predict` "
            "draws them by a photo's name and the seed, and both had the same latents here."
        )
    if card.encoding.style == "palette":
        lines.append(
            "The files take a palette beside the class ids, the colour of each region; `predict` draws it from "
            f"{BANK_FILES['palette']} beside the generator, and both had the same palettes here."
        )
    if card.encoding.style == "code":
        lines.append(
            f"The files take a code beside the pixels; `predict` draws it from {BANK_FILES['code']} beside the "
            "generator, and both had the same codes here."
        )
    if domains := card.encoding.domains:
        lines.append(
            f"The files take the number of a domain ({', '.join(domains)}) beside the pixels; without it they "
            f"translate to {domains[card.encoding.domain]}. Told each, they were compared with `predict --domain`."
        )
    if summary.mixed:
        lines.append(
            "The generator was trained in mixed precision. The files compute in float32 and are held to float32. "
            f"`predict` computes as in training; the row {KERAS} shows how far it is from float32."
        )
    return "\n".join(lines).rstrip()
