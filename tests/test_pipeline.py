"""The pipeline as a user runs it: DVC with all stages of a tiny configuration in a new repository."""

import json
import os
import re
import shutil
from pathlib import Path

import mlflow
import pandas as pd
import pytest
from disk import small_disk
from project import Project, prepared
from sources import PASSWORD, USERNAME, cityscapes_site, frames

from pix2street.core.images import png_bytes
from pix2street.core.pairs import read_manifest
from pix2street.models import MODELS
from pix2street.reporting.curves import compared_curves, compared_parameters
from pix2street.tracking import saved_view


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Project:
    """Return a project whose pipeline has run once."""
    project = prepared(tmp_path_factory)
    done = project.repro()
    assert done.returncode == 0, done.stdout + done.stderr
    return project


def test_a_second_repro_runs_nothing(project):
    again = project.repro()
    assert again.returncode == 0
    assert "Running stage" not in again.stdout
    assert "up to date" in again.stdout


def test_a_clone_gets_the_outs_from_the_remote_and_runs_nothing(project):
    done = project.run("dvc", "remote", "add", "--default", "folder", str(project.root.parent / "remote"))
    assert done.returncode == 0, done.stderr
    project.commit("run once")
    pushed = project.run("dvc", "push")
    assert pushed.returncode == 0, pushed.stderr
    there = Project.at(project.root.parent / "clone")
    project.git("clone", "-q", str(project.root), str(there.root))
    pulled = there.run("dvc", "pull")
    assert pulled.returncode == 0, pulled.stderr
    again = there.repro()
    assert again.returncode == 0, again.stderr
    assert "Running stage" not in again.stdout
    assert "up to date" in again.stdout
    for out in ("models/generator/generator.weights.h5", "reports/report/index.html"):
        assert (there.root / out).read_bytes() == (project.root / out).read_bytes()


