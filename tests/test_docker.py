"""The images and services of docker/ fit the lock, the commands and the checkout; nothing here needs Docker."""

import importlib.metadata
import json
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import requests
from packaging.requirements import Requirement
from pages import ROOT
from ruamel.yaml import YAML
from test_docs_commands import fault_of
from web import first_answer, free_port

COMPOSE = YAML(typ="safe").load((ROOT / "docker/compose.yaml").read_text())
SERVICES = COMPOSE["services"]
BUILT = {name: service for name, service in SERVICES.items() if "build" in service}


def instructions() -> list[tuple[str, str]]:
    """Return every instruction of the Dockerfile and its words, those of several lines as one."""
    text = re.sub(r"(?m)^\s*#.*\n", "", (ROOT / "docker/Dockerfile").read_text()).replace("\\\n", " ")
    return [(kind, rest.strip()) for kind, _, rest in (line.partition(" ") for line in text.splitlines() if line)]


def stages() -> dict[str, list[tuple[str, str]]]:
    """Return the instructions of each image by its name, after those of the image on which it builds."""
    found: dict[str, list[tuple[str, str]]] = {}
    for kind, rest in instructions():
        if kind == "FROM":
            base, _, name = rest.split()
            found[name] = [*found.get(base, [])]
        else:
            found[name].append((kind, rest))
    return found


def words_of(stage: str, kind: str) -> list[str]:
    return [rest for each, rest in stages()[stage] if each == kind]


def locked(name: str) -> dict[str, str]:
    """Return the version of every package of a lock."""
    return dict(re.findall(r"(?m)^([a-z0-9._-]+)==(\S+)", (ROOT / name).read_text()))


def test_the_libraries_of_cuda_are_those_that_the_locked_tensorflow_asks_for():
    both, gpu = locked("requirements.txt"), locked("requirements-gpu.txt")
    extra = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]["gpu"]
    (tensorflow,) = [one for one in map(Requirement, extra) if one.name == "tensorflow"]
    assert both["tensorflow"] in tensorflow.specifier
    assert both["tensorflow"] == importlib.metadata.version("tensorflow")
    asked = [
        one
        for one in map(Requirement, importlib.metadata.requires("tensorflow"))
        if one.marker and "and-cuda" in str(one.marker)
    ]
    assert {one.name for one in asked} == gpu.keys() - {"nvidia-ml-py"}
    assert [str(one) for one in asked if gpu[one.name] not in one.specifier] == []
    assert gpu.keys() & both.keys() == set()


def test_every_package_of_the_lock_for_gpus_has_hashes_and_no_index_is_named():
    text = (ROOT / "requirements-gpu.txt").read_text()
    for requirement in re.split(r"(?m)^(?=[a-z])", text)[1:]:
        assert "--hash=sha256:" in requirement, requirement
    assert "://" not in text


@pytest.mark.parametrize("stage", ["server", "gpu"])
def test_an_image_installs_packages_by_hash_alone_and_runs_as_a_user(stage):
    installs = re.findall(r"pip install ([^&]*)", " && ".join(words_of(stage, "RUN")))
    for options in installs:
        assert "--require-hashes -r" in options or "--no-deps --no-build-isolation --editable /project" in options
    files = {Path(file).name for options in installs for file in re.findall(r"-r (\S+)", options)}
    assert files == {"requirements.txt"} | ({"requirements-gpu.txt"} if stage == "gpu" else set())
    user = words_of(stage, "USER")[-1]
    assert user not in ("root", "0")
    assert f'--uid "$UID" {user}' in " ".join(words_of(stage, "RUN"))


def test_the_base_image_has_a_python_of_the_project():
    version = re.fullmatch(r"python:(\d+\.\d+)\.\d+-slim-\w+ AS locked", instructions()[0][1])[1]
    made_for = re.search(r"--python-version (\S+)", (ROOT / "Makefile").read_text())[1]
    assert version == made_for


def test_what_is_copied_is_in_git_and_reaches_the_build():
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    ignore = (ROOT / "docker/Dockerfile.dockerignore").read_text().splitlines()
    sources = [source for kind, rest in instructions() if kind == "COPY" for source in rest.split()[:-1]]
    for source in sources:
        assert any(path == source or path.startswith(f"{source}/") for path in tracked), source
        assert f"!{source}" in ignore
    assert len(sources) == len([line for line in ignore if line.startswith("!")])


