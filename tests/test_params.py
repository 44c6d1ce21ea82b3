"""Parameters: each fault names its key, the rule and the value; an error on a former key names the present one."""

import random
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from pix2street.core.errors import UserError
from pix2street.models import MODELS
from pix2street.params import read_params
from pix2street.settings.train import MOVED

SHIPPED = Path(__file__).parents[1] / "params.yaml"


def changed(tmp_path, change) -> Path:
    values = YAML(typ="safe").load(SHIPPED.read_text())
    change(values)
    path = tmp_path / "params.yaml"
    with path.open("w") as file:
        YAML(typ="safe").dump(values, file)
    return path


def test_the_shipped_parameters_are_valid():
    params = read_params(SHIPPED)
    assert params.train.pix2pix.l1_weight == 40
    assert params.train.pix2pix.generator_rate == params.train.pix2pix.discriminator_rate == 2e-4
    assert params.train.run.batch == 1
    assert params.train.family is params.train.pix2pix


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda v: v["train"]["run"].update(epoch=3), "train.run.epoch: unknown key; remove it or fix its name"),
        (lambda v: v["train"]["run"].pop("epochs"), "train.run.epochs: missing; add it"),
        (lambda v: v["train"]["run"].update(epochs="ten"), "train.run.epochs: should be a valid integer; it is 'ten'"),
        (lambda v: v["train"]["run"].update(epochs=1.5), "train.run.epochs: should be a valid integer"),
        (lambda v: v["train"]["pix2pix"].update(beta_1=1.0), "train.pix2pix.beta_1: should be less than 1; it is 1.0"),
        (
            lambda v: v["train"]["data"].update(jitter="yes"),
            "train.data.jitter: should be a valid boolean; it",
        ),
        (lambda v: v["split"].update(height_px=100), "split.height_px: must be a multiple of 16"),
        (lambda v: v["split"].update(target_mode="gray"), "split.target_mode: should be 'rgb' or 'grey'; it is 'gray'"),
        (
            lambda v: (v["download"].update(dataset="colorization"), v["split"].update(target_mode="grey")),
            "split.target_mode: grey leaves download.dataset: colorization nothing to learn",
        ),
        (lambda v: v["generate"].update(norm="none"), "generate.norm: should be 'batch' or 'moving'; it is 'none'"),
        (
            lambda v: (v["train"]["run"].update(keep="best"), v["train"]["data"].update(holdout_pairs=0)),
            "train: run.keep: best needs data.holdout_pairs of at least 1",
        ),
        (
            lambda v: v["train"]["device"].update(jit_compile=True, strategy="mirrored"),
            "train.device: jit_compile needs strategy: one_device, but it is mirrored",
        ),
        (
            lambda v: v["train"]["device"].update(strategy="tpu"),
            "train.device.strategy: should be 'one_device', '",
        ),
        (
            lambda v: v["train"].update(model="unet"),
            "train.model: should be 'pix2pix', 'pix2pixhd', 'oasis', ",
        ),
        (lambda v: v["train"].pop("pix2pix"), "train.pix2pix: missing; add it"),
        (lambda v: v["train"].update(run=3), "train.run: must be a section, `name: value` in each line; it is 3"),
        (lambda v: v.pop("evaluate"), "evaluate: missing; add it"),
        (lambda v: v.update(serve={}), "serve: unknown key"),
        (lambda v: v["verify"].update(l1=-0.1), "verify.l1: should be greater than or equal to 0; it is -0.1"),
        (
            lambda v: v["download"]["paired_folder"].update(classes="coco"),
            "download.paired_folder.classes: must be none, cityscapes, cityscapes_evaluated, cityscapes_train_ids",
        ),
        (
            lambda v: v["download"]["paired_folder"].update(void_id=255),
            "void_id needs a class table and label_pixels: ids",
        ),
        (
            lambda v: v["download"]["paired_folder"].update(void_id=256, label_pixels="ids", form="folders"),
            "download.paired_folder.void_id: should be less than or equal to 255; it is 256",
        ),
        (
            lambda v: v["download"]["own_images"].update(group_pattern="("),
            "download.own_images.group_pattern: must be a regular expression",
        ),
        (
            lambda v: v["download"]["own_images"].update(id_pattern="a"),
            "download.own_images.id_pattern: must hold one (group) in parentheses; it is 'a'",
        ),
        (
            lambda v: v["download"]["own_images"].update(split_folders={"val2": "valid"}),
            "download.own_images.split_folders.val2: should be 'train', 'val', 'test', 'ordinary' or 'left_out'",
        ),
        (
            lambda v: v["download"]["own_images"].update(split_folders={"a/b": "val"}),
            "download.own_images.split_folders.a/b",
        ),
        (lambda v: v["download"]["own_images"].update(id_from="folder"), "id_from: should be 'name' or 'path'"),
        (
            lambda v: v["download"]["own_images"]["split_shares"].update(train=0.5),
            "download.own_images.split_shares: train + val + test must be 1, but are 0.7",
        ),
        (
            lambda v: (
                v["download"]["sketches"].update(sigma=0.0),
                v["download"]["own_images"]["split_shares"].update(val=0.3),
            ),
            "download.sketches.sigma: should be greater than 0; it is 0.0",
        ),
        (
            lambda v: v["download"]["paired_folder"].update(label_pixels="ids"),
            "download.paired_folder: label_pixels: ids needs form: folders, but it is right",
        ),
        (
            lambda v: v["download"]["sketches"].update(low_share=0.95),
            "download.sketches: low_share 0.95 must not be above high_share 0.92",
        ),
        (
            lambda v: v["download"]["pix2pix_sets"].update(base_url="ftp://there"),
            "download.pix2pix_sets.base_url: String should match pattern",
        ),
        (lambda v: v["register"]["max"].update(l1=float("nan")), "register.max.l1: should be a finite number"),
        (lambda v: v["register"]["min_of_ceiling"].update(mean_iou=70), "register.min_of_ceiling.mean_iou: should be"),
        (lambda v: v["register"].update(model="a/b"), "register.model: String should match pattern"),
        (lambda v: v["register"].update(promote_by=[]), "register.promote_by: List should have at least 1 item"),
        (
            lambda v: (v["download"].update(dataset="cityscapes"), v["split"].update(width_px=512)),
            "download.cityscapes.width_px: 256 is less than split.width_px: 512, frames would be enlarged again",
        ),
        (
            lambda v: (v["download"].update(dataset="cityscapes"), v["evaluate"].update(subset="test")),
            "evaluate.subset: test has blank labels in Cityscapes, nothing can be scored on it; use val",
        ),
    ],
)
def test_each_fault_names_key_rule_and_value(tmp_path, change, message):
    with pytest.raises(UserError) as error:
        read_params(changed(tmp_path, change))
    assert message in str(error.value)


