"""Profiles are small and complete, and none leaves a value behind; params.yaml keeps its author's text."""

import json
import re
import shutil
import subprocess
import typing
from functools import cache, partial
from pathlib import Path

import pytest
from dvc.utils.hydra import apply_overrides
from dvc.utils.serialize import load_yaml
from project import Project
from ruamel.yaml import YAML
from sources import pix2pix_archive, small_download
from web import serving

from pix2street.core.errors import UserError
from pix2street.core.yaml import as_yaml
from pix2street.models import MODELS
from pix2street.params import read_params
from pix2street.profiles import (
    as_table,
    better_in_the_same_time,
    changes_of,
    expectation,
    profile_names,
    read_profile,
    use_profile,
    values_of,
)
from pix2street.settings.download import Download
from pix2street.steps.download import download
from pix2street.steps.split import split_pairs
from pix2street.steps.validate import validate_split

ROOT = Path(__file__).parents[1]
SHIPPED = ROOT / "profiles"
NAMES = profile_names(SHIPPED)


@pytest.fixture
def params(tmp_path) -> Path:
    """Return a copy of the committed params.yaml, with the shipped profiles beside it."""
    shutil.copytree(SHIPPED, tmp_path / "profiles")
    return Path(shutil.copy(ROOT / "params.yaml", tmp_path))


@cache
def committed() -> dict:
    return flat(YAML(typ="safe").load((ROOT / "params.yaml").read_text()))


def flat(values: dict, section: str = "") -> dict:
    found = {}
    for key, value in values.items():
        found |= flat(value, f"{section}{key}.") if isinstance(value, dict) else {f"{section}{key}": value}
    return found


def write_profile(beside: Path, name: str, **fields) -> None:
    needs = {"machine": "m", "time_h": 1, "memory_gib": 1, "disk_gib": 1, "measured": False}
    with (beside.parent / f"profiles/{name}.yaml").open("w") as file:
        YAML(typ="safe").dump({"title": "T", "needs": needs, "params": {}} | fields, file)


def change(params: Path, old: str, new: str) -> None:
    text = params.read_text()
    assert text.count(old) == 1
    params.write_text(text.replace(old, new))


def use(params: Path, name: str):
    return use_profile(params, params.parent / "profiles", name)


def test_the_default_comes_first_and_every_task_has_a_profile():
    assert NAMES[0] == "quick"
    keys = ("download.dataset", "train.model", "train.run.epochs")
    chosen = [tuple(values[key] for key in keys) for values in map(partial(values_of, SHIPPED), NAMES)]
    assert {dataset for dataset, *_ in chosen} == set(typing.get_args(Download.model_fields["dataset"].annotation))
    # Two profiles for one data set and one family are a short and a long training.
    assert len(set(chosen)) == len(NAMES)


def test_the_default_is_the_committed_params_and_covers_all_others():
    quick = values_of(SHIPPED, "quick")
    assert quick == {key: committed()[key] for key in quick}
    base = flat(load_yaml(SHIPPED / "base.yaml"))
    for name in NAMES:
        assert values_of(SHIPPED, name) == base | flat(read_profile(SHIPPED, name).params)
        assert values_of(SHIPPED, name).keys() == base.keys()


@pytest.mark.parametrize("name", NAMES)
def test_a_shipped_profile_is_valid_changes_its_values_alone_and_is_what_dvc_reads(params, name):
    before = params.read_text().splitlines()
    changes = use(params, name)
    after = params.read_text().splitlines()
    wanted = committed() | values_of(SHIPPED, name)
    assert flat(load_yaml(params)) == wanted
    written = load_yaml(params)
    del written["verify"]  # belongs to no stage, so to no dump
    for family in MODELS.keys() - {wanted["train.model"]}:
        del written["train"][family]
    assert read_params(params).model_dump(by_alias=True) == written
    assert {change.key for change in changes} == {key for key, value in wanted.items() if value != committed()[key]}
    lines = [(old, new) for old, new in zip(before, after, strict=True) if old != new]
    assert len(lines) == len(changes)
    # Comments and the columns before them stay.
    assert [old.split(":")[0] for old, _ in lines] == [new.split(":")[0] for _, new in lines]
    assert [old.partition("  #")[1:] for old, _ in lines] == [new.partition("  #")[1:] for _, new in lines]


