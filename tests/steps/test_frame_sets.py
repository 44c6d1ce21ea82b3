"""A set of videos from the training to the page: next frames, baselines, scores by horizon, and what users run."""

import io
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from shipped import PARAMS, changed
from sources import film
from tiny_models import SMALL, TINY_TRAIN

from pix2street.core.domains import PhotoFolders
from pix2street.core.errors import UserError
from pix2street.core.films import frames_of
from pix2street.core.frames import FrameCounts, stacked, unstacked
from pix2street.core.images import read_rgb, write_png
from pix2street.core.pairs import read_pairs
from pix2street.core.scales import Scale
from pix2street.core.tables import write_table
from pix2street.datasets import synthetic_streets
from pix2street.inference.card import GeneratorCard
from pix2street.inference.export.graph import serving_function
from pix2street.inference.free_frames import flow_on
from pix2street.inference.in_use import as_inference
from pix2street.inference.jobs import find_inputs
from pix2street.inference.translator import Translator
from pix2street.inference.videos import continue_videos, find_videos
from pix2street.layers.networks import load_network
from pix2street.metrics import horizons
from pix2street.reporting.frames import horizon_rows, horizons_in_words, read_videos
from pix2street.steps.evaluate import evaluate_photos
from pix2street.steps.evaluate_frames import with_horizons
from pix2street.steps.generate import generate_photos
from pix2street.steps.split import split_pairs
from pix2street.steps.train import train_model

SIDE = 32
COUNTS = FrameCounts(3, 2, 1, 5)
SETS = {"generated", "untrained", "last_frame", "mean_frame", "optical_flow"}


def train_on(split, folder, **changes):
    for name in ("generator", "samples"):
        (folder / name).mkdir()
    data = {"encoding": "color", "style": "none", "jitter": False, **changes.pop("data", {})}
    settings = {"model": "futuregan", "run": {"epochs": 1, "batch": 2}, "futuregan": SMALL["futuregan"]} | changes
    return train_model(
        split,
        folder / "generator",
        folder / "samples",
        lambda *epoch: None,
        train=changed(TINY_TRAIN, data=data, **settings),
        generate=PARAMS.generate,
        compute=PARAMS.compute,
        strategy=tf.distribute.get_strategy(),
    )


