"""Batches of domains: every image in its turn, targets of other domains and scenes, the same ones when resumed."""

from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf
import toy_family
from shipped import changed
from tiny_models import TINY_TRAIN

from pix2street.core.domains import DomainImage
from pix2street.core.errors import UserError
from pix2street.core.images import write_png
from pix2street.core.pairs import Dataset, write_manifest
from pix2street.steps import train as train_step
from pix2street.steps.train import open_training
from pix2street.training.domains import DomainFeed, open_images
from pix2street.training.holdout import hold_out_images

SIDE = 8
STEP = 5


def write_images(folder, *counts: int, scenes: bool = False) -> list[DomainImage]:
    """Return so many images of each domain, each of one grey, which no crop and no mirror changes."""
    images = []
    for domain, count in zip("ABCD", counts, strict=False):
        for number in range(count):
            name = f"{domain}_{number}"
            path = folder / f"train/targets/{name}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            write_png(path, np.full((SIDE, SIDE, 3), STEP * len(images), np.uint8))
            scene = str(number) if scenes else None
            images.append(DomainImage(name, domain, path, scene, scene or name))
    return images


def feed_of(images, one_way: bool, batch: int = 1, seed: int = 0, cache_mib: int = 1) -> DomainFeed:
    domains = sorted({image.domain for image in images})
    read = open_images([image.path for image in images], cache_mib)
    return DomainFeed(read, images, domains, one_way, seed, True, True, batch)


def seen(feed: DomainFeed, epoch: int = 0, first: int = 0) -> list[dict]:
    """Return the rows of an epoch from a position on, with the images themselves in place of their pixels."""
    rows = []
    for batch in feed.batches(epoch, np.arange(first, len(feed)), 1).as_numpy_iterator():
        images = {
            name: feed.images[round(float((batch[name].mean() + 1) * 127.5) / STEP)] for name in ("input", "target")
        }
        rows.append(images | {name: int(value[0]) for name, value in batch.items() if name not in images})
    return rows


def test_no_reader_waits_for_tensorflows_tuner_when_it_is_closed(tmp_path):
    assert (
        feed_of(write_images(tmp_path, 4, 4), one_way=False).batches(0, np.arange(8), 2).options().autotune.enabled
        is False
    )


def test_one_way_goes_through_both_domains_and_again_through_the_smaller(tmp_path):
    feed = feed_of(write_images(tmp_path, 4, 10), one_way=True)
    rows = seen(feed)
    assert len(feed) == len(rows) == 10
    assert {row["input"].domain for row in rows} == {"A"}
    assert sorted(row["target"].pair_id for row in rows) == sorted(f"B_{number}" for number in range(10))
    first, second, rest = (
        [row["input"].pair_id for row in rows[part]] for part in (slice(4), slice(4, 8), slice(8, 10))
    )
    assert sorted(first) == sorted(second) == [f"A_{number}" for number in range(4)]
    assert len(set(rest)) == 2
    assert feed.pair_ids(0) == [row["input"].pair_id for row in rows]
    other = feed_of(write_images(tmp_path, 10, 4), one_way=True)
    assert sorted(other.pair_ids(0)) == sorted(f"A_{number}" for number in range(10))


def test_between_domains_every_image_is_once_an_input_and_its_target_is_of_another_domain(tmp_path):
    feed = feed_of(write_images(tmp_path, 12, 9, 12), one_way=False)
    counts = np.zeros((3, 3), int)
    for epoch in range(4):
        rows = seen(feed, epoch)
        assert sorted(row["input"].pair_id for row in rows) == sorted(image.pair_id for image in feed.images)
        for row in rows:
            assert "ABC"[row["domain"]] == row["input"].domain
            assert "ABC"[row["target_domain"]] == row["target"].domain != row["input"].domain
            counts[row["domain"], row["target_domain"]] += 1
    assert (counts.diagonal() == 0).all()
    assert counts[~np.eye(3, dtype=bool)].min() > 8


@pytest.mark.parametrize("one_way", [True, False])
@pytest.mark.parametrize("batch", [1, 3])
def test_no_step_shows_a_scene_as_input_and_as_target(tmp_path, one_way, batch):
    feed = feed_of(write_images(tmp_path, 12, 12, scenes=True), one_way, batch)
    for epoch in range(8):
        rows = seen(feed, epoch)
        for first in range(0, len(rows), batch):
            step = rows[first : first + batch]
            assert not {row["input"].scene for row in step} & {row["target"].scene for row in step}
        assert len({row["target"].pair_id for row in rows if row["target"].domain == "B"}) >= 8


def test_too_few_scenes_are_refused(tmp_path):
    with pytest.raises(UserError, match="the domain B has too few scenes for steps of 3 images"):
        feed_of(write_images(tmp_path, 3, 3, scenes=True), True, batch=3)


def test_a_domain_without_an_image_is_refused(tmp_path):
    images = write_images(tmp_path, 3)
    with pytest.raises(UserError, match="the domain B has no image to train on"):
        DomainFeed(open_images([image.path for image in images]), images, "AB", True, 0, True, True, 1)


@pytest.mark.parametrize("one_way", [True, False])
def test_an_epoch_follows_from_its_seed_and_number_and_can_be_entered_anywhere(tmp_path, one_way):
    images = write_images(tmp_path, 8, 8, scenes=True)
    feed = feed_of(images, one_way)
    rows = seen(feed)
    assert seen(feed_of(images, one_way, cache_mib=0)) == rows
    assert seen(feed, first=5) == rows[5:]
    assert rows not in (seen(feed, 1), seen(feed_of(images, one_way, seed=1)))