@pytest.mark.parametrize("name", NAMES)
def test_nothing_of_a_profile_is_left_when_another_is_chosen(params, name):
    committed_bytes = params.read_bytes()
    use(params, name)
    use(params, "maps")
    maps = params.read_bytes()
    use(params, "quick")
    assert params.read_bytes() == committed_bytes
    assert use(params, "quick") == []
    use(params, "maps")
    assert params.read_bytes() == maps


@pytest.mark.parametrize("name", NAMES)
def test_a_small_edition_of_its_data_set_passes_validation_with_its_limits(params, name, tmp_path, monkeypatch):
    monkeypatch.setenv("PIX2STREET_CACHE", str(tmp_path / "cache"))
    use(params, name)
    chosen = read_params(params)
    for folder in ("source", "downloaded", "split"):
        (tmp_path / folder).mkdir()
    with small_download(chosen.download.dataset, tmp_path / "source") as settings:
        download(settings, tmp_path, tmp_path / "downloaded")
    split_pairs(tmp_path / "downloaded", tmp_path / "split", chosen.split)
    # In a dozen pairs the classes' shares are not yet those of the set; scenes of 64 px are blurred at 256.
    few = {"min_train_pairs": 12, "min_domain_train": 6, "max_class_distance": 1.0, "min_target_sharpness": 0.0}
    size = chosen.split.height_px, chosen.split.width_px
    verdict, _ = validate_split(tmp_path / "split", size, chosen.validate_.model_copy(update=few))
    assert [check["key"] for check in verdict["checks"] if not check["success"] and not check["waived"]] == []
    assert verdict["pairs"] == {"train": 12, "val": 4}


def test_the_paper_is_what_cityscapes_trains():
    profile = values_of(SHIPPED, "cityscapes")
    paper = {"run.epochs": 200, "run.batch": 1, "data.jitter": True, "data.mirror": True, "pix2pix.norm": "batch"}
    paper |= {"pix2pix.generator_filters": 64, "pix2pix.generator_rate": 0.0002, "pix2pix.discriminator_rate": 0.0002}
    paper |= {"pix2pix.beta_1": 0.5, "pix2pix.l1_weight": 100.0, "pix2pix.disc_loss_weight": 0.5}
    paper |= {"pix2pix.l1_weight_end": None, "pix2pix.feature_weight": 0, "pix2pix.warm_up": 0, "pix2pix.scales": 1}
    paper |= {"run.ema_decay": 0}
    assert {key: profile[f"train.{key}"] for key in paper} == paper
    assert (profile["split.height_px"], profile["split.width_px"]) == (256, 256)
    assert profile["evaluate.fid"] == ["tf", "clean"]


def test_the_paper_can_be_tried_without_its_data(params):
    use(params, "cityscapes")
    apply_overrides(params, ["download.dataset=synthetic_streets"])
    assert read_params(params).train.run.epochs == 200


def test_what_dvc_has_rewritten_is_still_understood(params):
    use(params, "cityscapes")
    # Lists become blocks, null becomes an empty value, comments move.
    apply_overrides(params, ["train.pix2pix.l1_weight=10", "report.sample_pairs=5"])
    assert "\n  - clean\n" in params.read_text()
    assert read_params(params).train.run.epochs == 200
    changes = {change.key: (change.old, change.new) for change in use(params, "quick")}
    assert changes["train.pix2pix.l1_weight"] == ("10", "40.0")
    assert changes["evaluate.fid"] == ("[tf, clean]", "[]")
    # No profile names it: it stays as it was set.
    assert flat(load_yaml(params)) == committed() | {"report.sample_pairs": 5}
    (line,) = [line for line in (ROOT / "params.yaml").read_text().splitlines() if "  fid: " in line]
    assert f"\n{line}\n" in params.read_text()


