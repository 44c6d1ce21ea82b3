"""A copy of this project with small parameters, in which tests run the pipeline as a user does."""

import fcntl
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).parents[1]
TINY = {
    "download": {"synthetic_streets": {"height_px": 64, "width_px": 64, "train_pairs": 12, "val_pairs": 4}},
    "split": {"height_px": 32, "width_px": 64},
    "segment": {"filters": 4, "epochs": 1},
    "train": {
        "run": {"epochs": 2, "sample_every_epochs": 1, "checkpoint_every_steps": 5},
        "data": {"holdout_pairs": 2},
        "pix2pix": {"generator_filters": 4, "discriminator_filters": 4},
    },
    "evaluate": {"min_ceiling": 0.0},
    "report": {"sample_pairs": 2},
    "register": {"max": {"l1": 2.0, "mmd_segmenter": 2.0}, "min_of_ceiling": {"mean_iou": 0.0}},
}


def merge(values: dict, changes: dict) -> dict:
    return {**values, **{k: merge(values[k], v) if isinstance(v, dict) else v for k, v in changes.items()}}


STOP_AFTER_IMAGES = """
import os, signal
from tqdm import tqdm
update = tqdm.update

def update_and_stop(bar, n=1):
    shown = update(bar, n)
    if bar.desc.startswith("train") and bar.n - n < int(os.environ["IMAGES"]) <= bar.n:
        os.kill(os.getpid(), signal.SIGSTOP)
    return shown

tqdm.update = update_and_stop
"""


class Project:
    """A copy of this project's pipeline below a temporary folder, with small parameters."""

    def __init__(self, root: Path):
        self.root = root
        for name in (
            "pipeline",
            "src",
            "data/source",
            "data/judge",
            ".dvc/config",
            ".dvc/.gitignore",
            ".dvc/plots",
            ".dvcignore",
            ".gitignore",
            "dvc.yaml",
        ):
            copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            copy(ROOT / name, root / name)
        self.set_params(merge(YAML(typ="safe").load((ROOT / "params.yaml").read_text()), TINY))
        self.git("init", "-q")
        self.commit("start")

    @classmethod
    def at(cls, root: Path) -> "Project":
        """Return the project that is below a folder already."""
        project = cls.__new__(cls)
        project.root = root
        return project

    def set_params(self, values: dict) -> None:
        with (self.root / "params.yaml").open("w") as file:
            YAML(typ="safe").dump(values, file)

    def change_params(self, changes: dict) -> None:
        self.set_params(merge(YAML(typ="safe").load((self.root / "params.yaml").read_text()), changes))

    def git(self, *command: str) -> None:
        subprocess.run(["git", "-c", "user.name=t", "-c", "user.email=t@t", *command], cwd=self.root, check=True)

    def commit(self, message: str) -> None:
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", message)

    def _environment(self, **more: str) -> dict[str, str]:
        clean = {key: value for key, value in os.environ.items() if not key.startswith(("MLFLOW_", "DVC_"))}
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        paths = {"PATH": path, "PYTHONPATH": str(self.root / "src"), "PIX2STREET_CACHE": f"{self.root}_cache"}
        return {**clean, **paths, **more}

    def run(self, *command: str, **environment: str) -> subprocess.CompletedProcess:
        environment = self._environment(**environment)
        return subprocess.run(command, cwd=self.root, env=environment, capture_output=True, text=True, timeout=3600)

    def start(self, *command: str, **environment: str) -> subprocess.Popen:
        """Start what `run` runs, without waiting for its end."""
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        return subprocess.Popen(command, cwd=self.root, env=self._environment(**environment), **pipes)

    def start_until(self, images: int, *command: str, **environment: str) -> subprocess.Popen:
        """Start a training and return it stopped after so many images, until it is killed or continued."""
        folder = Path(f"{self.root}_stopped")
        folder.mkdir(exist_ok=True)
        (folder / "sitecustomize.py").write_text(STOP_AFTER_IMAGES)
        paths = f"{folder}{os.pathsep}{self.root / 'src'}"
        process = self.start(*command, PYTHONPATH=paths, IMAGES=str(images), **environment)
        _, status = os.waitpid(process.pid, os.WUNTRACED)
        assert os.WIFSTOPPED(status), process.communicate()
        return process

    def repro(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess:
        return self.run("dvc", "repro", *arguments, **environment)

    def lock(self) -> dict:
        return YAML(typ="safe").load((self.root / "dvc.lock").read_text())["stages"]


def prepared(factory: pytest.TempPathFactory) -> Project:
    """Return a new project in which all stages before `train` have run; they run once for all workers of the tests."""
    together = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        together = together.parent
    source = together / "prepared"
    with (together / "prepared.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not source.exists():
            project = Project(Path(factory.mktemp("preparing")) / "project")
            done = project.repro("validate", "segment")
            assert done.returncode == 0, done.stdout + done.stderr
            project.root.rename(source)
    return Project.at(shutil.copytree(source, factory.mktemp("prepared") / "project", symlinks=True))
