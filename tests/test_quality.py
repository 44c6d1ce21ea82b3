"""The benchmark of quality against time: its parts by themselves, and a whole comparison at toy size."""

import json
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from project import ROOT, TINY, merge
from ruamel.yaml import YAML
from shipped import PARAMS, changed
from tiny_models import TINY_TRAIN, tiny_card

from pix2street.core.classes import cityscapes_classes
from pix2street.core.errors import UserError
from pix2street.core.files import write_json
from pix2street.core.images import read_ids, read_rgb, write_png
from pix2street.core.pairs import read_pairs
from pix2street.inference.styles import Style
from pix2street.inference.translator import Translator
from pix2street.judges.jury import judge_folder
from pix2street.judges.network import build_segmenter
from pix2street.judges.segmenter import TRAINED, Card
from pix2street.params import parse_params
from pix2street.training.batches import InputEncoding, TrainingFeed, open_pairs

BENCHMARKS = ROOT / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))

import quality  # noqa: E402
import quality_table  # noqa: E402
import quality_trial  # noqa: E402
import quality_worker  # noqa: E402

MEAN_COLOR = """
import sys
from pathlib import Path
from PIL import Image

split, seconds, photos = Path(sys.argv[1]), float(sys.argv[2]), Path(sys.argv[3])
for path in (split / "val/inputs").glob("*.png"):
    mean = Image.open(split / "val/targets" / path.name).resize((1, 1), Image.Resampling.BOX)
    mean.resize(Image.open(path).size).save(photos / path.name)
"""
COMMAND = "mine: python t.py {split} {seconds} {photos}"


@pytest.fixture(scope="module")
def params(tmp_path_factory) -> Path:
    """Return a `params.yaml` of trainings that take a second."""
    path = tmp_path_factory.mktemp("params") / "params.yaml"
    with path.open("w") as file:
        YAML(typ="safe").dump(merge(YAML(typ="safe").load((ROOT / "params.yaml").read_text()), TINY), file)
    return path


@pytest.fixture(scope="module")
def judges(tmp_path_factory) -> Path:
    """Return a folder with a judge that has learned nothing."""
    folder, names = tmp_path_factory.mktemp("judge"), cityscapes_classes().evaluated_names
    Card(TRAINED, names, 32, 32).write(judge_folder(folder, 0), build_segmenter(32, 32, len(names), 2, 0))
    write_json(folder / "score.json", {"judges": 1, "not_judged": {}})
    return folder


def run(*words, **options) -> subprocess.CompletedProcess:
    command = [sys.executable, str(BENCHMARKS / "quality.py"), *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, timeout=3600, **options)


# A whole comparison


@pytest.mark.nightly
def test_rows_and_commands_are_scored_against_time_and_each_training_can_be_repeated(
    road_and_sky, params, judges, tmp_path
):
    trainer = tmp_path / "trainer.py"
    trainer.write_text(MEAN_COLOR)
    common = ["--split", road_and_sky, "--params", params, "--judges", judges]
    done = run(
        "--row", "small: train.run.ema_decay=0.9 train.run.schedule=linear", "--cpu-seconds", 2, "--at", 0.5, 1,
        "--command", f"mean: {sys.executable} {trainer} {{split}} {{seconds}} {{photos}}", "--seeds", 3,
        *common, "--keep", tmp_path / "kept", "--out", tmp_path / "quality.json", check=True,
    )  # fmt: skip
    found = json.loads((tmp_path / "quality.json").read_text())
    assert list(found["rows"]) == ["small", "mean"]
    for row in found["rows"].values():
        assert [point["share"] for point in row["points"]] == [0.5, 1]
        assert {"l1", "of_ceiling.mean_iou", "frechet_segmenter"} <= row["points"][1]["scores"].keys()
    # A photo's mean colour is nearer to it than what a generator knows after seconds, and further than itself.
    trained, painted = (row["points"][1]["scores"]["l1"]["mean"] for row in found["rows"].values())
    assert found["ceiling"]["l1"] == 0 < painted < trained
    assert "| real photos |" in done.stdout
    assert f"small:\n  {found['rows']['small']['command']}\n" in done.stdout
    assert "<svg" in (tmp_path / "quality.svg").read_text()

    words = shlex.split(found["rows"]["small"]["trainings"][0]["command"])
    assert words[:2] == ["python", "benchmarks/quality.py"]
    run(*words[2:], "--keep", tmp_path / "repeated", cwd=tmp_path, check=True)
    assert (tmp_path / "small.json").exists()
    for share in ("0500", "1000"):
        photos = f"photos/small.seed3.{share}/val"
        for path in (tmp_path / "kept" / photos).iterdir():
            assert path.read_bytes() == (tmp_path / "repeated" / photos / path.name).read_bytes()

    again = run(
        "--score-only", tmp_path / "kept", "--params", params, "--judges", judges, "--out", tmp_path / "again.json",
        check=True,
    )  # fmt: skip
    assert "small" in again.stdout
    scored = json.loads((tmp_path / "again.json").read_text())
    assert {name: row["points"] for name, row in scored["rows"].items()} == {
        name: row["points"] for name, row in found["rows"].items()
    }


