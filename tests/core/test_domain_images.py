from pathlib import Path

import pytest

from pix2street.core.domains import DomainImage, ends_of, read_images, translations
from pix2street.core.errors import UserError
from pix2street.core.pairs import Pair, read_pairs, write_manifest


def row(split: str, domain: str, name: str, scene: str | None = None, **more) -> dict:
    pair_id = f"{domain}_{name}"
    return {
        "pair_id": pair_id, "split": split, "domain": domain, "scene": scene, "group": scene or pair_id,
        "target_path": f"{split}/targets/{pair_id}.png", **more,
    }  # fmt: skip


def test_images_have_a_domain_and_a_scene(tmp_path):
    rows = [row("train", "night", "1", "1"), row("train", "day", "1", "1"), row("val", "day", "2")]
    write_manifest(tmp_path, [*rows, row("train", "day", "3", fault="is no image")])
    assert read_images(tmp_path, "train") == [
        DomainImage("day_1", "day", tmp_path / "train/targets/day_1.png", "1", "1"),
        DomainImage("night_1", "night", tmp_path / "train/targets/night_1.png", "1", "1"),
    ]
    assert [image.scene for image in read_images(tmp_path, "val")] == [None]
    assert read_images(tmp_path, "test") == []


def test_a_set_without_domains_has_no_images_and_one_without_inputs_no_pairs(tmp_path):
    write_manifest(tmp_path, [row("train", "day", "1")])
    with pytest.raises(UserError, match="the images of this data set stand alone, and pairs are needed here; choose"):
        read_pairs(tmp_path, "train")
    write_manifest(tmp_path, [{"pair_id": "p", "split": "train", "target_path": "t.png", "input_path": "i.png"}])
    with pytest.raises(UserError, match="this data set has no domains; choose one that has"):
        read_images(tmp_path, "train")


def image(domain: str, name: str, scene: str | None) -> DomainImage:
    return DomainImage(f"{domain}_{name}", domain, Path(f"{domain}/{name}.png"), scene, name)


def test_a_translation_is_shown_beside_the_same_scene():
    images = [image(domain, name, name) for domain in ("day", "night") for name in "abc"]
    assert translations(images, "night", "day") == [
        Pair(f"night_{name}", Path(f"night/{name}.png"), Path(f"day/{name}.png")) for name in "abc"
    ]


def test_an_image_without_a_counterpart_is_shown_beside_some_image():
    images = [*(image("A", name, None) for name in "abc"), *(image("B", name, None) for name in "xy")]
    shown = translations(images, "A", "B")
    assert [pair.target_path.stem for pair in shown] == ["x", "y", "x"]
    assert translations(images, "A", "C") == []


def test_images_of_the_first_domain_go_to_each_other_one_and_those_of_the_second_to_the_first():
    domains = ("day", "dusk", "night")
    assert [ends_of(domains, number) for number in range(3)] == [("dusk", "day"), ("day", "dusk"), ("day", "night")]
    assert ends_of(domains) == ("day", "dusk")
