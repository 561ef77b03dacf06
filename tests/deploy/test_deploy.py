"""The files in deploy/ fit the commands, the paths and each other. None is started here."""

import configparser
import re
import shlex
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from mmrl.cli.app import app
from mmrl.errors import ConfigError
from mmrl.web.requests.guard import OPEN
from tests.support.paths import ROOT

DEPLOY = ROOT / "deploy"
UNITS = sorted((DEPLOY / "systemd").iterdir())
SERVICES = [unit for unit in UNITS if unit.suffix == ".service"]
MMRL = "/opt/mmrl/.venv/bin/mmrl"  # where `make setup` puts it in /opt/mmrl
DOCUMENTED = ("collecting.md", "purging.md", "serving.md")


def read_unit(path: Path) -> configparser.ConfigParser:
    unit = configparser.ConfigParser(interpolation=None, strict=True)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read_string(path.read_text(encoding="utf-8"))
    return unit


def check_command(words: list[str]) -> None:
    """Has the command line parsed, and not carried out.

    Raises:
        typer's usage errors: it would not be accepted.
    """
    command: Any = typer.main.get_command(app)
    context = command.context_class(command, info_name="mmrl")
    name, rest = "mmrl", words
    while hasattr(command, "resolve_command"):
        name, command, rest = command.resolve_command(context, rest)
    command.make_context(name, list(rest), parent=context)


@pytest.mark.parametrize(
    "wrong", ["gather", "collect --fro 1h", "purge --requests many", "init a b"]
)
def test_a_command_line_that_is_wrong_does_not_pass_the_check(wrong: str) -> None:
    with pytest.raises(Exception, match=r"No such|a valid integer|unexpected extra"):
        check_command(wrong.split())


# systemd


@pytest.mark.parametrize("path", SERVICES, ids=lambda path: path.name)
def test_a_unit_starts_a_command_that_mmrl_accepts(path: Path) -> None:
    program, *words = shlex.split(read_unit(path)["Service"]["ExecStart"])
    assert program == MMRL
    check_command(words)


@pytest.mark.parametrize("path", SERVICES, ids=lambda path: path.name)
def test_a_unit_may_write_into_its_home(path: Path) -> None:
    service = read_unit(path)["Service"]
    environment = dict(pair.split("=") for pair in service["Environment"].split())
    home = environment.pop("MMRL_HOME")
    assert all(place.startswith("/tmp/") for place in environment.values())
    assert service["PrivateTmp"] == "true"
    assert home in service["ReadWritePaths"].split()
    assert home == f"/var/lib/{service['StateDirectory']}"


def test_the_collector_is_restarted_but_for_what_a_person_must_mend() -> None:
    unit = read_unit(DEPLOY / "systemd" / "mmrl-collect.service")
    assert unit["Service"]["Restart"] == "always"
    assert unit["Service"]["RestartPreventExitStatus"] == str(ConfigError("").exit_code)
    assert unit["Service"]["KillSignal"] == "SIGTERM"  # which `mmrl collect` ends cleanly on
    assert unit["Unit"]["StartLimitIntervalSec"] == "0"  # however often


def test_every_timer_has_its_service_and_every_service_is_started_by_something() -> None:
    timers = {path.stem for path in UNITS if path.suffix == ".timer"}
    services = {path.stem for path in SERVICES}
    assert timers < services
    wanted = {path.stem for path in UNITS if read_unit(path).has_section("Install")}
    assert wanted == services


def test_units_named_in_the_docs_are_there() -> None:
    text = (ROOT / "docs" / "collecting.md").read_text(encoding="utf-8")
    (enabled,) = re.findall(r"systemctl enable --now (.+)", text)
    assert set(enabled.split()) == {
        path.name for path in UNITS if read_unit(path).has_section("Install")
    }


