"""Translation of files to photo files; a file that cannot be translated does not stop the others."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from tqdm import tqdm

from pix2street.core.errors import UserError
from pix2street.core.files import write_bytes
from pix2street.core.images import png_bytes
from pix2street.inference.inputs import Half, read_input
from pix2street.inference.jobs import Existing, Job
from pix2street.inference.translator import Translator
from pix2street.stage import NO_ROOM_OR_ACCESS


@dataclass
class Outcome:
    """The failures and notes of a set of files.

    Args:
        failures: the reason why a file gave no photo, by the file's name.
        notes: what was done beyond decoding (see `decoding.Stored`), by the name of each other file.
    """

    failures: dict[str, str] = field(default_factory=dict)
    notes: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def summary(self) -> str:
        """Return how often each note occurs, `3 turned upright, 1 laid on white`; empty where nothing was done."""
        counts = Counter(note for notes in self.notes.values() for note in notes)
        return ", ".join(f"{count} {note}" for note, count in counts.items())


def translate_files(translator: Translator, jobs: Sequence[Job], half: Half | None, batch: int) -> Outcome:
    """Write every photo that can be made; each file is complete or absent.

    Args:
        half: which half of a side-by-side pair is the input, see `to_input`.
        batch: the number of inputs that are read before the network sees them. It sees several at once only without
            noise and styles.
    """
    # With noise or styles the inputs go through the network one by one, and the jobs of a file differ in their seed.
    batch = 1 if translator.card.seeded else batch
    outcome = Outcome()
    with tqdm(total=len(jobs), unit=" photos") as bar:
        for start in range(0, len(jobs), batch):
            some = jobs[start : start + batch]
            _translate_some(translator, some, half, outcome)
            bar.update(len(some))
    return outcome


def _read_styled(translator: Translator, job: Job, half: Half | None) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return a job's input, with its style behind it if it has one, and the notes of `read_input`."""
    pixels, notes = read_input(translator.card, job.source, half)
    try:
        return translator.styled(pixels, job.source.stem, job.seed), notes
    except UserError as error:
        raise UserError(f"{job.source}: {error}") from error


def _translate_some(translator: Translator, jobs: Sequence[Job], half: Half | None, outcome: Outcome) -> None:
    """Translate jobs with the same seed, and note their results in `outcome`."""
    readable: dict[Job, np.ndarray] = {}
    for job in jobs:
        try:
            readable[job], outcome.notes[str(job.source)] = _read_styled(translator, job, half)
        except UserError as error:
            outcome.failures[str(job.source)] = str(error)
    names = [job.source.stem for job in readable]
    photos = translator.translate_all(list(readable.values()), names, jobs[0].seed)
    for job, photo in zip(readable, photos, strict=True):
        try:
            write_bytes(job.photo, png_bytes(photo))
        except OSError as error:
            if error.errno in NO_ROOM_OR_ACCESS:
                raise
            outcome.failures[str(job.source)] = f"{job.source}: {job.photo} cannot be written ({error.strerror})"


def photograph_files(
    translator: Translator, count: int, seed: int | None, truncation: float, out: Path, existing: Existing
) -> int:
    """Write `count` photos without inputs to `<out>/photo_0001.png` and so on, and return how many were made.

    A photo is a function of its number, the seed and the truncation.

    Args:
        existing: as in `jobs.plan`.

    Raises:
        UserError: a photo exists and none may be replaced or kept, or `out` is a file.
    """
    if out.exists() and not out.is_dir():
        raise UserError(f"--out: {out} is a file and must be a folder; name another")
    photos = [out / f"photo_{number:04d}.png" for number in range(1, count + 1)]
    made = [photo for photo in photos if photo.exists()]
    if made and existing == "refuse":
        raise UserError(
            f"{made[0]}: exists; add --replace to make photos again, --keep to make only what is missing, or name "
            "another folder as --out"
        )
    wanted = [photo for photo in photos if existing != "keep" or photo not in made]
    for photo in tqdm(wanted, unit=" photos"):
        (pixels,) = translator.photograph([photo.stem], seed, truncation)
        write_bytes(photo, png_bytes(pixels))
    return len(wanted)
