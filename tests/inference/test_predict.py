"""`pix2street predict` as a user runs it, but in this process: `prepare` only notes its arguments."""

import os
import re
import shutil
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from shipped import PARAMS, changed
from tiny_models import save_moved, tiny_card

from pix2street.cli import main
from pix2street.core.classes import cityscapes_classes
from pix2street.core.errors import UserError
from pix2street.core.images import read_rgb, write_png
from pix2street.core.palettes import PaletteBank
from pix2street.core.styles import seed_of
from pix2street.stage import ENVIRONMENT
from pix2street.steps.generate import generate_photos
from pix2street.tracking import retrieval
from pix2street.training import runtime
from pix2street.training.batches import InputEncoding

CLASSES = cityscapes_classes()


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    card = tiny_card(InputEncoding("color", CLASSES), seed=3, intra_op_threads=1, inter_op_threads=5)
    save_moved(folder, card, product_side_px=4)
    return folder


@pytest.fixture(autouse=True)
def prepared(tmp_path, monkeypatch):
    """Change into an empty working folder, and return the list of the arguments that `prepare` gets."""
    told = []
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(runtime, "prepare", lambda *place, **threads: told.append((*place, threads)))
    for name, value in {**ENVIRONMENT, "TQDM_MININTERVAL": "10"}.items():
        monkeypatch.setenv(name, os.environ.get(name, value))
    return told


def write_ids(path, height=32, width=32, seed=0):
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    ids = np.full((height, width), 23, np.uint8)
    ids[np.random.default_rng(seed).integers(4, max(5, height)) :] = 7
    write_png(path, ids)
    return ids


def predict(model, *arguments):
    main(["predict", *map(str, arguments), "--model", str(model)])


def refused(model, *arguments):
    with pytest.raises(SystemExit) as ending:
        predict(model, *arguments)
    return str(ending.value.code)


def test_photos_are_the_bytes_of_generate(road_and_sky, model, prepared, tmp_path, capsys):
    (tmp_path / "photos").mkdir()
    generate_photos(road_and_sky, model, tmp_path / "photos", tmp_path / "baselines", changed(PARAMS.generate, seed=3))
    predict(model, road_and_sky / "val/inputs", "--out", "out")
    names = {path.name for path in Path("photos/val").iterdir()}
    assert {path.name for path in Path("out").iterdir()} == names == {"p4.png", "p5.png"}
    for name in names:
        assert Path("out", name).read_bytes() == Path("photos/val", name).read_bytes()
    assert prepared == [("--device", "auto", 3, {"intra_op_threads": 1, "inter_op_threads": 5})]
    assert capsys.readouterr().out == "photos in out: 2\n"


def test_size_and_place_are_kept_and_colours_ids_and_palettes_are_one(model):
    ids = write_ids("in/sub/ids.png", 33, 50)
    Image.fromarray(CLASSES.to_colors(ids)).save("in/colours.tif")
    Image.fromarray(CLASSES.to_colors(ids)).quantize(4).save("in/sub/palette.png")
    numbers = Image.fromarray(ids, "P")
    numbers.putpalette([255, 0, 255] * 256)
    numbers.save("in/numbers.png")
    predict(model, "in", "--out", "out", "--no-dropout")
    photos = [read_rgb(Path("out", name)) for name in ("sub/ids.png", "colours.png", "sub/palette.png", "numbers.png")]
    assert photos[0].shape == (33, 50, 3)
    assert all((photo == photos[0]).all() for photo in photos)


def test_inputs_are_read_as_they_are_meant(model, capsys):
    ids = write_ids("plain/a.png", 32, 64)
    exif = Image.Exif()
    exif[0x0112] = 6
    Path("in").mkdir()
    turned = Image.fromarray(ids).transpose(Image.Transpose.ROTATE_90)
    turned.save("in/a.png", exif=exif)
    Image.fromarray(CLASSES.to_colors(ids)).convert("RGBA").save("alpha.png")
    predict(model, "plain/a.png", "--out", "expected")
    predict(model, "in", "--out", "out")
    assert Path("out/a.png").read_bytes() == Path("expected/a.png").read_bytes()
    assert "inputs as they were read: 1 turned upright" in capsys.readouterr().out
    predict(model, "alpha.png", "--out", "out")
    assert "1 opaque alpha dropped" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "options", "fault"),
    [
        ("a.jpg", {}, "holds class ids in a lossy format"),
        ("a.png", {"transparency": 23}, "is transparent, and a transparent pixel has no class"),
    ],
)
def test_what_cannot_be_classes_is_refused_by_name(model, name, options, fault):
    Image.fromarray(write_ids("ids.png")).save(name, **options)
    assert re.search(f"{name}: .*{fault}", refused(model, name, "--out", "out"))


