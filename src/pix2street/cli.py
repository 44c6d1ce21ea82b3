"""The command line: choose what to run, compare and verify runs of the pipeline, use its models."""

import argparse
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pix2street.commands.arguments import build_parser
from pix2street.core import numerics
from pix2street.core.errors import UserError
from pix2street.core.files import write_text
from pix2street.inference.ways import folder_of
from pix2street.layout import Layout
from pix2street.profiles import as_table, better_in_the_same_time, expectation, read_profile, use_profile
from pix2street.stage import load_quietly, with_clear_errors


def main(arguments: list[str] | None = None) -> None:
    """Run `pix2street <command>`; end the process with 1 and one message if the user can fix what stopped it."""
    options = build_parser(__doc__).parse_args(arguments)
    with with_clear_errors(f"pix2street {options.command}", Path.cwd(), computes=options.computes):
        RUN[options.command](options)


def compare_runs(options: argparse.Namespace) -> None:
    """Print a comparison of two runs, and write it as a page."""
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
    """Print how a folder or archive would be read."""
    from pix2street.datasets.doctor import diagnose
    from pix2street.params import read_params

    params = read_params(Layout(Path.cwd()).params)
    diagnosis = diagnose(options.path, params.download, params.validate_)
    print(diagnosis.as_text())
    if diagnosis.problem:
        raise UserError(diagnosis.problem)


def list_profiles(options: argparse.Namespace) -> None:
    """Print a row for each profile, or the one that is better than the present in its time, if there is one."""
    layout = Layout(Path.cwd())
    if not options.better:
        print(as_table(layout.params, layout.profiles))
    elif sentence := better_in_the_same_time(layout.params, layout.profiles):
        print(sentence)


def choose_profile(options: argparse.Namespace) -> None:
    """Write a profile into params.yaml and print what changed and what a run takes."""
    layout = Layout(Path.cwd())
    changes = use_profile(layout.params, layout.profiles, options.name)
    for change in changes:
        print(f"{change.key}: {change.old} -> {change.new}")
    profile = read_profile(layout.profiles, options.name)
    print(f"params.yaml {'is now' if changes else 'already was'} {options.name}: {profile.title}")
    print(f"{expectation(profile.needs)}; run `dvc repro` or `dvc exp run`")


def tune_training(options: argparse.Namespace) -> None:
    """Time the training's step in several forms, and write the fastest into params.yaml."""
    from pix2street.params import read_params
    from pix2street.profiles import set_values

    layout = Layout(Path.cwd())
    params = read_params(layout.params)
    device, compute = params.train.device, params.compute.model_dump()
    if device.strategy != "one_device":
        raise UserError(
            f"train.device.strategy: {device.strategy}, but tune measures one device; set one_device until it is done"
        )
    if not (layout.split / "manifest.csv").is_file():
        raise UserError("data/split: must have the pairs to measure with, but is empty; run `dvc repro split`")
    load_quietly("tensorflow")
    from pix2street.steps.train import open_training
    from pix2street.training.runtime import STRATEGIES, prepare
    from pix2street.training.tuning import by_turns, changed, choices_of, fastest, step_of

    prepare("train.device.device", device.device, params.train.run.seed, device.deterministic, **compute)
    strategy, best = STRATEGIES[device.strategy](), {}
    for key, values in choices_of(params.train).items():
        steps = {}
        for value in values:
            train = changed(params, key, value).train
            start = open_training(layout.split, train, strategy)
            steps[value] = step_of(start.family, start.training, start.feed, train)
        found = by_turns(steps, options.rounds)
        best[key] = fastest(found)
        for value, milliseconds in found.items():
            marks = [mark for mark, of in (("now", values[0]), ("chosen", best[key])) if value == of]
            print(f"{f'{key}: {value}':<42}{milliseconds:9.1f} ms a step  {', '.join(marks)}".rstrip(), flush=True)
        params = changed(params, key, best[key])
    if options.dry_run:
        return
    changes = set_values(layout.params, best)
    for change in changes:
        print(f"{change.key}: {change.old} -> {change.new}")
    print(
        "params.yaml now has what is fastest here; commit it, since the bits of a training follow from it"
        if changes
        else "params.yaml has what is fastest here already"
    )


def promote_candidate(options: argparse.Namespace) -> None:
    """Make the candidate the champion, or say why it is not."""
    from pix2street.params import read_params
    from pix2street.tracking.registry import promote

    layout = Layout(Path.cwd())
    params = read_params(layout.params).register_
    promote(layout, options.model or params.model, params.promote_by, options.force)