# Rows


def test_a_row_changes_params_and_is_named_by_words_that_make_it_again():
    row = quality_trial.parse_row("big one: train.run.batch=4 train.pix2pix.upsample=resize train.data.jitter=false")
    assert row.changes == {"train.run.batch": 4, "train.pix2pix.upsample": "resize", "train.data.jitter": False}
    assert quality_trial.parse_row(row.words[1]) == row
    changed = parse_params(row.params(ROOT / "params.yaml"), "p")
    assert (changed.train.run.batch, changed.train.pix2pix.upsample, changed.train.data.jitter) == (4, "resize", False)
    assert parse_params(quality_trial.parse_row("as it is:").params(ROOT / "params.yaml"), "p") == parse_params(
        (ROOT / "params.yaml").read_text(), "p"
    )


def test_the_shipped_rows_are_valid_and_the_first_changes_nothing():
    rows = quality_trial.read_rows(BENCHMARKS / "quality.yaml")
    texts = [row.params(ROOT / "params.yaml") for row in rows]
    assert rows[0] == quality_trial.Row("default", {})
    assert len(set(texts)) == len(rows) >= 6
    tutorial = parse_params(texts[-1], "p").train
    named = {key.removeprefix("train.pix2pix.") for key in rows[-1].changes if key.startswith("train.pix2pix.")}
    assert named == set(type(tutorial.pix2pix).model_fields)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: train.run.bach=4", "row a: params.yaml has no key train.run.bach; fix its name"),
        ("a: train.run.epochs=4", "row a: must change keys of train, generate or compute, and not train.run.epochs"),
        ("a: split.height_px=64", "row a: must change keys of train.*it changes split.height_px"),
        ("a: train.run.batch=none", "row a is not valid(.|\n)*train.run.batch: .*it is 'none'"),
        ("a: train.run.batch", "row a: a change must be KEY=VALUE, but is train.run.batch; write e.g."),
        ("../a: train.run.batch=4", "row '../a': a name must have letters, digits"),
    ],
)
def test_a_wrong_row_is_refused(text, message):
    with pytest.raises(UserError, match=message):
        quality_trial.parse_row(text).params(ROOT / "params.yaml")


def test_a_command_without_a_folder_for_its_photos_is_refused():
    with pytest.raises(UserError, match=r"command mine: must name \{split\}, \{seconds\}, \{photos\}, but lacks"):
        quality_trial.parse_command("mine: python trainer.py {split} {seconds}")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ["--at", "0.5", "0.5"],
            "quality: --at: must be rising shares of a time above 0, 0.025 apart or more, the last from 0.05",
        ),
        (["--at", "0.5", "1.5"], "quality: --at: must be rising"),
        (["--steps", "4", "5"], "quality: --steps: must be one number above 0, or that of each of 40 parts"),
        (["--row", "a:", "--row", "a: train.run.batch=4"], "quality: two rows have the same name; rename one"),
        (["--split", "nowhere"], "quality: nowhere: must be a split folder, but has no manifest.csv"),
        (["--subset", "test"], "quality: --subset: test has no pairs in "),
        (["--judges", "nowhere"], "quality: --judges: nowhere must be the folder of a judge, but is none"),
        (["--score-only", "nowhere"], "quality: nowhere: holds no records of trainings"),
    ],
)
def test_wrong_options_are_refused(options, message, road_and_sky, judges, tmp_path):
    done = run("--split", road_and_sky, "--judges", judges, *options, "--out", tmp_path / "q.json", cwd=ROOT)
    assert done.returncode == 1
    assert message in done.stderr


# Photos of a command


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda folder: [path.unlink() for path in folder.iterdir()], r"has 0 files and lacks p4.png, p5.png; fix the"),
        (lambda folder: (folder / "more.png").touch(), r"has 3 files and has too many: more.png; fix the command"),
        (lambda folder: write_png(folder / "p4.png", np.zeros((32, 31, 3), np.uint8)), r"must have 32x32 px, .* 32x31"),
        (lambda folder: (folder / "p4.png").write_bytes(b"none"), r"p4.png"),
    ],
)
def test_wrong_photos_of_a_command_are_refused(road_and_sky, tmp_path, spoil, message):
    for pair in read_pairs(road_and_sky, "val"):
        write_png(tmp_path / f"{pair.pair_id}.png", read_rgb(pair.target_path))
    quality.refuse_wrong_photos("mine", tmp_path, road_and_sky, "val")
    spoil(tmp_path)
    with pytest.raises(UserError, match=message):
        quality.refuse_wrong_photos("mine", tmp_path, road_and_sky, "val")


