"""Advice about targets whose mode does not fit: how to convert each of Pillow's modes to one that does."""

from collections.abc import Mapping

from pix2street.core.pairs import TARGET_MODES

GREY_MODES = ("1", "L")
"""Pillow's modes that hold no colour, in at most 8 bits."""

RANGE = (
    "choose one range of values for the whole set, and save "
    "`Image.fromarray(((np.asarray(image, float) - LOW) / (HIGH - LOW) * 255).clip(0, 255).astype(np.uint8))`; "
    "the range is yours to choose, since dividing 16 bits by 257 leaves a 12-bit X-ray black"
)
WAYS_OUT = {
    "1": "1 bit a pixel: save `image.convert({mode!r})`",
    "L": "grey: save `image.convert({mode!r})`",
    "P": "a palette: save `image.convert('RGB').convert({mode!r})`",
    "CMYK": "inks: save `ImageCms.profileToProfile(image, PROFILE, ImageCms.createProfile('sRGB'), outputMode='RGB')"
    ".convert({mode!r})` with the printer's profile, or `image.convert('RGB').convert({mode!r})`, a guess",
    "RGB;16": "16 bits a channel: save `image.convert('RGB').convert({mode!r})`, which keeps the upper 8 bits",
    "I;16": f"16-bit grey: {RANGE}",
    "I": f"32-bit grey: {RANGE}",
    "F": f"floating-point grey: {RANGE}",
}
OTHERS = "save `image.convert('RGB').convert({mode!r})`"


def way_out_of(counts: Mapping[str, int], channels: int) -> str:
    """Return advice about targets of these modes; empty if all of them fit.

    Args:
        counts: the number of targets with each mode.
        channels: the number of channels that targets are kept in.
    """
    wrong = {mode: count for mode, count in counts.items() if mode not in TARGET_MODES[channels]}
    if not wrong:
        return ""
    if channels == 3 and set(counts) <= set(GREY_MODES):
        return (
            f"all targets are grey ({_listed(counts)}): set split.target_mode: grey in params.yaml, which trains and "
            "generates in one channel; or save each as RGB, `Image.open(path).convert('RGB').save(path)` in Pillow"
        )
    kept = {3: "RGB", 1: "L"}[channels]
    lines = [f"{mode} ({count}): {_way_out(mode).format(mode=kept)}" for mode, count in sorted(wrong.items())]
    if channels == 3 and set(counts) <= {*GREY_MODES, "I", "F"} | {mode for mode in counts if mode.startswith("I;16")}:
        lines.append("or save all as 8-bit grey and set split.target_mode: grey in params.yaml")
    elif channels == 3 and set(wrong) & set(GREY_MODES):
        lines.append("or set split.target_mode: grey in params.yaml if no target has colour to look at")
    return "convert with Pillow, `image = Image.open(path)`: " + "; ".join(lines)


def _way_out(mode: str) -> str:
    return WAYS_OUT.get("I;16" if mode.startswith("I;16") else mode, OTHERS)


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {mode}" for mode, count in sorted(counts.items()))
