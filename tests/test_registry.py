"""The model registry, in a store for these tests."""

import base64
import contextlib
import io
import re
import subprocess
import sys

import mlflow
import numpy as np
import pandas as pd
import pytest
from mlflow.entities import LoggedModelStatus
from shipped import PARAMS, changed
from tiny_models import build_unet, tiny_card

from pix2street.core.decoding import decode
from pix2street.core.errors import UserError
from pix2street.core.files import write_json, write_text
from pix2street.core.images import png_bytes
from pix2street.inference.translator import Translator
from pix2street.layers.networks import save_network
from pix2street.layout import Layout
from pix2street.metrics import bootstrap
from pix2street.steps.register import decide
from pix2street.tracking.registry import promote, register_accepted, withdraw_refused
from pix2street.tracking.retrieval import fetch_generator
from pix2street.tracking.run import Run
from pix2street.training.batches import InputEncoding

PAIRS = 40
L1 = {"first": 0.2, "near": 0.2, "better": 0.19, "worse": 0.21, "unlike": 0.1}
"""Five runs. The photos of `near` are no better and no worse than those of `first`, one by one they differ."""
BY = ["mean_iou", "l1"]

LIMITS = changed(PARAMS.register_, max={"l1": 0.5}, min={}, min_of_ceiling={"mean_iou": 0.7})


def evaluate(layout: Layout, name: str) -> dict:
    rng = np.random.default_rng(0)
    l1 = L1[name] + rng.uniform(0, 0.1, PAIRS)
    if name == "near":
        l1 += rng.permutation(np.linspace(-0.05, 0.0502, PAIRS))
    images = pd.DataFrame({"pair_id": [f"p{i:02d}" for i in range(PAIRS)], "l1": l1, "psnr": 20 - l1, "ssim": 1 - l1})
    metrics = {
        "generated": {key: float(images[key].mean()) for key in ("l1", "psnr", "ssim")},
        "judge": None,
        "protocol": {
            "shared": {"dataset": "d", "pairs": PAIRS},
            "intervals": bootstrap.PROTOCOL,
            "pixels": {"version": 2 if name == "unlike" else 1, "scores": ["l1", "psnr", "ssim"]},
        },
    }
    write_text(layout.evaluated / "images.csv", images.to_csv(index=False))
    write_text(layout.evaluated / "class_pixels.csv", "judge,pair_id,class,right,true,judged\n")
    write_json(layout.metrics, metrics)
    return metrics


class Store:
    """A repository with recorded runs; every test registers them under another name."""

    def __init__(self, layout: Layout):
        self.layout = layout
        self.decisions, self.run_ids = {}, {}

    def record(self, name: str) -> None:
        metrics = evaluate(self.layout, name)
        with Run.of_weights(self.layout, {"name": name, "generate": {"norm": "batch", "dropout": True}}) as run:
            run.record_metrics(metrics)
            self.run_ids[name] = run.id
        self.decisions[name] = decide(metrics, "aa", LIMITS)

    def register(self, model: str, *names: str) -> None:
        for name in names:
            register_accepted(self.layout, self.run_ids[name], model, self.decisions[name])

    @property
    def client(self) -> mlflow.MlflowClient:
        return mlflow.MlflowClient(f"sqlite:///{self.layout.root / 'mlflow.db'}")

    def aliases(self, model: str) -> dict[str, str]:
        # SQLite gives numbers, a server gives strings.
        return {alias: str(version) for alias, version in self.client.get_registered_model(model).aliases.items()}


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        patch.delenv("DVC_ROOT", raising=False)
        layout = Layout(tmp_path_factory.mktemp("store"))
        layout.generator.mkdir(parents=True)
        save_network(build_unet((32, 32, 3), 3, 2, 0), layout.generator, "generator")
        tiny_card(InputEncoding("color", None), "left", 32, 32, "batch", True, 0).write(layout.generator)
        write_text(layout.history, "epoch,gen_l1\n1,0.3\n")
        layout.samples.mkdir(parents=True)
        write_json(layout.verdict, {"success": True})
        store = Store(layout)
        for name in L1:
            store.record(name)
        yield store
    mlflow.set_tracking_uri(None)