def verify_commit(options: argparse.Namespace) -> None:
    """Print a row for each output, with the recorded and the new hash.

    Raises:
        UserError: a row differs.
    """
    from pix2street.params import read_params
    from pix2street.verification.git import commit_of, uncommitted
    from pix2street.verification.table import as_text, first_diverged
    from pix2street.verification.verify import verify

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
    """Yield an empty folder: `kept`, which stays, or a temporary one."""
    if kept is None:
        with tempfile.TemporaryDirectory(prefix="pix2street_verify_") as folder:
            yield Path(folder).resolve()
        return
    if kept.exists():
        raise UserError(f"--keep: {kept} exists, it must be new; remove it or name another")
    kept.mkdir(parents=True)
    yield kept.resolve()


def predict_photos(options: argparse.Namespace) -> None:
    """Write the photos of all inputs.

    Raises:
        UserError: at the end, with every input that could not be translated.
    """
    from pix2street.inference.jobs import find_inputs, plan

    if not options.inputs:
        make_photos(options)
        return
    _refuse_options_of_latents(options)
    first = options.seed or 0
    seeds = range(first, first + options.variants) if options.variants > 1 else [options.seed]
    images = find_inputs(options.inputs, options.out)
    jobs = plan(images, options.out, seeds, options.existing)
    with _prepared(options) as folder:
        translator = _read_translator(options, folder)
        if translator.card.encoding.latent:
            raise UserError(
                f"{options.inputs[0]}: the {translator.card.family} generator has no inputs; leave them out, and say "
                "--count for the number of photos"
            )
        if options.variants > 1:
            _refuse_equal_variants(translator, options)
        if translator.card.frames:
            from pix2street.inference.videos import continue_videos, find_videos

            videos = find_videos(images, translator.card.frames)
            films = continue_videos(translator, videos, options.out, options.existing)
            print(f"next frames and films of {len(films)} videos in {options.out}")
            return
        from pix2street.inference.photo_files import translate_files

        outcome = translate_files(translator, jobs, options.half, options.batch)
    print(f"photos in {options.out}: {sum(str(job.source) not in outcome.failures for job in jobs)}")
    if done := outcome.summary():
        print(f"inputs as they were read: {done}")
    if outcome.failures:
        reasons = "".join(f"\n  {reason}" for reason in outcome.failures.values())
        raise UserError(f"{len(outcome.failures)} of {len(images)} inputs could not be translated:{reasons}")


def make_photos(options: argparse.Namespace) -> None:
    """Write photos of latents, `photo_0001.png` and so on.

    Raises:
        UserError: the generator makes photos of inputs, or a photo exists.
    """
    from pix2street.core.latents import WHOLE

    with _prepared(options) as folder:
        translator = _read_translator(options, folder)
        if translator.card.encoding.latent is None:
            raise UserError(f"INPUT: the {translator.card.family} generator makes photos of inputs; name at least one")
        if options.count is None:
            raise UserError(
                f"--count: the {translator.card.family} generator has no inputs; say how many photos to make"
            )
        from pix2street.inference.photo_files import photograph_files

        truncation = WHOLE if options.truncation is None else options.truncation
        made = photograph_files(translator, options.count, options.seed, truncation, options.out, options.existing)
    print(f"photos in {options.out}: {made}")


def _refuse_options_of_latents(options: argparse.Namespace) -> None:
    """Raise a UserError where inputs are named together with what only a generator without inputs takes."""
    for name in ("count", "truncation"):
        if getattr(options, name) is not None:
            raise UserError(f"--{name}: is for a generator without inputs; leave out either it or the inputs")


def _refuse_equal_variants(translator: Any, options: argparse.Namespace) -> None:
    """Raise a UserError where the seed changes no photo of this `Translator`."""
    only = "--variants: photos of one input differ only by noise, which"
    if translator.seeded:
        return
    if (kind := translator.card.encoding.style) != "none":
        raise UserError(
            f"--variants: with --style {options.style} every input has one {kind} and hence one photo; leave out one "
            "of the two options"
        )
    if translator.card.noise == "none":
        raise UserError(f"{only} this generator does not have; leave out --variants")
    if options.dropout is False:
        raise UserError(f"{only} is off; leave out --no-dropout or --variants")
    raise UserError(f"{only} is off for this generator; add --dropout or leave out --variants")


