"""The benchmarks run and print the figures that they promise; no test depends on the figures' values."""

import json
import re
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from shipped import PARAMS, changed

from pix2street.core.classes import cityscapes_classes
from pix2street.core.decoding import decode
from pix2street.core.edge_maps import edge_map
from pix2street.core.images import write_png
from pix2street.datasets.synthetic_streets.scene import draw_scene
from pix2street.layers.resize import ResizeConv2D
from pix2street.params import read_params
from pix2street.validation.fit import block_agreement

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))

import counting  # noqa: E402
import judges  # noqa: E402
import large_sets  # noqa: E402
import rehearsal  # noqa: E402
import step  # noqa: E402


@pytest.mark.nightly
def test_training_steps_are_timed_in_turn(tmp_path, monkeypatch, capsys):
    modes = ["--data", "disk", "--steps-per-call", "2", "--jit-compile", "--precision", "mixed_bfloat16"]
    modes += ["--upsample", "resize", "--product-side", "4"]
    references = {name: step.GROUPS["references"][name] for name in ("tutorial", "ours")}
    few = {**references, "every mode, mixed_bfloat16": ["--kind", "ours", *modes]}
    monkeypatch.setitem(step.GROUPS, "references", few)
    out = tmp_path / "results.json"
    command = ["--sizes", "32:2:2", "--rounds", "1", "--calls", "2", "--groups", "references", "--out", str(out)]
    monkeypatch.setattr(sys, "argv", ["step.py", *command])
    step.main()
    assert "32x32, batch 2, 2 filters: references" in capsys.readouterr().out
    results = json.loads(out.read_text())
    found = results["32x32, batch 2, 2 filters: references"]
    assert found["gigaflop"] >= 0
    rows = found["variants"]
    assert [*rows] == [*few]
    assert rows["tutorial"]["ratio"] == 1
    assert rows["ours"]["ms"] > 0
    assert rows["ours"]["epoch_s"]["400"] == pytest.approx(400 / 2 * rows["ours"]["ms"] / 1e3, abs=0.1)
    assert all(row["peak_mib"] > 100 for row in rows.values())
    assert results["machine"]["cores"] >= 1


def test_a_step_of_a_family_is_timed_with_its_settings(capsys):
    small = {"generator_filters": 2, "discriminator_filters": 2, "blocks": 1}
    options = ["--size", "32", "--calls", "2", "--small", json.dumps(small)]
    step.time_families(["stargan"], [*options, "--operations"])
    head, row, operations = capsys.readouterr().out.splitlines()
    assert head.split("  ")[0] == "family"
    family, images, weights, cpu_ms = row.split()
    assert (family, int(images)) == ("stargan", PARAMS.train.run.batch)
    assert int(weights.replace(",", "")) > 0
    assert float(cpu_ms) > 0
    assert "Conv2D" in operations
    shares = [int(share) for share in re.findall(r"(\d+)%", operations)]
    assert shares == sorted(shares, reverse=True)
    assert 0 < sum(shares) <= 101
    with pytest.raises(SystemExit, match=r"^stargan: .*multiples of 4 px, but they are 30 and 30"):
        step.time_families(["stargan"], [*options, "--size", "30"])


def test_a_profile_is_counted_and_not_run():
    command = [sys.executable, BENCHMARKS / "step.py", "--count", "cityscapes", "--teraflop-a-second", "10"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=3600, check=True)
    head, work, time, memory = done.stdout.splitlines()
    assert head == "cityscapes: counted and estimated, not measured"
    # The tutorial's networks, of which performance.md has the times.
    generator, discriminator, step = map(float, re.findall(r"3 \* ([\d.]+) \+ 7 \* ([\d.]+) = (\d+) GFLOP", work)[0])
    assert step == pytest.approx(3 * generator + 7 * discriminator, abs=1)
    assert f" = {200 * 2975 * step / 1e4 / 3600:.1f} h, 595000 steps of" in time
    assert "1 images * " in memory


def test_counted_operations_and_maps_are_those_of_the_layers():
    pixels = keras.Input((8, 8, 3))
    x = keras.layers.Conv2D(5, 3, 2, padding="same")(pixels)
    x = ResizeConv2D(2, 3, padding="same")(x)
    network = keras.Model(pixels, x)
    work = 2 * (4 * 4 * 9 * 3 * 5 + 4 * 4 * 16 * 5 * 2)
    assert counting.gigaflop(network) == work / 1e9
    assert counting.step_gigaflop(network, network, network, mixed=True) == pytest.approx(23 * work / 1e9)
    assert counting.maps_gib(network, [network]) == 3 * 4 * (8 * 8 * 3 + 4 * 4 * 5 + 8 * 8 * 2) / 2**30
    assert counting.weights_gib([network], ema=True) == 20 * (3 * 9 * 5 + 5 + 5 * 9 * 2 + 2) / 2**30