def test_an_accepted_model_is_a_version_the_candidate_and_says_what_it_is(store, capsys):
    store.register("told", "first")
    expected = "registry: version 1 of told is the candidate; `pix2street promote` makes it the champion\n"
    assert capsys.readouterr().out == expected
    version = store.client.get_model_version_by_alias("told", "candidate")
    run = store.client.get_run(store.run_ids["first"])
    assert version.run_id == run.info.run_id
    assert version.tags["pix2street.weights"] == run.data.tags["pix2street.weights"]
    assert version.tags["pix2street.params"] == run.data.tags["pix2street.params"]
    assert version.tags["pix2street.protocol"] == store.decisions["first"]["protocol"]
    l1 = store.decisions["first"]["limits"][0]["value"]
    assert version.tags["register.max.l1"] == f"{l1:.6g}, limit 0.5"
    assert version.tags["register.min_of_ceiling.mean_iou"] == "does not apply: the data set has no classes"


def test_a_second_run_makes_no_second_version_and_the_newest_accepted_is_the_candidate(store):
    store.register("again", "first", "better", "first")
    assert {int(v.version) for v in store.client.search_model_versions("name = 'again'")} == {1, 2}
    assert store.aliases("again") == {"candidate": "1"}


def test_new_numbers_of_the_same_model_replace_the_old_ones_in_its_tags(store):
    store.register("new", "first")
    decision = {**store.decisions["first"], "limits": [{**store.decisions["first"]["limits"][0], "value": 0.125}]}
    register_accepted(store.layout, store.run_ids["first"], "new", decision)
    (version,) = store.client.search_model_versions("name = 'new'")
    assert version.tags["register.max.l1"] == "0.125, limit 0.5"


def test_a_model_that_is_refused_when_measured_anew_is_no_candidate_any_more(store, capsys):
    store.register("fallen", "first", "better")
    limit = {**store.decisions["first"]["limits"][0], "value": 0.75, "passed": False}
    refused = {**store.decisions["first"], "accepted": False, "limits": [limit]}
    withdraw_refused(store.layout, store.run_ids["first"], "fallen", refused)
    assert store.aliases("fallen") == {"candidate": "2"}
    withdraw_refused(store.layout, store.run_ids["better"], "fallen", refused)
    assert store.aliases("fallen") == {}
    assert capsys.readouterr().out.endswith("registry: version 2 of fallen is no longer the candidate\n")
    assert store.client.get_model_version("fallen", "2").tags["register.max.l1"] == "0.75, limit 0.5"
    withdraw_refused(store.layout, store.run_ids["first"], "never", refused)
    withdraw_refused(store.layout, None, "fallen", refused)
    assert capsys.readouterr().out == ""


def test_a_store_that_fails_is_told_and_stops_nothing(store, monkeypatch, capsys):
    def refuse(*_, **__):
        raise ConnectionError("nobody there")

    monkeypatch.setattr(mlflow, "register_model", refuse)
    store.register("unreached", "first")
    said = capsys.readouterr().out
    assert said.startswith("registry: unreached is not the candidate (ConnectionError: nobody there); to register it")
    assert "dvc repro --force --single-item register" in said
    monkeypatch.undo()
    with monkeypatch.context() as patch:
        patch.setattr(mlflow.MlflowClient, "search_model_versions", refuse)
        withdraw_refused(store.layout, store.run_ids["first"], "unreached", store.decisions["first"])
        assert "was not asked (ConnectionError: nobody there)" in capsys.readouterr().out
    store.register("unreached", "first")
    assert store.aliases("unreached") == {"candidate": "1"}


