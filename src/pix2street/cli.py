"""The command line: what is to be run, and what is done with runs of the pipeline."""

import argparse
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pix2street.core import numerics
from pix2street.core.errors import UserError
from pix2street.core.files import user_path, write_text
from pix2street.layout import Layout
from pix2street.profiles import as_table, expectation, read_profile, use_profile
from pix2street.stage import load_quietly, with_clear_errors

WHICH_MODEL = (
    "a folder, an MLflow run (id, its beginning, or name), models:/NAME@ALIAS or models:/NAME/VERSION; "
    "default: models/generator"
)
EXPORT_FORMATS = ("savedmodel", "onnx", "onnx-float16", "onnx-int8")
"""As `inference.export.FORMATS`, which cannot be asked before TensorFlow is loaded."""


def main(arguments: list[str] | None = None) -> None:
    """Run `pix2street <command>`; ends the process with 1 and one message on what a user can mend."""
    options = build_parser().parse_args(arguments)
    with with_clear_errors(f"pix2street {options.command}", Path.cwd(), computes=options.computes):
        options.run(options)


def build_parser() -> argparse.ArgumentParser:
    """All commands and their options; each names in `run` the function that does it."""
    parser = argparse.ArgumentParser(prog="pix2street", description=__doc__)
    parser.set_defaults(computes=False)
    commands = parser.add_subparsers(dest="command", required=True)
    _add_commands_on_runs(commands)
    _add_commands_on_models(commands)
    return parser


def _add_commands_on_runs(commands: Any) -> None:
    comparing = commands.add_parser(
        "compare",
        help="two runs side by side: scores, differences, intervals, samples",
        description="A run is an MLflow run (its id, the beginning of its id, or its name) or a folder in which the "
        "pipeline has run, e.g. `.`; the newest of several runs of one name.",
    )
    comparing.add_argument("run_a", metavar="RUN_A", type=os.path.expanduser)
    comparing.add_argument("run_b", metavar="RUN_B", type=os.path.expanduser)
    comparing.add_argument("--force", action="store_true", help="compare although the protocols differ")
    comparing.add_argument("--page", type=user_path, default=Path("comparison.html"), help="default: %(default)s")
    comparing.set_defaults(run=compare_runs)
    looking = commands.add_parser(
        "doctor",
        help="look at a folder or archive of images and say what it would be read as",
        description="Prints what is there (layout, splits, pairs, sizes, modes, classes) and what to put into "
        "params.yaml to train on it. Writes nothing. Where nothing can be trained on it as it is, it says why and ends "
        "with 1.",
    )
    looking.add_argument("path", metavar="PATH", type=user_path, help="a folder, a zip or a tar")
    looking.set_defaults(run=look_at_source)
    listing = commands.add_parser("profiles", help="what can be run, with expected time, memory and disk")
    listing.set_defaults(run=list_profiles)
    choosing = commands.add_parser(
        "use",
        help="write a profile into params.yaml",
        description="`dvc repro` and `dvc exp run` then run it. Keys that no profile names keep their values; what "
        "changes is printed.",
    )
    choosing.add_argument("name", metavar="NAME", help="one that `pix2street profiles` lists")
    choosing.set_defaults(run=choose_profile)
    promoting = commands.add_parser(
        "promote",
        help="make the candidate in the model registry its champion",
        description="The candidate is compared with the present champion as `compare` does it, and takes its place "
        "unless it is worse by the first score of register.promote_by that both have.",
    )
    promoting.add_argument("--model", metavar="NAME", help="in the registry; default: register.model of params.yaml")
    promoting.add_argument("--force", action="store_true", help="promote whatever the comparison says")
    promoting.set_defaults(run=promote_candidate)

    verifying = commands.add_parser(
        "verify",
        help="make everything again from a clean clone of a commit and compare it with dvc.lock",
        description="Clones the commit, makes every out again without a cache and compares it with what dvc.lock "
        "records. Where anything differs it ends with 1 and names the first stage that diverged.",
    )
    verifying.add_argument("revision", metavar="REVISION", nargs="?", default="HEAD", help="default: %(default)s")
    verifying.add_argument("--keep", type=user_path, metavar="FOLDER", help="leave clone and logs here; must not exist")
    verifying.add_argument(
        "--tolerant",
        action="store_true",
        help="for another processor or GPU than that of dvc.lock: what networks made may have other bytes as long as "
        "its scores keep to `verify` in params.yaml",
    )
    verifying.set_defaults(run=verify_commit)

    syncing = commands.add_parser("sync", help="record what was kept while the tracking store was away")
    syncing.set_defaults(run=sync_runs)


