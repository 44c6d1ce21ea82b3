import json
import random
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest

from pix2street.errors import UserError
from pix2street.files import write_json, write_text
from pix2street.generators.unet import build_unet
from pix2street.images import write_png
from pix2street.layout import Layout
from pix2street.networks import save_network
from pix2street.tracking import Run, fetch_run

PARAMS = {"train": {"epochs": 2}, "generate": {"norm": "batch", "dropout": True}}
METRICS = {"generated": {"l1": 0.5, "iou": {"traffic light": 0.25}}, "judge": None}


@pytest.fixture
def layout(tmp_path, monkeypatch):
    """A repository after training and evaluation, with a store of its own."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.delenv("DVC_ROOT", raising=False)
    layout = Layout(tmp_path)
    layout.generator.mkdir(parents=True)
    save_network(build_unet((32, 32, 3), 3, 2, 0), layout.generator, "generator")
    write_text(layout.history, pd.DataFrame({"epoch": [1, 2], "gen_l1": [0.4, 0.3]}).to_csv(index=False))
    layout.samples.mkdir(parents=True)
    write_png(layout.samples / "epoch_0002.png", np.zeros((4, 4, 3), np.uint8))
    write_json(layout.verdict, {"success": True})
    write_json(layout.metrics, METRICS)
    yield layout
    mlflow.set_tracking_uri(None)


def runs_of(layout):
    client = mlflow.MlflowClient(f"sqlite:///{layout.root / 'mlflow.db'}")
    return client, client.search_runs([client.get_experiment_by_name("pix2street").experiment_id])


def record_metrics(layout, metrics, params=PARAMS):
    write_json(layout.metrics, metrics)
    with Run.of_weights(layout, params) as run:
        run.record_metrics(metrics)


def test_a_store_that_has_no_run_gets_a_complete_one(layout):
    record_metrics(layout, METRICS)
    client, (run,) = runs_of(layout)
    assert run.info.status == "FINISHED"
    assert run.data.params == {"train.epochs": "2", "generate.norm": "batch", "generate.dropout": "True"}
    assert [point.value for point in client.get_metric_history(run.info.run_id, "train/gen_l1")] == [0.4, 0.3]
    assert run.data.metrics["generated/iou/traffic light"] == 0.25
    assert {file.path for file in client.list_artifacts(run.info.run_id)} == {"images", "validate", "evaluate"}


def test_later_stages_find_the_run_and_new_numbers_replace_old_ones(layout):
    record_metrics(layout, METRICS)
    record_metrics(layout, METRICS)
    client, (run,) = runs_of(layout)
    assert len(client.get_metric_history(run.info.run_id, "generated/l1")) == 1
    record_metrics(layout, {"generated": {"l1": 0.125}})
    client, (run,) = runs_of(layout)
    assert run.data.metrics["generated/l1"] == 0.125
    path = client.download_artifacts(run.info.run_id, "evaluate/metrics.json")
    assert json.loads(Path(path).read_text())["generated"]["l1"] == 0.125


def test_other_parameters_or_weights_are_another_run(layout):
    record_metrics(layout, METRICS)
    record_metrics(layout, METRICS, {**PARAMS, "report": {"sample_pairs": 3}})
    save_network(build_unet((32, 32, 3), 3, 2, 1), layout.generator, "generator")
    record_metrics(layout, METRICS)
    assert len(runs_of(layout)[1]) == 3


def test_a_failed_training_is_a_failed_run(layout):
    with pytest.raises(RuntimeError, match="stop"), Run.start(layout, PARAMS, "key"):
        raise RuntimeError("stop")
    assert runs_of(layout)[1][0].info.status == "FAILED"


def test_trouble_with_the_store_is_told_once_and_stops_nothing(layout, monkeypatch, capsys):
    def refuse(*_, **__):
        raise ConnectionError

    monkeypatch.setattr(mlflow, "start_run", refuse)
    with Run.start(layout, PARAMS, "key") as run:
        run.record_epoch(1, {"gen_l1": 0.4}, None)
    expected = "tracking: not recorded: the run, epoch 1, the end of the run (ConnectionError: )"
    assert capsys.readouterr().out.strip() == expected


def test_runs_have_names_of_their_own_whatever_is_seeded(layout):
    names = set()
    for training in ("a", "b"):
        random.seed(0)
        with Run.start(layout, {**PARAMS, "download": {"dataset": "maps"}}, training):
            pass
        names.add(runs_of(layout)[1][0].info.run_name)
    assert len(names) == 2
    assert all(name.startswith("maps-") for name in names)


def test_runs_measured_alike_have_one_tag(layout):
    tags = []
    for l1, version in ((0.5, 1), (0.25, 1), (0.125, 2)):
        record_metrics(layout, {"generated": {"l1": l1}, "protocol": {"pixels": {"version": version}}})
        tags.append(runs_of(layout)[1][0].data.tags["pix2street.protocol"])
    assert tags[0] == tags[1] != tags[2]


def test_a_runs_evaluation_and_report_come_back(layout, tmp_path):
    write_text(layout.report_page, "<html>")
    record_metrics(layout, METRICS)
    with Run.of_weights(layout, PARAMS) as run:
        run.record_report()
    _, (recorded,) = runs_of(layout)
    for number, name in enumerate((recorded.info.run_name, recorded.info.run_id, recorded.info.run_id[:8])):
        fetch_run(layout, name, tmp_path / str(number))
        assert json.loads((tmp_path / f"{number}/evaluate/metrics.json").read_text()) == METRICS
        assert (tmp_path / f"{number}/report/index.html").read_text() == "<html>"


def test_a_run_that_is_not_there_or_has_no_report_is_named(layout, tmp_path):
    record_metrics(layout, METRICS)
    _, (recorded,) = runs_of(layout)
    with pytest.raises(UserError, match=f"zebra: no run of experiment pix2street .* {recorded.info.run_id[:8]}"):
        fetch_run(layout, "zebra", tmp_path)
    with pytest.raises(UserError, match="has recorded no report; run `dvc repro` to its end"):
        fetch_run(layout, recorded.info.run_id, tmp_path)
