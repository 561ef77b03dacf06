"""The files of deploy/airflow, read."""

from pathlib import Path
from typing import Any

import yaml

from tests.support.paths import ROOT

DEPLOY = ROOT / "deploy" / "airflow"
DOC = ROOT / "docs" / "airflow-deploy.md"
MMRL = "/opt/mmrl/.venv/bin/mmrl"
HOME = "/opt/mmrl/home"


def load(name: str) -> Any:
    """A YAML file of deploy/airflow, by its name."""
    return yaml.safe_load((DEPLOY / name).read_text(encoding="utf-8"))


def image() -> list[tuple[str, str]]:
    """The Dockerfile's instructions and what follows each, continued lines joined."""
    text = (DEPLOY / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return [(line.partition(" ")[0], line.partition(" ")[2]) for line in lines]


def image_environment() -> dict[str, str]:
    words = [word for name, rest in image() if name == "ENV" for word in rest.split()]
    return dict(word.partition("=")[::2] for word in words)


def image_files() -> dict[str, str]:
    """What the image gets from the project, and where it lies there."""
    copied, folder = {}, ""
    for name, rest in image():
        if name == "WORKDIR":
            folder = rest
        if name == "COPY":
            *sources, target = [word for word in rest.split() if not word.startswith("--")]
            for source in sources:
                place = Path(folder, target)
                copied[source] = str(place / source if target == "./" else place)
    return copied