def _add_commands_on_models(commands: Any) -> None:
    using = argparse.ArgumentParser(add_help=False)
    using.add_argument("--model", metavar="MODEL", type=os.path.expanduser, help=WHICH_MODEL)
    using.add_argument(
        "--dropout",
        action=argparse.BooleanOptionalAction,
        help="whether dropout, the noise, is on; default: as in the stage `generate`",
    )
    using.add_argument("--device", choices=("auto", "cpu", "gpu"), default="auto", help="default: %(default)s")

    predicting = commands.add_parser(
        "predict",
        parents=[using],
        help="the photos of images by a trained generator",
        description="Files, folders (all images below) and quoted globs. A photo has its input's size and name, and "
        "its place below the folder. Files that cannot be translated are listed at the end, and the exit code is 1.",
    )
    predicting.add_argument(
        "inputs", metavar="INPUT", nargs="+", type=os.path.expanduser, help="an image, a folder or a quoted glob"
    )
    predicting.add_argument("--out", metavar="FOLDER", type=user_path, required=True, help="where the photos go")
    predicting.add_argument(
        "--half", choices=("left", "right", "whole"), help="of a side-by-side pair: which half is the input"
    )
    predicting.add_argument(
        "--seed", metavar="N", type=_seed, help="of the noise; default: that of the stage `generate`"
    )
    predicting.add_argument(
        "--variants",
        metavar="N",
        type=_count,
        default=1,
        help="photos of every input, NAME_seed<seed>.png, with seeds from --seed (or 0) on; needs dropout",
    )
    predicting.add_argument(
        "--batch", metavar="N", type=_count, default=1, help="inputs translated together; only without dropout"
    )
    existing = predicting.add_mutually_exclusive_group()
    for choice, text in {
        "replace": "make photos that exist again",
        "keep": "make only photos that are missing",
    }.items():
        existing.add_argument(f"--{choice}", dest="existing", action="store_const", const=choice, help=text)
    predicting.set_defaults(run=predict_photos, computes=True, existing="refuse")

    painting = commands.add_parser(
        "demo", parents=[using], help="a page in the browser on which one paints and sees the photo"
    )
    painting.add_argument("--host", default="127.0.0.1", help="default: %(default)s, this machine alone")
    painting.add_argument("--port", type=int, default=7860, help="default: %(default)s; 0 for any that is free")
    painting.add_argument("--open", action="store_true", help="open the page in the browser")
    painting.set_defaults(run=paint, computes=True)

    exporting = commands.add_parser(
        "export",
        help="the generator as SavedModel and ONNX, checked against `predict`",
        description="Files that other programs run: stored pixels in, photos out, any batch, any size, no dropout. "
        "Each is checked on the held-out images; where a float32 file differs from `predict --no-dropout`, it ends "
        "with 1 and writes nothing. Prints size, speed and differences of each beside Keras.",
    )
    exporting.add_argument("--model", metavar="MODEL", type=os.path.expanduser, help=WHICH_MODEL)
    exporting.add_argument("--out", type=user_path, default=Path("export"), help="default: %(default)s")
    exporting.add_argument(
        "--format",
        nargs="+",
        choices=EXPORT_FORMATS,
        default=EXPORT_FORMATS,
        metavar="FORMAT",
        help=f"of {', '.join(EXPORT_FORMATS)}; default: all",
    )
    exporting.add_argument(
        "--data",
        type=user_path,
        default=Path("data/split"),
        help="whose held-out pairs it is checked on; default: %(default)s",
    )
    exporting.add_argument(
        "--judge",
        type=user_path,
        default=Path("models/segmenter"),
        help="for mean IoU, if it is there; default: %(default)s",
    )
    exporting.add_argument("--threads", type=int, default=1, help="of each format; default: %(default)s")
    exporting.set_defaults(run=export_model, computes=True)


