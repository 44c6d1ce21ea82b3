"""The commands of `pix2street`: their names, arguments, options and help texts."""

import argparse
import os
from pathlib import Path
from typing import Any

from pix2street.core.files import user_path
from pix2street.inference.export.formats import FORMATS

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
    _add_promote(commands)
    _add_verify(commands)
    commands.add_parser("sync", help="record what was kept while the tracking store was away")
    _add_predict(commands)
    _add_demo(commands)
    _add_export(commands)
    return parser


def _add_compare(commands: Any) -> None:
    parser = commands.add_parser(
        "compare",
        help="two runs side by side: scores, differences, intervals, samples",
        description="A run is an MLflow run (its id, the beginning of its id, or its name) or a folder in which the "
        "pipeline has run, e.g. `.`; the newest of several runs of one name is taken.",
    )
    parser.add_argument("run_a", metavar="RUN_A", type=os.path.expanduser)
    parser.add_argument("run_b", metavar="RUN_B", type=os.path.expanduser)
    parser.add_argument("--force", action="store_true", help="compare although the protocols differ")
    parser.add_argument("--page", type=user_path, default=Path("comparison.html"), help="default: %(default)s")


def _add_doctor(commands: Any) -> None:
    parser = commands.add_parser(
        "doctor",
        help="look at a folder or archive of images and say how it would be read",
        description="Prints what is in it (layout, splits, pairs, sizes, modes, classes) and the lines of params.yaml "
        "that train on it. Writes nothing. If nothing can be trained on it as it is, the command says why and ends "
        "with 1.",
    )
    parser.add_argument("path", metavar="PATH", type=user_path, help="a folder, a zip or a tar")


def _add_profiles(commands: Any) -> None:
    commands.add_parser("profiles", help="list what can be run, with expected time, memory and disk")
    parser = commands.add_parser(
        "use",
        help="write a profile into params.yaml",
        description="`dvc repro` and `dvc exp run` then run it. Keys that no profile names keep their values; every "
        "change is printed.",
    )
    parser.add_argument("name", metavar="NAME", help="a name that `pix2street profiles` lists")


def _add_promote(commands: Any) -> None:
    parser = commands.add_parser(
        "promote",
        help="make the candidate in the model registry its champion",
        description="The candidate is compared with the present champion, as `compare` does it, and replaces it "
        "unless it is worse by the first score of register.promote_by that both have.",
    )
    parser.add_argument("--model", metavar="NAME", help="in the registry; default: register.model of params.yaml")
    parser.add_argument("--force", action="store_true", help="promote it even if the comparison is against it")


def _add_verify(commands: Any) -> None:
    parser = commands.add_parser(
        "verify",
        help="make everything again from a clean clone of a commit and compare it with dvc.lock",
        description="Clones the commit, makes every output again without a cache and compares it with what dvc.lock "
        "records. If anything differs, the command names the first stage that diverged and ends with 1.",
    )
    parser.add_argument("revision", metavar="REVISION", nargs="?", default="HEAD", help="default: %(default)s")
    parser.add_argument("--keep", type=user_path, metavar="FOLDER", help="leave clone and logs here; must not exist")
    parser.add_argument(
        "--tolerant",
        action="store_true",
        help="for another processor or GPU than that of dvc.lock: the outputs of networks may have other bytes as "
        "long as their scores keep to `verify` in params.yaml",
    )


def _model_options() -> argparse.ArgumentParser:
    """Return the options of every command that translates inputs."""
    parser = argparse.ArgumentParser(add_help=False)
    _add_model(parser)
    parser.add_argument(
        "--dropout",
        action=argparse.BooleanOptionalAction,
        help="whether dropout, the noise, is on; default: as in the stage `generate`",
    )
    parser.add_argument("--device", choices=("auto", "cpu", "gpu"), default="auto", help="default: %(default)s")
    return parser


def _add_model(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", metavar="MODEL", type=os.path.expanduser, help=WHICH_MODEL)


def _add_predict(commands: Any) -> None:
    parser = commands.add_parser(
        "predict",
        parents=[_model_options()],
        help="the photos of images by a trained generator",
        description="Files, folders (all images below) and quoted globs. A photo has the size and name of its input, "
        "and its path below the folder. Files that cannot be translated are listed at the end, and the exit code is 1.",
    )
    parser.add_argument(
        "inputs", metavar="INPUT", nargs="+", type=os.path.expanduser, help="an image, a folder or a quoted glob"
    )
    parser.add_argument("--out", metavar="FOLDER", type=user_path, required=True, help="where the photos go")
    parser.add_argument(
        "--half", choices=("left", "right", "whole"), help="of a side-by-side pair: which half is the input"
    )
    parser.add_argument("--seed", metavar="N", type=_seed, help="of the noise; default: that of the stage `generate`")
    parser.add_argument(
        "--variants",
        metavar="N",
        type=_count,
        default=1,
        help="photos of every input, NAME_seed<seed>.png, with seeds from --seed (or 0) on; needs dropout",
    )
    parser.add_argument(
        "--batch", metavar="N", type=_count, default=1, help="inputs translated together; only without dropout"
    )
    existing = parser.add_mutually_exclusive_group()
    for choice, text in {
        "replace": "make photos that exist again",
        "keep": "make only photos that are missing",
    }.items():
        existing.add_argument(f"--{choice}", dest="existing", action="store_const", const=choice, help=text)
    parser.set_defaults(computes=True, existing="refuse")


def _add_demo(commands: Any) -> None:
    parser = commands.add_parser(
        "demo", parents=[_model_options()], help="a page in the browser on which one paints and sees the photo"
    )
    parser.add_argument("--host", default="127.0.0.1", help="default: %(default)s, only this machine")
    parser.add_argument("--port", type=int, default=7860, help="default: %(default)s; 0 for any that is free")
    parser.add_argument("--open", action="store_true", help="open the page in the browser")
    parser.set_defaults(computes=True)


def _add_export(commands: Any) -> None:
    parser = commands.add_parser(
        "export",
        help="the generator as SavedModel and ONNX, checked against `predict`",
        description="Files that other programs run: stored pixels in, photos out, any batch, any size, no dropout. "
        "Each is checked on the held-out images; if a float32 file differs from `predict --no-dropout`, the command "
        "writes nothing and ends with 1. Prints size, speed and differences of each file beside Keras.",
    )
    _add_model(parser)
    parser.add_argument("--out", type=user_path, default=Path("export"), help="default: %(default)s")
    parser.add_argument(
        "--format",
        nargs="+",
        choices=FORMATS,
        default=tuple(FORMATS),
        metavar="FORMAT",
        help=f"of {', '.join(FORMATS)}; default: all",
    )
    parser.add_argument(
        "--data",
        type=user_path,
        default=Path("data/split"),
        help="whose held-out pairs it is checked on; default: %(default)s",
    )
    parser.add_argument(
        "--judge",
        type=user_path,
        default=Path("models/segmenter"),
        help="for mean IoU, if it exists; default: %(default)s",
    )
    parser.add_argument("--threads", type=int, default=1, help="of each format; default: %(default)s")
    parser.set_defaults(computes=True)


def _seed(text: str) -> int:
    if not (text.isdecimal() and int(text) < 2**31):
        raise argparse.ArgumentTypeError(f"must be a whole number from 0 to 2147483647, it is {text}")
    return int(text)


def _count(text: str) -> int:
    if not (text.isdecimal() and int(text) > 0):
        raise argparse.ArgumentTypeError(f"must be a whole number from 1 on, it is {text}")
    return int(text)
