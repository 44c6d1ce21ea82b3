"""The commands of `pix2street`: their names, arguments, options and help texts."""

import argparse
import os
from pathlib import Path
from typing import Any

from pix2street.core.files import user_path
from pix2street.inference.export.formats import FORMATS
from pix2street.inference.ways import WAYS

WHICH_MODEL = (
    "a folder, an MLflow run (id, its beginning, or name), models:/NAME@ALIAS or models:/NAME/VERSION; "
    "default: models/generator"
)


def build_parser(description: str | None) -> argparse.ArgumentParser:
    """Return the parser of all commands; `options.computes` says whether the environment could change numbers."""
    parser = argparse.ArgumentParser(prog="pix2street", description=description)
    parser.set_defaults(computes=False)
    commands = parser.add_subparsers(dest="command", required=True)
    _add_compare(commands)
    _add_doctor(commands)
    _add_profiles(commands)
    _add_tune(commands)
    _add_promote(commands)
    _add_verify(commands)
    commands.add_parser("sync", help="deliver the records that the tracking store has not received")
    _add_predict(commands)
    _add_demo(commands)
    _add_export(commands)
    return parser


def _add_compare(commands: Any) -> None:
    parser = commands.add_parser(
        "compare",
        help="compare the scores and samples of two runs",
        description="A run is an MLflow run (its id, the beginning of its id, or its name) or a folder in which the "
        "pipeline has run, e.g. `.`. If several runs have the same name, the newest is used.",
    )
    parser.add_argument("run_a", metavar="RUN_A", type=os.path.expanduser)
    parser.add_argument("run_b", metavar="RUN_B", type=os.path.expanduser)
    parser.add_argument("--force", action="store_true", help="compare even if the protocols differ")
    parser.add_argument("--page", type=user_path, default=Path("comparison.html"), help="default: %(default)s")


def _add_doctor(commands: Any) -> None:
    parser = commands.add_parser(
        "doctor",
        help="show how a folder or archive of images would be read",
        description="The command prints the content (layout, splits, pairs, sizes, modes, classes) and the lines of "
        "params.yaml to train on it; it writes nothing. If no training is possible, it says why and ends with 1.",
    )
    parser.add_argument("path", metavar="PATH", type=user_path, help="a folder, a zip or a tar")


def _add_profiles(commands: Any) -> None:
    parser = commands.add_parser("profiles", help="list the profiles with their expected time, memory and disk")
    parser.add_argument(
        "--better",
        action="store_true",
        help="print which profile makes better photos in the time of the present one; nothing if none does",
    )
    parser = commands.add_parser(
        "use",
        help="write a profile into params.yaml",
        description="`dvc repro` and `dvc exp run` then use it. Keys that no profile names keep their values. Every "
        "change is printed.",
    )
    parser.add_argument("name", metavar="NAME", help="a name that `pix2street profiles` lists")


def _add_tune(commands: Any) -> None:
    parser = commands.add_parser(
        "tune",
        help="measure the training's step on this machine, and write the fastest precision into params.yaml",
        description="The step of the chosen model is timed by turns with each precision, and with each limit of matrix "
        "products where the model has them. The fastest that saves 5 %% or more is written into params.yaml, from "
        "which the bits of a training follow, so that every machine with this file trains alike.",
    )
    parser.add_argument("--rounds", type=_count, default=20, help="the timed steps of each; default: %(default)s")
    parser.add_argument("--dry-run", action="store_true", help="print the times and write nothing")
    parser.set_defaults(computes=True)


def _add_promote(commands: Any) -> None:
    parser = commands.add_parser(
        "promote",
        help="make the candidate in the model registry its champion",
        description="The candidate is compared with the present champion, as `compare` does, and replaces it unless it "
        "is worse by the first score of register.promote_by that both have.",
    )
    parser.add_argument(
        "--model", metavar="NAME", help="its name in the registry; default: register.model of params.yaml"
    )
    parser.add_argument("--force", action="store_true", help="promote the candidate even if it is worse")


def _add_verify(commands: Any) -> None:
    parser = commands.add_parser(
        "verify",
        help="run a clean clone of a commit and compare its outputs with dvc.lock",
        description="The command clones the commit, makes every output again without a cache and compares it with "
        "dvc.lock. If anything differs, it names the first stage that diverged and ends with 1.",
    )
    parser.add_argument("revision", metavar="REVISION", nargs="?", default="HEAD", help="default: %(default)s")
    parser.add_argument(
        "--keep", type=user_path, metavar="FOLDER", help="keep the clone and logs in this folder, which must not exist"
    )
    parser.add_argument(
        "--tolerant",
        action="store_true",
        help="accept other bytes in the outputs of networks, as another processor or GPU gives them, if the scores "
        "are within the tolerances of `verify` in params.yaml",
    )


def _model_options() -> argparse.ArgumentParser:
    """Return the options of every command that translates inputs."""
    parser = argparse.ArgumentParser(add_help=False)
    _add_model(parser)
    parser.add_argument(
        "--dropout",
        action=argparse.BooleanOptionalAction,
        help="switch dropout, the noise, on or off; default: as in the stage `generate`",
    )
    parser.add_argument("--device", choices=("auto", "cpu", "gpu"), default="auto", help="default: %(default)s")
    return parser