def compare_runs(options: argparse.Namespace) -> None:
    """Print how two runs compare and write the same as a page."""
    from pix2street.reporting.comparison import Result, as_page, as_text, compare
    from pix2street.tracking.retrieval import fetch_run

    results = []
    for run in (options.run_a, options.run_b):
        if Path(run).is_dir():
            layout = Layout(Path(run))
            results.append(Result.read(run, layout.evaluated, layout.report_samples))
            continue
        with tempfile.TemporaryDirectory() as folder:
            fetch_run(Layout(Path.cwd()), run, Path(folder))
            results.append(Result.read(run, Path(folder) / "evaluate", Path(folder) / "report/samples"))
    if options.page.is_dir():
        raise UserError(f"--page: {options.page} is a folder, it must be a file's name")
    comparison = compare(*results, force=options.force)
    print(as_text(comparison))
    write_text(options.page, as_page(comparison))
    print(f"\npage: {options.page}")


def look_at_source(options: argparse.Namespace) -> None:
    """Print what a folder or archive would be read as."""
    from pix2street.datasets.doctor import diagnose
    from pix2street.params import read_params

    diagnosis = diagnose(options.path, read_params(Layout(Path.cwd()).params).download)
    print(diagnosis.as_text())
    if diagnosis.problem:
        raise UserError(diagnosis.problem)


def list_profiles(options: argparse.Namespace) -> None:
    """Print a row a profile; a star marks the one that params.yaml is."""
    layout = Layout(Path.cwd())
    print(as_table(layout.params, layout.profiles))


def choose_profile(options: argparse.Namespace) -> None:
    """Write a profile into params.yaml and print what changed and what a run takes."""
    layout = Layout(Path.cwd())
    changes = use_profile(layout.params, layout.profiles, options.name)
    for change in changes:
        print(f"{change.key}: {change.old} -> {change.new}")
    profile = read_profile(layout.profiles, options.name)
    print(f"params.yaml {'is now' if changes else 'already was'} {options.name}: {profile.title}")
    print(f"{expectation(profile.needs)}; run `dvc repro` or `dvc exp run`")


def promote_candidate(options: argparse.Namespace) -> None:
    """Make the candidate the champion, or say why it is not."""
    from pix2street.params import read_params
    from pix2street.tracking.registry import promote

    layout = Layout(Path.cwd())
    params = read_params(layout.params).register_
    promote(layout, options.model or params.model, params.promote_by, options.force)


def verify_commit(options: argparse.Namespace) -> None:
    """Print an out a row, recorded and made again; a difference is an error."""
    from pix2street.params import read_params
    from pix2street.verification.verify import as_text, commit_of, first_diverged, uncommitted, verify

    checkout = Path.cwd()
    commit = commit_of(checkout, options.revision)
    if changed := uncommitted(checkout):
        print(f"note: {commit[:8]} is verified, not the uncommitted changes: {', '.join(changed)}", file=sys.stderr)
    tolerances = read_params(Layout(checkout).params).verify.model_dump() if options.tolerant else None
    with _folder_for(options.keep) as folder:
        rows = verify(checkout, options.revision, folder, tolerances)
    print(as_text(rows))
    if diverged := first_diverged(rows):
        raise UserError(f"{commit[:8]} is not reproduced; first diverged: {diverged.stage} ({diverged.subject})")
    print(f"\n{commit[:8]} is reproduced: {sum(row.good for row in rows)} of {len(rows)} rows")


@contextmanager
def _folder_for(kept: Path | None) -> Iterator[Path]:
    """An empty folder: `kept`, which stays, or one that goes."""
    if kept is None:
        with tempfile.TemporaryDirectory(prefix="pix2street_verify_") as folder:
            yield Path(folder).resolve()
        return
    if kept.exists():
        raise UserError(f"--keep: {kept} exists, it must be new; remove it or name another")
    kept.mkdir(parents=True)
    yield kept.resolve()