def test_a_profile_for_cityscapes_is_rehearsed(tmp_path):
    command = [sys.executable, BENCHMARKS / "rehearsal.py", "cityscapes_oasis", "--out", tmp_path / "rehearsal"]
    small = ["--frames", "16", "--size", "64", "128", "--stage", "split"]
    done = subprocess.run([*command, *small], capture_output=True, text=True, timeout=3600)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "params.yaml is now cityscapes_oasis" in done.stdout
    assert "  download.cityscapes.train_pairs: 14\n" in done.stdout
    read = read_params(tmp_path / "rehearsal/params.yaml")
    assert (read.train.run.epochs, read.train.run.batch, read.train.oasis.labelmix_weight) == (1, rehearsal.BATCH, 5.0)
    assert read.train.oasis.discriminator_filters == rehearsal.FILTERS
    photos = [*(tmp_path / "rehearsal/data/split").glob("*/targets/*.png")]
    assert len(photos) == 16
    assert decode(photos[0].read_bytes(), "photo").shape == (256, 512, 3)
    again = subprocess.run([*command, *small], capture_output=True, text=True, timeout=3600)
    assert again.returncode == 2
    assert "exists; remove it or name another folder" in again.stderr


def test_what_does_not_read_cityscapes_is_not_rehearsed(tmp_path):
    command = [sys.executable, BENCHMARKS / "rehearsal.py", "streets", "--out", tmp_path / "rehearsal"]
    refused = subprocess.run(command, capture_output=True, text=True, timeout=3600)
    assert refused.returncode == 2
    assert "streets does not read Cityscapes" in refused.stderr


@pytest.mark.nightly
def test_every_way_to_double_an_image_is_timed():
    done = subprocess.run(
        [sys.executable, BENCHMARKS / "upsampling.py", "--levels", "2:3:4", "4:3:2", "--rounds", "1"],
        capture_output=True, text=True, timeout=3600, check=True,
    )  # fmt: skip
    head, *rows = done.stdout.splitlines()[1:]
    assert head.split() == ["level", "transposed", "transposed,", "product", "resized", "fused", "fused,", "product"]
    assert [row.split()[0] for row in rows] == ["2:3:4", "4:3:2"]
    for row in rows:
        assert row.split()[2] == "(1.00)"
        assert len(row.split()) == 11


@pytest.mark.nightly
def test_stages_are_timed_on_many_pairs(tmp_path):
    done = subprocess.run(
        [sys.executable, BENCHMARKS / "large_sets.py", tmp_path / "large", "--pairs", "60", "--side", "32"],
        capture_output=True, text=True, timeout=3600, check=True,
    )  # fmt: skip
    head, _, *rows = [line.strip("| ").split(" | ") for line in done.stdout.splitlines()]
    assert head == ["pairs", "what", "seconds", "CPU-seconds", "CPU-ms a pair", "peak MiB"]
    assert [row[:2] for row in rows] == [["60", "`split`"], ["60", "`validate`"]]
    assert all(float(figure) > 0 for row in rows for figure in row[2:])


def test_a_pair_of_a_large_set_depends_on_its_number_alone():
    pairs = [large_sets.pair_of(subset, number, 32) for subset in ("train", "val") for number in range(3)]
    assert {pair.shape for pair in pairs} == {(32, 64, 3)}
    assert len({pair.tobytes() for pair in pairs}) == 6
    assert (large_sets.pair_of("val", 2, 32) == pairs[-1]).all()


def test_cityscapes_is_timed_beside_its_decoding():
    done = subprocess.run(
        [sys.executable, BENCHMARKS / "cityscapes.py", "--frames", "3", "--rounds", "1"],
        capture_output=True, text=True, timeout=3600, check=True,
    )  # fmt: skip
    result = json.loads(done.stdout[done.stdout.index("{") :])
    assert result["frames"] == 3
    assert result["download_to_decode"] > 0


@pytest.mark.nightly
def test_evaluation_and_inception_are_timed():
    done = subprocess.run(
        [sys.executable, BENCHMARKS / "evaluation.py", "--pairs", "2", "--rounds", "1", "--photos", "2"],
        capture_output=True, text=True, timeout=3600, check=True,
    )  # fmt: skip
    result = json.loads(done.stdout[done.stdout.index("{") :])
    assert result["pairs"] == 2
    assert result["evaluation_s"] >= 0
    assert result["confusion_matrices_per_s"] >= 0
    assert result["inception_photos_per_s"]["clean_share"] > 0


