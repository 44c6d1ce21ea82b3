"""DVC trains and reports again only for the chosen family; a copy of the project has a second one."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from contextlib import chdir
from pathlib import Path

import pytest
from dvc.repo import Repo
from ruamel.yaml import YAML

ROOT = Path(__file__).parents[2]
STAGES = ["train", "report"]
TINY = '''"""A second family, which no test trains."""

from pix2street.settings.section import Count, Section


class Settings(Section):
    """The section `train.tiny`."""

    filters: Count
'''
READ = """
from pathlib import Path
from pix2street.params import read_params

train = read_params(Path("params.yaml")).train
print(train.model, train.family, sorted(train.model_dump()))
"""


def change_params(root: Path, change: Callable[[dict], None]) -> None:
    """Change the values of `params.yaml` in place."""
    yaml = YAML(typ="safe")
    values = yaml.load((root / "params.yaml").read_text())
    change(values)
    with (root / "params.yaml").open("w") as file:
        yaml.dump(values, file)


def edit(path: Path) -> None:
    path.write_text(path.read_text() + "\n# A comment more.\n")


def stale(root: Path) -> set[str]:
    """Return the files and parameters that make the stages `train` and `report` stale by DVC's status."""
    with chdir(root), Repo() as repo:
        status = repo.status(targets=STAGES)
    changed = [entry for entries in status.values() for part in entries for entry in part["changed deps"].items()]
    return {name for path, what in changed for name in (what if isinstance(what, dict) else [path])}


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    """Return a copy of the project with the families pix2pix and tiny, whose lock says that pix2pix is trained."""
    root = tmp_path_factory.mktemp("families") / "project"
    root.mkdir()
    for name in ("pipeline", "src"):
        shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("dvc.yaml", "params.yaml", ".dvcignore", ".gitignore"):
        shutil.copy(ROOT / name, root / name)
    subprocess.run(["git", "init", "-q"], cwd=root, check=True)
    with chdir(root):
        Repo.init().close()

    models = root / "src/pix2street/models"
    (models / "tiny.py").write_text(TINY)
    register = models / "__init__.py"
    line = '    "pix2pix": "pix2street.models.pix2pix",\n'
    register.write_text(register.read_text().replace(line, f'{line}    "tiny": "pix2street.models.tiny",\n'))
    change_params(root, lambda values: values["train"].update(tiny={"filters": 4}))

    with chdir(root), Repo() as repo:
        for (stage,) in map(repo.stage.collect, STAGES):
            # These replace the outputs of earlier stages and of the stage.
            for made in [*stage.outs, *(dep for dep in stage.deps if not (root / dep.fs_path).exists())]:
                path = root / made.fs_path
                assert path.is_relative_to(root)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(path.name)
            repo.commit(target=stage.name, force=True)
    return root


@pytest.fixture
def project(trained, tmp_path) -> Path:
    """Return a copy of it that a test may change."""
    return shutil.copytree(trained, tmp_path / "project", symlinks=True)


def test_training_and_report_are_up_to_date_after_an_edit_of_another_familys_module_or_section(project):
    assert stale(project) == set()
    edit(project / "src/pix2street/models/tiny.py")
    change_params(project, lambda values: values["train"]["tiny"].update(filters=5))
    assert stale(project) == set()


def test_a_training_is_stale_after_an_edit_of_its_own_familys_module_or_section(project):
    edit(project / "src/pix2street/models/pix2pix.py")
    change_params(project, lambda values: values["train"]["pix2pix"].update(l1_weight=50.0))
    assert stale(project) == {"src/pix2street/models/pix2pix.py", "train.pix2pix"}


def test_the_choice_of_another_family_makes_a_training_stale(project):
    change_params(project, lambda values: values["train"].update(model="tiny"))
    assert {"src/pix2street/models/tiny.py", "train.model", "train.tiny"} <= stale(project)
    # The parameters get the section of the chosen family.
    environment = {**os.environ, "PYTHONPATH": str(project / "src")}
    command = [sys.executable, "-c", READ]
    done = subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "tiny filters=4 ['data', 'device', 'model', 'run', 'tiny']\n"