def drives(folder, frames: int):
    """Return a split of drawn drives of so many frames, or of photos without frames."""
    for name in ("images", "split"):
        (folder / name).mkdir(parents=True)
    drawn = changed(
        PARAMS.download.synthetic_streets, height_px=64, width_px=64, train_pairs=4, val_pairs=2, frames=frames
    )
    counts = changed(PARAMS.download.frames, frames_in=3, frames_out=2, every=5)
    synthetic_streets.fetch(folder / "images", drawn, counts).write(folder / "images")
    split_pairs(folder / "images", folder / "split", changed(PARAMS.split, height_px=SIDE, width_px=SIDE))
    return folder / "split"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Return the outputs of a tiny run: three frames in, two out, two pairs held out."""
    folder = tmp_path_factory.mktemp("drives")
    split = drives(folder, 5)
    for name in ("generated", "judge", "judged"):
        (folder / name).mkdir()
    history = train_on(split, folder)
    generate_photos(split, folder / "generator", folder / "generated", folder / "baselines", PARAMS.generate)
    folders = PhotoFolders(folder / "generated", folder / "baselines")
    metrics, _ = evaluate_photos(
        split, folder / "judge", folders, folder / "judged", PARAMS.evaluate,
        inception=None, judge_score=None, generator={"seed": 0},
    )  # fmt: skip
    metrics, table = with_horizons(metrics, split, folders)
    return SimpleNamespace(folder=folder, split=split, history=history, metrics=metrics, table=table)


def test_a_training_learns_from_frames_and_its_card_says_how_many(run):
    assert np.isfinite(run.history.to_numpy()).all()
    assert (run.folder / "samples/epoch_0001.png").exists()
    card = GeneratorCard.read(run.folder / "generator")
    assert card.frames == COUNTS
    assert (card.height_px, card.width_px, card.multiple_px) == (3 * SIDE, SIDE, 4)
    assert card.scale == Scale.of((3, 1), (2, 1))
    assert card.input_from == "frames"


def test_free_frames_are_the_last_one_the_mean_and_the_motion(run):
    assert {path.name for path in (run.folder / "baselines").iterdir()} == SETS - {"generated"}
    for pair in read_pairs(run.split, "val"):
        past = unstacked(read_rgb(pair.input_path), 3)
        made = {
            name: unstacked(read_rgb(run.folder / f"baselines/{name}/val/{pair.pair_id}.png"), 2)
            for name in ("last_frame", "mean_frame", "optical_flow")
        }
        assert (made["last_frame"] == past[-1]).all()
        np.testing.assert_array_equal(made["mean_frame"][1], np.rint(past.mean(axis=0)).astype(np.uint8))
        np.testing.assert_array_equal(made["optical_flow"], flow_on(past, 2))


def test_flow_continues_a_shift():
    rng = np.random.default_rng(0)
    picture = np.asarray(Image.fromarray(rng.integers(0, 255, (12, 24, 3)).astype(np.uint8)).resize((96, 48), 3))
    past = np.stack([picture[:, 20 - 2 * step : 68 - 2 * step] for step in range(2)])
    for step, frame in enumerate(flow_on(past, 2), 2):
        true = picture[:, 20 - 2 * step : 68 - 2 * step]
        inside = (slice(6, -6), slice(10, -6))
        moved, still = (np.abs(some[inside].astype(int) - true[inside]).mean() for some in (frame, past[-1]))
        assert moved < still / 3


def test_scores_are_by_horizon_and_their_means_among_those_of_each_set(run):
    scores = run.metrics["horizons"]
    assert set(scores) == SETS
    for name, found in scores.items():
        assert list(found) == ["mean", "1", "2"]
        of_set = run.metrics["generated"] if name == "generated" else run.metrics["baselines"][name]
        for key in ("psnr", "ssim", "l1", "moving_l1", "sharpness"):
            assert of_set[key] == pytest.approx(found["mean"][key])
            assert found["mean"][key] == pytest.approx((found["1"][key] + found["2"][key]) / 2)
    assert list(run.table["horizon"][:3]) == ["1", "2", "mean"]
    assert len(run.table) == 3 * len(SETS)
    assert "horizons" in run.metrics["protocol"]


def test_a_pixel_moves_if_the_true_frame_left_the_last_one(tmp_path):
    last, true = np.zeros((32, 32, 3), np.uint8), np.zeros((32, 32, 3), np.uint8)
    true[:4, :8, 1] = 255
    made = np.full((32, 32, 3), 51, np.uint8)
    for name, image in (("last", last), ("past", stacked([last, last])), ("target", true), ("photo", made)):
        write_png(tmp_path / f"{name}.png", image)
    paths = [[tmp_path / f"{name}.png"] for name in ("past", "photo", "target")]
    found = horizons.scores_of(horizons.measure(*paths, FrameCounts(2, 1, 1, 3)))
    # Of 255: 51, 204 and 51 in the three channels.
    assert found["1"]["moving_l1"] == pytest.approx((51 + 204 + 51) / 3 / 127.5)
    assert found["1"]["sharpness"] == 0
    same = horizons.scores_of(horizons.measure(paths[0], paths[2], paths[2], FrameCounts(2, 1, 1, 3)))
    assert same["mean"] == {"psnr": None, "ssim": 1.0, "l1": 0.0, "moving_l1": 0.0, "sharpness": 1.0}
    alone = [tmp_path / "last.png"]
    still = horizons.scores_of(horizons.measure(alone, paths[1], alone, FrameCounts(1, 1, 1, 2)))
    assert still["1"]["moving_l1"] is None


def test_a_page_shows_films_and_scores(run):
    (example,) = read_videos(run.split, run.folder / "generated", run.folder / "baselines", "val", 1)
    film = Image.open(io.BytesIO(example.images["film"]))
    assert (film.format, film.n_frames) == ("WEBP", 5)
    sheet = Image.open(io.BytesIO(example.images["frames"]))
    assert sheet.size == (5 * SIDE + 8, 4 * SIDE + 6)
    rows = horizon_rows(run.metrics)
    assert [row["horizon"] for row in rows[:: len(SETS)]] == ["1", "2", "mean of all"]
    assert "at horizon 2" in horizons_in_words(run.metrics)
    write_table(run.folder / "horizons.csv", run.table)


def test_predict_makes_the_same_frames_and_continues_folders(run, tmp_path):
    pair = read_pairs(run.split, "val")[0]
    translator = Translator.read(run.folder / "generator")
    made = read_rgb(run.folder / f"generated/val/{pair.pair_id}.png")
    np.testing.assert_array_equal(translator.translate(read_rgb(pair.input_path), pair.pair_id), made)
    past = unstacked(read_rgb(pair.input_path), 3)
    for number, frame in enumerate([past[0], *past], 9):
        (tmp_path / "in/a").mkdir(parents=True, exist_ok=True)
        write_png(tmp_path / f"in/a/{number}.png", frame)
    images = find_inputs([str(tmp_path / "in")], tmp_path / "out")
    videos = find_videos(images, COUNTS)
    assert [path.name for path in videos[0].frames] == ["10.png", "11.png", "12.png"]
    films = continue_videos(translator, videos, tmp_path / "out", "refuse")
    assert films == [tmp_path / "out/a/film.webp"]
    for number, frame in enumerate(unstacked(made, 2), 1):
        np.testing.assert_array_equal(read_rgb(tmp_path / f"out/a/next_{number}.png"), frame)
    assert Image.open(films[0]).n_frames == 5
    with pytest.raises(UserError, match="add --replace"):
        continue_videos(translator, videos, tmp_path / "out", "refuse")
    assert continue_videos(translator, videos, tmp_path / "out", "keep") == []
    with pytest.raises(UserError, match="holds 1 frame"):
        find_videos(images[:1], COUNTS)


def test_predict_continues_a_film_as_the_folder_of_its_frames(run, tmp_path):
    source, folder = tmp_path / "drive.mp4", tmp_path / "frames/drive"
    source.write_bytes(film(7, SIDE, SIDE))
    folder.mkdir(parents=True)
    with source.open("rb") as file:
        for number, frame in enumerate(frames_of("drive", file)):
            write_png(folder / f"{number}.png", frame)
    images = find_inputs([str(source), str(folder.parent)], tmp_path / "out")
    videos = find_videos(images, COUNTS)
    with pytest.raises(UserError, match=r"of several videos; .* rename a film"):
        continue_videos(Translator.read(run.folder / "generator"), videos, tmp_path / "out", "refuse")
    of_film, of_folder = (
        continue_videos(Translator.read(run.folder / "generator"), [video], tmp_path / name, "refuse")[0]
        for name, video in zip("ab", videos, strict=True)
    )
    assert (of_film, of_folder) == (tmp_path / "a/drive/film.webp", tmp_path / "b/drive/film.webp")
    assert of_film.read_bytes() == of_folder.read_bytes()
    with pytest.raises(UserError, match=r"drive.mp4: holds 7 frames, but the generator sees 3 of a video, every 4"):
        find_videos(images, FrameCounts(3, 2, 4, 5))
    source.write_bytes(film(7)[:300])
    with pytest.raises(UserError, match=r"drive.mp4: the film cannot be decoded"):
        find_videos(images, COUNTS)


def test_frames_of_other_sizes_are_continued_frame_by_frame_and_exported_so(run):
    translator = Translator.read(run.folder / "generator")
    frames = np.random.default_rng(0).integers(0, 255, (3, 21, 26, 3)).astype(np.uint8)
    photo = translator.translate(stacked(frames), "a")
    assert photo.shape == (2 * 21, 26, 3)
    padded = stacked([np.pad(frame, [(0, 3), (0, 2), (0, 0)], mode="symmetric") for frame in frames])
    whole = unstacked(translator.translate(padded, "a"), 2)
    np.testing.assert_array_equal(unstacked(photo, 2), whole[:, :21, :26])
    card = translator.card
    network = as_inference(load_network(run.folder / "generator", "generator"), card.norm, False, any_size=True)
    served = serving_function(network, card)(tf.constant(stacked(frames)[None]))["photo"].numpy()[0]
    assert np.abs(served.astype(int) - photo).max() <= 1


def test_a_family_of_videos_refuses_photos_and_jitter_is_refused_for_frames(run, tmp_path):
    with pytest.raises(UserError, match="needs a data set of videos"):
        train_on(drives(tmp_path / "photos", 0), tmp_path, data={"encoding": "color"})
    (tmp_path / "again").mkdir()
    with pytest.raises(UserError, match="jitter: true does not go with a data set of videos"):
        train_on(run.split, tmp_path / "again", data={"jitter": True})
