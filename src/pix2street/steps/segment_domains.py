"""Segment, for a set with domains: train the classifier that says of which domain a photo is."""

from pathlib import Path

from tqdm import tqdm

from pix2street.core.domains import read_images
from pix2street.core.pairs import Dataset
from pix2street.judges.domain_training import train_classifier
from pix2street.settings.segment import Segment


def make_domain_classifier(split: Path, folder: Path, settings: Segment) -> None:
    """Write the classifier of a set's domains into the folder of the jury, see `DomainClassifier`.

    A set without domains has none, nor has one with a domain that has no images of train.
    """
    domains = Dataset.read(split).domains
    if not domains:
        return
    images = {subset: read_images(split, subset) for subset in ("train", "val")}
    if missing := set(domains) - {image.domain for image in images["train"]}:
        print(f"no image of train is of {', '.join(sorted(missing))}, so that no classifier of domains can be trained")
        return
    steps = settings.domains.steps
    with tqdm(desc="classifier of domains", total=steps, unit=" steps") as progress:
        classifier = train_classifier(images["train"], domains, settings.domains, settings.seed, progress.update)
    classifier.write(folder)
    if images["val"]:
        score = classifier.score(images["val"])
        print(f"the domain of {score['accuracy']:.1%} of the real photos of val is named right")
