"""What README, CONTRIBUTING and docs tell people to type can be typed."""

import argparse
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from web import first_answer, free_port

from pix2street import cli

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
FENCES = {"sh", "text", "yaml", "python", "csv"}

NEEDS = re.compile(r"^# needs .*(GPU|account|server|machines)")
"""What a block says first whose commands no test can run."""

COVERED = {
    # command, as a regular expression: file and name of the test that runs it, or what it stands for
    r"make repro": "test_pipeline.py::test_a_second_repro_runs_nothing",
    r"make verify": "test_pipeline.py::test_the_committed_lock_is_made_again_from_a_clone_and_nothing_is_recorded",
    r"make ui": "test_docs.py::test_make_ui_opens_a_store",
    r"make demo": "demo/test_demo_server.py::test_the_command_serves_the_model_that_is_named",
    r"make docs": "test_docs.py::test_the_site_is_built_without_a_warning",
    r"pip install -e '\.\[(export|server|docs)\]'": "test_docs.py::test_extras_are_locked",
    r"pix2street compare RUN_A RUN_B": "test_pipeline.py::test_two_recorded_runs_are_compared",
    r"pix2street doctor PATH": "test_doctor.py::test_what_is_proposed_is_what_the_stages_read",
    r"pix2street profiles": "test_profiles.py::",
    r"pix2street use \w+": "test_profiles.py::",
    r"pix2street predict .*": "inference/test_predict.py::",
    r"pix2street export": "inference/test_export.py::",
    r"export MLFLOW_TRACKING_URI=sqlite:///mlflow.db": "inference/test_serving.py::",
    r"(MLFLOW_TRACKING_URI=\S+ )?mlflow models serve .*": "inference/test_serving.py::",
    r"printf .*": "inference/test_serving.py::",
    r"pix2street promote.*": "test_registry.py::",
    r"pix2street sync": "test_server.py::test_a_server_that_dies_in_a_training_disturbs_nothing_and_gets_everything",
    r"dvc repro": "test_pipeline.py::test_a_second_repro_runs_nothing",
    r"dvc exp run .*": "test_experiments.py::test_six_experiments_of_two_workers_are_six_complete_runs",
    r"dvc queue status": "test_experiments.py::test_six_experiments_of_two_workers_are_six_complete_runs",
    r"dvc exp show.*": "test_experiments.py::test_six_experiments_of_two_workers_are_six_complete_runs",
    r"dvc exp apply NAME": "test_experiments.py::test_six_experiments_of_two_workers_are_six_complete_runs",
    r"dvc push": "test_experiments.py::test_a_clone_gets_the_outs_from_the_remote_and_runs_nothing",
    r"git clone URL && dvc pull && dvc repro": (
        "test_experiments.py::test_a_clone_gets_the_outs_from_the_remote_and_runs_nothing"
    ),
}


IN_PASSING = {
    # command within a sentence, where `COVERED` does not have it: the test that runs it, or why none does
    r"dvc repro --force download": "`dvc repro` with an option of DVC's own",
    r"make (test|fresh)": "continuous integration runs it",
    r"make bench|python benchmarks/\w+\.py.*": "test_benchmarks.py::",
    r"make lock": "needs uv and a package index",
    r"make (verify|demo) OPTIONS=.*": "the command behind it: COVERED",
    r"pip install (-e '\.\[judges\]'|dvc-\w+)": "needs a package index",
    r"pix2street verify REVISION": "test_verification.py::",
    r"pix2street demo --model FOLDER": "demo/test_demo_server.py::",
    r"pix2street compare": "test_pipeline.py::test_two_recorded_runs_are_compared",
    r"dvc (metrics|params|plots) diff": (
        "test_experiments.py::test_six_experiments_of_two_workers_are_six_complete_runs"
    ),
    r"dvc (pull|remote add --default team .*)": (
        "test_experiments.py::test_a_clone_gets_the_outs_from_the_remote_and_runs_nothing"
    ),
    r"dvc queue start": "what `dvc exp run --run-all` does",
    r"dvc remote modify --local( team account_name NAME)?": "needs an account",
    r"dvc repro (--force|validate|--force --single-item register)": (
        "test_pipeline.py::test_a_refused_model_is_not_registered_and_ends_the_pipeline_only_where_it_must_not_be"
    ),
    r"mlflow models serve": "inference/test_serving.py::",
    r"dvc exp run": "test_experiments.py::test_six_experiments_of_two_workers_are_six_complete_runs",
    r"source \.venv/bin/activate|python -m http\.server --directory site": "Python's own",
}


def blocks_of(page: str) -> Iterator[tuple[int, str, list[str]]]:
    """Line, language and lines of every fenced block."""
    for fence in re.finditer(r"^( *)```(.*)\n((?:.*\n)*?)\1```$", page, re.M):
        yield page.count("\n", 0, fence.start()) + 1, fence[2].strip(), fence[3].splitlines()


