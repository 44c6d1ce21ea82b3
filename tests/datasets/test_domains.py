"""Images are put into domains and splits by the names of their folders."""

from pathlib import Path

import pytest
from shipped import PARAMS, changed
from sources import LIMITS

from pix2street.core.errors import UserError
from pix2street.core.pairs import Dataset
from pix2street.datasets import domain_folders, unpaired_folders
from pix2street.datasets.domains import arrange_domains
from pix2street.settings.download import DomainFolders, UnpairedFolders

OWN = PARAMS.download.own_images


def tree(*folders: str, numbers=range(1, 5), ending="jpg") -> list[str]:
    return [f"{folder}/{number}.{ending}" for folder in folders for number in numbers]


def arranged(images, domains=("A", "B"), scenes=False, **changes):
    return arrange_domains(Path("source"), images, changed(OWN, **changes), domains, scenes)


def refusal(images, *args, **changes) -> str:
    with pytest.raises(UserError) as error:
        arranged(images, *args, **changes)
    return str(error.value)


def test_the_folders_of_cyclegan_are_understood_and_test_is_read_as_val():
    found, domains = arranged(tree("trainA", "trainB") + tree("testA", "testB", numbers=[1, 9]))
    assert domains == ("A", "B")
    assert found.destinations["trainA/2.jpg"] == "train/A/A_train_2"
    assert found.destinations["testB/9.jpg"] == "val/B/B_val_9"
    assert "'testA' was read as val, 'testB' was read as val" in found.notes[0]
    assert not found.divided


@pytest.mark.parametrize("form", ["{split}/{domain}", "{domain}/{split}", "set/{split}{domain}", "{split}_{domain}"])
def test_a_split_and_a_domain_may_be_named_in_any_order(form):
    images = [
        image
        for split, number in (("train", 1), ("val", 2), ("test", 3))
        for domain in "AB"
        for image in tree(form.format(split=split, domain=domain), numbers=[number])
    ]
    found, _ = arranged(images)
    assert sorted(found.destinations.values()) == sorted(
        f"{split}/{domain}/{domain}_{number}"
        for split, number in (("train", 1), ("val", 2), ("test", 3))
        for domain in "AB"
    )


def test_the_order_of_the_settings_is_that_of_the_domains():
    images = tree("train/horse", "train/zebra") + tree("val/horse", "val/zebra", numbers=[8])
    assert arranged(images, ("zebra", "horse"))[1] == ("zebra", "horse")
    found, domains = arranged(images, ())
    assert domains == ("horse", "zebra")
    assert "The domains are horse, zebra (download.domain_folders.domains)." in found.notes


def test_without_folders_for_splits_every_domain_is_divided_by_itself():
    images = tree("A", numbers=range(40)) + tree("B", numbers=range(5))
    found, _ = arranged(images)
    counts = {
        (split, domain): sum(path.startswith(f"{split}/{domain}/") for path in found.destinations.values())
        for split in ("train", "val")
        for domain in "AB"
    }
    assert counts == {("train", "A"): 32, ("val", "A"): 8, ("train", "B"): 4, ("val", "B"): 1}
    assert found.divided
    assert arranged(images[::-1]) == arranged(images)


def test_a_scene_and_a_group_stay_in_one_split_in_all_domains():
    images = tree("A", "B", "C", numbers=range(20))
    for found, _ in (arranged(images, "ABC", True), arranged(images, "ABC", group_pattern="^(\\d+)$")):
        splits = {}
        for path in found.destinations.values():
            split, domain, pair_id = path.split("/")
            splits.setdefault(pair_id.removeprefix(f"{domain}_"), set()).add(split)
        assert all(len(one) == 1 for one in splits.values())


def test_images_of_other_folders_are_left_out_where_domains_are_named():
    found, _ = arranged(tree("A", "B") + tree("thumbnails", numbers=[1, 2]))
    assert found.left_out == {f"thumbnails/{number}.jpg": "it is in none of A/, B/" for number in (1, 2)}