@pytest.mark.parametrize(
    ("code", "message"),
    [("raise SystemExit(3)", "row mine: .* ended with 3; run it by hand"), ("", r"row mine: .*has 0 files and lacks")],
)
def test_a_command_that_fails_or_writes_nothing_is_named(road_and_sky, tmp_path, code, message):
    (tmp_path / "t.py").write_text(code)
    command = f"mine: {sys.executable} {tmp_path / 't.py'} {{split}} {{seconds}} {{photos}}"
    trial = quality_trial.Trial(str(road_and_sky), "val", "params.yaml", "cpu", 1.0, [1.0], [])
    with pytest.raises(UserError, match=message):
        quality.train_rows([quality_trial.parse_command(command)], [0], trial, quality_trial.Folder(tmp_path), {})
    assert not quality_trial.Folder(tmp_path).records()


def test_a_command_gets_its_values():
    command = quality_trial.parse_command(f"{COMMAND} --seed {{seed}} 'a b'")
    values = {"split": "data/my split", "seconds": "50", "photos": "out", "seed": 3}
    assert command.filled(values) == ["python", "t.py", "data/my split", "50", "out", "--seed", "3", "a b"]


def test_photos_of_a_moment_have_the_palettes_that_generate_draws(road_and_sky, tmp_path):
    train = changed(TINY_TRAIN, data={"encoding": "onehot", "style": "palette"})
    course, pairs = quality_worker.Course(road_and_sky, train), read_pairs(road_and_sky, "val")
    course.advance(0, 1)
    generate = changed(PARAMS.generate, seed=3, dropout=False)
    photographer = quality_worker.Photographer(course.start, generate, pairs)
    generator = course.snapshot()
    photographer.make(generator, tmp_path / "photos")
    card = tiny_card(course.start.encoding, noise="none", seed=3)
    translator = Translator(generator, card, Style(course.start.bank.draw, drawn=True))
    for pair in pairs:
        photo = translator.translate(read_ids(pair.input_path), pair.pair_id)
        np.testing.assert_array_equal(read_rgb(tmp_path / f"photos/{pair.pair_id}.png"), photo)


# Time


def test_the_parts_of_a_training_have_the_order_of_its_epochs(road_and_sky):
    pairs = read_pairs(road_and_sky, "train")
    ids, encoding = [pair.pair_id for pair in pairs], InputEncoding("color", cityscapes_classes())
    feed = TrainingFeed(open_pairs(pairs, True), ids, encoding, seed=1, jitter=True, mirror=True)
    plain = [batch for epoch in range(3) for batch in feed.batches(epoch, np.arange(4), 2)]
    parts = quality_worker.PartFeed(feed, batch=2, begin=0, images=0)
    seen, names = [], []
    for steps in (1, 3, 2):
        parts.images = 2 * steps
        seen += list(parts.batches(0, np.arange(2 * steps), 2))
        names += parts.pair_ids(0)
        parts.begin += 2 * steps
    assert names == [name for epoch in range(3) for name in feed.pair_ids(epoch)]
    for one, other in zip(seen, plain, strict=True):
        for name in ("input", "target"):
            np.testing.assert_array_equal(one[name], other[name])


def test_pairs_that_fill_no_batch_are_left_out(road_and_sky):
    pairs = read_pairs(road_and_sky, "train")
    feed = TrainingFeed(
        open_pairs(pairs, True), [pair.pair_id for pair in pairs], InputEncoding("color", cityscapes_classes()),
        seed=0, jitter=False, mirror=False,
    )  # fmt: skip
    parts = quality_worker.PartFeed(feed, batch=3, begin=0, images=6)
    assert parts.pair_ids(0) == feed.pair_ids(0)[:3] + feed.pair_ids(1)[:3]


def test_steps_end_with_the_time_whatever_a_step_and_the_start_take():
    for start_s, step_s in ((5.0, 0.5), (0.0, 3.0), (30.0, 0.5)):
        now_s, first_s, taken, spent = 0.0, 0.0, 0, []
        for part in range(quality_trial.PARTS):
            steps = quality_worker.steps_of_part(part, taken, first_s, now_s, 200.0)
            now_s += steps * step_s + (start_s if part == 0 else 0)
            first_s = first_s or now_s
            taken += steps
            spent.append(now_s)
        assert now_s == pytest.approx(200, abs=step_s)
        # Behind the start the parts have equal times.
        assert spent[19] == pytest.approx(100, abs=step_s)