def test_other_kernels_than_in_training_are_said(model, monkeypatch, capsys):
    write_ids("a.png")
    predict(model, "a.png", "--out", "out")
    assert "ONEDNN" not in capsys.readouterr().err
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "AVX2")
    predict(model, "a.png", "--out", "out", "--replace")
    said = "pix2street predict: ONEDNN_MAX_CPU_ISA is AVX2 here and was unset in training; some values of photos may"
    assert said in capsys.readouterr().err


def test_a_pair_is_refused_until_its_half_is_told(model):
    ids = write_ids("alone/pair.png")
    target = np.random.default_rng(0).integers(0, 256, (32, 32, 3)).astype(np.uint8)
    write_png(Path("pair.png"), np.concatenate([target, CLASSES.to_colors(ids)], axis=1))
    assert "pair.png: is 64x32 px" in refused(model, "pair.png", "--out", "out")
    assert not Path("out").exists()
    predict(model, "pair.png", "--out", "out", "--half", "right")
    predict(model, "alone", "--out", "out_alone")
    assert Path("out/pair.png").read_bytes() == Path("out_alone/pair.png").read_bytes()


def test_bad_files_are_told_at_the_end_and_the_rest_is_done(model, capsys):
    for name in "az":
        write_ids(f"in/{name}.png", 40, 40)
    whole = Path("in/a.png").read_bytes()
    Path("in/cut.png").write_bytes(whole[: len(whole) // 2])
    header = b"IHDR" + bytes([0, 1, 0, 0] * 2) + whole[24:29]
    Path("in/bomb.png").write_bytes(whole[:12] + header + zlib.crc32(header).to_bytes(4, "big") + whole[33:])
    Path("in/empty.jpg").touch()
    Image.fromarray(np.full((8, 9), 7, np.uint16)).save("in/deep.png")
    write_png(Path("in/ids.png"), np.full((8, 9), 77, np.uint8))
    write_ids("in/sub/x.png")
    Path("out").mkdir()
    Path("out/sub").touch()
    lines = refused(model, "in", "--out", "out", "--batch", 3, "--no-dropout").splitlines()
    assert lines[0] == "pix2street predict: 6 of 8 inputs could not be translated:"
    reasons = {line.split(": ")[0].strip(): line for line in lines[1:]}
    assert list(reasons) == [f"in/{name}" for name in ("bomb.png", "cut.png", "deep.png", "empty.jpg", "ids.png")] + [
        "in/sub/x.png"
    ]
    assert "at most 200,000,000 pixels may be" in reasons["in/bomb.png"]
    assert "not a readable image" in reasons["in/cut.png"]
    assert "must have 8 bits a channel" in reasons["in/deep.png"]
    assert "no class of the generator has: [77]" in reasons["in/ids.png"]
    assert "out/sub/x.png cannot be written" in reasons["in/sub/x.png"]
    assert {path.name for path in Path("out").iterdir()} == {"a.png", "z.png", "sub"}
    assert capsys.readouterr().out == "photos in out: 2\n"


def test_batches_move_no_value_by_more_than_one(model):
    for seed, (height, width) in enumerate([(32, 32), (33, 40), (30, 31), (32, 32), (40, 33)]):
        write_ids(f"in/{seed}.png", height, width, seed)
    predict(model, "in", "--out", "one", "--no-dropout")
    predict(model, "in", "--out", "four", "--no-dropout", "--batch", 4)
    for path in Path("one").iterdir():
        alone, together = read_rgb(path).astype(int), read_rgb(Path("four", path.name))
        assert alone.shape == together.shape
        assert np.abs(alone - together).max() <= 1


def test_variants_differ_by_their_seed_and_need_dropout(model, tmp_path):
    write_ids("a.png")
    predict(model, "a.png", "--out", "out", "--variants", 3, "--seed", 2, "--batch", 2)
    photos = {path.name: path.read_bytes() for path in Path("out").iterdir()}
    assert sorted(photos) == ["a_seed2.png", "a_seed3.png", "a_seed4.png"]
    assert len(set(photos.values())) == 3
    predict(model, "a.png", "--out", "own")
    assert Path("own/a.png").read_bytes() == photos["a_seed3.png"]
    predict(model, "a.png", "--out", "own", "--seed", 4, "--replace")
    assert Path("own/a.png").read_bytes() == photos["a_seed4.png"]
    quiet = shutil.copytree(model, tmp_path / "quiet")
    tiny_card(InputEncoding("color", CLASSES), "left", 32, 32, "batch", False, 3).write(quiet)
    reason = "differ only by noise, which is off"
    assert f"{reason}; leave out --no-dropout" in refused(model, "a.png", "--out", "x", "--variants", 2, "--no-dropout")
    assert f"{reason} for this generator" in refused(quiet, "a.png", "--out", "x", "--variants", 2)
    predict(quiet, "a.png", "--out", "x", "--variants", 2, "--dropout")
    tiny_card(InputEncoding("color", CLASSES), noise="none").write(quiet)
    assert "quiet has no noise; leave the option out" in refused(quiet, "a.png", "--out", "y", "--dropout")
    reason = "photos of one input differ only by noise, which this generator does not have; leave out --variants"
    assert reason in refused(quiet, "a.png", "--out", "y", "--variants", 2)


@pytest.fixture(scope="module")
def styled(tmp_path_factory):
    folder = tmp_path_factory.mktemp("styled")
    save_moved(folder, tiny_card(InputEncoding("color", CLASSES, "palette"), noise="none", seed=3))
    return folder


def test_variants_of_a_generator_with_palettes_differ_by_them(styled):
    ids = write_ids("a.png", 40, 50)
    predict(styled, "a.png", "--out", "out", "--variants", 3, "--seed", 2, "--batch", 2, "--no-dropout")
    photos = {path.name: path.read_bytes() for path in Path("out").iterdir()}
    assert sorted(photos) == ["a_seed2.png", "a_seed3.png", "a_seed4.png"]
    assert len(set(photos.values())) == 3
    predict(styled, "a.png", "--out", "own")
    assert Path("own/a.png").read_bytes() == photos["a_seed3.png"]
    write_png(Path("palette.png"), PaletteBank.read(styled).draw(ids, seed_of("a", 4)))
    predict(styled, "a.png", "--out", "given", "--style", "palette.png")
    assert Path("given/a.png").read_bytes() == photos["a_seed4.png"]


def test_a_style_without_chance_has_no_variants_and_one_of_another_size_stops_no_other_file(styled, model):
    write_ids("in/a.png")
    write_ids("in/b.png", 32, 48)
    reason = "--variants: with --style mean every input has one palette and hence one photo"
    assert reason in refused(styled, "in", "--out", "x", "--style", "mean", "--variants", 2)
    write_png(Path("palette.png"), np.full((32, 32, 3), 90, np.uint8))
    told = refused(styled, "in", "--out", "y", "--style", "palette.png")
    assert "1 of 2 inputs could not be translated" in told
    assert "in/b.png" in told
    assert [path.name for path in Path("y").iterdir()] == ["a.png"]
    assert "takes no styles" in refused(model, "in", "--out", "z", "--style", "mean")


def test_variants_of_a_generator_with_codes_differ_by_them_and_a_photo_leaves_no_chance(tmp_path_factory):
    coded = tmp_path_factory.mktemp("coded")
    save_moved(coded, tiny_card(InputEncoding("color", CLASSES, "code"), noise="none", seed=3))
    write_ids("a.png", 40, 50)
    predict(coded, "a.png", "--out", "out", "--variants", 3, "--seed", 2)
    photos = {path.name: path.read_bytes() for path in Path("out").iterdir()}
    assert len(set(photos.values())) == 3
    predict(coded, "a.png", "--out", "own")
    assert Path("own/a.png").read_bytes() == photos["a_seed3.png"]
    write_png(Path("dusk.png"), np.random.default_rng(0).integers(0, 99, (9, 9, 3)).astype(np.uint8))
    for choice in ("dusk.png", "mean"):
        predict(coded, "a.png", "--out", f"in_{choice}", "--style", choice)
        assert Path(f"in_{choice}", "a.png").read_bytes() not in photos.values()
        reason = f"--variants: with --style {choice} every input has one code and hence one photo"
        assert reason in refused(coded, "a.png", "--out", "x", "--style", choice, "--variants", 2)
    write_png(Path("palette.png"), np.full((40, 50, 3), 90, np.uint8))
    told = refused(coded, "a.png", "--out", "x", "--style", "palette.png")
    assert "palette.png is a palette, but the generator takes codes" in told


def test_what_is_missing_can_be_made_alone(model):
    write_ids("in/a.png")
    write_ids("in/b.png")
    Path("out").mkdir()
    Path("out/a.png").write_bytes(b"old")
    assert "out/a.png exists; add --replace" in refused(model, "in", "--out", "out")
    predict(model, "in", "--out", "out", "--keep")
    assert Path("out/a.png").read_bytes() == b"old"
    assert read_rgb(Path("out/b.png")).shape == (32, 32, 3)


def test_generators_come_from_a_folder_a_run_or_the_registry(model, monkeypatch, tmp_path):
    write_ids("a.png")
    asked = []

    def fetch_generator(layout, name, folder):
        if name == "nobody":
            raise UserError("nobody: no run")
        asked.append((layout.root, name))
        return shutil.copytree(model, folder / "generator")

    monkeypatch.setattr(retrieval, "fetch_generator", fetch_generator)
    for name in ("models:/pix2street@champion", "streets-0123ab", "models:/pix2street/3"):
        predict(name, "a.png", "--out", "out", "--replace")
    assert [name for _, name in asked] == ["models:/pix2street@champion", "streets-0123ab", "models:/pix2street/3"]
    assert {root for root, _ in asked} == {tmp_path}
    assert refused("nobody", "a.png", "--out", "x") == "pix2street predict: nobody: no run"
    assert "modles/generator: no such folder" in refused("modles/generator", "a.png", "--out", "x")
    assert "must hold card.json" in refused(tmp_path, "a.png", "--out", "x")
    with pytest.raises(SystemExit, match=r"models/generator: no such folder; run `dvc repro`"):
        main(["predict", "a.png", "--out", "x"])
    shutil.copytree(model, "models/generator")
    main(["predict", "a.png", "--out", "x"])
    assert Path("x/a.png").read_bytes() == Path("out/a.png").read_bytes()


@pytest.mark.parametrize("option", [("--seed", "-1"), ("--seed", str(2**31)), ("--batch", "0"), ("--variants", "x")])
def test_numbers_out_of_range_are_refused(model, option, capsys):
    with pytest.raises(SystemExit) as ending:
        predict(model, "a.png", "--out", "out", *option)
    assert ending.value.code == 2
    assert f"argument {option[0]}: must be a whole number" in capsys.readouterr().err


def test_wrong_arguments_are_told_before_a_network_library_is_loaded(tmp_path):
    code = """
import sys
from pix2street.cli import main
for arguments in (["--help"], ["nothing", "--out", "out"], ["a.png", "--out", "out"]):
    try:
        main(["predict", *arguments])
    except SystemExit as ending:
        print(ending.code)
print([name for name in ("tensorflow", "keras", "mlflow") if name in sys.modules])
"""
    write_ids("a.png")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=3600)
    *_, nothing, generator, loaded = done.stdout.splitlines()
    assert nothing == "pix2street predict: nothing: no such file or folder"
    assert generator.startswith("pix2street predict: models/generator: no such folder; run `dvc repro`")
    assert loaded == "[]"


def test_the_way_back_is_a_generator_of_its_own(model, tmp_path):
    write_png(Path("a.png"), np.full((16, 24, 3), 90, np.uint8))
    assert "holds no generator of the way back" in refused(model, "a.png", "--out", "o", "--direction", "back")
    both = tmp_path / "both"
    shutil.copytree(model, both)
    card = {"family": "cyclegan", "multiple_px": 8, "noise": "none", "way": "back"}
    (both / "back").mkdir()
    save_moved(both / "back", tiny_card(InputEncoding("color", None), "file", **card))
    predict(both, "a.png", "--out", "o", "--direction", "back")
    assert read_rgb(Path("o/a.png")).shape == (16, 24, 3)
    predict(both / "back", "a.png", "--out", "p")
    assert Path("o/a.png").read_bytes() == Path("p/a.png").read_bytes()


def test_a_generator_of_several_domains_is_told_which(model, tmp_path):
    write_png(Path("a.png"), np.random.default_rng(0).integers(0, 256, (12, 20, 3)).astype(np.uint8))
    refusal = refused(model, "a.png", "--out", "o", "--domain", "night")
    assert "--domain: night, but the generator has no domains; leave the option out" in refusal
    encoding = InputEncoding("color", None, domains=("day", "dusk", "night"), domain=1)
    folder = tmp_path / "hours"
    folder.mkdir()
    save_moved(folder, tiny_card(encoding, "file", family="stargan", multiple_px=4, noise="none"))
    for domain in ("day", "dusk", "night"):
        predict(folder, "a.png", "--out", domain, "--domain", domain)
    predict(folder, "a.png", "--out", "usual")
    photos = {name: Path(name, "a.png").read_bytes() for name in ("day", "dusk", "night", "usual")}
    assert photos["usual"] == photos["dusk"]
    assert len(set(photos.values())) == 3
    refusal = refused(folder, "a.png", "--out", "o", "--domain", "rain")
    assert "--domain: rain, but the generator has the domains day, dusk, night; name one of these" in refusal
