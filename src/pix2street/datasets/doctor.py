"""`pix2street doctor`: how a user's folder or archive would be read, and the settings for it.

The source is not changed, and nothing is left behind: films are unpacked into a temporary folder.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable
from copy import deepcopy
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from pix2street.core.accounting import account_of
from pix2street.core.archives import Source, open_source
from pix2street.core.decoding import Stored, decode_stored
from pix2street.core.errors import UserError
from pix2street.core.formats import has_image_ending
from pix2street.core.frames import FrameCounts, in_order
from pix2street.core.pairs import SUBSETS, group_of, split_side_by_side
from pix2street.core.yaml import as_yaml
from pix2street.datasets.arrangement import Arrangement, Proposal, arrange, propose
from pix2street.datasets.domains import arrange_domains
from pix2street.datasets.drawings import are_drawn, find_classes, flatness
from pix2street.datasets.films import films_of, unpack_films
from pix2street.datasets.frames import arrange_videos
from pix2street.datasets.own_images import images_of
from pix2street.datasets.reading import ArrangementError
from pix2street.settings.download import Download
from pix2street.settings.validate import Validate

SAMPLE = 32
"""The number of pairs whose images are read; only the names of all others are."""

MIN_SEAM = 2.5
"""The least ratio of an image's change at its middle to that between its other columns, if it holds two halves."""

MAX_HEIGHT_PX = 256
"""The largest height that is proposed for `split.height_px`."""

MULTIPLE_PX = 16
MAX_COMPARED = 2000
"""The number of images of domains up to which all are read, to find those that are there more than once."""

MAX_NEARNESS = 0.6
"""The largest ratio of the change from a frame to the next to that between folders, if folders are videos."""

DOMAIN_SETS = ("unpaired_folders", "domain_folders")
GROUP_PATTERNS = ("^([^_]+)_", "^([^-]+)-", "^(.+)[_-][^_-]+$")
SHOWN = 3


@dataclass
class Diagnosis:
    """A description of a source, and the settings under which it can be read.

    Args:
        rows: the description: rows of a word and a text, in the order in which they are shown.
        settings: the lines for `params.yaml`, section by section.
        class_table: the lines of a CSV that the settings name and nobody has written yet; empty for none.
        problem: the reason why nothing can be trained on the source as it is; empty if there is none.
    """

    rows: list[tuple[str, str]] = field(default_factory=list)
    settings: dict[str, Any] = field(default_factory=dict)
    class_table: list[str] = field(default_factory=list)
    problem: str = ""

    def say(self, word: str, text: str) -> None:
        self.rows.append((word, text))

    def as_text(self) -> str:
        """Return the description, and below it the lines for `params.yaml`."""
        width = max(len(word) for word, _ in self.rows)
        lines = [f"{word:<{width}}  {text}" for word, text in self.rows]
        if self.settings:
            lines += ["", "To train on it, put this into params.yaml:", "", as_yaml(self.settings)]
        if self.class_table:
            name = self.settings["download"]["paired_folder"]["classes"]
            lines += [
                "",
                f"and this beside the images as {name}, with the names of your classes:",
                "",
                *self.class_table,
            ]
        return "\n".join(lines)


@dataclass(frozen=True)
class _Sample:
    """Some pairs: inputs and targets in the same order, or only targets where the inputs are drawn from them."""

    inputs: list[Stored]
    targets: list[Stored]
    broken: list[str]

    @property
    def are_photos(self) -> bool:
        return not self.inputs


