"""Files in, photos out: one that cannot be translated is told of at the end, and the rest are there."""

from collections.abc import Sequence

import numpy as np
from tqdm import tqdm

from pix2street.errors import UserError
from pix2street.files import write_bytes
from pix2street.images import png_bytes
from pix2street.stage import NO_ROOM_OR_ACCESS
from pix2street.translation.files import Job
from pix2street.translation.inputs import Half, read_input
from pix2street.translation.translator import Translator


def translate_files(translator: Translator, jobs: Sequence[Job], half: Half | None, batch: int) -> dict[str, str]:
    """Every photo that can be made is written, whole.

    Args:
        half: which half of a side-by-side pair is the input, see `to_input`.
        batch: so many inputs are read before the network sees them; only without dropout it sees several at once.

    Returns:
        why, by the name of each file that could not be read, is no input or has no photo.
    """
    # With dropout each goes alone, and the jobs of a file differ in their seed.
    batch = 1 if translator.usage.dropout else batch
    failures: dict[str, str] = {}
    with tqdm(total=len(jobs), unit=" photos") as bar:
        for start in range(0, len(jobs), batch):
            some = jobs[start : start + batch]
            _translate_some(translator, some, half, failures)
            bar.update(len(some))
    return failures


def _translate_some(translator: Translator, jobs: Sequence[Job], half: Half | None, failures: dict[str, str]) -> None:
    """Jobs of one seed; adds to `failures`."""
    readable: dict[Job, np.ndarray] = {}
    for job in jobs:
        try:
            readable[job] = read_input(translator.usage, job.source, half)
        except UserError as error:
            failures[str(job.source)] = str(error)
    names = [job.source.stem for job in readable]
    photos = translator.translate_all(list(readable.values()), names, jobs[0].seed)
    for job, photo in zip(readable, photos, strict=True):
        try:
            write_bytes(job.photo, png_bytes(photo))
        except OSError as error:
            if error.errno in NO_ROOM_OR_ACCESS:
                raise
            failures[str(job.source)] = f"{job.source}: {job.photo} cannot be written ({error.strerror})"