def test_all_faults_are_listed_at_once(tmp_path):
    def change(values):
        values["train"]["run"].update(epochs=0, batch=0)
        values["segment"].update(seed=-1)

    with pytest.raises(UserError) as error:
        read_params(changed(tmp_path, change))
    assert all(key in str(error.value) for key in ("train.run.epochs", "train.run.batch", "segment.seed"))


def test_scientific_notation_is_a_number_as_it_is_for_dvc(tmp_path):
    text = SHIPPED.read_text().replace("generator_rate: 0.0002", "generator_rate: 2.5e-4")
    (tmp_path / "params.yaml").write_text(text)
    assert read_params(tmp_path / "params.yaml").train.pix2pix.generator_rate == 2.5e-4


FORMER = [
    "device",
    "strategy",
    "deterministic",
    "seed",
    "generator",
    "norm",
    "upsample",
    "input_encoding",
    "generator_filters",
    "discriminator_filters",
    "epochs",
    "batch",
    "learning_rate",
    "schedule",
    "beta_1",
    "ema_decay",
    "l1_weight",
    "disc_loss_weight",
    "jitter",
    "mirror",
    "holdout_pairs",
    "checkpoint",
    "sample_every_epochs",
    "sample_pairs",
    "precision",
    "product_side_px",
    "jit_compile",
    "steps_per_call",
    "cache_mib",
    "checkpoint_every_steps",
    "max_checkpoint_gib",
]
"""The keys of `train` before they were grouped."""


def fault_of(path: Path) -> list[str]:
    with pytest.raises(UserError) as error:
        read_params(path)
    return str(error.value).splitlines()


def test_every_former_key_is_known_and_every_key_that_it_became_exists():
    assert {f"train.{key}" for key in FORMER} <= MOVED.keys()
    for target in " and ".join(MOVED.values()).split(" and "):
        value = YAML(typ="safe").load(SHIPPED.read_text())
        for name in target.split("."):
            value = value[name]
        assert not isinstance(value, dict), target


@pytest.mark.parametrize("key", MOVED)
def test_a_former_key_is_one_line_that_says_where_its_value_goes(tmp_path, key):
    section, name = key.split(".")
    lines = fault_of(changed(tmp_path, lambda values: values[section].update({name: 1})))
    assert lines == [
        "params.yaml is not valid; nothing was run:",
        f"  {key}: it is {MOVED[key]} now; move its value there",
    ]


def test_a_key_is_not_missing_where_a_former_key_holds_its_value(tmp_path):
    def change(values):
        values["train"]["epochs"] = values["train"]["run"].pop("epochs")
        values["train"]["run"].pop("batch")

    assert fault_of(changed(tmp_path, change))[1:] == [
        "  train.epochs: it is train.run.epochs now; move its value there",
        "  train.run.batch: missing; add it",
    ]


def test_the_former_layout_is_listed_once_key_by_key(tmp_path):
    lines = fault_of(changed(tmp_path, lambda values: values.update(train=dict.fromkeys(FORMER, 1))))
    assert lines[:2] == [
        "params.yaml is not valid; nothing was run:",
        "  these keys have moved; move each value to its new key",
    ]
    moved = [f"  train.{key} -> {MOVED[f'train.{key}']}" for key in FORMER]
    # The former layout knew one family.
    missing = [f"  train.{name}: missing; add it" for name in MODELS if name != "pix2pix"]
    assert sorted(lines[2:]) == sorted([*moved, *missing])