def diagnose(path: Path, download: Download, validate: Validate | None = None) -> Diagnosis:
    """Look at a source and describe it.

    A source is described as domains or as videos where `download.dataset` has them, and where its images make no pairs
    but are in folders that can be domains, or whose neighbouring images are alike. A source of films alone is videos.

    Args:
        download: the current settings, for the limits of archives and the meaning of names.
        validate: the limits for domains; None to hold none of them against the source.

    Raises:
        UserError: the source is missing, cannot be opened or holds no image.
    """
    found = Diagnosis()
    found.say("source", str(path))
    with open_source(path, download.limits) as packed, TemporaryDirectory() as unpacked:
        films_alone = films_of(packed) and not any(map(has_image_ending, packed.names))
        of_videos = films_alone or download.dataset == "frames"
        source = unpack_films(packed, Path(unpacked), download.limits) if of_videos else packed
        images, others = images_of(source)
        if of_videos:
            if films := len({*packed.names} - {*source.names}):
                found.say("films", f"{films}, unpacked into frames")
            _describe_videos(found, source, images, others, download)
            return found
        if download.dataset in DOMAIN_SETS:
            _describe_domains(found, source, images, others, download, validate)
            return found
        side_by_side = download.paired_folder.model_copy(update={"form": "right"})
        proposal = propose(path, images, download.own_images, side_by_side)
        found.settings = {"download": {"dataset": "paired_folder", "path": str(path), **deepcopy(proposal.changes)}}
        if proposal.arrangement is None:
            if _may_be_domains(path, images, download):
                found.say("pairs", "none: the names of inputs and targets do not belong together")
                _describe_domains(found, source, images, others, download, validate)
                return found
            found.problem = proposal.refusals[-1]
            found.say("files", f"{len(images)} images, {len(others)} other files")
            found.settings = {}
            return found
        arrangement, form = proposal.arrangement, proposal.paired.form
        found.say("files", account_of(arrangement.destinations, others | arrangement.left_out))
        for note in arrangement.notes:
            found.say("names", note)
        sample = _look_at_pairs(found, source, arrangement, form)
        if sample.are_photos and _are_videos(source, images, FrameCounts(**download.frames.model_dump())):
            found = Diagnosis([("source", str(path))])
            _describe_videos(found, source, images, others, download)
            found.say("or", "photos of their own: set download.dataset: colorization and look again")
            return found
        if sample.targets:
            _describe_images(found, "inputs", sample.inputs)
            _describe_images(found, "targets", sample.targets)
            _propose_size(found, sample.targets)
            _propose_classes(found, source, sample.inputs, form)
            _propose_groups(found, path, images, proposal)
    return found


def _may_be_domains(path: Path, images: list[str], download: Download) -> bool:
    """Return whether the images' folders can be domains under the present settings of `domain_folders`."""
    settings = download.domain_folders
    try:
        arrange_domains(path, images, download.own_images, settings.domains, settings.scenes)
    except UserError:
        return False
    return True


def _describe_domains(
    found: Diagnosis,
    source: Source,
    images: list[str],
    others: dict[str, str],
    download: Download,
    validate: Validate | None,
) -> None:
    """Describe a source as images of domains, and propose the settings that read it so."""
    of_two, settings = download.dataset == "unpaired_folders", download.domain_folders
    if of_two:
        settings = download.unpaired_folders
    wanted = [settings.input_folder, settings.target_folder] if of_two else settings.domains
    try:
        arrangement, domains = arrange_domains(source.path, images, download.own_images, wanted, settings.scenes)
    except ArrangementError as error:
        found.problem = str(error)
        found.say("files", f"{len(images)} images, {len(others)} other files")
        found.settings = {}
        return
    found.say("files", account_of(arrangement.destinations, others | arrangement.left_out, alone=True))
    for note in arrangement.notes:
        found.say("names", note)
    members = {domain: {} for domain in domains}
    for name, destination in arrangement.destinations.items():
        split, domain, _ = destination.split("/", 2)
        members[domain].setdefault(split, []).append(name)
    seen = []
    for domain, splits in members.items():
        read, broken = _read(source, _spread(sorted(name for names in splits.values() for name in names)), ids=False)
        seen += read.values()
        counted = ", ".join(f"{len(splits.get(split, []))} {split}" for split in SUBSETS if split in splits)
        found.say(f"domain {domain}", counted)
        found.say("looked at", _looked_at(read.values(), broken))
        _describe_images(found, "images", list(read.values()))
    _say_doubled(found, source, arrangement.destinations)
    named = dict(zip(("input_folder", "target_folder"), domains, strict=True)) if of_two else {"domains": [*domains]}
    section = "unpaired_folders" if of_two else "domain_folders"
    found.settings = {"download": {"dataset": section, "path": str(source.path), section: named}}
    if seen:
        _propose_size(found, seen)
    if not of_two and len(domains) == 2:
        found.say("models", f"cyclegan and cut translate {domains[0]} to {domains[1]}, in the order of the domains")
    if validate:
        _say_limits(found, members, validate)