def commands_of(lines: list[str]) -> list[str]:
    """Commands without comments and without the environment's folder."""
    joined = "\n".join(lines).replace("\\\n", " ")
    commands = [re.sub(r"\s+# .*", "", line).strip() for line in joined.splitlines() if not line.startswith("#")]
    return [command.replace(".venv/bin/", "") for command in commands if command]


def in_passing(page: str) -> Iterator[tuple[int, str]]:
    """Line and command of whatever sentences and tables tell people to type."""
    prose = re.sub(r"^```.*\n(?:.*\n)*?```$", lambda block: "\n" * block[0].count("\n"), page, flags=re.M)
    programs = r"`((?:\.venv/bin/)?(?:make|dvc|pix2street|pip|python|git|mlflow|source) [^`]+)`"
    for found in re.finditer(programs, prose):
        yield prose.count("\n", 0, found.start()) + 1, found[1]


def uncovered(page: str) -> list[str]:
    """Line and command of whatever neither a test runs nor the page marks."""
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
        command = " ".join(command.split()).removeprefix(".venv/bin/")
        if not any(re.fullmatch(pattern, command) for pattern in [*COVERED, *IN_PASSING]):
            faults.append(f"{line}: {command}")
    return faults


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_command_is_run_by_a_test_or_marked(path):
    assert uncovered(path.read_text()) == []


@pytest.mark.parametrize("test", sorted({test for test in [*COVERED.values(), *IN_PASSING.values()] if "::" in test}))
def test_the_tests_that_run_them_exist(test):
    file, name = test.split("::")
    assert (f"def {name}(" if name else "def test_") in (ROOT / "tests" / file).read_text()


def test_a_new_command_is_found():
    assert uncovered("```sh\npix2street fly --high\n```") == ["1: pix2street fly --high"]
    assert uncovered("```text\nx\n```\nThen `dvc fly` or `.venv/bin/pix2street fly` it.") == [
        "4: dvc fly",
        "4: pix2street fly",
    ]
    assert uncovered("x\n```\npix2street predict a --out b\n```")[0].startswith("2: a block is one of")
    assert uncovered("```sh\n# needs a GPU\npix2street fly\n```") == []


def test_extras_are_locked():
    extras = re.search(r"\[project\.optional-dependencies\]\n(.*?)\n\n", (ROOT / "pyproject.toml").read_text(), re.S)[1]
    lock = (ROOT / "requirements.txt").read_text()
    for line in extras.splitlines():
        extra, names = line.split(" = ", 1)
        if extra not in ("gpu", "parity"):  # CUDA's and PyTorch's gigabytes
            for name in re.findall(r'"([\w.-]+)', names):
                assert f"\n{name}==" in f"\n{lock}", (extra, name)


def parser_of(command: str) -> argparse.ArgumentParser | None:
    (commands,) = (action for action in cli.build_parser()._actions if isinstance(action, argparse._SubParsersAction))
    return commands.choices.get(command)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_commands_and_options_that_are_named_exist(path):
    for found in re.finditer(r"pix2street ([a-z]+)((?: +[^\s`|,;:()]+)*)", path.read_text()):
        if found[0].startswith("pix2street is"):
            continue
        parser = parser_of(found[1])
        if parser is not None:
            known = set(parser._option_string_actions)
            options = {word.split("=")[0] for word in found[2].split() if word.startswith("--")}
            assert options <= known, found[0]
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.M)
    for _, language, lines in blocks_of(path.read_text()):
        for command in commands_of(lines) if language == "sh" else []:
            words = shlex.split(command)
            if words[0] == "pix2street":
                assert parser_of(words[1]) is not None, command
            if words[0] == "make":
                assert words[1] in targets, command


def environment() -> dict[str, str]:
    """This one, without another store and without a word from the `make` that runs the tests."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("MLFLOW_", "MAKE", "MFLAGS"))}
    return {**clean, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{clean['PATH']}"}


def recipe_of(target: str) -> str:
    """What `make` would run, an installation before it included."""
    command = ["make", "-n", "--no-print-directory", target]
    return subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize(
    ("target", "command"),
    {
        "repro": "dvc repro",
        "verify": "pix2street verify",
        "demo": "pix2street demo",
        "docs": "mkdocs build --strict",
    }.items(),
)
def test_a_target_of_make_is_the_command_that_is_tested(target, command):
    assert recipe_of(target).rstrip().splitlines()[-1].strip().endswith(command)


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


def test_links_of_readme_and_contributing_lead_somewhere():
    for page in PAGES[:2]:
        for link in re.findall(r"\]\(([^)#]+)", page.read_text()):
            assert link.startswith("http") or (ROOT / link).exists(), (page.name, link)
