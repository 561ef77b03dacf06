"""The files in deploy/airflow fit Airflow's settings, mmrl's commands and each other.

None is started here: that needs a container engine or a cluster. Where `MMRL_HELM_SCHEMA` names the
chart's own values.schema.json and jsonschema is installed, values.yaml is held to it.
"""

import base64
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy.test_deploy import check_command
from tests.support.airflow_files import (
    DEPLOY,
    DOC,
    HOME,
    MMRL,
    image,
    image_environment,
    image_files,
    load,
)
from tests.support.command import HANGS
from tests.support.paths import ROOT

AIRFLOW_SERVICES = {"init", "api-server", "scheduler", "dag-processor", "triggerer"}
PROBED = AIRFLOW_SERVICES - {"init"}


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    found: dict[str, Any] = load("compose.yaml")
    return found


@pytest.fixture(scope="module")
def known_settings() -> dict[str, set[str]]:
    """The names of Airflow's own settings by section, from the installed Airflow."""
    venv = Path(os.environ.get("MMRL_AIRFLOW_VENV", ROOT / ".venv-airflow"))
    folders = sorted(venv.glob("lib/python*/site-packages/airflow/config_templates"))
    if not folders:
        pytest.skip("needs Airflow: `make setup-airflow`, or MMRL_AIRFLOW_VENV")
    text = (folders[0] / "config.yml").read_text(encoding="utf-8")
    known = {name: set(section["options"]) for name, section in yaml.safe_load(text).items()}
    # Those of providers, which the image has and this environment may lack.
    fallback = (folders[0] / "provider_config_fallback_defaults.cfg").read_text(encoding="utf-8")
    section = ""
    for line in fallback.splitlines():
        if match := re.match(r"\[(\w+)\]", line):
            section = match[1]
        elif match := re.match(r"(\w+) *=", line):
            known.setdefault(section, set()).add(match[1])
    return known


