"""The classifier of domains: it learns the light of domains, and repeats exactly."""

import shutil

import numpy as np
import pytest
from shipped import PARAMS, changed

from pix2street.core.domains import DomainImage
from pix2street.core.errors import UserError
from pix2street.core.images import write_png
from pix2street.judges.domain_classifier import DomainClassifier, build_classifier
from pix2street.judges.domain_training import train_classifier

DOMAINS = ("day", "dusk", "night")
SETTINGS = changed(PARAMS.segment.domains, side_px=16, filters=4, steps=40)


def images_of(folder, counts: dict[str, int], seed: int = 0) -> list[DomainImage]:
    """Write noise, darker from domain to domain, in several sizes."""
    rng, images = np.random.default_rng(seed), []
    for domain, count in counts.items():
        level = 200 - 70 * DOMAINS.index(domain)
        for number in range(count):
            path = folder / f"{seed}_{domain}_{number}.png"
            write_png(path, rng.integers(level - 30, level + 30, (16 + number, 24, 3)).astype(np.uint8))
            images.append(DomainImage(path.stem, domain, path, None, path.stem))
    return images


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    # One domain has few images.
    images = images_of(folder, {"day": 8, "dusk": 8, "night": 2})
    steps = []
    classifier = train_classifier(images, DOMAINS, SETTINGS, 0, lambda: steps.append(1))
    assert len(steps) == SETTINGS.steps
    return classifier, images, images_of(folder, {"day": 3, "dusk": 1, "night": 2}, seed=1)


def test_it_learns_the_domains_from_their_light(trained):
    classifier, _, held_out = trained
    assert classifier.name([image.path for image in held_out]).tolist() == [0, 0, 0, 1, 2, 2]
    everywhere = {"day": 1.0, "dusk": 1.0, "night": 1.0}
    assert classifier.score(held_out) == {"images": 6, "accuracy": 1.0, "by_domain": everywhere}


def test_every_domain_counts_alike_in_its_score(trained, tmp_path):
    classifier, _, held_out = trained
    wrong = [image if image.domain != "dusk" else DomainImage("x", "dusk", held_out[0].path, None, "x")
             for image in held_out]  # fmt: skip
    assert classifier.score(wrong) == {
        "images": 6, "accuracy": pytest.approx(2 / 3), "by_domain": {"day": 1.0, "dusk": 0.0, "night": 1.0}
    }  # fmt: skip
    assert classifier.score(held_out[:3])["by_domain"] == {"day": 1.0}


def test_a_seed_gives_the_same_weights_again(trained):
    _, images, _ = trained
    few = changed(SETTINGS, steps=2)
    first, again, other = (train_classifier(images, DOMAINS, few, seed, lambda: None) for seed in (0, 0, 1))
    weights = [one._network.get_weights() for one in (first, again, other)]
    assert all(map(np.array_equal, weights[0], weights[1]))
    assert not np.array_equal(weights[0][0], weights[2][0])


def test_it_is_the_same_from_disk_and_damage_is_named(trained, tmp_path):
    classifier, _, held_out = trained
    paths = [image.path for image in held_out]
    assert DomainClassifier.load(tmp_path, DOMAINS) is None
    classifier.write(tmp_path)
    loaded = DomainClassifier.load(tmp_path, DOMAINS)
    np.testing.assert_array_equal(loaded.name(paths), classifier.name(paths))
    assert len(loaded.card.weights_sha256) == 64
    with pytest.raises(UserError, match="must know the domains day, rain, but knows day, dusk, night; run `segment`"):
        DomainClassifier.load(tmp_path, ("day", "rain"))
    copy = shutil.copytree(tmp_path, tmp_path / "copy")
    (copy / "domains/classifier.weights.h5").write_bytes(b"no weights")
    with pytest.raises(UserError, match=r"classifier\.weights\.h5"):
        DomainClassifier.load(copy, DOMAINS)


def test_a_colour_that_a_norm_would_remove_reaches_the_logits():
    network = build_classifier(32, 2, 4, seed=0)
    dark, light = (network.predict_on_batch(np.full((1, 32, 32, 3), level, np.float32)) for level in (-0.5, 0.5))
    assert np.abs(dark - light).max() > 1e-3