_OTHER_KERNELS = "some values of photos may differ by 1 of 255 (docs/reproducibility.md)"


@contextmanager
def _prepared(options: argparse.Namespace) -> Iterator[Path]:
    """Yield the folder of the generator of `--model` and `--direction`; TensorFlow computes as `generate` did."""
    with _generator_of(options) as folder:
        load_quietly("tensorflow")
        from pix2street.inference.card import GeneratorCard
        from pix2street.training.runtime import prepare

        card = GeneratorCard.read(folder)
        if differences := numerics.differing_kernels(card.kernels):
            print(f"pix2street {options.command}: {differences}; {_OTHER_KERNELS}", file=sys.stderr)
        threads = {"intra_op_threads": card.intra_op_threads, "inter_op_threads": card.inter_op_threads}
        prepare("--device", options.device, card.seed, **threads)
        yield folder


def _read_translator(options: argparse.Namespace, folder: Path) -> Any:
    """Return the `Translator` of the generator in a folder."""
    from pix2street.inference.translator import Translator

    style = getattr(options, "style", "random")
    return Translator.read(folder, noise=options.dropout, style=style, domain=options.domain)


@contextmanager
def _generator_of(options: argparse.Namespace) -> Iterator[Path]:
    """Yield the folder of the generator of `--model` and `--direction`; one from a store is fetched temporarily."""
    model, way = options.model, options.direction
    folder = Path("models/generator" if model is None else model)
    if folder.is_dir():
        yield folder_of(folder, way)
        return
    if model is None or ("/" in model and not model.startswith("models:/")):
        raise UserError(
            f"{folder}: no such folder; run `dvc repro` or `dvc pull` there, or name as --model a folder, an MLflow "
            "run, or models:/NAME@ALIAS"
        )
    from pix2street.tracking.retrieval import fetch_generator

    with tempfile.TemporaryDirectory() as fetched:
        yield folder_of(fetch_generator(Layout(Path.cwd()), model, Path(fetched)), way)


def sync_runs(options: argparse.Namespace) -> None:
    """Record what was kept while the tracking store could not be reached."""
    from pix2street.tracking.delivery import deliver_all

    layout = Layout(Path.cwd())
    print(f"runs brought up to date: {deliver_all(layout)}")
    if kept := len(list(layout.spool.glob("*"))):
        print(f"runs still recording, or kept for another store (MLFLOW_TRACKING_URI): {kept}")


def paint(options: argparse.Namespace) -> None:
    """Serve the painting page until it is interrupted."""
    with _prepared(options) as folder:
        from pix2street.demo.drawings import examples_of
        from pix2street.demo.server import NAME, Side, create_app, serve

        translators = [_read_translator(options, folder)]
        if (folder / "back").is_dir():
            translators.append(_read_translator(options, folder / "back"))
        sides = {}
        for translator in translators:
            if translator.card.encoding.latent:
                raise UserError(
                    f"--model: the {translator.card.family} generator makes photos without drawings, so that there is "
                    "nothing to paint; use `pix2street predict --count 16 --out photos`"
                )
            examples = examples_of(translator.card, Layout(Path.cwd()).split)
            # The first translation also builds the network, which takes seconds: nobody should wait for it.
            translator.translate(next(iter(examples.values())), NAME)
            sides[translator.card.way] = Side(translator, examples)
        serve(create_app(sides, options.host), options.host, options.port, options.open)


def export_model(options: argparse.Namespace) -> None:
    """Write the exported files and print how they compare."""
    with _generator_of(options) as folder:
        load_quietly("tensorflow")
        from pix2street.inference.export.generator import export_generator
        from pix2street.inference.export.rows import as_text
        from pix2street.training.runtime import prepare

        prepare("--threads", "cpu", 0, intra_op_threads=options.threads, inter_op_threads=1)
        summary = export_generator(
            folder,
            options.data,
            options.out,
            options.judge,
            options.format,
            options.threads,
            domain=options.domain,
        )
    print(as_text(summary))
    print(f"\nexported: {options.out}")


RUN = {
    "compare": compare_runs,
    "doctor": look_at_source,
    "profiles": list_profiles,
    "use": choose_profile,
    "tune": tune_training,
    "promote": promote_candidate,
    "verify": verify_commit,
    "sync": sync_runs,
    "predict": predict_photos,
    "demo": paint,
    "export": export_model,
}
"""The function behind each command of `commands/arguments.py`."""