def test_values_set_by_hand_are_told_when_they_are_overwritten_and_kept_where_no_profile_names_them(params):
    change(params, "    epochs: 8\n", "    epochs: 77  # mine\n")
    change(params, "path: data/source  #", "path: /data/mine  #")
    changes = {change.key: (change.old, change.new) for change in use(params, "facades")}
    assert changes["train.run.epochs"] == ("77", "200")
    assert "    epochs: 200  # mine\n" in params.read_text()
    assert read_params(params).download.path == "/data/mine"
    use(params, "quick")
    assert "  path: /data/mine  # folder" in params.read_text()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("  fid: []  #", "  fid:\n    - tf  # as TTUR\n\n  # canonical\n  #"),
        ("  fid: []  #", "  fid: [tf,\n    clean]  #"),
        ("    epochs: 8\n", "    epochs : 0x10\n"),
        ("    epochs: 8\n", "    'epochs':   9   \n"),
        ("  schedule: linear", '  schedule: "linear"'),
        ("  schedule: linear", "  schedule: 'é: #'"),
        ("  device: auto\n    strategy", "  device:\n    strategy"),
        ("    epochs: 8\n", "    epochs: *many\n"),
        ("    epochs: 8\n", "    epochs: |\n      8\n"),
        ("    epochs: 8\n", "    <<: {epochs: 9}\n    epochs: 9\n"),
        ("download:\n", "%YAML 1.2\n---\ndownload:\n"),
    ],
)
def test_a_value_is_replaced_however_it_is_written_and_the_rest_stays(params, old, new):
    change(params, "  filters: 24\n", "  filters: &many 24\n")
    change(params, old, new)
    rest = params.read_text().partition(new)
    use(params, "quick")
    text = params.read_text()
    assert flat(load_yaml(params)) == committed()
    assert text.startswith(rest[0])
    assert text.endswith(rest[2])


def test_no_comment_of_a_list_is_lost_where_the_list_is_replaced(params):
    listed = "  fid:  # mine\n  # above\n  - tf  # as TTUR\n  - clean  # both\n  # canonical\n  #"
    change(params, "  fid: []  #", listed)
    comments = sorted(re.findall("#.*", params.read_text()))
    use(params, "facades")
    text = params.read_text()
    assert "\n  fid: [tf, clean]  # mine\n" not in text  # equal values: the list stays as it is written
    use(params, "quick")
    assert "\n  fid: []  # mine\n" in params.read_text()
    assert sorted(re.findall("#.*", params.read_text())) == comments


def test_values_that_look_like_others_stay_what_they_are(params):
    texts = {"licence": "'no'", "title": '"12"', "home_page": "'1e3'"}
    for key, text in texts.items():
        params.write_text(re.sub(rf"    {key}: .*", f"    {key}: {text}", params.read_text()))
    before = params.read_text()
    use(params, "maps")
    use(params, "quick")
    assert params.read_text() == before


@pytest.mark.parametrize("file", ["params.yaml", "profiles/mine.yaml", "profiles/base.yaml"])
def test_former_keys_are_listed_with_what_they_are_now(params, file):
    former = {"train": {"device": "cpu", "epochs": 3, "learning_rate": 0.1}}
    write_profile(params, "mine")
    if file == "params.yaml":
        values = load_yaml(params)
        params.write_text(as_yaml(values | former))
    elif file == "profiles/base.yaml":
        (params.parent / file).write_text(as_yaml(load_yaml(params.parent / file) | former))
    else:
        write_profile(params, "mine", params=former)
    with pytest.raises(UserError) as error:
        use(params, "mine")
    assert str(error.value).splitlines()[0].startswith(f"{file} is not ")
    assert str(error.value).splitlines()[1:] == [
        "  these keys have moved; move each value to its new key",
        "  train.device -> train.device.device",
        "  train.epochs -> train.run.epochs",
        "  train.learning_rate -> train.pix2pix.generator_rate and train.pix2pix.discriminator_rate",
    ]


def test_line_ends_stay(params):
    params.write_bytes(params.read_bytes().replace(b"\n", b"\r\n"))
    use(params, "facades")
    assert params.read_bytes().count(b"\n") == params.read_bytes().count(b"\r\n")
    assert read_params(params).train.run.epochs == 200


def test_a_section_that_is_shared_with_other_keys_is_refused(params):
    change(params, "  cityscapes:\n", "  cityscapes: &size\n")
    params.write_text(
        re.sub(r"\nsplit:\n(  .*\n)+", "\nsplit:\n  <<: *size\n  snap_tolerance: 3.0\n", params.read_text())
    )
    write_profile(params, "mine", params={"download": {"cityscapes": {"height_px": 512}}})
    params.write_text(params.read_text().replace("split:\n", "other: *size\nsplit:\n"))
    before = params.read_bytes()
    with pytest.raises(UserError, match=r"params.yaml: download.cityscapes.height_px.* share their section with other"):
        use(params, "mine")
    assert params.read_bytes() == before