def _say_doubled(found: Diagnosis, source: Source, destinations: dict[str, str]) -> None:
    """Say which files are the same byte for byte, in a source small enough to be read whole."""
    if len(destinations) > MAX_COMPARED:
        found.say("doubled", f"not looked for among more than {MAX_COMPARED:,} images; `validate` finds them")
        return
    by_content: dict[bytes, list[str]] = {}
    for name, content in source.read(destinations.keys()):
        by_content.setdefault(hashlib.sha256(content).digest(), []).append(name)
    if doubled := [sorted(names) for names in by_content.values() if len(names) > 1]:
        shown = "; ".join(" = ".join(names) for names in sorted(doubled)[:SHOWN])
        found.say(
            "doubled", f"{len(doubled)} images are there more than once: {shown}; `validate` refuses them, keep one"
        )


def _say_limits(found: Diagnosis, members: dict[str, dict[str, list[str]]], validate: Validate) -> None:
    """Say what `validate` would refuse because of the number of images in the domains."""
    way_out = "add images, leave the domain out, or lower the limit"
    for split, key in (("train", "min_domain_train"), ("val", "min_domain_val")):
        limit = getattr(validate, key)
        for domain, splits in members.items():
            if (count := len(splits.get(split, []))) < limit:
                found.say("refused", f"{domain} has {count} images in {split}, validate.{key} is {limit}; {way_out}")
    counts = {domain: len(splits.get("train", [])) for domain, splits in members.items()}
    least, most = min(counts, key=counts.get), max(counts, key=counts.get)
    if counts[most] > validate.max_domain_ratio * max(counts[least], 1):
        found.say(
            "refused",
            f"{most} has {counts[most]} images in train and {least} {counts[least]}, more than "
            f"validate.max_domain_ratio: {validate.max_domain_ratio:g} times as many; add images of {least}, remove "
            f"some of {most}, or raise the limit",
        )