def test_input_and_target_are_cropped_and_mirrored_apart(tmp_path):
    blocks = np.random.default_rng(0).integers(0, 256, (4, 4, 3)).astype(np.uint8)
    pixels = np.kron(blocks, np.ones((4, 4, 1), np.uint8))
    images = []
    for domain in "AB":
        write_png(tmp_path / f"{domain}.png", pixels)
        images.append(DomainImage(domain, domain, tmp_path / f"{domain}.png", None, domain))
    batches = [next(feed_of(images, True).batches(epoch, np.arange(1), 1).as_numpy_iterator()) for epoch in range(6)]
    assert all(batch[name].shape == (1, 16, 16, 3) for batch in batches for name in batch)
    assert all(np.abs(batch[name]).max() <= 1 for batch in batches for name in batch)
    likeness = [np.corrcoef(batch["input"].ravel(), batch["target"].ravel())[0, 1] for batch in batches]
    assert min(likeness) < 0.9
    plain = DomainFeed(open_images([image.path for image in images]), images, "AB", True, 0, False, False, 1)
    (batch,) = plain.batches(0, np.arange(1), 1).as_numpy_iterator()
    np.testing.assert_allclose(batch["input"][0], pixels / np.float32(127.5) - 1, atol=1e-6)


def test_whole_scenes_are_kept_apart_in_all_domains(tmp_path):
    images = write_images(tmp_path, 8, 8, 8, scenes=True)
    trained, apart = hold_out_images(images, "A", 3, 0)
    assert len({image.scene for image in apart}) == 3
    assert len(apart) == 9
    assert not {image.scene for image in apart} & {image.scene for image in trained}
    alone, apart = hold_out_images(write_images(tmp_path, 8, 8), "A", 3, 0)
    assert {image.domain for image in apart} == {"A"}
    assert (len(alone), len(apart)) == (13, 3)
    with pytest.raises(
        UserError, match=r"the domain A has 8 images in train, and .*holdout_pairs: 7 leaves fewer than"
    ):
        hold_out_images(images, "A", 7, 0)


def domain_set(folder, *counts: int, scenes: bool = False):
    """Return the folder of a set with domains, whose images of train are also those of val."""
    images = write_images(folder, *counts, scenes=scenes)
    rows = [
        {
            "pair_id": f"{split}_{image.pair_id}", "split": split, "group": image.group, "domain": image.domain,
            "scene": image.scene, "target_path": f"train/targets/{image.pair_id}.png",
        }
        for image in images
        for split in ("train", "val")
    ]  # fmt: skip
    write_manifest(folder, rows)
    domains = tuple("ABCD"[: len(counts)])
    Dataset("d", "D", "", "", "", "none", domains=domains, scenes=scenes).write(folder)
    return folder


TOY = changed(TINY_TRAIN, data={"holdout_pairs": 2, "encoding": "color", "style": "none"}, run={"batch": 2})


def opened(folder, monkeypatch, pairing: str, **changes):
    family = SimpleNamespace(**{name: getattr(toy_family, name) for name in dir(toy_family) if name[0] != "_"})
    family.PAIRING = pairing
    monkeypatch.setattr(train_step, "open_family", lambda name: family)
    train = changed(TOY, **changes)
    monkeypatch.setattr(type(train), "family", toy_family.Settings(filters=2, rate=1e-3))
    return open_training(folder, train, tf.distribute.get_strategy())


def test_a_family_of_unpaired_images_learns_from_the_first_domain_to_the_second(tmp_path, monkeypatch):
    start = opened(domain_set(tmp_path, 8, 6), monkeypatch, "unpaired")
    assert start.feed.one_way
    assert (len(start.feed), len(start.held_out), len(start.pairs), len(start.shown)) == (6, 2, 6, 8)
    assert not start.exact
    assert start.task.input_shape == start.task.target_shape == (SIDE, SIDE, 3)
    assert start.task.conditions == {}


def test_a_family_of_domains_gets_their_number_and_learns_between_all(tmp_path, monkeypatch):
    start = opened(domain_set(tmp_path, 8, 8, 8, scenes=True), monkeypatch, "domains")
    assert not start.feed.one_way
    assert (len(start.feed), len(start.held_out)) == (18, 2)
    assert start.exact
    assert start.task.conditions == {"domain": 3}
    assert all(pair.target_path.stem == pair.input_path.stem.replace("A", "B") for pair in start.held_out)


def test_a_family_and_a_set_that_do_not_fit_are_refused(tmp_path, monkeypatch):
    folder = domain_set(tmp_path, 8, 8, 8)
    with pytest.raises(UserError, match="translates from one domain to another, but d has 3: A, B, C; name two"):
        opened(folder, monkeypatch, "unpaired")
    with pytest.raises(UserError, match="images of this data set stand alone, and pairs are needed"):
        opened(folder, monkeypatch, "paired")
    with pytest.raises(UserError, match="keep: best needs pairs or scenes"):
        opened(folder, monkeypatch, "domains", run={"keep": "best"})
    with pytest.raises(UserError, match="onehot needs a data set with classes"):
        opened(folder, monkeypatch, "domains", data={"encoding": "onehot", "style": "none"})
    with pytest.raises(UserError, match=r"style: code needs pairs, but .* learns from images of domains"):
        opened(folder, monkeypatch, "domains", data={"style": "code"})
    Dataset("d", "D", "", "", "", "file").write(folder)
    with pytest.raises(UserError, match="needs a data set with domains, but d has none"):
        opened(folder, monkeypatch, "domains")