def test_an_unknown_name_lists_those_there_are(params):
    with pytest.raises(UserError, match=r"profiles/: no profile is named '../params'; choose one of quick, .*sketches"):
        use(params, "../params")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            {"params": {"train": {"run": {"epoch": 3}}}},
            "mine.yaml: changes train.run.epoch, which profiles/base.yaml does not hold",
        ),
        (
            {"params": {"train": {"run": {"epochs": 0}}}},
            "with profile mine params.yaml is not valid.*train.run.epochs.*it is 0",
        ),
        ({"params": {"train": {"run": {"epochs": 0}}}}, "params.yaml stays as it was"),
        ({"params": {"train": 3}}, "changes train, which"),
        ({"title": ""}, "profiles/mine.yaml is not a valid profile:\n  title: "),
        ({"needs": {"machine": "m", "time_h": 1, "memory_gib": 1, "disk_gib": 1}}, "needs.measured: missing; add it"),
        ({"parameters": {}}, "parameters: unknown key"),
    ],
)
def test_a_bad_profile_is_a_clear_error_and_changes_nothing(params, fields, message):
    before = params.read_bytes()
    write_profile(params, "mine", **fields)
    with pytest.raises(UserError, match=f"(?s){message}"):
        use(params, "mine")
    assert params.read_bytes() == before
    assert {path.name for path in params.parent.iterdir()} == {"params.yaml", "profiles"}


def test_keys_that_params_yaml_has_not_are_named(params):
    base = {"train": {"run": {"epochs": 8, "epoch": 8}}, "serve": {"port": 1}}
    (params.parent / "profiles/base.yaml").write_text(json.dumps(base))
    write_profile(params, "quick")
    with pytest.raises(UserError, match=r"no value at train.run.epoch, serve.port, which profiles/base.yaml sets"):
        use(params, "quick")


@pytest.mark.parametrize(("text", "message"), [("a: [", "no valid YAML"), ("", "no value at download.dataset")])
def test_a_broken_params_yaml_is_a_clear_error(params, text, message):
    params.write_text(text)
    with pytest.raises(UserError, match=message):
        use(params, "quick")
    assert params.read_text() == text


def test_a_broken_value_is_fixed_by_a_profile_that_names_it(params):
    change(params, "    epochs: 8\n", "    epochs: none\n")
    use(params, "quick")
    assert params.read_bytes() == (ROOT / "params.yaml").read_bytes()


def test_ones_own_profile_is_chosen_like_any_other(params):
    write_profile(params, "mine", title="Mine", params={"train": {"run": {"epochs": 3}}})
    use(params, "mine")
    assert read_params(params).train.run.epochs == 3
    assert use(params, "mine") == []
    marked = [line for line in as_table(params, params.parent / "profiles").splitlines() if line.startswith("*")]
    assert [line.split()[:3] for line in marked] == [["*", "mine", "Mine"]]


def test_the_table_has_what_each_takes_and_marks_the_one_that_is(params):
    use(params, "maps")
    lines = as_table(params, params.parent / "profiles").splitlines()
    assert [line.split()[0] for line in lines[1:]] == ["*" if name == "maps" else name for name in NAMES]
    for name, line in zip(NAMES, lines[1:], strict=True):
        needs = read_profile(SHIPPED, name).needs
        assert f"{needs.memory_gib:g} GiB" in line
        assert f"{needs.disk_gib:g} GiB" in line
        assert line.endswith(needs.machine)
        assert ("measured" in line) == needs.measured
        assert len(line) <= 120


def test_the_table_names_the_nearest_profile(params):
    use(params, "maps")
    change(params, "epochs: 200\n", "epochs: 10\n")
    last = as_table(params, params.parent / "profiles").splitlines()[-1]
    assert last == "params.yaml equals none of them; the nearest is maps, except for train.run.epochs: 10 (200)"


def better(params: Path) -> str:
    return better_in_the_same_time(params, params.parent / "profiles")


def test_the_profile_of_better_photos_in_the_same_time_is_named(params):
    assert better(params) == "`pix2street use streets` makes better photos of the same data in the same minutes"
    use(params, "streets")
    assert better(params) == ""