def _are_videos(source: Source, images: list[str], frames: FrameCounts) -> bool:
    """Return whether folders hold frames: a file and the next one of a folder are much more alike than two folders."""
    folders: dict[str, list[str]] = {}
    for name in images:
        folders.setdefault(str(PurePosixPath(name).parent), []).append(name)
    long = [sorted(names, key=in_order) for names in folders.values() if len(names) >= frames.span]
    shown = [(names[middle], names[middle + 1]) for names in _spread(long) for middle in [len(names) // 2 - 1]]
    read, _ = _read(source, {name for pair in shown for name in pair}, ids=False)
    pixels = [[read[name].pixels.astype(np.int16) for name in pair] for pair in shown if {*pair} <= read.keys()]
    nexts = [np.abs(first - then).mean() for first, then in pixels if first.shape == then.shape]
    elsewhere = [np.abs(one - other).mean() for (one, _), (other, _) in pairwise(pixels) if one.shape == other.shape]
    return bool(nexts and elsewhere) and np.median(nexts) < MAX_NEARNESS * np.median(elsewhere)


def _describe_videos(
    found: Diagnosis, source: Source, images: list[str], others: dict[str, str], download: Download
) -> None:
    """Describe a source as videos, and propose the settings that read it so."""
    frames = FrameCounts(**download.frames.model_dump())
    try:
        arrangement = arrange_videos(source.path, images, download.own_images, frames)
    except ArrangementError as error:
        found.problem = str(error)
        found.say("files", f"{len(images)} frames, {len(others)} other files")
        return
    found.say("files", account_of(arrangement.destinations, others | arrangement.left_out, alone=True))
    for note in arrangement.notes:
        found.say("names", note)
    lengths = Counter(destination.rpartition("/")[0] for destination in arrangement.destinations.values())
    for split in SUBSETS:
        some = [count for video, count in lengths.items() if video.startswith(f"{split}/")]
        if some:
            pairs = sum(len(frames.starts(count)) for count in some)
            found.say(split, f"videos: {len(some)}, of {min(some)} to {max(some)} frames; pairs: {pairs}")
    shape = f"{frames.frames_in} past and {frames.frames_out} next frames with a step of {frames.step}"
    found.say("a pair", f"{shape}, and the next one begins {frames.every} frames later (download.frames)")
    found.say("models", "futuregan continues videos; models of pairs take the frames of a pair for one tall image")
    read, broken = _read(source, _spread(sorted(arrangement.destinations)), ids=False)
    found.say("looked at", _looked_at(read.values(), broken))
    _describe_images(found, "frames", [*read.values()])
    found.settings = {
        "download": {"dataset": "frames", "path": str(source.path)},
        "train": {"data": {"jitter": False}},
    }
    if read:
        _propose_size(found, [*read.values()])


def _look_at_pairs(found: Diagnosis, source: Source, arrangement: Arrangement, form: str) -> _Sample:
    """Read some pairs, and find out whether whole images are two halves or mere photos."""
    found.say("pairs", _counted_pairs(arrangement))
    if form == "folders":
        found.say("layout", "inputs and targets are separate files")
        return _read_sides(source, arrangement)
    names = _spread(sorted(arrangement.destinations))
    images, broken = _read(source, names, ids=False)
    found.say("looked at", _looked_at(images.values(), broken))
    halves = [split_side_by_side(image, "left") for image in images.values() if image.pixels.shape[1] % 2 == 0]
    if not halves or np.median([_seam(image.pixels) for image in images.values()]) < MIN_SEAM:
        found.say("layout", "photos without drawings: nothing changes at their middle")
        found.say("task", "black-and-white to colour; or set download.dataset: sketches for sketch to photo, or")
        found.say("", "super_resolution for small photos to large ones; train.model: stylegan needs no inputs at all")
        found.say("or", "from one folder of photos to others: set download.dataset: domain_folders and look again")
        found.settings["download"].pop("paired_folder", None)
        found.settings["download"]["dataset"] = "colorization"
        return _Sample([], list(images.values()), broken)
    left, right = zip(*halves, strict=True)
    drawn = "left" if flatness(left) > flatness(right) else "right"
    found.say(
        "layout",
        f"side by side: {drawn} the drawing, the other half its photo"
        if are_drawn(left if drawn == "left" else right)
        else "side by side; neither half is a drawing of classes, so say which one is the input (form: left or right)",
    )
    found.settings["download"].setdefault("paired_folder", {})["form"] = drawn
    if drawn == "right":
        halves = [(target, drawing) for drawing, target in halves]
    return _Sample([half for half, _ in halves], [half for _, half in halves], broken)


def _read_sides(source: Source, arrangement: Arrangement) -> _Sample:
    """Read some pairs whose inputs and targets are separate files."""
    names = {destination: name for name, destination in arrangement.destinations.items()}
    inputs = sorted(destination for destination in names if "/inputs/" in destination)
    pairs = [(names[path], names.get(path.replace("/inputs/", "/targets/"))) for path in inputs]
    pairs = _spread([pair for pair in pairs if pair[1]])
    drawings, broken = _read(source, [name for name, _ in pairs], ids=True)
    photos, more = _read(source, [name for _, name in pairs], ids=False)
    whole = [pair for pair in pairs if pair[0] in drawings and pair[1] in photos]
    return _Sample([drawings[name] for name, _ in whole], [photos[name] for _, name in whole], broken + more)


def _read(source: Source, names: Iterable[str], ids: bool) -> tuple[dict[str, Stored], list[str]]:
    """Return the images that can be read, by name, and the faults of the others."""
    images, broken = {}, []
    for name, content in source.read(list(names)):
        try:
            images[name] = decode_stored(content, name, ids)
        except UserError as error:
            broken.append(str(error))
    return images, broken


def _spread(items: list) -> list:
    """Return at most `SAMPLE` of the items, evenly from first to last."""
    indices = np.unique(np.linspace(0, len(items) - 1, min(SAMPLE, len(items))).astype(int)) if items else []
    return [items[index] for index in indices]


def _looked_at(images: Iterable[Stored], broken: list[str]) -> str:
    """Return how many images were read, and the faults of some that could not be."""
    text = f"{len(list(images))} images"
    return f"{text}, {len(broken)} cannot be read: {'; '.join(broken[:SHOWN])}" if broken else text


def _seam(pixels: np.ndarray) -> float:
    """Return the ratio of an image's change at its middle to the median change between neighbouring columns."""
    changes = np.abs(np.diff(pixels.astype(np.int16), axis=1)).mean(axis=(0, 2))
    return float(changes[pixels.shape[1] // 2 - 1] / max(np.median(changes), 0.5)) if len(changes) > 2 else 0.0


def _describe_images(found: Diagnosis, side: str, images: list[Stored]) -> None:
    """Describe the images by their sizes and modes, and by what reading did to them."""
    if not images:
        return
    sizes = Counter(f"{image.pixels.shape[1]}x{image.pixels.shape[0]}" for image in images)
    modes = Counter(image.mode for image in images)
    notes = Counter(note for image in images for note in image.notes)
    parts = [_counted(sizes, "px"), _counted(modes, ""), _counted(notes, "")]
    found.say(side, "; ".join(part for part in parts if part))


def _counted(counts: Counter[str], unit: str) -> str:
    """Return the most frequent words with their counts."""
    shown = [f"{word}{unit and ' ' + unit} ({count})" for word, count in counts.most_common(SHOWN)]
    return ", ".join(shown + ([f"{len(counts) - SHOWN} more"] if len(counts) > SHOWN else []))


def _propose_size(found: Diagnosis, targets: list[Stored]) -> None:
    """Propose the most frequent size, reduced where it is large, and grey targets where all of them are grey."""
    (height, width), _ = Counter(image.pixels.shape[:2] for image in targets).most_common(1)[0]
    scale = min(1.0, MAX_HEIGHT_PX / height)
    sides = [max(2, round(side * scale / MULTIPLE_PX)) * MULTIPLE_PX for side in (height, width)]
    found.settings["split"] = {"height_px": sides[0], "width_px": sides[1]}
    if all(image.mode in ("L", "1") for image in targets):
        found.settings["split"]["target_mode"] = "grey"


def _propose_classes(found: Diagnosis, source: Source, inputs: list[Stored], form: str) -> None:
    """Propose the settings that read the inputs' classes, where the inputs are drawings."""
    if found.settings["download"]["dataset"] != "paired_folder":
        return
    settings = found.settings["download"].setdefault("paired_folder", {})
    if not are_drawn(inputs):
        found.say("classes", "none: the inputs have too many colours to be drawings with classes")
        settings["classes"] = "none"
        return
    if fault := next((fault for drawing in inputs if (fault := drawing.label_fault())), None):
        found.say("fault", f"a drawing {fault}")
    classes = find_classes(source, inputs, may_be_ids=form == "folders")
    settings |= {"label_pixels": classes.label_pixels, "classes": classes.table}
    if classes.void_id is not None:
        settings["void_id"] = classes.void_id
    found.class_table = list(classes.rows)
    if classes.rows:
        others = f" for certain ({', '.join(classes.might_fit)} might)" if classes.might_fit else ""
        found.say("classes", f"no named table fits{others}; the {len(classes.rows) - 1} classes are listed below")
    else:
        table = f"the {classes.label_pixels} of {classes.table}"
        share = f"{classes.evaluated_share:.0%} of the pixels are of classes that scores count"
        found.say("classes", f"{table}; {share}")


def _propose_groups(found: Diagnosis, path: Path, images: list[str], proposal: Proposal) -> None:
    """Propose a `group_pattern` for frames of one sequence or city, if pairs would be divided at random."""
    if not proposal.arrangement.divided:
        return
    pairs = sum(map(len, proposal.arrangement.pair_ids.values()))
    for pattern in GROUP_PATTERNS:
        naming = proposal.naming.model_copy(update={"group_pattern": pattern})
        try:
            arrangement = arrange(path, images, proposal.paired.form, naming, proposal.paired)
        except UserError:
            continue
        groups = {group_of(pair_id, pattern) for ids in arrangement.pair_ids.values() for pair_id in ids}
        if 3 <= len(groups) <= pairs / 2:
            shares = _counted_pairs(arrangement)
            found.say("groups", f"{len(groups)} of names that begin alike, each kept in one split: {shares}")
            found.settings["download"].setdefault("own_images", {})["group_pattern"] = pattern
            return


def _counted_pairs(arrangement: Arrangement) -> str:
    """Return the number of pairs in each split."""
    return ", ".join(f"{len(ids)} {split}" for split, ids in arrangement.pair_ids.items())
