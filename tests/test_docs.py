"""Tests run every command in README, CONTRIBUTING and docs, and the site is built from them."""

import ast
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from pages import PAGES, ROOT, blocks_of, commands_in, commands_of, in_passing, of_pages
from web import first_answer, free_port

EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
FENCES = {"sh", "text", "yaml", "python", "csv"}

NEEDS = re.compile(r"^# needs .*(GPU|account|server|machines)")
"""The first line of a block whose commands no test can run."""

TWO = "test_experiments.py::test_two_experiments_of_two_workers_are_two_complete_runs"
CLONE = "test_pipeline.py::test_a_clone_gets_the_outs_from_the_remote_and_runs_nothing"
QUALITY = "test_quality.py::test_rows_and_commands_are_scored_against_time_and_each_training_can_be_repeated"
SERVED = "inference/test_serving.py::test_the_documented_command_line_makes_a_photo"
COVERED = {
    # A command, as a regular expression, with the file and the name of the test that runs it.
    r"make repro": "test_pipeline.py::test_a_second_repro_runs_nothing",
    r"make rehearse PROFILE=\w+": "test_benchmarks.py::test_a_profile_for_cityscapes_is_rehearsed",
    r"python benchmarks/step\.py --count \w+": "test_benchmarks.py::test_a_profile_is_counted_and_not_run",
    r"make verify": "test_pipeline.py::test_the_committed_lock_is_made_again_from_a_clone_and_nothing_is_recorded",
    r"make ui": "test_docs.py::test_make_ui_opens_a_store",
    r"make demo": "demo/test_demo_server.py::test_the_command_serves_the_model_that_is_named",
    r"make docs": "test_docs.py::test_the_site_is_built_without_a_warning",
    r"python benchmarks/upsampling\.py.*": "test_benchmarks.py::test_every_way_to_double_an_image_is_timed",
    r"python benchmarks/quality\.py .*": QUALITY,
    r"python benchmarks/serving\.py --engines \w+": (
        "inference/test_export.py::test_tensorflow_and_onnx_runtime_are_timed_on_the_same_photos"
    ),
    r"pip install -e '\.\[(export|server|docs)\]'": "test_docs.py::test_extras_are_locked",
    r"pix2street compare( RUN_A RUN_B)?": "test_pipeline.py::test_two_recorded_runs_are_compared",
    r"pix2street doctor PATH": "test_doctor.py::test_what_is_proposed_is_what_the_stages_read",
    r"pix2street profiles( --better)?": "test_cli.py::test_profiles_are_listed_and_chosen",
    r"pix2street tune": "training/test_tuning.py::test_the_fastest_is_written_and_a_dry_run_writes_nothing",
    r"pix2street use \w+": "test_cli.py::test_profiles_are_listed_and_chosen",
    r"pix2street predict .*": "inference/test_predict.py::test_photos_are_the_bytes_of_generate",
    r"pix2street export": "inference/test_export.py::test_files_give_the_photos_of_predict_at_every_batch_and_size",
    r"export MLFLOW_TRACKING_URI=sqlite:///mlflow.db": SERVED,
    r"(MLFLOW_TRACKING_URI=\S+ )?mlflow models serve.*": SERVED,
    r"printf .*": SERVED,
    r"pix2street promote.*": "test_pipeline.py::test_an_accepted_model_is_the_candidate_and_is_promoted",
    r"pix2street sync": "test_server.py::test_a_server_that_dies_in_a_training_disturbs_nothing_and_gets_everything",
    r"dvc repro split|cp -r data/split/\w+/targets data/source/\w+": (
        "test_pipeline.py::test_drawn_streets_become_a_folder_without_pairs"
    ),
    r"dvc repro": "test_pipeline.py::test_a_second_repro_runs_nothing",
    r"dvc exp run.*|dvc queue status|dvc exp show.*|dvc exp apply NAME|dvc (metrics|params|plots) diff": TWO,
    r"dvc push|git clone URL && dvc pull && dvc repro|dvc pull|dvc remote add --default team .*": CLONE,
}

IN_PASSING = {
    # A command in a sentence that `COVERED` does not have, with the test that runs it, or the reason why none does.
    r"dvc repro --force download": "`dvc repro` with an option of DVC's own",
    r"make (test|fresh|nightly)": "continuous integration runs it",
    r"make nightly PYTEST_ARGS='--collect-only -q'": "pytest's own",
    r"make bench|python benchmarks/step\.py.*": "test_benchmarks.py::test_training_steps_are_timed_in_turn",
    r"python benchmarks/borders\.py.*": "test_benchmarks.py::test_spoiled_drawings_are_found_and_sound_ones_are_not",
    r"python benchmarks/evaluation\.py": "test_benchmarks.py::test_evaluation_and_inception_are_timed",
    r"python benchmarks/fit\.py": "test_benchmarks.py::test_false_alarms_and_found_swaps_are_counted",
    r"python benchmarks/judges\.py.*": "test_benchmarks.py::test_the_parts_of_a_judge_are_tried_one_by_one",
    r"python benchmarks/lowering\.py": "test_lowering.py::test_a_step_is_lowered_for_cuda_in_half_precision",
    r"python benchmarks/large_sets\.py.*": "test_benchmarks.py::test_stages_are_timed_on_many_pairs",
    r"python benchmarks/quality\.py": QUALITY,
    r"python benchmarks/quantization\.py": "inference/test_export.py::test_int8_arithmetic_can_be_measured",
    r"python benchmarks/serving\.py": "inference/test_serving.py::test_the_load_test_measures_every_part",
    r"make lock": "needs uv and a package index",
    r"make (verify|demo) OPTIONS=.*": "the command behind it: COVERED",
    r"pip install (-e '\.\[judges\]'|dvc-\w+)": "needs a package index",
    r"pix2street verify REVISION": (
        "test_verification.py::test_an_older_commit_is_verified_and_uncommitted_changes_are_not"
    ),
    r"pix2street demo --model FOLDER": "demo/test_demo_server.py::test_the_command_serves_the_model_that_is_named",
    r"pix2street demo --direction back": "demo/test_demo_server.py::test_the_command_serves_both_ways_or_one",
    r"dvc queue start": "what `dvc exp run --run-all` does",
    r"dvc remote modify --local( team account_name NAME)?": "needs an account",
    r"dvc repro (--force|validate|--force --single-item register)": (
        "test_pipeline.py::test_a_refused_model_is_not_registered_and_ends_the_pipeline_only_where_it_must_not_be"
    ),
    r"source \.venv/bin/activate|python -m http\.server --directory site": "Python's own",
}