def airflow_names(value: Any) -> Iterator[str]:
    """Every AIRFLOW__SECTION__KEY anywhere in a document."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from airflow_names(key)
            yield from airflow_names(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from airflow_names(inner)
    elif isinstance(value, str) and re.fullmatch(r"AIRFLOW__[A-Z0-9_]+__[A-Z0-9_]+", value):
        yield value


# Airflow's settings


@pytest.mark.parametrize("name", ["compose.yaml", "compose.celery.yaml", "gpu-pod.yaml"])
def test_every_setting_of_airflow_is_one_that_airflow_has(
    name: str, known_settings: dict[str, set[str]]
) -> None:
    names = set(airflow_names(load(name)))
    assert names
    for said in names:
        _, section, key = said.lower().split("__")
        assert key in known_settings.get(section, ()), said


def test_settings_in_the_charts_values_are_ones_that_airflow_has(
    known_settings: dict[str, set[str]],
) -> None:
    for section, options in load("values.yaml")["config"].items():
        assert set(options) <= known_settings[section], section


# The image


def test_the_image_is_made_from_files_that_are_there() -> None:
    files = image_files()
    assert all((ROOT / source).exists() for source in files), files
    assert {"Makefile", "pyproject.toml", "requirements", "src", "dags", "plugins"} <= set(files)
    assert files["dags"] == "/opt/airflow/dags"  # where the image and the chart look
    assert files["plugins"] == "/opt/airflow/plugins"


def test_the_image_has_the_airflow_that_is_pinned_and_tested() -> None:
    pinned = (ROOT / "requirements" / "airflow.txt").read_text(encoding="utf-8")
    (version,) = re.findall(r"^apache-airflow==(\S+)", pinned, re.MULTILINE)
    assert dict(image())["FROM"] == f"apache/airflow:{version}-python3.12"
    values = load("values.yaml")
    assert values["airflowVersion"] == values["defaultAirflowTag"] == version
    for name in ("compose.yaml", "gpu-pod.yaml", "home.yaml"):
        tags = re.findall(r"mmrl-airflow:(\S+)", (DEPLOY / name).read_text(encoding="utf-8"))
        assert {tag.removesuffix("-gpu") for tag in tags} == {version}, name


def test_mmrl_is_found_where_the_image_puts_it() -> None:
    assert image_files()["pyproject.toml"] == f"{Path(MMRL).parents[2]}/pyproject.toml"
    assert image_environment()["MMRL_COMMAND"] == MMRL
    assert image_environment()["MMRL_HOME"] == HOME


# Compose


def test_compose_has_all_parts_of_airflow_and_the_collector(compose: dict[str, Any]) -> None:
    assert set(compose["services"]) == AIRFLOW_SERVICES | {"postgres", "collect", "mmrl"}
    for name in ("api-server", "scheduler", "dag-processor", "triggerer"):
        assert compose["services"][name]["command"] == [name]


def test_compose_starts_commands_that_mmrl_accepts(compose: dict[str, Any]) -> None:
    for name in ("collect", "mmrl"):
        service = compose["services"][name]
        assert service["entrypoint"] == [MMRL]
        check_command(service["command"])
    assert compose["services"]["collect"]["restart"] == "always"
    assert "profiles" in compose["services"]["mmrl"]  # `up` does not start it


def test_all_of_airflow_shares_one_environment(compose: dict[str, Any]) -> None:
    shared = compose["x-airflow"]["environment"]
    for name in AIRFLOW_SERVICES:
        assert shared.items() <= compose["services"][name]["environment"].items(), name
    address = shared["AIRFLOW__CORE__EXECUTION_API_SERVER_URL"]
    assert address == "http://api-server:8080/execution/"


def test_airflow_and_the_collector_see_one_home(compose: dict[str, Any]) -> None:
    for name in AIRFLOW_SERVICES | {"collect", "mmrl"}:
        service = compose["services"][name]
        (home,) = [volume for volume in service["volumes"] if volume.endswith(f":{HOME}")]
        assert home.startswith("${MMRL_HOME:?")
        assert service["user"].endswith(":0")  # the group that may write in the image


def test_a_volume_that_is_mounted_is_declared(compose: dict[str, Any]) -> None:
    mounted = {
        volume.partition(":")[0]
        for service in compose["services"].values()
        for volume in service.get("volumes", ())
        if not volume.startswith("${")
    }
    assert mounted == set(compose["volumes"])


def test_nothing_is_reached_from_another_machine(compose: dict[str, Any]) -> None:
    ports = [port for service in compose["services"].values() for port in service.get("ports", ())]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_every_service_that_stays_says_whether_it_is_well(compose: dict[str, Any]) -> None:
    for name in PROBED | {"postgres"}:
        assert compose["services"][name]["healthcheck"]["test"], name


def test_airflow_starts_when_its_database_is_ready(compose: dict[str, Any]) -> None:
    services = compose["services"]
    assert services["init"]["depends_on"] == {"postgres": {"condition": "service_healthy"}}
    for name in PROBED:
        assert services[name]["depends_on"] == {
            "init": {"condition": "service_completed_successfully"}
        }
    (script,) = [word for word in services["init"]["command"] if "airflow" in word]
    assert f"pools import {image_files()['deploy/airflow/pools.json']}" in script


def variables(name: str) -> tuple[set[str], set[str]]:
    """What compose asks of .env: what it must have, and all that it may have."""
    text = (DEPLOY / name).read_text(encoding="utf-8")
    said = re.findall(r"(?<!\$)\$\{(\w+)(:[-?])?", text)
    return {word for word, kind in said if kind == ":?"}, {word for word, _ in said}


def test_no_secret_has_a_default(compose: dict[str, Any]) -> None:
    required, said = variables("compose.yaml")
    assert said - required == {"AIRFLOW_PORT", "AIRFLOW_PARALLELISM"}
    text = (DEPLOY / "compose.yaml").read_text(encoding="utf-8")
    for name in re.findall(r"^ +(\w*(?:PASSWORD|SECRET\w*|FERNET_KEY)): (.*)$", text, re.MULTILINE):
        assert name[1].startswith("${"), name


def test_celery_adds_a_worker_that_is_as_the_scheduler(compose: dict[str, Any]) -> None:
    celery = load("compose.celery.yaml")
    assert set(celery["services"]) == AIRFLOW_SERVICES | {"redis", "worker"}
    assert celery["services"]["worker"]["extends"] == {
        "file": "compose.yaml",
        "service": "scheduler",
    }
    for name in AIRFLOW_SERVICES | {"worker"}:
        environment = celery["services"][name]["environment"]
        assert environment["AIRFLOW__CORE__EXECUTOR"] == "CeleryExecutor", name
    assert variables("compose.celery.yaml")[0] - variables("compose.yaml")[0] == {"REDIS_PASSWORD"}


@pytest.mark.parametrize("files", [["compose.yaml"], ["compose.yaml", "compose.celery.yaml"]])
def test_docker_itself_accepts_the_compose_files(files: list[str]) -> None:
    docker = shutil.which("docker")
    can = docker and subprocess.run([docker, "compose", "version"], capture_output=True)
    if not docker or not can or can.returncode:
        pytest.skip("needs docker compose")
    asked = {name for file in files for name in variables(file)[0]}
    options = [word for file in files for word in ("-f", str(DEPLOY / file))]
    ran = subprocess.run(
        [docker, "compose", *options, "config", "-q"],
        capture_output=True,
        text=True,
        env={**os.environ, **dict.fromkeys(asked, "/x")},
    )
    assert ran.returncode == 0, ran.stderr


# .env


@pytest.fixture(scope="module")
def make_env() -> Any:
    spec = importlib.util.spec_from_file_location("make_env", DEPLOY / "make_env.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_env_has_what_compose_asks_for(make_env: Any, tmp_path: Path) -> None:
    assert set(make_env.settings(tmp_path, 1000)) == variables("compose.yaml")[0]


def test_secrets_are_new_each_time_and_long_enough(make_env: Any, tmp_path: Path) -> None:
    one, other = (make_env.settings(tmp_path, 1000) for _ in range(2))
    fixed = {"MMRL_HOME", "AIRFLOW_UID"}
    assert all((one[name] == other[name]) is (name in fixed) for name in one)
    assert len(base64.urlsafe_b64decode(one["FERNET_KEY"])) == 32
    assert len(one["JWT_SECRET"]) >= 64
    # They stand in addresses and in .env as they are.
    assert all(re.fullmatch(r"[\w=-]+", one[name]) for name in set(one) - fixed)


def test_root_hands_the_home_to_the_images_own_user(make_env: Any, tmp_path: Path) -> None:
    assert make_env.settings(tmp_path, 0)["AIRFLOW_UID"] == "50000"
    assert make_env.settings(tmp_path, 1000)["AIRFLOW_UID"] == "1000"


def test_an_env_that_is_there_is_kept(make_env: Any, tmp_path: Path) -> None:
    env = tmp_path / ".env"
    assert make_env.main([str(tmp_path / "earth")], env) == 0
    first = env.read_text()
    assert f"MMRL_HOME={tmp_path / 'earth'}\n" in first
    assert (tmp_path / "earth").is_dir()
    assert env.stat().st_mode & 0o777 == 0o600
    assert make_env.main([str(tmp_path / "mars")], env) == 1
    assert env.read_text() == first


def test_it_is_told_which_home(tmp_path: Path) -> None:
    ran = subprocess.run(
        [sys.executable, str(DEPLOY / "make_env.py")], capture_output=True, text=True, cwd=tmp_path
    )
    assert ran.returncode == 2
    assert "make_env.py HOME" in ran.stderr


# One machine


def started(home: Path, airflow: Path) -> subprocess.CompletedProcess[str]:
    """Airflow's start on one machine, where it is refused before anything runs."""
    environment = {**os.environ, "MMRL_HOME": str(home), "AIRFLOW_HOME": str(airflow)}
    return subprocess.run(
        ["bash", DEPLOY / "start.sh"],
        capture_output=True,
        text=True,
        env=environment,
        timeout=HANGS,
    )


