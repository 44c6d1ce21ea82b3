import base64
import fcntl
import json
import random
import shutil
import threading
import zlib
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
from tiny_models import build_unet, tiny_bank, tiny_card

from pix2street.core.errors import UserError
from pix2street.core.files import sha256_of, write_json, write_text
from pix2street.core.images import write_png
from pix2street.core.pairs import Dataset, write_manifest
from pix2street.layers.networks import save_network
from pix2street.layout import Layout
from pix2street.reporting.curves import compared_curves
from pix2street.tracking import delivery, saved_view
from pix2street.tracking import store as mlflow_store
from pix2street.tracking.delivery import Delivery, deliver_all
from pix2street.tracking.retrieval import fetch_generator, fetch_run
from pix2street.tracking.run import Run
from pix2street.tracking.spool import Spool
from pix2street.tracking.system_metrics import SystemMetrics
from pix2street.training.batches import InputEncoding

PARAMS = {"train": {"epochs": 2}, "generate": {"norm": "batch", "dropout": True}}
METRICS = {"generated": {"l1": 0.5, "iou": {"traffic light": 0.25}}, "judge": None}


@pytest.fixture(scope="module")
def empty_store(tmp_path_factory):
    """Return an empty database of MLflow's; creating it takes seconds."""
    path = tmp_path_factory.mktemp("store") / "mlflow.db"
    mlflow.MlflowClient(f"sqlite:///{path}").search_experiments()
    return path


@pytest.fixture
def layout(tmp_path, monkeypatch, empty_store):
    """Return a repository after training and evaluation, with an empty store."""
    for variable in ("MLFLOW_TRACKING_URI", "DVC_ROOT", "DVC_EXP_NAME"):
        monkeypatch.delenv(variable, raising=False)
    # The machine is sampled once, at the end of a training of any length.
    monkeypatch.setenv("MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL", "3600")
    layout = Layout(tmp_path)
    shutil.copy(empty_store, tmp_path / "mlflow.db")
    layout.generator.mkdir(parents=True)
    save_network(build_unet((32, 32, 3), 3, 2, 0), layout.generator, "generator")
    tiny_card(InputEncoding("color", None), "left", 32, 32, "batch", True, 0).write(layout.generator)
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


def test_scores_of_classes_with_any_name_are_recorded(layout):
    names = ["don't care", "sofa, couch", "a//b", "e.g.", "Straße", "door (open)", "100 %"]
    record_metrics(layout, {"generated": {"iou": {name: 0.5 for name in names}}})
    _, (run,) = runs_of(layout)
    assert {name.removeprefix("generated/iou/") for name in run.data.metrics if "iou" in name} == {
        "don_t care", "sofa_ couch", "a/b", "e/g", "Straße", "door _open_", "100 _",
    }  # fmt: skip


def test_other_parameters_or_weights_are_another_run(layout):
    record_metrics(layout, METRICS)
    record_metrics(layout, METRICS, {**PARAMS, "report": {"sample_pairs": 3}})
    save_network(build_unet((32, 32, 3), 3, 2, 1), layout.generator, "generator")
    record_metrics(layout, METRICS)
    assert len(runs_of(layout)[1]) == 3


