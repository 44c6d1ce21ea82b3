from pathlib import Path

import pytest
from ruamel.yaml import YAML

from pix2street.errors import UserError
from pix2street.params import read_params

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
    assert params.train.l1_weight == 100
    assert params.train.learning_rate == 2e-4
    assert params.train.batch == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda v: v["train"].update(epoch=3), "train.epoch: unknown key; remove it or mend its name"),
        (lambda v: v["train"].pop("epochs"), "train.epochs: missing; add it"),
        (lambda v: v["train"].update(epochs="ten"), "train.epochs: should be a valid integer; it is 'ten'"),
        (lambda v: v["train"].update(epochs=1.5), "train.epochs: should be a valid integer"),
        (lambda v: v["train"].update(beta_1=1.0), "train.beta_1: should be less than 1; it is 1.0"),
        (lambda v: v["train"].update(jitter="yes"), "train.jitter: should be a valid boolean; it is 'yes'"),
        (lambda v: v["split"].update(height_px=100), "split.height_px: must be a multiple of 16"),
        (lambda v: v["split"].update(target_mode="gray"), "split.target_mode: should be 'rgb' or 'grey'; it is 'gray'"),
        (
            lambda v: (v["download"].update(dataset="colorization"), v["split"].update(target_mode="grey")),
            "split.target_mode: grey leaves download.dataset: colorization nothing to learn",
        ),
        (lambda v: v["generate"].update(norm="none"), "generate.norm: should be 'batch' or 'moving'; it is 'none'"),
        (
            lambda v: v["train"].update(checkpoint="best", holdout_pairs=0),
            "checkpoint: best needs holdout_pairs",
        ),
        (lambda v: v["train"].update(jit_compile=True, strategy="mirrored"), "jit_compile needs strategy: one_device"),
        (lambda v: v["train"].update(strategy="tpu"), "train.strategy: should be 'one_device', 'mirrored' or"),
        (lambda v: v.pop("evaluate"), "evaluate: missing; add it"),
        (lambda v: v.update(serve={}), "serve: unknown key"),
        (lambda v: v["verify"].update(l1=-0.1), "verify.l1: should be greater than or equal to 0; it is -0.1"),
        (
            lambda v: v["download"]["own_images"].update(group_pattern="("),
            "download.own_images.group_pattern: must be a regular expression",
        ),
        (
            lambda v: v["download"]["own_images"]["split_shares"].update(train=0.5),
            "download.own_images.split_shares: train + val + test must be 1, they are 0.7",
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
            "download.paired_folder: label_pixels: ids needs form: folders, it is right",
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
            lambda v: (v["download"].update(dataset="cityscapes"), v["evaluate"].update(split="test")),
            "evaluate.split: test has blank labels in Cityscapes, nothing can be scored on it; use val",
        ),
    ],
)
def test_each_fault_names_key_rule_and_value(tmp_path, change, message):
    with pytest.raises(UserError) as error:
        read_params(changed(tmp_path, change))
    assert message in str(error.value)


def test_all_faults_are_listed_at_once(tmp_path):
    def change(values):
        values["train"].update(epochs=0, batch=0)
        values["segment"].update(seed=-1)

    with pytest.raises(UserError) as error:
        read_params(changed(tmp_path, change))
    assert all(key in str(error.value) for key in ("train.epochs", "train.batch", "segment.seed"))


def test_scientific_notation_is_a_number_as_it_is_for_dvc(tmp_path):
    text = SHIPPED.read_text().replace("learning_rate: 0.0002", "learning_rate: 2e-4")
    (tmp_path / "params.yaml").write_text(text)
    assert read_params(tmp_path / "params.yaml").train.learning_rate == 2e-4


@pytest.mark.parametrize(("text", "message"), [("a: [", "no valid YAML"), ("", "the file"), ("- 1", "the file")])
def test_a_broken_file_is_a_clear_error(tmp_path, text, message):
    (tmp_path / "params.yaml").write_text(text)
    with pytest.raises(UserError, match=message):
        read_params(tmp_path / "params.yaml")


def test_a_missing_file_is_a_clear_error(tmp_path):
    with pytest.raises(UserError, match="no such file"):
        read_params(tmp_path / "params.yaml")