def uncovered(page: str) -> list[str]:
    """Return line and text of every command that no test runs and that the page does not mark."""
    faults = []
    for line, language, lines in blocks_of(page):
        if language not in FENCES:
            faults.append(f"{line}: a block is one of {sorted(FENCES)}, not {language!r}")
        if language == "sh" and not NEEDS.match(lines[0]):
            faults += [
                f"{line}: {command}"
                for command in commands_of(lines)
                if not any(re.fullmatch(pattern, command) for pattern in COVERED)
            ]
    for line, command in in_passing(page):
        if not any(re.fullmatch(pattern, command) for pattern in [*COVERED, *IN_PASSING]):
            faults.append(f"{line}: {command}")
    return faults


@of_pages
def test_every_command_is_run_by_a_test_or_marked(path):
    assert uncovered(path.read_text()) == []


@pytest.mark.parametrize("test", sorted({test for test in [*COVERED.values(), *IN_PASSING.values()] if "::" in test}))
def test_the_tests_that_run_them_exist(test):
    file, name = test.split("::")
    tree = ast.parse((ROOT / "tests" / file).read_text())
    assert name in {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def test_every_entry_is_needed():
    shown = [command for path in PAGES for _, command in commands_in(path.read_text())]
    assert [p for p in [*COVERED, *IN_PASSING] if not any(re.fullmatch(p, command) for command in shown)] == []


def test_a_new_command_is_found():
    assert uncovered("```sh\npix2street fly --high\n```") == ["1: pix2street fly --high"]
    assert uncovered("```text\nx\n```\nThen `dvc fly` or `.venv/bin/pix2street fly` it.") == [
        "4: dvc fly",
        "4: pix2street fly",
    ]
    assert uncovered("x\n```\npix2street predict a --out b\n```")[0].startswith("2: a block is one of")
    assert uncovered("```sh\n# needs a GPU\npix2street fly\n```") == []


def test_extras_are_locked():
    lock = (ROOT / "requirements.txt").read_text()
    for extra in EXTRAS.keys() - {"gpu", "parity"}:  # These need the gigabytes of CUDA or PyTorch.
        for requirement in EXTRAS[extra]:
            name = re.match(r"[\w.-]+", requirement)[0]
            assert f"\n{name}==" in f"\n{lock}", (extra, name)


def environment() -> dict[str, str]:
    """Return the variables of this process without those of a store and of the `make` that runs the tests."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("MLFLOW_", "MAKE", "MFLAGS"))}
    return {**clean, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{clean['PATH']}"}


def recipe_of(target: str) -> str:
    """Return the commands that `make` would run, with the installation before them."""
    command = ["make", "-n", "--no-print-directory", target]
    return subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize(
    ("target", "command"),
    {
        "repro": "dvc repro\npix2street profiles --better",
        "rehearse": "python benchmarks/rehearsal.py cityscapes --out rehearsal",
        "verify": "pix2street verify",
        "demo": "pix2street demo",
        "docs": "mkdocs build --strict",
    }.items(),
)
def test_a_target_of_make_is_the_command_that_is_tested(target, command):
    assert recipe_of(target).rstrip().endswith(command)


def test_make_ui_opens_a_store(tmp_path):
    recipe, port = recipe_of("ui"), free_port()
    command = recipe[recipe.index("MLFLOW_DISABLE_TELEMETRY") :].replace("--port 5000", f"--port {port}")
    process = subprocess.Popen(
        ["bash", "-c", command],
        cwd=tmp_path,
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        assert "<title>MLflow</title>" in first_answer(f"http://127.0.0.1:{port}/", process).text
    finally:
        os.killpg(process.pid, 9)
        process.wait()
    assert (tmp_path / "mlflow.db").exists()


def test_the_site_is_built_without_a_warning(tmp_path):
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path / "site")]
    quiet = {**os.environ, "NO_MKDOCS_2_WARNING": "true"}
    done = subprocess.run(command, cwd=ROOT, env=quiet, capture_output=True, text=True, timeout=3600)
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr
    for page in (tmp_path / "site").rglob("*.html"):
        fetched = re.findall(r"<(?:script|img|link)[^>]*(?:src|href)=\"(https?:[^\"]+)", page.read_text())
        assert [address for address in fetched if "rel=" not in address] == [], page.name


def test_every_module_is_in_the_api_reference_once():
    package = ROOT / "src/pix2street"
    files = [path.relative_to(ROOT / "src").with_suffix("") for path in package.rglob("*.py")]
    modules = {".".join(file.parts).removesuffix(".__init__") for file in files} - {"pix2street"}
    shown = [name for page in (ROOT / "docs/api").glob("*.md") for name in re.findall(r"::: (\S+)", page.read_text())]
    assert sorted(shown) == sorted(modules)