def test_a_run_that_is_not_recorded_registers_nothing(store, capsys):
    register_accepted(store.layout, None, "nothing", store.decisions["first"])
    assert "no version of nothing, since its run is not recorded" in capsys.readouterr().out
    assert not store.client.search_registered_models("name = 'nothing'")


def test_the_first_candidate_becomes_champion(store, capsys):
    store.register("one", "first")
    promote(store.layout, "one", BY, force=False)
    assert store.aliases("one") == {"candidate": "1", "champion": "1"}
    assert capsys.readouterr().out.endswith("version 1 of one is now the champion; it is the first\n")
    promote(store.layout, "one", BY, force=False)
    assert capsys.readouterr().out == "version 1 of one is the champion already; nothing was changed\n"


@pytest.mark.parametrize("name", ["better", "near"])
def test_a_candidate_that_is_better_or_not_told_apart_becomes_champion(store, capsys, name):
    champion_and_candidate(store, name, "first", name)
    promote(store.layout, name, BY, force=False)
    said = capsys.readouterr().out
    assert f"A: version 1 (run {store.run_ids['first'][:8]})\nB: version 2 (run {store.run_ids[name][:8]})" in said
    assert said.endswith(f"version 2 of {name} is now the champion; before it was version 1\n")
    assert store.aliases(name) == {"candidate": "2", "champion": "2"}


def test_a_worse_candidate_is_refused_unless_forced(store, capsys):
    champion_and_candidate(store, "down", "first", "worse")
    with pytest.raises(UserError, match=r"version 2 .* is worse than the champion, version 1 .*: L1 0.2\d+ after 0.2"):
        promote(store.layout, "down", BY, force=False)
    assert store.aliases("down") == {"candidate": "2", "champion": "1"}
    assert re.search(r"^ *L1 +0\.2.* \+0\.\d{3} .* told apart$", capsys.readouterr().out, re.M)
    promote(store.layout, "down", BY, force=True)
    said = capsys.readouterr().out
    assert re.search(r"^forced, although: version 2 .* is worse than the champion, version 1 .*: L1 ", said, re.M)
    assert said.endswith("version 2 of down is now the champion; before it was version 1\n")
    assert store.aliases("down") == {"candidate": "2", "champion": "2"}


def test_a_candidate_that_was_measured_otherwise_is_refused_unless_forced(store, capsys):
    champion_and_candidate(store, "other", "first", "unlike")
    with pytest.raises(UserError, match="not measured alike") as refused:
        promote(store.layout, "other", BY, force=False)
    assert "\n  pixels.version: 1 and 2\n" in str(refused.value)
    assert store.aliases("other") == {"candidate": "2", "champion": "1"}
    promote(store.layout, "other", BY, force=True)
    said = capsys.readouterr().out
    assert "\n  pixels.version: 1 and 2\n" in said
    # No number of the candidate is held against one that was measured in another way.
    assert "forced, although: register.promote_by: both must have one of mean_iou, l1, measured alike; they" in said
    assert store.aliases("other") == {"candidate": "2", "champion": "2"}


def test_without_a_common_score_to_go_by_nothing_is_promoted(store):
    champion_and_candidate(store, "by", "first", "better")
    with pytest.raises(
        UserError, match=r"register.promote_by: both must have one of mean_iou, measured alike; they share l1"
    ):
        promote(store.layout, "by", ["mean_iou"], force=False)
    assert store.aliases("by") == {"candidate": "2", "champion": "1"}


def test_without_a_candidate_or_a_store_nothing_is_promoted(store, monkeypatch):
    with pytest.raises(UserError, match="nobody: no version has the alias candidate; run `dvc repro`"):
        promote(store.layout, "nobody", BY, force=False)
    champion_and_candidate(store, "lost", "first", "better")

    def refuse(*_, **__):
        raise ConnectionError("nobody there")

    with monkeypatch.context() as patch:
        patch.setattr(mlflow.MlflowClient, "get_model_version", refuse)
        with pytest.raises(UserError, match="the registry was not asked or changed"):
            promote(store.layout, "lost", BY, force=False)
    with monkeypatch.context() as patch:
        patch.setattr(mlflow.MlflowClient, "set_registered_model_alias", refuse)
        with pytest.raises(UserError, match="nobody there"):
            promote(store.layout, "lost", BY, force=True)
    assert store.aliases("lost") == {"candidate": "2", "champion": "1"}


