"""Experiments in DVC's queue, and what DVC says of a former key."""

import json
import shutil
from pathlib import Path

import mlflow
import pytest
from project import Project, prepared

from pix2street.core.files import sha256_of
from pix2street.core.yaml import as_yaml, load_yaml

ROOT = Path(__file__).parents[1]

WHO = {f"GIT_{role}_{what}": "t@t" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Project:
    """Return a project whose pipeline has run once."""
    project = prepared(tmp_path_factory)
    project.change_params({"train": {"run": {"epochs": 1}}})
    done = project.repro()
    assert done.returncode == 0, done.stderr
    project.commit("run once")
    return project


@pytest.mark.nightly
def test_two_experiments_of_two_workers_are_two_complete_runs(project):
    grid = ["-S", "train.pix2pix.l1_weight=1.0,10.0", "-S", "train.run.seed=1"]
    queued = project.run("dvc", "exp", "run", "--queue", *grid, **WHO)
    assert queued.returncode == 0, queued.stderr
    # The exit code of --run-all is 0 even if an experiment failed.
    workers = project.start("dvc", "exp", "run", "--run-all", "-j", "2", **WHO)
    said = "".join(workers.communicate(timeout=3600))
    shown = json.loads(project.run("dvc", "exp", "show", "--json", **WHO).stdout)
    experiments = {
        one["name"]: one["revs"][0]["data"]
        for baseline in shown
        for one in baseline["experiments"] or []
        if one["revs"]
    }
    assert len(experiments) == 2, said

    client = mlflow.MlflowClient(f"sqlite:///{project.root / 'mlflow.db'}")
    runs = client.search_runs([client.get_experiment_by_name("pix2street").experiment_id])
    named = {run.info.run_name: run for run in runs if "dvc.exp" in run.data.tags}
    assert len(runs) == 3
    assert set(named) == set(experiments)
    for name, run in named.items():
        experiment = experiments[name]
        train = experiment["params"]["params.yaml"]["data"]["train"]
        assert run.info.status == "FINISHED"
        assert run.data.tags["dvc.exp"] == name
        assert float(run.data.params["train.pix2pix.l1_weight"]) == train["pix2pix"]["l1_weight"]
        assert int(run.data.params["train.run.seed"]) == train["run"]["seed"]
        l1 = experiment["metrics"]["reports/evaluate/metrics.json"]["data"]["generated"]["l1"]
        assert run.data.metrics["generated/l1"] == l1
        assert [point.step for point in client.get_metric_history(run.info.run_id, "train/gen_l1")] == [1]
        files = {item.path for item in client.list_artifacts(run.info.run_id)}
        assert files == {"images", "validate", "evaluate", "report", "register", "dvc"}
        lock = json.loads(Path(client.download_artifacts(run.info.run_id, "dvc/lock.json")).read_text())
        assert lock["train"]["outs"]["models/generator"] == experiment["outs"]["models/generator"]["hash"]
        source = f"source_run_id = '{run.info.run_id}'"
        assert len(client.search_logged_models([run.info.experiment_id], source)) == 1
    keys = ("train.pix2pix.l1_weight", "train.run.seed")
    asked = {tuple(run.data.params[key] for key in keys) for run in named.values()}
    assert asked == {("1.0", "1"), ("10.0", "1")}
    assert len({run.data.tags["pix2street.weights"] for run in named.values()}) == 2
    assert list((project.root / ".mlflow_spool").iterdir()) == []

    assert project.run("dvc", "queue", "status", **WHO).stdout.count("Success") == 2
    table = project.run("dvc", "exp", "show", "--only-changed", "--csv", **WHO).stdout
    assert all(f"\n{name}," in table for name in experiments)
    one, two = experiments
    compared = json.loads(project.run("dvc", "metrics", "diff", one, two, "--json", **WHO).stdout)
    l1 = compared["reports/evaluate/metrics.json"]["generated.l1"]
    assert [l1["old"], l1["new"]] == [named[name].data.metrics["generated/l1"] for name in (one, two)]
    params = json.loads(project.run("dvc", "params", "diff", one, two, "--json", **WHO).stdout)
    given = [[float(named[name].data.params[key]) for name in (one, two)] for key in keys]
    differing = {key: values for key, values in zip(keys, given, strict=True) if values[0] != values[1]}
    found = {key: [value["old"], value["new"]] for key, value in params["params.yaml"].items()}
    assert found == differing
    plotted = project.run("dvc", "plots", "diff", one, two, **WHO)
    assert plotted.returncode == 0, plotted.stderr
    assert one in (project.root / "dvc_plots/index.html").read_text()
    assert project.run("dvc", "exp", "apply", one, **WHO).returncode == 0
    weights = project.root / "models/generator/generator.weights.h5"
    assert sha256_of(weights) == named[one].data.tags["pix2street.weights"]


@pytest.fixture
def stage_that_fails_fast(tmp_path) -> Project:
    """Return a project whose only stage is the script of `split`, which checks all parameters first."""
    project = Project(tmp_path / "project")
    stage = {"cmd": "python pipeline/split.py", "params": ["split"]}
    (project.root / "dvc.yaml").write_text(as_yaml({"stages": {"split": stage}}))
    project.commit("one stage")
    return project


def test_dvc_refuses_a_former_key_and_the_stage_names_the_new_one(
    stage_that_fails_fast,
):
    project, before = stage_that_fails_fast, (stage_that_fails_fast.root / "params.yaml").read_bytes()
    # DVC knows only the keys that params.yaml has; nothing of this project runs before it refuses another.
    for mode in ([], ["--queue"]):
        refused = project.run("dvc", "exp", "run", *mode, "-S", "train.l1_weight=10", **WHO)
        assert refused.returncode != 0
        assert "Could not override 'train.l1_weight'." in refused.stderr
        assert "use +train.l1_weight=10" in refused.stderr
        assert (project.root / "params.yaml").read_bytes() == before
    followed = project.run("dvc", "exp", "run", "-S", "+train.l1_weight=10", **WHO)
    assert followed.returncode != 0
    assert followed.stderr.count("train.l1_weight") == 1
    assert "train.l1_weight: it is train.pix2pix.l1_weight now; move its value there\n" in followed.stderr
    project.git("checkout", "-q", "params.yaml")
    # `train.device` was a value and is a section now.
    replaced = project.run("dvc", "exp", "run", "-S", "train.device=cpu", **WHO)
    assert "  train.device: it is train.device.device now; move its value there\n" in replaced.stderr


def test_dvc_names_the_first_missing_key_of_the_former_layout_and_profiles_lists_all(tmp_path):
    project = Project(tmp_path / "project")
    values = load_yaml((project.root / "params.yaml").read_text(), "params.yaml")
    project.set_params({**values, "train": {"epochs": 8, "device": "auto"}})
    refused = project.run("dvc", "repro")
    assert refused.returncode != 0
    assert "Could not find 'train.model'" in refused.stderr
    shutil.copytree(ROOT / "profiles", project.root / "profiles")
    listed = project.run("pix2street", "profiles")
    assert listed.returncode == 1
    assert listed.stderr.splitlines()[1:] == [
        "  these keys have moved; move each value to its new key",
        "  train.device -> train.device.device",
        "  train.epochs -> train.run.epochs",
    ]