def test_one_process_at_a_time_makes_a_store(layout, monkeypatch):
    def client(address=None):
        with (layout.root / ".mlflow.lock").open() as lock, pytest.raises(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return mlflow.MlflowClient(address)

    monkeypatch.setattr(mlflow_store, "MlflowClient", client)
    (layout.root / "mlflow.db").unlink()
    (layout.root / "mlflow.db.new").write_text("left by a process that was killed")
    record_metrics(layout, METRICS)
    assert len(runs_of(layout)[1]) == 1
    assert not (layout.root / "mlflow.db.new").exists()


def test_the_experiment_has_a_view_that_compares_its_runs_and_a_users_own_stays(layout):
    record_metrics(layout, METRICS)
    client, (run,) = runs_of(layout)
    view = json.loads(client.get_experiment(run.info.experiment_id).tags[saved_view.TAG])
    state = json.loads(zlib.decompress(base64.b64decode(view["state"].removeprefix("deflate;"))))
    lines = [chart["metricKey"] for chart in state["compareRunCharts"] if chart["type"] == "LINE"]
    assert lines == [f"train/{name}" for name in compared_curves()]
    sections = {section["uuid"] for section in state["compareRunSections"]}
    assert sections == {chart["metricSectionId"] for chart in state["compareRunCharts"]}
    earlier = saved_view.view_tag(["an_earlier_familys_term"], [])
    client.set_experiment_tag(run.info.experiment_id, saved_view.TAG, earlier)
    record_metrics(layout, METRICS, {**PARAMS, "report": {"sample_pairs": 3}})
    assert json.loads(client.get_experiment(run.info.experiment_id).tags[saved_view.TAG]) == view
    for number, own in enumerate((json.dumps({**json.loads(earlier), "updatedAt": 1795718000000}), "a user's")):
        client.set_experiment_tag(run.info.experiment_id, saved_view.TAG, own)
        record_metrics(layout, METRICS, {**PARAMS, "report": {"sample_pairs": 4 + number}})
        assert client.get_experiment(run.info.experiment_id).tags[saved_view.TAG] == own


def test_a_failed_training_is_a_failed_run(layout):
    with pytest.raises(RuntimeError, match="stop"), Run.start(layout, PARAMS, "key"):
        raise RuntimeError("stop")
    assert runs_of(layout)[1][0].info.status == "FAILED"


class Store:
    """A store that can be unreachable."""

    def __init__(self, monkeypatch):
        self.away = False
        self.asked = 0
        connect = delivery.connect

        def try_to(layout):
            self.asked += 1
            if self.away:
                raise ConnectionError("http://nobody:secret@host is away")
            return connect(layout)

        monkeypatch.setattr(delivery, "connect", try_to)


@pytest.fixture
def store(monkeypatch):
    return Store(monkeypatch)


def train(layout, epochs=(1, 2)):
    with Run.start(layout, PARAMS, "key") as run:
        for epoch in epochs:
            run.record_epoch(epoch, {"gen_l1": 1 / epoch, "nothing": float("nan")}, layout.samples / "epoch_0002.png")
        run.record_training(layout.generator)


def owed(layout):
    return sorted(path.name for path in layout.spool.glob("*")) if layout.spool.exists() else []


def content_of(client, run):
    """Return the content of a run in comparable form."""
    histories = {name: client.get_metric_history(run.info.run_id, name) for name in run.data.metrics}
    points = {name: [(p.step, p.timestamp, str(p.value)) for p in history] for name, history in histories.items()}
    files = {
        item.path: [file.path for file in client.list_artifacts(run.info.run_id, item.path)]
        for item in client.list_artifacts(run.info.run_id)
    }
    models = [
        m.name for m in client.search_logged_models([run.info.experiment_id], f"source_run_id='{run.info.run_id}'")
    ]
    inputs = [(one.dataset.name, one.dataset.digest, one.dataset.source) for one in run.inputs.dataset_inputs]
    tags = {name: value for name, value in run.data.tags.items() if name.startswith("pix2street")}
    times = (run.info.status, run.info.start_time, run.info.end_time)
    return points, files, models, sorted(inputs), run.data.params, tags, times


def test_a_store_that_comes_back_has_all_that_it_missed(layout, store, capsys):
    train(layout)
    record_metrics(layout, METRICS)
    assert owed(layout) == []
    assert capsys.readouterr().out == ""
    store.away = True
    train(layout)
    record_metrics(layout, METRICS)
    said = capsys.readouterr().out
    assert "tracking: kept for later: the run, epoch 1, epoch 2" in said
    assert "ConnectionError: http://host is away" in said
    assert "secret" not in said + "".join(p.read_text() for p in layout.spool.rglob("*.json"))
    assert len(owed(layout)) == 1
    store.away = False
    assert deliver_all(layout) == 1
    assert owed(layout) == []
    client, (late, timely) = runs_of(layout)
    late, timely = content_of(client, late), content_of(client, timely)
    assert {name: [p[0] for p in points] for name, points in late[0].items() if name.startswith("train")} == {
        "train/gen_l1": [1, 2], "train/nothing": [1, 2],
    }  # fmt: skip
    assert set(late[0]) == set(timely[0])
    assert {k: len(v) for k, v in late[1].items()} == {k: len(v) for k, v in timely[1].items()}
    assert len(late[1]["images"]) == 4
    assert late[2:5] == timely[2:5]
    assert late[2] == ["generator"]
    assert late[6][0] == "FINISHED"
    assert late[6][1] <= late[0]["train/gen_l1"][0][1] <= late[6][2]


def test_a_later_stage_delivers_what_was_kept(layout, store):
    store.away = True
    train(layout)
    store.away = False
    record_metrics(layout, METRICS)
    client, (run,) = runs_of(layout)
    assert [p.step for p in client.get_metric_history(run.info.run_id, "train/gen_l1")] == [1, 2]
    assert run.data.metrics["generated/l1"] == 0.5
    assert owed(layout) == []


def test_a_store_that_is_away_at_a_later_stage_gets_no_second_run(layout, store):
    train(layout)
    store.away = True
    layout.run_note.unlink()  # as in a fresh clone
    record_metrics(layout, METRICS)
    store.away = False
    deliver_all(layout)
    client, (run,) = runs_of(layout)
    assert run.data.metrics["generated/l1"] == 0.5
    assert len(client.get_metric_history(run.info.run_id, "train/gen_l1")) == 2


def test_a_replay_that_was_interrupted_anywhere_doubles_nothing(layout, store, monkeypatch):
    store.away = True
    train(layout)
    record_metrics(layout, METRICS)
    store.away = False
    (folder,) = layout.spool.iterdir()
    entries = len(list(folder.glob("0*.json")))
    drop, note, find_or_create = Spool.drop, Spool.note, Delivery._find_or_create

    def dies(*_):
        raise KeyboardInterrupt

    def dies_once_created(delivery, *arguments):
        monkeypatch.setattr(
            Spool, "note", lambda spool, **changes: dies() if "run_id" in changes else note(spool, **changes)
        )
        find_or_create(delivery, *arguments)

    # Each time, a process dies after a delivery and before it has noted it.
    monkeypatch.setattr(Delivery, "_find_or_create", dies_once_created)
    with pytest.raises(KeyboardInterrupt):
        deliver_all(layout)
    monkeypatch.setattr(Delivery, "_find_or_create", find_or_create)
    monkeypatch.setattr(Spool, "note", note)
    for number in range(entries):
        monkeypatch.setattr(Spool, "drop", dies)
        with pytest.raises(KeyboardInterrupt):
            deliver_all(layout)
        monkeypatch.setattr(Spool, "drop", drop)
        (name, _), *_ = Spool(folder, None).owed()
        assert int(name) == number + 1
        Spool(folder, None).drop(name)
    deliver_all(layout)
    client, (run,) = runs_of(layout)
    points, files, models, *_, times = content_of(client, run)
    assert all(len(history) == (2 if name.startswith("train") else 1) for name, history in points.items())
    assert {name: len(there) for name, there in files.items()} == {"images": 4, "validate": 1, "evaluate": 1}
    assert models == ["generator"]
    assert run.data.params["train.epochs"] == "2"
    assert times[0] == "FINISHED"


def test_one_run_that_fails_holds_up_no_other(layout, store, monkeypatch):
    store.away = True
    train(layout)
    train(layout)
    store.away = False
    broken = sorted(layout.spool.iterdir(), key=lambda path: path.stat().st_mtime_ns)[0]
    (broken / "000001.json").write_text("no JSON")
    with pytest.raises(
        UserError, match=r"not all was recorded, the rest is kept in .*000001.json: must be complete JSON"
    ):
        deliver_all(layout)
    assert owed(layout) == [broken.name]
    assert [run.info.status for run in runs_of(layout)[1]] == ["FINISHED"]


def test_a_damaged_description_stops_nothing_and_stays(layout, store):
    store.away = True
    train(layout)
    store.away = False
    (folder,) = layout.spool.iterdir()
    (folder / "about.json").write_text("no JSON")
    record_metrics(layout, METRICS)
    assert [run.info.status for run in runs_of(layout)[1]] == ["FINISHED"]
    with pytest.raises(
        UserError, match=r"not all was recorded, the rest is kept in .*about.json: must be complete JSON"
    ):
        deliver_all(layout)
    assert owed(layout) == [folder.name]


def test_a_training_asks_a_store_that_is_gone_a_few_times(layout, store):
    store.away = True
    train(layout, range(1, 201))
    assert store.asked <= 8
    store.away = False
    deliver_all(layout)
    client, (run,) = runs_of(layout)
    assert len(client.get_metric_history(run.info.run_id, "train/gen_l1")) == 200


def test_a_store_back_during_training_has_the_run_before_its_end(layout, store):
    store.away = True
    with Run.start(layout, PARAMS, "key") as run:
        store.away = False
        for epoch in range(1, 6):
            run.record_epoch(epoch, {"gen_l1": 0.5}, None)
        client, (recorded,) = runs_of(layout)
        assert recorded.info.status == "RUNNING"
        assert [p.step for p in client.get_metric_history(recorded.info.run_id, "train/gen_l1")] == [1, 2, 3, 4, 5]


def test_what_a_dead_training_left_is_closed_and_one_that_lives_is_not(layout):
    alive = Run.start(layout, PARAMS, "key")
    dead = Run.start(layout, PARAMS, "key")
    # The end of its process does the same:
    dead._system.finish()
    dead._spool.close()
    train(layout)
    statuses = [run.info.status for run in runs_of(layout)[1]]
    assert statuses == ["FINISHED", "KILLED", "RUNNING"]
    alive.finish()
    assert runs_of(layout)[1][2].info.status == "FINISHED"


def test_what_is_kept_for_another_store_stays(layout, store, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://nobody:secret@127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    train(layout)
    with pytest.raises(UserError, match="nothing was recorded, all is kept in"):
        deliver_all(layout)
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    assert deliver_all(layout) == 0
    assert len(owed(layout)) == 1
    store = mlflow.MlflowClient(f"sqlite:///{layout.root / 'mlflow.db'}")
    assert store.get_experiment_by_name("pix2street") is None
    assert "secret" not in "".join(path.read_text() for path in layout.spool.rglob("*.json"))


def test_what_a_store_refuses_is_told_and_holds_up_nothing(layout, capsys):
    with Run.start(layout, PARAMS, "key") as run:
        run.record_epoch(1, {"gen_l1": 0.4, "no such name!": 0.1}, None)
        run.record_epoch(2, {"gen_l1": 0.3}, None)
    assert "tracking: not recorded: epoch 1 (MlflowException" in capsys.readouterr().out
    client, (run,) = runs_of(layout)
    assert [p.step for p in client.get_metric_history(run.info.run_id, "train/gen_l1")] == [2]
    assert owed(layout) == []


def test_a_generator_that_cannot_be_served_is_no_model_and_the_rest_is_recorded(layout, capsys):
    (layout.generator / "card.json").unlink()
    train(layout)
    assert "tracking: not recorded: the model (the model has no card.json; run `dvc repro`" in capsys.readouterr().out
    client, (run,) = runs_of(layout)
    assert content_of(client, run)[2] == []
    assert run.data.tags["pix2street.weights"] == sha256_of(layout.generator / "generator.weights.h5")
    assert owed(layout) == []


def test_the_palettes_of_a_generator_are_recorded_with_it(layout, tmp_path):
    tiny_bank().write(layout.generator)
    train(layout)
    _, (run,) = runs_of(layout)
    fetched = fetch_generator(layout, run.info.run_id, tmp_path / "fetched")
    names = {"card.json", "generator.json", "generator.weights.h5", "palettes.npz"}
    assert {file.name: file.read_bytes() for file in fetched.iterdir()} == {
        name: (layout.generator / name).read_bytes() for name in names
    }


def test_a_disk_that_takes_no_spool_stops_nothing(layout, store, capsys):
    layout.spool.write_text("no folder")
    store.away = True
    train(layout)
    assert "tracking: not recorded: the run, epoch 1, epoch 2" in capsys.readouterr().out


def test_equal_trainings_at_one_time_are_two_runs(layout, tmp_path_factory):
    """Record two checkouts in one server: a later stage finds the run of its checkout."""
    other = Layout(tmp_path_factory.mktemp("other") / "project")
    shutil.copytree(layout.root, other.root)
    server = f"sqlite:///{layout.root / 'mlflow.db'}"
    # Like a server, this store says where artifacts go.
    mlflow.MlflowClient(server).create_experiment("pix2street", (layout.root / "artifacts").as_uri())
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", server)
        with Run.start(layout, PARAMS, "key") as one, Run.start(other, PARAMS, "key") as two:
            for run, checkout in ((one, layout), (two, other)):
                run.record_training(checkout.generator)
        record_metrics(layout, METRICS)
        record_metrics(other, {"generated": {"l1": 0.25}})
    client = mlflow.MlflowClient(server)
    runs = client.search_runs([client.get_experiment_by_name("pix2street").experiment_id])
    assert sorted(run.data.metrics["generated/l1"] for run in runs) == [0.25, 0.5]
    assert {run.info.status for run in runs} == {"FINISHED"}


def test_an_experiment_has_a_run_of_its_own(layout, monkeypatch):
    record_metrics(layout, METRICS)
    monkeypatch.setenv("DVC_EXP_NAME", "young-sand")
    record_metrics(layout, METRICS)
    record_metrics(layout, METRICS)
    _, runs = runs_of(layout)
    assert [run.info.run_name for run in runs][:1] == ["young-sand"]
    assert len(runs) == 2


def test_the_data_are_identified_by_split(layout):
    rows = [{"pair_id": f"p{n}", "split": "val" if n > 2 else "train", "input_sha256": "a" * 64} for n in range(4)]
    layout.split.mkdir(parents=True)
    write_manifest(layout.split, rows)
    Dataset("streets", "S", "labels to photo", "", "", "right").write(layout.split)
    train(layout)
    _, (run,) = runs_of(layout)
    inputs = {one.dataset.name: one for one in run.inputs.dataset_inputs}
    assert set(inputs) == {"streets/train", "streets/val"}
    sha256 = sha256_of(layout.split / "manifest.csv")
    for split, pairs in (("train", 3), ("val", 1)):
        one = inputs[f"streets/{split}"]
        assert {tag.key: tag.value for tag in one.tags} == {"mlflow.data.context": split, "sha256": sha256}
        assert one.dataset.digest == sha256[:36]
        assert json.loads(one.dataset.source) == {"uri": "data/split/manifest.csv"}
        assert json.loads(one.dataset.profile)["num_rows"] == pairs


def test_the_machine_is_sampled_while_training_and_no_thread_stays(layout, monkeypatch):
    train(layout)
    assert "SystemMetricsMonitor" not in [thread.name for thread in threading.enumerate()]
    client, (run,) = runs_of(layout)
    assert 0 <= run.data.metrics["system/cpu_utilization_percentage"] <= 100
    assert len(client.get_metric_history(run.info.run_id, "system/system_memory_usage_megabytes")) == 1
    monkeypatch.setattr(SystemMetrics, "collect_metrics", lambda self: 1 / 0)
    train(layout)
    assert "SystemMetricsMonitor" not in [thread.name for thread in threading.enumerate()]
    monkeypatch.setenv("MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING", "false")
    monkeypatch.setattr(SystemMetrics, "start", lambda self: pytest.fail("was told not to"))
    train(layout)


def test_runs_have_names_of_their_own_whatever_is_seeded(layout):
    names = set()
    for training in ("a", "b"):
        random.seed(0)
        with Run.start(layout, {**PARAMS, "download": {"dataset": "maps"}}, training):
            pass
        names.add(runs_of(layout)[1][0].info.run_name)
    assert len(names) == 2
    assert all(name.startswith("maps-") for name in names)


def test_the_judges_of_a_jury_are_recorded_as_their_deviation_and_the_protocol_as_a_file(layout):
    lists = {"mean_iou_judges": [0.25, 0.5, 0.75], "kid_judges": [None, None], "fid_judges": [0.5, None]}
    protocol = {"segmentation": {"version": 3, "not_judged": {"pole": {"share": 0.01, "iou": 0.1}}}}
    metrics = {"generated": {"mean_iou": 0.5, "absent_classes": ["train"], **lists}, "protocol": protocol}
    record_metrics(layout, {**metrics, "judge": {"judges": 3}})
    _, (run,) = runs_of(layout)
    recorded = {name: value for name, value in run.data.metrics.items() if not name.startswith("system")}
    judged = {name: value for name, value in recorded.items() if not name.startswith("train/")}
    assert judged == {"generated/mean_iou": 0.5, "generated/mean_iou_judges_std": 0.25, "judge/judges": 3}


def test_a_run_with_the_same_numbers_by_another_protocol_is_recorded_anew(layout):
    tags = []
    for version in (2, 3):
        record_metrics(layout, {"generated": {"l1": 0.5}, "protocol": {"segmentation": {"version": version}}})
        tags.append(runs_of(layout)[1][0].data.tags["pix2street.protocol"])
    assert tags[0] != tags[1]


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


def test_an_id_that_is_cut_too_short_names_the_runs_it_could_mean(layout, tmp_path):
    record_metrics(layout, METRICS)
    client, (recorded,) = runs_of(layout)
    for _ in range(16):  # some of 17 ids begin with the same of 16 digits
        client.create_run(recorded.info.experiment_id, run_name="another")
    ids = [run.info.run_id for run in runs_of(layout)[1]]
    first = max({run_id[0] for run_id in ids}, key=lambda digit: sum(run_id[0] == digit for run_id in ids))
    meant = [run_id[:8] for run_id in ids if run_id[0] == first]
    with pytest.raises(UserError, match=f"{first}: the ids of {len(meant)} runs begin so: .*; write more") as error:
        fetch_run(layout, first, tmp_path)
    named = str(error.value).split("begin so: ")[1].split("; write")[0].split(", ")
    assert {name.split(" ")[0] for name in named} <= set(meant)
    assert len(named) == min(5, len(meant))


def test_a_run_that_is_not_there_or_has_no_report_is_named(layout, tmp_path):
    record_metrics(layout, METRICS)
    _, (recorded,) = runs_of(layout)
    with pytest.raises(UserError, match=f"zebra: no run of experiment pix2street .* {recorded.info.run_id[:8]}"):
        fetch_run(layout, "zebra", tmp_path)
    with pytest.raises(UserError, match="has recorded no report; run `dvc repro` to its end"):
        fetch_run(layout, recorded.info.run_id, tmp_path)