def test_a_forced_training_without_a_store_gives_the_same_hash_for_every_out(project):
    before = (project.root / "dvc.lock").read_bytes()
    # Tracking points at a port on which nobody listens: training must finish nevertheless and name what is missing.
    away = {"MLFLOW_TRACKING_URI": "http://127.0.0.1:9", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0"}
    # The machine is sampled once, at the end of a training of any length.
    away["MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL"] = "3600"
    forced = project.repro("--force", "--single-item", "train", "register", **away)
    assert forced.returncode == 0, forced.stderr
    assert forced.stdout.count("Running stage") == 2
    assert (project.root / "dvc.lock").read_bytes() == before
    assert "tracking: kept for later: the run, the data set, epoch 1, epoch 2" in forced.stdout
    assert "registry: no version of pix2street, since its run is not recorded" in forced.stdout


def test_outs_hold_no_path_and_no_host(project):
    for out in ("data/split/manifest.csv", "models", "reports"):
        files = [project.root / out] if (project.root / out).is_file() else (project.root / out).rglob("*")
        for file in files:
            if file.is_file() and "data_docs" not in file.parts:
                content = file.read_bytes()
                assert str(project.root).encode() not in content, file
                assert os.uname().nodename.encode() not in content or len(os.uname().nodename) < 5, file


@pytest.mark.nightly
def test_the_committed_lock_is_made_again_from_a_clone_and_nothing_is_recorded(project):
    project.commit("made")
    store = (project.root / "mlflow.db").read_bytes()
    done = project.run("pix2street", "verify")
    assert done.returncode == 0, done.stdout + done.stderr
    rows = [line.split() for line in done.stdout.splitlines()[1:]]
    outs = {row[1]: row[4] for row in rows if len(row) == 5}
    recorded = {out["path"] for stage in project.lock().values() for out in stage["outs"]}
    assert outs == dict.fromkeys(recorded, "same")
    assert (project.root / "mlflow.db").read_bytes() == store
    assert project.run("git", "status", "--porcelain").stdout == ""


def test_predict_gives_the_bytes_of_generate(project, tmp_path):
    done = project.run("pix2street", "predict", "data/split/val/inputs", "--out", str(tmp_path / "photos"))
    assert done.returncode == 0, done.stderr
    generated = {path.name: path.read_bytes() for path in (project.root / "data/generated/val").iterdir()}
    assert {path.name: path.read_bytes() for path in (tmp_path / "photos").iterdir()} == generated
    assert len(generated) == 4


def test_the_run_is_one_mlflow_run_and_complete(project):
    client = mlflow.MlflowClient(f"sqlite:///{project.root / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("pix2street")
    runs = client.search_runs([experiment.experiment_id])
    assert len(runs) == 1
    run = runs[0]
    assert run.info.status == "FINISHED"
    assert run.data.params["train.run.epochs"] == "2"
    assert run.data.params["compute.intra_op_threads"] == "1"
    assert run.data.tags["git.dirty"] == "false"
    assert len(run.data.tags["git.commit"]) == 40
    history = client.get_metric_history(run.info.run_id, "train/gen_l1")
    assert [point.step for point in history] == [1, 2]
    written = pd.read_csv(project.root / "reports/train/history.csv")
    assert [point.value for point in history] == pytest.approx(written["gen_l1"].tolist())
    for column in ("holdout_l1", "diversity", "sensitivity", "saturated_share", "checkerboard", "disc_real_accuracy"):
        assert run.data.metrics[f"train/{column}"] == pytest.approx(written[column].iloc[-1])
    metrics = json.loads((project.root / "reports/evaluate/metrics.json").read_text())
    assert run.data.metrics["generated/l1"] == pytest.approx(metrics["generated"]["l1"])
    artifacts = {folder.path for folder in client.list_artifacts(run.info.run_id)}
    assert {"images", "validate", "evaluate", "report", "register", "dvc"} <= artifacts
    # DVC wrote the last stage's own entry of dvc.lock after the run had recorded it.
    hashes = json.loads(Path(client.download_artifacts(run.info.run_id, "dvc/lock.json")).read_text())
    written = {
        stage: {kind: {item["path"]: item["md5"] for item in entry[kind]} for kind in ("deps", "outs")}
        for stage, entry in project.lock().items()
    }
    assert hashes == written
    assert {tag for tag in run.data.tags if tag.startswith("dvc.lock.")} == {f"dvc.lock.{stage}" for stage in written}
    inputs = {one.dataset.name: json.loads(one.dataset.profile)["num_rows"] for one in run.inputs.dataset_inputs}
    assert inputs == {"synthetic_streets/train": 12, "synthetic_streets/val": 4}
    assert run.data.metrics["system/system_memory_usage_megabytes"] > 0
    models = client.search_logged_models([experiment.experiment_id])
    assert [model.name for model in models] == ["generator"]
    assert saved_view.TAG in experiment.tags
    # The saved view also has the curves of other families.
    curves = {name for name in compared_curves() if name in pd.read_csv(project.root / "reports/train/history.csv")}
    assert {"gen_gan", "disc_real", "holdout_l1"} <= curves
    shown = {f"generated/{name}" for name in saved_view.SCORES} | {f"train/{name}" for name in curves}
    assert shown <= set(run.data.metrics)
    others = tuple(f"train.{name}." for name in MODELS if name != "pix2pix")
    assert {name for name in compared_parameters() if not name.startswith(others)} <= set(run.data.params)


def test_a_parameter_after_training_makes_a_new_complete_run_without_training(project):
    project.change_params({"report": {"sample_pairs": 1}})
    done = project.repro()
    project.change_params({"report": {"sample_pairs": 2}})
    assert done.returncode == 0, done.stderr
    assert "Running stage 'report'" in done.stdout
    assert "Running stage 'train'" not in done.stdout
    client = mlflow.MlflowClient(f"sqlite:///{project.root / 'mlflow.db'}")
    runs = client.search_runs([client.get_experiment_by_name("pix2street").experiment_id])
    assert len(runs) == 2
    newest = runs[0]
    assert newest.data.params["report.sample_pairs"] == "1"
    assert [p.step for p in client.get_metric_history(newest.info.run_id, "train/gen_l1")] == [1, 2]
    assert "generated/l1" in newest.data.metrics


def test_two_recorded_runs_are_compared(project, tmp_path):
    client = mlflow.MlflowClient(f"sqlite:///{project.root / 'mlflow.db'}")
    runs = client.search_runs([client.get_experiment_by_name("pix2street").experiment_id])
    page = tmp_path / "comparison.html"
    names = runs[0].info.run_name, runs[1].info.run_id[:12]
    done = project.run("pix2street", "compare", *names, "--page", str(page))
    assert done.returncode == 0, done.stderr
    assert f"A: {names[0]}\nB: {names[1]}" in done.stdout
    row = next(line.split() for line in done.stdout.splitlines() if line.split()[:1] == ["L1"])
    assert row[-4:] == ["+0.000", "0.000", "to", "0.000"]
    # One run shows one sample and the other two; one of them is common.
    assert page.read_text().count("<figcaption>") == 1
    failed = project.run("pix2street", "compare", names[0], "nobody")
    assert failed.returncode == 1
    assert "nobody: no run of experiment pix2street has this name" in failed.stderr
    assert not (project.root / "comparison.html").exists()


def test_a_bad_parameter_stops_before_any_work(project):
    params = (project.root / "params.yaml").read_bytes()
    project.change_params({"train": {"run": {"epochs": 0}}})
    failed = project.run("python", "pipeline/download.py")
    (project.root / "params.yaml").write_bytes(params)
    assert failed.returncode == 1
    assert "train.run.epochs: should be greater than or equal to 1; it is 0" in failed.stderr
    assert "Traceback" not in failed.stderr


def test_a_failed_validation_stops_the_pipeline_with_the_rows(tmp_path_factory):
    project = prepared(tmp_path_factory)
    # The judges would be trained again, too.
    project.change_params({"validate": {"min_target_std": 128.0}, "segment": {"epochs": 2}})
    failed = project.repro()
    assert failed.returncode != 0
    assert "uniform: photos are not uniform, at least 128: 16 of 16 fail" in failed.stderr
    assert re.search(r"\n *street_0000000 +train +\d+\.\d+", failed.stderr)
    assert "Traceback" not in failed.stderr
    assert "Running stage 'segment'" not in failed.stdout
    assert "Running stage 'train'" not in failed.stdout
    assert not json.loads((project.root / "reports/validate/verdict.json").read_text())["success"]
    assert '<span class="bad">Failed</span>' in (project.root / "reports/validate/index.html").read_text()
    assert not (project.root / "reports/validate/passed.json").exists()


def test_credentials_reach_no_file_no_log_and_no_record(tmp_path):
    root, home = tmp_path / "project", tmp_path / "home"
    root.mkdir()
    home.mkdir()
    project = Project(root)
    canaries = {"CITYSCAPES_USERNAME": USERNAME, "CITYSCAPES_PASSWORD": PASSWORD, "HOME": str(home)}
    with cityscapes_site() as (url, site):
        small = {"height_px": 64, "width_px": 128, "train_pairs": 12, "val_pairs": 4, "site": url}
        project.change_params({"download": {"dataset": "cityscapes", "cityscapes": small}})
        # Only `download` asks for them, and `train` is the first stage that records a run.
        done = project.repro("train", **canaries)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "POST /login" in site.asked
    client = mlflow.MlflowClient(f"sqlite:///{root / 'mlflow.db'}")
    (run,) = client.search_runs([client.get_experiment_by_name("pix2street").experiment_id])
    assert run.data.params["download.dataset"] == "cityscapes"
    logs = (done.stdout + done.stderr).encode()
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {"mlflow.db", "dvc.lock", "params.yaml", "gtFine_trainvaltest.zip"} <= {path.name for path in files}
    for canary in (USERNAME.encode(), PASSWORD.encode(), b"s3ss10n"):
        assert canary not in logs
        assert [path for path in files if canary in path.read_bytes()] == []


@pytest.mark.nightly
def test_a_set_without_classes_runs_to_the_report(tmp_path):
    project = Project(tmp_path)
    for split, pair_id, photo, _ in frames(12, 4):
        path = tmp_path / f"photos/{split}/{pair_id}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(png_bytes(photo))
    project.change_params(
        {
            "download": {"dataset": "colorization", "path": "photos"},
            "train": {"data": {"encoding": "color", "style": "none"}},
        }
    )
    done = project.repro()
    assert done.returncode == 0, done.stdout + done.stderr
    metrics = json.loads((tmp_path / "reports/evaluate/metrics.json").read_text())
    assert metrics["judge"] is None
    assert metrics["generated"]["l1"] > 0
    assert "This data set has no classes" in (tmp_path / "reports/report/index.html").read_text()
    assert "everything that needs a judge is left out" in (tmp_path / "reports/report/summary.md").read_text()
    decision = json.loads((tmp_path / "reports/register/decision.json").read_text())
    assert decision["accepted"]
    assert {limit["score"]: limit["passed"] for limit in decision["limits"]} == {
        "l1": True, "mmd_segmenter": None, "mean_iou": None,
    }  # fmt: skip


def test_drawn_streets_become_a_folder_without_pairs(project, tmp_path):
    unpaired, source = Project(tmp_path), tmp_path / "data/source"
    for split, side in (("train", "trainA"), ("val", "testA")):
        shutil.copytree(project.root / f"data/split/{split}/targets", source / side)
    for split, pair_id, photo, _ in frames(12, 4):
        path = source / f"{'train' if split == 'train' else 'test'}B/{pair_id}.png"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(png_bytes(photo))
    unpaired.change_params({"download": {"dataset": "unpaired_folders"}})
    done = unpaired.repro("split")
    assert done.returncode == 0, done.stdout + done.stderr
    counts = read_manifest(tmp_path / "data/split").groupby(["split", "domain"]).size()
    assert counts.to_dict() == {("train", "A"): 12, ("train", "B"): 12, ("val", "A"): 4, ("val", "B"): 4}


def test_missing_data_is_one_clear_message_and_leaves_nothing(tmp_path):
    project = Project(tmp_path)
    project.change_params({"download": {"dataset": "paired_folder"}})
    failed = project.repro("download")
    assert failed.returncode != 0
    assert "data/source: no images found" in failed.stderr
    assert "Traceback" not in failed.stderr
    assert {path.name for path in (tmp_path / "data").iterdir()} == {"source", "judge"}


def test_a_gpu_that_is_not_there_is_an_error(project):
    if Path("/dev/nvidia0").exists():
        pytest.skip("this machine has a GPU")
    params = (project.root / "params.yaml").read_bytes()
    project.change_params({"train": {"device": {"device": "gpu"}}})
    failed = project.run("python", "pipeline/train.py")
    (project.root / "params.yaml").write_bytes(params)
    assert failed.returncode == 1
    assert "train.device.device: gpu, but TensorFlow sees none" in failed.stderr
    assert "Traceback" not in failed.stderr
    assert (project.root / "models/generator/generator.weights.h5").exists()


# Of 20 images in all, one a batch: within the first epoch, and within the second.
@pytest.mark.parametrize("killed_after", [[16], pytest.param([7, 16], marks=pytest.mark.nightly)])
def test_a_training_killed_again_and_again_ends_with_the_same_bytes(project, killed_after):
    outs = ["models/generator/generator.weights.h5", "reports/train/history.csv"]
    outs += [f"reports/train/samples/epoch_{epoch:04d}.png" for epoch in (1, 2)]
    before = {out: (project.root / out).read_bytes() for out in outs}
    for images in killed_after:
        process = project.start_until(images, "python", "pipeline/train.py")
        process.kill()
        process.communicate()
    newest = sorted((project.root / ".checkpoints").glob("*/*.npz"))[-1]
    newest.write_bytes(newest.read_bytes()[:-1])
    done = project.run("python", "pipeline/train.py")
    assert done.returncode == 0, done.stderr
    assert "a broken checkpoint (its content does not match its name); removed" in done.stdout
    assert "training goes on after epoch 1" in done.stdout
    assert {out: (project.root / out).read_bytes() for out in outs} == before
    assert list((project.root / ".checkpoints").iterdir()) == []
    client = mlflow.MlflowClient(f"sqlite:///{project.root / 'mlflow.db'}")
    of_pix2street = [client.get_experiment_by_name("pix2street").experiment_id]
    runs = client.search_runs(of_pix2street, max_results=1 + len(killed_after))
    assert [run.info.status for run in runs] == ["FINISHED", *["KILLED"] * len(killed_after)]
    assert [p.step for p in client.get_metric_history(runs[0].info.run_id, "train/gen_l1")] == [1, 2]


def test_an_accepted_model_is_the_candidate_and_is_promoted(project):
    decision = json.loads((project.root / "reports/register/decision.json").read_text())
    assert decision["accepted"]
    assert {limit["score"] for limit in decision["limits"] if limit["passed"]} == {"l1", "mmd_segmenter", "mean_iou"}
    client = mlflow.MlflowClient(f"sqlite:///{project.root / 'mlflow.db'}")
    run = client.get_run(client.get_model_version_by_alias("pix2street", "candidate").run_id)
    assert run.data.tags["pix2street.protocol"] == decision["protocol"]
    assert run.data.tags["pix2street.weights"] == decision["weights_sha256"]
    assert "register" in {folder.path for folder in client.list_artifacts(run.info.run_id)}
    done = project.run("pix2street", "promote")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "version 1 of pix2street is now the champion; it is the first\n"
    failed = project.run("pix2street", "promote", "--model", "nobody")
    assert failed.returncode == 1
    assert failed.stderr.startswith("pix2street promote: nobody: no version has the alias candidate")


def test_a_refused_model_is_not_registered_and_ends_the_pipeline_only_where_it_must_not_be(project):
    client = mlflow.MlflowClient(f"sqlite:///{project.root / 'mlflow.db'}")
    before = len(client.search_model_versions("name = 'pix2street'"))
    params = (project.root / "params.yaml").read_bytes()
    project.change_params({"register": {"max": {"l1": 0.001}}})
    refused = project.repro("--single-item", "register")
    assert refused.returncode == 0, refused.stderr
    assert "register: pix2street is refused" in refused.stdout
    assert "at most 0.001" in " ".join(refused.stdout.split())
    assert not json.loads((project.root / "reports/register/decision.json").read_text())["accepted"]
    project.change_params({"register": {"required": True}})
    nobody = {"MLFLOW_TRACKING_URI": "http://127.0.0.1:9", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0"}
    failed = project.run("python", "pipeline/register.py", **nobody)
    (project.root / "params.yaml").write_bytes(params)
    assert failed.returncode == 1
    first, fault = failed.stderr.splitlines()
    assert first.startswith("register: register.required: pix2street must keep its limits, but does not")
    assert fault.startswith("  register.max.l1: 0.")
    assert fault.endswith(", must be at most 0.001")
    assert len(client.search_model_versions("name = 'pix2street'")) == before


def test_a_full_disk_is_one_clear_message_and_leaves_nothing(tmp_path):
    project = Project(tmp_path)
    with small_disk(tmp_path / "data", "64k"):
        failed = project.run("python", "pipeline/download.py")
        assert failed.returncode == 1
        assert "No space left on device" in failed.stderr
        assert "Traceback" not in failed.stderr
        assert list((tmp_path / "data").iterdir()) == []