def test_an_empty_domain_is_refused():
    assert "no image in a folder named 'B'; the images are in 'A' (4). Name the folders" in refusal(tree("A"))


def test_one_domain_is_refused():
    one = refusal(tree("train/summer") + tree("val/summer", numbers=[7]), ())
    assert "there is one domain, 'summer'; the images are in 'train/summer' (4), 'val/summer' (1)" in one
    assert "there are no domains; the images are in the root (2). Put the images of each domain" in refusal(
        ["1.jpg", "2.jpg"], ()
    )


def test_a_domain_of_one_image_cannot_be_divided():
    assert "1 image cannot be divided into train and val" in refusal([*tree("A"), "B/1.jpg"])


def test_folders_that_say_a_split_and_a_domain_are_understood_where_the_domain_is_named():
    images = tree("train_summer", "train_winter") + tree("val_summer", "val_winter", numbers=[7])
    found, _ = arranged(images, ("summer", "winter"))
    assert found.destinations["val_winter/7.jpg"] == "val/winter/winter_7"
    assert "name the folders in download.domain_folders.domains, or say in params.yaml" in refusal(images, ())


def test_images_beside_the_folders_of_domains_are_refused():
    message = refusal([*tree("summer", "winter"), "7.jpg"], ())
    assert "1 image is in the folder of no domain:\n  '7.jpg'\nUnderstood as domains: summer, winter" in message


def test_a_domain_without_val_is_refused():
    images = tree("trainA", "trainB") + tree("valA", numbers=[7])
    assert "the domain 'B' has no image in val; every domain needs both" in refusal(images)


def test_ids_that_two_domains_share_are_refused():
    images = tree("train/a", "val/a", numbers=["b_1", "b_2"]) + tree("train/a_b", "val/a_b", numbers=[1, 2])
    images = [name for name in images if ("train" in name) == name.endswith("1.jpg")]
    assert "would both be 'a_b_" in refusal(images, ("a", "a_b"))


def test_domains_that_differ_by_case_are_refused():
    assert "differ only by case" in refusal(tree("Day", "day"), ())
    for names in (["day", "Day"], ["day"]):
        with pytest.raises(ValueError, match=r"name of its own|two or more, or be \[\]"):
            DomainFolders(domains=names, scenes=False)
    with pytest.raises(ValueError, match="each domain needs a name of its own"):
        UnpairedFolders(input_folder="A", target_folder="a", scenes=False)


def test_fetching_copies_the_files_and_describes_the_set(tmp_path, capsys):
    source, folder = tmp_path / "source", tmp_path / "downloaded"
    for name in tree("day", "dusk", "night", ending="png"):
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_bytes(b"\x89PNG" + name.encode())
    (source / "notes.txt").write_text("x")
    folder.mkdir()
    settings = DomainFolders(domains=["night", "day"], scenes=True)
    dataset = domain_folders.fetch(folder, source, LIMITS, OWN, settings)
    assert dataset == Dataset(
        "domain_folders", "My pairs", "night to day", "unknown", "", "none", domains=("night", "day"), scenes=True
    )
    dataset.write(folder)
    assert Dataset.read(folder) == dataset
    assert "13 files found: 8 images, 5 left out (4 x it is in none of night/, day/, 1 x no image" in (
        capsys.readouterr().out
    )
    for path in folder.rglob("*.png"):
        assert path.read_bytes().endswith(f"{path.parent.name}/{path.stem.split('_')[1]}.png".encode())


def test_an_unpaired_set_says_its_direction(tmp_path):
    source, folder = tmp_path / "source", tmp_path / "downloaded"
    for name in tree("trainA", "trainB", "testA", "testB", ending="png"):
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_bytes(b"\x89PNG")
    folder.mkdir()
    settings = UnpairedFolders(input_folder="B", target_folder="A", scenes=False)
    dataset = unpaired_folders.fetch(folder, source, LIMITS, OWN, settings)
    assert (dataset.direction, dataset.domains) == ("B to A", ("B", "A"))