def test_a_clock_stands_still_while_it_is_told_to(monkeypatch):
    passed = {"cpu": 100.0, "wall": 7.0}
    monkeypatch.setattr(quality_worker.Clock, "_read", staticmethod(lambda: dict(passed)))
    clock = quality_worker.Clock("cpu")
    passed.update(cpu=103.0, wall=9.0)
    with clock.standing():
        passed.update(cpu=150.0, wall=60.0)
    passed.update(cpu=151.0, wall=60.5)
    assert clock.both() == {"cpu": 4.0, "wall": 2.5}
    assert clock.seconds == 4.0


# The table


def metrics_of(values: dict[str, float]) -> dict:
    sets = {name: {"l1": value, "iou": {"road": value / 2}, "images": 2} for name, value in values.items()}
    return {"ceiling": {"l1": 0.0}, "baselines": {**sets, "mean_color": {"l1": 0.5}}}


def test_scores_are_summed_up_over_seeds():
    job = {"clock": "wall"}
    records = [
        {"row": "a", "seed": seed, "job": job, "part_steps": [4, 5],
         "points": [{"share": 1.0, "cpu": 9.0, "wall": 3.0 + seed, "steps": 9 + seed}]}
        for seed in (0, 2)
    ]  # fmt: skip
    found = quality_table.summaries(records, metrics_of({"a.seed0.1000": 0.2, "a.seed2.1000": 0.4}))
    (point,) = found["rows"]["a"]["points"]
    assert (point["seconds"], point["steps"]) == (4.0, 10)
    assert point["scores"]["l1"] == {"mean": 0.3, "std": 0.141, "least": 0.2, "most": 0.4}
    assert point["scores"]["iou.road"]["mean"] == pytest.approx(0.15)
    assert "images" not in point["scores"]
    table = quality_table.as_table({**found, "setting": job})
    assert table.splitlines()[0] == "| row | s | steps | seeds | l1 |"
    assert table.splitlines()[2:] == [
        "| real photos | | | | 0 |", "| mean colours | | | | 0.5 |", "| a | 4 | 10 | 2 | 0.3 ± 0.1 |",
    ]  # fmt: skip


def test_every_new_number_among_the_scores_is_kept():
    scores = {"swd": {"16": 1.5, "mean": 2.0}, "color_spread": 0.123456789, "none": None, "l1_interval": {"low": 1},
              "mean_iou_judges": [0.1, 0.2], "absent_classes": ["car"], "nan": float("nan")}  # fmt: skip
    assert quality_table.numbers_of(scores) == {
        "swd.16": 1.5, "swd.mean": 2.0, "color_spread": 0.12346, "mean_iou_judges.0": 0.1, "mean_iou_judges.1": 0.2,
    }  # fmt: skip


def sets_of(**values):
    """Return what `summaries` gives for three sets of photos, with these values of two judges."""
    scores = [
        {f"{name}_judges.{judge}": pairs[index][judge] for name, pairs in values.items() for judge in (0, 1)}
        for index in range(3)
    ]
    return {"rows": {"a": {"trainings": [{"points": [{"scores": of_set} for of_set in scores]}]}}}


def test_judges_agree_where_they_rank_the_photos_alike_and_their_values_are_near():
    alike, turned = [(1.0, 1.1), (2.0, 2.1), (3.0, 3.1)], [(1.0, 3.0), (2.0, 2.0), (3.0, 1.0)]
    found = quality_table.agreement(sets_of(alike=alike, turned=turned))
    assert found["alike"]["rank"] == found["alike"]["least"] == pytest.approx(1)
    assert found["alike"]["apart"] == pytest.approx(0.1 / np.sqrt(2))
    assert found["turned"]["rank"] == pytest.approx(-1)
    lines = quality_table.as_agreement_table(found).splitlines()
    assert lines[2].startswith("| alike | 1.000 | 1.000 | 0.07")


def test_one_judge_agrees_with_nobody():
    found = {"rows": {"a": {"trainings": [{"points": [{"scores": {"l1": 0.1}}] * 3}]}}}
    assert quality_table.agreement(found) == {}


def test_a_set_without_classes_has_a_table_and_a_figure():
    records = [
        {"row": "a", "seed": 0, "job": {"clock": "cpu"}, "part_steps": [],
         "points": [{"share": 1.0, "cpu": 9.0, "wall": 3.0}]}
    ]  # fmt: skip
    found = quality_table.summaries(records, {"baselines": {"a.seed0.1000": {"l1": 0.25}}}) | {
        "setting": {"clock": "cpu"}
    }
    assert quality_table.as_table(found).splitlines()[2:] == ["| a | 9 |  | 1 | 0.25 |"]
    picture = quality_table.draw(found).decode()
    assert "CPU-seconds of training" in picture
    assert "real photos" not in picture
    assert quality_table.draw(found).decode() == picture