def _add_model(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", metavar="MODEL", type=os.path.expanduser, help=WHICH_MODEL)
    parser.add_argument(
        "--direction",
        choices=WAYS,
        default="forth",
        help="back: from targets to inputs, with a model that learned both ways; default: %(default)s",
    )
    parser.add_argument(
        "--domain", metavar="NAME", help="the domain of the photos, with a model of several; default: that of its card"
    )


def _add_predict(commands: Any) -> None:
    parser = commands.add_parser(
        "predict",
        parents=[_model_options()],
        help="make photos of images with a trained generator",
        description="The inputs are files, folders (all images below them) and quoted globs. A photo has the size and "
        "name of its input, and the same path below the folder. If files cannot be translated, the command lists them "
        "at the end and ends with 1. A generator without inputs makes --count photos.",
    )
    parser.add_argument(
        "inputs",
        metavar="INPUT",
        nargs="*",
        type=os.path.expanduser,
        help="an image, a folder or a quoted glob, for a generator of next frames also a film; none for a generator "
        "without inputs",
    )
    parser.add_argument(
        "--count", metavar="N", type=_count, help="the number of photos, with a generator without inputs"
    )
    parser.add_argument(
        "--truncation",
        metavar="SHARE",
        type=_share,
        help="the share of the way from the mean style to a photo's own, with a generator without inputs: photos are "
        "better and more alike below 1; default: 1",
    )
    parser.add_argument("--out", metavar="FOLDER", type=user_path, required=True, help="the folder of the photos")
    parser.add_argument(
        "--half", choices=("left", "right", "whole"), help="the half of side-by-side pairs that is the input"
    )
    parser.add_argument(
        "--seed",
        metavar="N",
        type=_seed,
        help="the seed of the noise and of the styles; default: that of the stage `generate`",
    )
    parser.add_argument(
        "--style",
        metavar="random|mean|IMAGE",
        type=os.path.expanduser,
        default="random",
        help="the style, for a generator with palettes or codes: drawn by the seed, the mean, in the light of a photo, "
        "or a palette; default: %(default)s",
    )
    parser.add_argument(
        "--variants",
        metavar="N",
        type=_count,
        default=1,
        help="the number of photos of every input, NAME_seed<seed>.png, with seeds from --seed or 0 on; needs "
        "dropout or styles",
    )
    parser.add_argument(
        "--batch",
        metavar="N",
        type=_count,
        default=1,
        help="the number of inputs that are translated together; only without dropout and styles",
    )
    existing = parser.add_mutually_exclusive_group()
    for choice, text in {
        "replace": "make existing photos again",
        "keep": "make only missing photos",
    }.items():
        existing.add_argument(f"--{choice}", dest="existing", action="store_const", const=choice, help=text)
    parser.set_defaults(computes=True, existing="refuse")


def _add_demo(commands: Any) -> None:
    parser = commands.add_parser(
        "demo", parents=[_model_options()], help="open a page on which you paint a drawing and see its photo"
    )
    parser.add_argument("--host", default="127.0.0.1", help="default: %(default)s, only this machine")
    parser.add_argument("--port", type=int, default=7860, help="default: %(default)s; 0 for any free port")
    parser.add_argument("--open", action="store_true", help="open the page in the browser")
    parser.set_defaults(computes=True)


def _add_export(commands: Any) -> None:
    parser = commands.add_parser(
        "export",
        help="export the generator as SavedModel and ONNX, checked against `predict`",
        description="The files turn stored pixels into photos, for batches and images of any size, without dropout. "
        "Each file is checked on the held-out images; if a float32 file differs from `predict --no-dropout`, the "
        "command writes nothing and ends with 1. It prints the size, speed and differences of each file and of Keras.",
    )
    _add_model(parser)
    parser.add_argument("--out", type=user_path, default=Path("export"), help="default: %(default)s")
    parser.add_argument(
        "--format",
        nargs="+",
        choices=FORMATS,
        default=tuple(FORMATS),
        metavar="FORMAT",
        help=f"formats among {', '.join(FORMATS)}; default: all",
    )
    parser.add_argument(
        "--data",
        type=user_path,
        default=Path("data/split"),
        help="the data set whose held-out pairs check the files; default: %(default)s",
    )
    parser.add_argument(
        "--judge",
        type=user_path,
        default=Path("models/segmenter"),
        help="the judge for mean IoU, if it exists; default: %(default)s",
    )
    parser.add_argument("--threads", type=int, default=1, help="the threads of each format; default: %(default)s")
    parser.set_defaults(computes=True)


def _seed(text: str) -> int:
    if not (text.isdecimal() and int(text) < 2**31):
        raise argparse.ArgumentTypeError(f"must be a whole number from 0 to 2147483647, but is {text}")
    return int(text)


def _share(text: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise argparse.ArgumentTypeError(f"must be a number from 0 to 1, but is {text}")
    return share


def _count(text: str) -> int:
    if not (text.isdecimal() and int(text) > 0):
        raise argparse.ArgumentTypeError(f"must be a whole number from 1 on, but is {text}")
    return int(text)