def test_false_alarms_and_found_swaps_are_counted(tmp_path):
    for index in range(24):
        photo, ids = draw_scene(0, index, 32, 32)
        halves = [photo, cityscapes_classes().to_colors(ids)]
        write_png(tmp_path / f"{'abc'[index // 8]}_{index:02d}.png", np.concatenate(halves, axis=1))
    command = [tmp_path, "--target-side", "left", "--sizes", "32", "--draws", "2"]
    done = subprocess.run(
        [sys.executable, BENCHMARKS / "fit.py", *command], capture_output=True, text=True, timeout=300, check=True
    )
    rows = json.loads(done.stdout.splitlines()[-1])
    assert [row["set"] for row in rows] == ["as given", "grey to colour", "edges to photo", "drawn streets"]
    assert all(row["pairs"] == 24 and row["false_shipped"] == 0 for row in rows)
    assert [len(row["limits"]) for row in rows] == [3, 3, 3, 5]
    assert all(row["found_random_shipped"] > 0.5 for row in rows)
    assert "| as given | 32 |" in done.stdout


def test_products_give_the_agreement_of_any_set():
    sys.path.insert(0, str(BENCHMARKS))
    import fit

    images = np.random.default_rng(0).integers(0, 256, (2, 6, 16, 16, 3)).astype(np.uint8)
    maps = np.array([[edge_map(image).ravel() for image in half] for half in images])
    of = np.array([4, 0, 3])
    expected = block_agreement(maps[0, of], maps[1, of])
    assert fit.agreement_of(fit.products_of(*images), of) == pytest.approx(expected, abs=1e-4)
    mirrored = np.array([[edge_map(image[:, ::-1]).ravel() for image in half] for half in images])
    assert fit.agreement_of(fit.products_of(*images), of + 6) == pytest.approx(
        block_agreement(mirrored[0, of], mirrored[1, of]), abs=1e-4
    )


def test_spoiled_drawings_are_found_and_sound_ones_are_not(tmp_path):
    for index in range(4):
        photo, ids = draw_scene(0, index, 128, 128)
        write_png(tmp_path / f"{index}.png", np.hstack([photo, cityscapes_classes().to_colors(ids)]))
    command = [str(tmp_path), "--input-side", "right", "--limit", "4"]
    done = subprocess.run(
        [sys.executable, BENCHMARKS / "borders.py", *command], capture_output=True, text=True, timeout=3600, check=True
    )
    rows = [[cell.strip(" |") for cell in line.split("|")[1:-1]] for line in done.stdout.splitlines()[2:]]
    found = {(kind, what): by for name, kind, what, *_, by in rows if name == "yours"}
    assert found["colours", "bilinear x0.75"] == "moved, seams"
    assert found["ids", "bicubic x2"] == "seams, between"
    assert {by for (_, what), by in found.items() if what.startswith("nearest")} == {"none"}


@pytest.mark.nightly
def test_the_parts_of_a_judge_are_tried_one_by_one(road_and_sky, tmp_path):
    out = tmp_path / "judges.json"
    command = ["--split", road_and_sky, "--parts", "half_size", "--seeds", "3", "--out", out]
    command += ["--set", "epochs=2", "filters=4", "batch=2"]
    done = subprocess.run(
        [sys.executable, BENCHMARKS / "judges.py", *command], capture_output=True, text=True, timeout=3600, check=True
    )
    assert "| photos of half the size |" in done.stdout
    (trial,) = json.loads(out.read_text())["trials"]["half_size"]
    assert trial["seed"] == 3
    assert 0 <= trial["mirrored"]["mean_iou"] <= 1
    lovasz = judges.try_part("lovasz", 3, road_and_sky, changed(PARAMS.segment, epochs=2, filters=4, batch=2))
    assert 0 <= lovasz["mirrored"]["mean_iou"] <= 1
    assert judges.table({"lovasz": [lovasz, lovasz]}).splitlines()[2].startswith("| Lovász instead of Dice | ")
    assert judges.judge_training.WeightedCrossEntropyAndDice is judges.WeightedCrossEntropyAndDice


def test_lovasz_is_one_less_the_jaccard_index_of_a_sure_judge():
    """Berman et al. 2018, section 2: the extension equals the loss of sets at the corners of the cube."""
    truth, seen = np.array([0, 0, 0, 1, 1, 2]), np.array([0, 0, 1, 1, 1, 2])
    logits = np.where(np.eye(3)[seen], 60.0, -60.0).astype(np.float32)[None, None]
    both = judges.CrossEntropyAndLovasz(np.ones(3)), judges.CrossEntropy(np.ones(3))
    values = [float(loss(truth[None, None], logits)) for loss in both]
    jaccard = np.array([2 / 3, 2 / 3, 1])
    assert values[0] - values[1] == pytest.approx(1 - jaccard.mean(), abs=1e-4)