def test_systemd_itself_finds_nothing_wrong(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("needs systemd-analyze")
    for path in UNITS:  # the program is not there before `make setup`
        text = path.read_text(encoding="utf-8").replace(MMRL, "/bin/true")
        (tmp_path / path.name).write_text(text, encoding="utf-8")
    for path in UNITS:
        ran = subprocess.run(
            ["systemd-analyze", "verify", "--man=no", tmp_path / path.name],
            capture_output=True,
            text=True,
        )
        said = [line for line in ran.stderr.splitlines() if path.stem in line]
        assert (ran.returncode, said) == (0, [])


# Containers


@pytest.fixture
def compose() -> dict[str, Any]:
    text = (DEPLOY / "compose.yaml").read_text(encoding="utf-8")
    found: dict[str, Any] = yaml.safe_load(text)
    return found


def image() -> Iterator[tuple[str, list[str]]]:
    """The Dockerfile's instructions with their words, continued lines joined."""
    text = (DEPLOY / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
    for line in text.splitlines():
        if line.strip() and not line.startswith("#"):
            instruction, _, rest = line.partition(" ")
            yield instruction, rest.split()


def test_compose_starts_commands_that_mmrl_accepts(compose: dict[str, Any]) -> None:
    assert set(compose["services"]) == {"collect", "serve", "mmrl"}
    for service in compose["services"].values():
        check_command(service["command"])
    for name in ("collect", "serve"):
        assert compose["services"][name]["restart"] == "always"
    assert "profiles" in compose["services"]["mmrl"]  # `up` does not start it


def test_the_served_page_is_reached_from_this_machine_alone(compose: dict[str, Any]) -> None:
    ports = {name: service.get("ports", []) for name, service in compose["services"].items()}
    assert ports == {"collect": [], "serve": ["127.0.0.1:8400:8400"], "mmrl": []}


def test_probes_ask_for_paths_that_the_server_answers_without_a_token() -> None:
    with (DEPLOY / "airflow" / "serve.yaml").open(encoding="utf-8") as file:
        deployment, service = yaml.safe_load_all(file)
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    program, *words = container["command"]
    assert program == MMRL
    check_command(words)
    probes = [container[f"{name}Probe"]["httpGet"] for name in ("startup", "liveness", "readiness")]
    assert {probe["path"] for probe in probes} <= OPEN
    assert {probe["port"] for probe in probes} == {service["spec"]["ports"][0]["port"]}
    assert service["metadata"]["name"] in words  # the name that it is asked for by


def test_compose_mounts_what_it_declares_where_the_image_looks(compose: dict[str, Any]) -> None:
    environment = dict(
        word.partition("=")[::2] for name, words in image() if name == "ENV" for word in words
    )
    for service in compose["services"].values():
        places = dict(volume.split(":") for volume in service["volumes"])
        assert set(places) <= set(compose["volumes"])
        assert environment["MMRL_HOME"] in places.values()
        for config in service["configs"]:
            assert config["source"] in compose["configs"]
            assert config["target"] == "/home/mmrl/.config/praw.ini"  # of the user mmrl
        build = service["build"]
        assert (DEPLOY / build["context"] / build["dockerfile"]).resolve() == DEPLOY / "Dockerfile"


def test_docker_itself_accepts_the_compose_file() -> None:
    docker = shutil.which("docker")
    can = docker and subprocess.run([docker, "compose", "version"], capture_output=True)
    if not docker or not can or can.returncode:
        pytest.skip("needs docker compose")
    file = str(DEPLOY / "compose.yaml")
    ran = subprocess.run(
        [docker, "compose", "-f", file, "config", "-q"], capture_output=True, text=True
    )
    assert ran.returncode == 0, ran.stderr


def test_the_image_gets_all_that_the_project_is_made_from() -> None:
    sources = {
        word
        for name, words in image()
        if name == "COPY"
        for word in words[:-1]
        if not word.startswith("--")
    }
    assert all((ROOT / source).exists() for source in sources), sources
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    package = project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"][0]
    needed = {project["project"]["readme"], *project["project"]["license-files"]}
    needed |= {package.partition("/")[0], "Makefile", "pyproject.toml", "requirements"}
    assert needed <= sources
    assert dict(image())["ENTRYPOINT"] == ['["mmrl"]']


# What the docs tell to type


@pytest.mark.parametrize("name", DOCUMENTED)
def test_command_lines_in_the_docs_are_accepted(name: str) -> None:
    text = (ROOT / "docs" / name).read_text(encoding="utf-8")
    lines = [
        line.partition("#")[0]
        for block in re.findall(r"^```(?:sh)?\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
        for line in block.splitlines()
    ]
    said = [match[1] for line in lines if (match := re.search(r"(?:^|/|--rm )mmrl (.+)", line))]
    assert len(said) >= 3
    for words in said:
        check_command(shlex.split(words))