def test_a_start_without_a_home_says_how_to_make_one(tmp_path: Path) -> None:
    refused = started(tmp_path / "none", tmp_path / "airflow")
    assert refused.returncode == 2
    assert f"There is no home at {tmp_path / 'none'}" in refused.stderr
    assert "mmrl init" in refused.stderr
    assert not (tmp_path / "airflow").exists()


def test_a_home_is_not_shown_with_the_history_of_another(tmp_path: Path) -> None:
    (tmp_path / "earth" / "catalog").mkdir(parents=True)
    airflow = tmp_path / "airflow"
    airflow.mkdir()
    (airflow / "mmrl-home").write_text("/homes/mars\n")
    refused = started(tmp_path / "earth", airflow)
    assert refused.returncode == 2
    assert "is of /homes/mars" in refused.stderr
    assert "AIRFLOW_HOME of its own" in refused.stderr
    assert (airflow / "mmrl-home").read_text() == "/homes/mars\n"


# What the docs tell to type


def test_files_and_commands_in_the_docs_are_there() -> None:
    text = DOC.read_text(encoding="utf-8")
    files = set(re.findall(r"deploy/airflow/[\w.-]*\w", text))
    assert {"deploy/airflow/compose.yaml", "deploy/airflow/values.yaml"} <= files
    assert all((ROOT / file).exists() or file.endswith("/.env") for file in files), files
    said = re.findall(r"(?:--rm|--no-deps|bin/)(?: |)mmrl ([a-z][^`\n]*)", text)
    assert len(said) >= 4
    for words in said:
        check_command(words.partition("#")[0].split())