def champion_and_candidate(store, model, champion, candidate):
    store.register(model, champion)
    with contextlib.redirect_stdout(io.StringIO()):
        promote(store.layout, model, BY, force=False)
    store.register(model, candidate)


def test_the_champion_draws_where_this_package_is_not_installed(store, tmp_path):
    store.register("drawn", "first")
    promote(store.layout, "drawn", BY, force=False)
    pixels = np.random.default_rng(0).integers(0, 256, (20, 40, 3)).astype(np.uint8)
    (tmp_path / "input.txt").write_text(base64.b64encode(png_bytes(pixels)).decode())
    script = (
        "import importlib.util, pathlib, sys\n"
        "sys.path = [path for path in sys.path if not pathlib.Path(path, 'pix2street').exists()]\n"
        "assert importlib.util.find_spec('pix2street') is None\n"
        "import mlflow\n"
        "model = mlflow.pyfunc.load_model('models:/drawn@champion')\n"
        "photos = model.predict([{'image': pathlib.Path('input.txt').read_text()}], params={'half': 'whole'})\n"
        "pathlib.Path('photo.txt').write_text(photos['image'][0])\n"
    )
    environment = {"MLFLOW_TRACKING_URI": f"sqlite:///{store.layout.root / 'mlflow.db'}", "PATH": "/usr/bin:/bin"}
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=3600
    )
    assert done.returncode == 0, done.stderr
    photo = decode(base64.b64decode((tmp_path / "photo.txt").read_text()), "photo")
    assert (photo == Translator.read(store.layout.generator).translate(pixels, "image")).all()


def test_a_generator_comes_back_from_its_run_or_the_registry(store, tmp_path):
    store.register("back", "first")
    run = store.client.get_run(store.run_ids["first"]).info
    for number, name in enumerate(
        (run.run_id, run.run_id[:12], run.run_name, "models:/back@candidate", "models:/back/1")
    ):
        folder = fetch_generator(store.layout, name, tmp_path / str(number))
        names = {path.name: path.read_bytes() for path in folder.iterdir()}
        assert names == {path.name: path.read_bytes() for path in store.layout.generator.iterdir()}


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("zebra", "zebra: no run of experiment pix2street"),
        ("models:/zebra@champion", "the registry has no model zebra, it has .*wanted"),
        ("models:/wanted@champion", "wanted has @candidate, /1; name one of these"),
        ("models:/wanted/7", "wanted has @candidate, /1; name one of these"),
        ("models:/wanted/latest", "is models:/NAME@ALIAS or models:/NAME/VERSION"),
    ],
)
def test_a_generator_that_is_not_there_is_named_with_what_is(store, tmp_path, name, fault):
    store.register("wanted", "first")
    with pytest.raises(UserError, match=fault):
        fetch_generator(store.layout, name, tmp_path)


def test_a_run_without_a_model_or_with_an_older_one_has_no_generator(store, tmp_path):
    experiment = store.client.get_run(store.run_ids["first"]).info.experiment_id
    run_id = store.client.create_run(experiment).info.run_id
    with pytest.raises(UserError, match="has recorded no model; run `dvc repro` to its end"):
        fetch_generator(store.layout, run_id, tmp_path)
    model = store.client.create_logged_model(experiment, "generator", run_id)
    store.client.finalize_logged_model(model.model_id, LoggedModelStatus.READY)
    with pytest.raises(UserError, match="its model holds no generator that can be used"):
        fetch_generator(store.layout, run_id, tmp_path)
