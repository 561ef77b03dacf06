"""The wheel: it holds every file of the package, and works where no source tree is beside it."""

import importlib.util
import json
import os
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path
from typing import Any

import pytest

from mmrl.version import __version__
from tests.support.earlier_home import train_variables
from tests.support.paths import ROOT

pytestmark = pytest.mark.slow

UV = Path(sysconfig.get_path("scripts")) / "uv"


def output(program: Path, *words: object, cwd: Path, codes: tuple[int, ...] = (0,)) -> str:
    """What a program prints that ends with one of these codes, far from the source tree."""
    ours = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    told = [program, *map(str, words)]
    ended = subprocess.run(told, cwd=cwd, env=ours, text=True, capture_output=True)
    assert ended.returncode in codes, ended.stderr
    return ended.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from the source distribution, without a network."""
    if not UV.exists() or importlib.util.find_spec("hatchling") is None:
        pytest.skip("needs uv and hatchling: make setup-dev")
    folder = tmp_path_factory.mktemp("dist")
    how = ("--offline", "--no-build-isolation", "--python", sys.executable)
    told = [UV, "build", "--quiet", *how, "--out-dir", folder, ROOT]
    ended = subprocess.run(told, text=True, capture_output=True)
    assert ended.returncode == 0, ended.stderr
    (built,) = folder.glob("mmrl-*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of a fresh environment with the wheel, and this one's other packages."""
    place = tmp_path_factory.mktemp("env") / "env"
    for words in (
        ("venv", "--python", sys.executable, place),
        ("pip", "install", "--offline", "--no-deps", "--python", place, wheel),
    ):
        told = [UV, "--quiet", *words]
        ended = subprocess.run(told, text=True, capture_output=True)
        assert ended.returncode == 0, ended.stderr
    (packages,) = place.glob("lib/python*/site-packages")
    # Only what lies in that folder is seen, not what its own .pth files add, such as this mmrl.
    (packages / "beside.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return place / "bin"


def test_every_file_of_the_package_is_in_the_wheel(wheel: Path) -> None:
    source = ROOT / "src"
    files = {
        str(path.relative_to(source))
        for path in source.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert held == files


def test_an_installed_wheel_is_what_runs(installed: Path, tmp_path: Path) -> None:
    said = output(installed / "mmrl", "--version", cwd=tmp_path)
    assert __version__ in said
    place = output(installed / "python", "-c", "import mmrl; print(mmrl.__file__)", cwd=tmp_path)
    assert Path(place.strip()).is_relative_to(installed.parent)


def test_an_installed_wheel_runs_the_demo_finds_nothing_wrong_and_predicts(
    installed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    for name, value in train_variables().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("MMRL_TRAIN__TEST_BLOCKS", "1")  # in a third of the time
    demo = ("demo", "--posts", "400", "--home", home, "--json")
    report = json.loads(output(installed / "mmrl", *demo, cwd=tmp_path))
    assert report["model_version"] == "1"
    # 1: something is missing, such as credentials.
    said = output(
        *(installed / "mmrl", "doctor", "--home", home, "--json"), cwd=tmp_path, codes=(0, 1)
    )
    findings: list[dict[str, Any]] = json.loads(said)
    assert [one["what"] for one in findings if one["state"] == "wrong"] == []
    draft = ("predict", home / "pictures" / "1.jpg", "--title", "Dawn", "--subreddit", "SimPics")
    then = ("--as-of", report["as_of"], "--home", home, "--json")
    told = json.loads(output(installed / "mmrl", *draft, *then, cwd=tmp_path))
    assert told["score"]["low"] < told["score"]["middle"] < told["score"]["high"]