def test_a_better_profile_is_named_only_where_it_takes_no_longer_and_the_best_of_several_is(params):
    needs = {"machine": "m", "time_h": 2, "memory_gib": 1, "disk_gib": 1, "measured": False}
    for name, hours, worse in (("slow", 2, []), ("fine", 2, ["slow"]), ("finer", 1.5, ["slow", "fine"])):
        changes = {"train": {"run": {"epochs": 100 + len(worse)}}}
        write_profile(params, name, needs=needs | {"time_h": hours}, better_than=worse, params=changes)
    use(params, "slow")
    assert better(params) == "`pix2street use finer` makes better photos of the same data in the same hours"
    use(params, "finer")
    assert better(params) == ""
    use(params, "slow")
    write_profile(params, "finer", needs=needs | {"time_h": 3}, better_than=["slow", "fine"])
    assert better(params).startswith("`pix2street use fine` ")


def test_values_that_are_no_profile_have_no_better_one(params):
    assert better_in_the_same_time(params, params.parent / "none") == ""
    change(params, "    epochs: 8\n", "    epochs: 9\n")
    assert better(params) == ""


@pytest.mark.parametrize("name", NAMES)
def test_a_profile_is_better_than_others_of_the_same_data_and_machine(name):
    for worse in read_profile(SHIPPED, name).better_than:
        assert worse in NAMES
        assert values_of(SHIPPED, worse)["download.dataset"] == values_of(SHIPPED, name)["download.dataset"]
        assert read_profile(SHIPPED, worse).needs.machine == read_profile(SHIPPED, name).needs.machine


def test_what_a_run_takes_is_said_in_words():
    assert "8 min, " in expectation(read_profile(SHIPPED, "quick").needs)
    assert expectation(read_profile(SHIPPED, "cityscapes").needs).startswith("expect 5 h, ")
    # No GPU has been measured.
    assert all("GPU" not in read_profile(SHIPPED, name).needs.machine for name in measured())


def measured() -> list[str]:
    return [name for name in NAMES if read_profile(SHIPPED, name).needs.measured]


def test_the_documentation_has_every_profile_with_its_time_and_an_example_that_works(params):
    text = (ROOT / "docs/profiles.md").read_text()
    overview, figures = text.split("## What they take")
    for name in NAMES:
        assert f"\n| `{name}` |" in overview
        (row,) = [row for row in figures.splitlines() if row.startswith("|") and f"`{name}`" in row] or [""]
        needs = read_profile(SHIPPED, name).needs
        assert f"| {needs.time_h:g} h |" in row or needs.measured
    example = figures.split("```yaml\n")[1].split("```")[0]
    (params.parent / "profiles/mine.yaml").write_text(example)
    with pytest.raises(UserError, match=r"changes download.path, which profiles/base.yaml does not hold"):
        use(params, "mine")
    change(params.with_name("profiles") / "base.yaml", "download:\n", "download:\n  path: data/source\n")
    use(params, "mine")
    assert (read_params(params).download.path, read_params(params).split.width_px) == ("/data/streets", 512)


def test_repro_and_exp_run_take_the_chosen_profile(tmp_path):
    project = Project(tmp_path / "project")
    shutil.copy(ROOT / "params.yaml", project.root)
    shutil.copytree(SHIPPED, project.root / "profiles")
    subprocess.run(["git", "add", "-A"], cwd=project.root, check=True)
    archive = pix2pix_archive("facades")
    with serving(lambda request: request.send_file(archive)) as url:
        use(project.root / "params.yaml", "facades")
        changes = ["-S", f"download.pix2pix_sets.base_url={url}", "-S", "train.pix2pix.l1_weight=10"]
        done = project.run("dvc", "exp", "run", *changes, "download")
        assert done.returncode == 0, done.stdout + done.stderr
        assert (project.root / "data/downloaded/train/train_1.jpg").exists()
        read = read_params(project.root / "params.yaml")
        assert (read.train.pix2pix.l1_weight, read.train.run.epochs) == (10, 200)
        changes = changes_of(project.root / "params.yaml", project.root / "profiles", "facades")
        assert [change.key for change in changes] == ["train.pix2pix.l1_weight"]
        again = project.repro("download")
    assert again.returncode == 0, again.stdout + again.stderr
    assert "Running stage" not in again.stdout