@pytest.mark.parametrize(("text", "message"), [("a: [", "no valid YAML"), ("", "the file"), ("- 1", "the file")])
def test_a_broken_file_is_a_clear_error(tmp_path, text, message):
    (tmp_path / "params.yaml").write_text(text)
    with pytest.raises(UserError, match=message):
        read_params(tmp_path / "params.yaml")


def test_a_missing_file_is_a_clear_error(tmp_path):
    with pytest.raises(UserError, match="no such file"):
        read_params(tmp_path / "params.yaml")


def test_a_byte_order_mark_and_other_line_ends_are_read(tmp_path):
    text = SHIPPED.read_bytes()
    for data in (b"\xef\xbb\xbf" + text, text.replace(b"\n", b"\r\n")):
        (tmp_path / "params.yaml").write_bytes(data)
        assert read_params(tmp_path / "params.yaml") == read_params(SHIPPED)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: text + "# straße".encode("latin-1"), "must be in UTF-8, which is what DVC reads, line "),
        (lambda text: text.decode().encode("utf-16"), "must be in UTF-8, which is what DVC reads, line 1 holds the"),
        (lambda text: text.decode().encode("utf-16-le"), "no valid YAML: unacceptable character #x0000"),
        (lambda text: b"# nothing\n", "the file must hold sections, each with its `name:`, but is empty"),
        (lambda text: b"- a\n", "the file must hold sections, each with its `name:`, but is a list"),
        (lambda text: b"words", "the file must hold sections, each with its `name:`, but is a single value"),
        (lambda text: b"a:\n  b: 1\n  b: 2\n", "no valid YAML: line 3, column 3: while constructing a mapping"),
        (lambda text: b"a:\n\tb: 1\n", "no valid YAML: line 2, column 1: "),
        (lambda text: b"a: 2001-99-99\n", "no valid YAML: month must be in 1..12"),
        (lambda text: b"[" * 20_000, "no valid YAML: "),
        (lambda text: text + b"---\na: 1\n", "no valid YAML: line "),
    ],
)  # fmt: skip
def test_what_is_no_yaml_in_utf_8_is_one_line(tmp_path, change, message):
    (tmp_path / "params.yaml").write_bytes(change(SHIPPED.read_bytes()))
    with pytest.raises(UserError) as error:
        read_params(tmp_path / "params.yaml")
    assert str(error.value).startswith(f"params.yaml: {message}")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("key", "path", "message"),
    [
        ("download", "data/split", "download.path: data/split is data/split, which the stage `split` makes"),
        ("download", "data/downloaded/train", "lies in data/downloaded, which the stage `download` makes"),
        ("download", "data", "download.path: data holds data/downloaded, which the stage `download` makes"),
        ("download", ".", "download.path: . holds data/downloaded"),
        ("download", "data/source/../split", "is data/split, which the stage `split` makes"),
        ("download", "/", "download.path: / holds data/downloaded"),
        (
            "segment",
            "models/segmenter",
            "segment.path: models/segmenter is models/segmenter, which the stage `segment`",
        ),
    ],
)
def test_what_the_pipeline_makes_is_no_source(tmp_path, key, path, message):
    with pytest.raises(UserError) as error:
        read_params(changed(tmp_path, lambda values: values[key].update(path=path)))
    assert message in str(error.value)


def test_a_link_to_an_output_is_no_source_either(tmp_path):
    (tmp_path / "mine").symlink_to(tmp_path / "data/generated")
    with pytest.raises(UserError, match="mine is data/generated, which the stage `generate` makes"):
        read_params(changed(tmp_path, lambda values: values["download"].update(path="mine")))


@pytest.mark.parametrize("key", ["download", "segment"])
def test_a_path_that_dvc_reads_is_written_in_full(tmp_path, monkeypatch, key):
    monkeypatch.setenv("HOME", "/home/me")
    with pytest.raises(UserError) as error:
        read_params(changed(tmp_path, lambda values: values[key].update(path="~/pairs")))
    assert f"{key}.path: must be written in full, /home/me/pairs: DVC reads it too" in str(error.value)


def test_damaged_parameters_are_never_a_traceback(tmp_path):
    rng, path = random.Random(0), tmp_path / "params.yaml"
    pieces = [
        b"\t",
        b"\xff",
        b"\x00",
        b"---\n",
        b"&a",
        b"*a",
        b"[",
        b"{",
        b"? ",
        b"!!int x",
        b"%",
        b"|",
        b"<<: ",
        b"!!set {a}",
    ]
    for _ in range(150):
        # Only a part of the file is damaged and read, which takes little time.
        start = rng.randrange(len(SHIPPED.read_bytes()))
        data = bytearray(SHIPPED.read_bytes()[start : start + 600])
        for _ in range(rng.randint(1, 3)):
            place = rng.randrange(len(data))
            data[place : place + rng.choice([0, 1, 50])] = rng.choice(pieces)
        path.write_bytes(data)
        with pytest.raises(UserError, match=r"^params\.yaml"):
            read_params(path)