def test_services_are_built_from_stages_and_wait_for_each_other():
    for service in BUILT.values():
        context = (ROOT / "docker" / service["build"]["context"]).resolve()
        assert context == ROOT
        assert (context / service["build"]["dockerfile"]).is_file()
        assert service["build"]["target"] in stages()
        assert "user" not in service
    for service in SERVICES.values():
        for other, when in service.get("depends_on", {}).items():
            assert when == {"condition": "service_healthy"}
            assert "healthcheck" in SERVICES[other]
    (device,) = SERVICES["pix2street"]["deploy"]["resources"]["reservations"]["devices"]
    assert device == {"driver": "nvidia", "count": "all", "capabilities": ["gpu"]}


def test_volumes_are_mounted_where_the_images_keep_things():
    mounts = {
        name: dict(mount.rsplit(":", 1)[::-1] for mount in service["volumes"]) for name, service in SERVICES.items()
    }
    named = {source for service in mounts.values() for source in service.values() if re.fullmatch(r"\w+", source)}
    assert named == set(COMPOSE["volumes"])
    made = " ".join(words_of("gpu", "RUN"))
    assert mounts["pix2street"] == {
        "/project": "..",
        "/project/data/source": "${DATA:-../data/source}",
        "/cache": "cache",
    }
    assert words_of("gpu", "WORKDIR") == ["/project"]
    # A new volume takes its owner from the folder in the image.
    assert "install --directory --owner=pix2street /project /cache /artifacts" in made
    assert "dvc config --system cache.dir /cache/" in made
    assert words_of("gpu", "ENV")[-1].startswith("PIX2STREET_CACHE=/cache/")


def test_all_named_commands_can_be_typed():
    commands = [json.loads(rest) for stage in ("server", "gpu") for rest in words_of(stage, "CMD")]
    assert commands[-1] == ["dvc", "repro"]
    commands += [service["command"] for service in SERVICES.values() if "command" in service]
    assert [fault for command in commands if (fault := fault_of(shlex.join(command)))] == []


def test_mlflow_and_the_driver_of_its_database_are_locked():
    lock = locked("requirements.txt")
    assert {"mlflow", "psycopg2-binary", "requests"} <= lock.keys()
    (address,) = [word for word in SERVICES["mlflow"]["command"] if word.startswith("--backend-store-uri=")]
    assert address == "--backend-store-uri=postgresql+psycopg2://mlflow@postgres/mlflow"
    given, taken = SERVICES["postgres"]["environment"], SERVICES["mlflow"]["environment"]
    assert given["POSTGRES_USER"] == "mlflow"
    assert given["POSTGRES_PASSWORD"] == taken["PGPASSWORD"]
    assert SERVICES["pix2street"]["environment"]["MLFLOW_TRACKING_URI"] == "http://mlflow:5000"


@pytest.mark.nightly
def test_the_server_answers_its_own_names_and_its_health_check(tmp_path):
    port = str(free_port())
    changed = {
        "--port=5000": f"--port={port}",
        "--workers=4": "--workers=1",
        "--host=0.0.0.0": "--host=127.0.0.1",
        "--artifacts-destination=/artifacts": f"--artifacts-destination={tmp_path}",
    }
    words = [changed.get(word, word) for word in SERVICES["mlflow"]["command"]]
    words = [re.sub(r"(uri=).*", rf"\1sqlite:///{tmp_path}/mlflow.db", word) for word in words]
    words = [word.replace(":5000", f":{port}") for word in words]
    process = subprocess.Popen([sys.executable, "-m", *words], cwd=tmp_path, start_new_session=True)
    try:
        address = f"http://127.0.0.1:{port}"
        assert first_answer(f"{address}/health", process).ok
        program, *check = SERVICES["mlflow"]["healthcheck"]["test"][1:]
        assert program == "python"
        check = [word.replace(":5000", f":{port}") for word in check]
        assert subprocess.run([sys.executable, *check], check=False).returncode == 0
        search, query = f"{address}/api/2.0/mlflow/experiments/search", {"max_results": 1}
        for host in (f"mlflow:{port}", f"localhost:{port}"):
            assert requests.get(search, query, headers={"Host": host}, timeout=60).ok, host
        assert requests.get(search, query, headers={"Host": f"other.example.org:{port}"}, timeout=60).status_code == 403
    finally:
        process.terminate()
        process.wait()