def predict_photos(options: argparse.Namespace) -> None:
    """Write the photos of all inputs; those that have none are an error at the end."""
    from pix2street.inference.files import find_inputs, plan

    if options.variants > 1 and options.dropout is False:
        raise UserError(f"{_SAME_VARIANTS}; leave out --no-dropout or --variants")
    first = options.seed or 0
    seeds = range(first, first + options.variants) if options.variants > 1 else [options.seed]
    images = find_inputs(options.inputs, options.out)
    jobs = plan(images, options.out, seeds, options.existing)
    with _translator(options) as translator:
        if options.variants > 1 and not translator.usage.dropout:
            raise UserError(f"{_SAME_VARIANTS} for this generator; add --dropout or leave out --variants")
        from pix2street.inference.predict import translate_files

        outcome = translate_files(translator, jobs, options.half, options.batch)
    print(f"photos in {options.out}: {sum(str(job.source) not in outcome.failures for job in jobs)}")
    if done := outcome.summary():
        print(f"inputs as they were read: {done}")
    if outcome.failures:
        reasons = "".join(f"\n  {reason}" for reason in outcome.failures.values())
        raise UserError(f"{len(outcome.failures)} of {len(images)} inputs could not be translated:{reasons}")


_SAME_VARIANTS = "--variants: photos of one input differ by dropout alone, which is off"
_OTHER_KERNELS = "some values of photos may differ by 1 of 255 (docs/reproducibility.md)"


@contextmanager
def _translator(options: argparse.Namespace) -> Iterator[Any]:
    """The `Translator` of the generator that `--model` means, computing as `generate` did."""
    with _generator_of(options.model) as folder:
        load_quietly("tensorflow")
        from pix2street.inference.translator import Translator
        from pix2street.inference.usage import Usage
        from pix2street.training.runtime import prepare

        usage = Usage.read(folder)
        if differences := numerics.differing_kernels(usage.kernels):
            print(f"pix2street {options.command}: {differences}; {_OTHER_KERNELS}", file=sys.stderr)
        threads = {"intra_op_threads": usage.intra_op_threads, "inter_op_threads": usage.inter_op_threads}
        prepare("--device", options.device, usage.seed, **threads)
        yield Translator.read(folder, dropout=options.dropout)


@contextmanager
def _generator_of(model: str | None) -> Iterator[Path]:
    """A folder with the generator that a user means; one from a store goes again."""
    folder = Path("models/generator" if model is None else model)
    if folder.is_dir():
        yield folder
        return
    if model is None or ("/" in model and not model.startswith("models:/")):
        raise UserError(
            f"{folder}: no such folder; run `dvc repro` or `dvc pull` there, or name as --model a folder, an MLflow "
            "run, or models:/NAME@ALIAS"
        )
    from pix2street.tracking.retrieval import fetch_generator

    with tempfile.TemporaryDirectory() as fetched:
        yield fetch_generator(Layout(Path.cwd()), model, Path(fetched))


def _seed(text: str) -> int:
    if not (text.isdecimal() and int(text) < 2**31):
        raise argparse.ArgumentTypeError(f"must be a whole number from 0 to 2147483647, it is {text}")
    return int(text)


def _count(text: str) -> int:
    if not (text.isdecimal() and int(text) > 0):
        raise argparse.ArgumentTypeError(f"must be a whole number from 1 on, it is {text}")
    return int(text)


def sync_runs(options: argparse.Namespace) -> None:
    """Record what was kept while the tracking store was away."""
    from pix2street.tracking.delivery import deliver_all

    layout = Layout(Path.cwd())
    print(f"runs brought up to date: {deliver_all(layout)}")
    if kept := len(list(layout.spool.glob("*"))):
        print(f"runs still recording, or kept for another store (MLFLOW_TRACKING_URI): {kept}")


def paint(options: argparse.Namespace) -> None:
    """Serve the page on which one paints, until it is interrupted."""
    with _translator(options) as translator:
        from pix2street.demo.drawings import examples_of
        from pix2street.demo.server import NAME, create_app, serve

        examples = examples_of(translator.usage, Layout(Path.cwd()).split)
        # The first translation also builds the network, which takes seconds: nobody should wait for it.
        translator.translate(next(iter(examples.values())), NAME)
        serve(create_app(translator, examples, options.host), options.host, options.port, options.open)


def export_model(options: argparse.Namespace) -> None:
    """Write the exported files and print how they compare."""
    with _generator_of(options.model) as folder:
        load_quietly("tensorflow")
        from pix2street.inference.export import as_text, export_generator
        from pix2street.training.runtime import prepare

        prepare("--threads", "cpu", 0, intra_op_threads=options.threads, inter_op_threads=1)
        report = export_generator(folder, options.data, options.out, options.judge, options.format, options.threads)
    print(as_text(report))
    print(f"\nexported: {options.out}")
