"""The documented surface is the one there is, and its examples run."""

import doctest
import inspect
import json
import re
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import FunctionType
from typing import Any

import numpy as np
import pytest
from PIL import Image

import mmrl
from mmrl.cli.app import COMMANDS
from mmrl.home.home import Home
from mmrl.home.models import Models
from mmrl.home.ranker import Ranker
from mmrl.home.vectors import ContentEncoder
from mmrl.learning.registry.registry import Registry
from mmrl.learning.train import Trained
from mmrl.sandbox import SandboxServer
from mmrl.web.server import Server
from tests.support.command import printed
from tests.support.filled_home import SAMPLES, fill_posts, fill_samples
from tests.support.paths import ROOT
from tests.support.service_trial import START, busy

API = ROOT / "docs" / "api.md"
DOCUMENTED = {  # what stands before a name's dot in a heading, and whose name it is
    "mmrl": mmrl,
    "home": Home,
    "home.models": Models,
    "samples": mmrl.Samples,
    "encoder": ContentEncoder,
    "ranker": Ranker,
    "server": Server,
}


def headings() -> list[tuple[str, str]]:
    """The owner and the name of each documented name."""
    found = re.findall(r"^### `([\w.]+)\.(\w+)(?:\([^`]*\))?`", API.read_text(), re.MULTILINE)
    return [(owner, name) for owner, name in found]


def public(owner: Any) -> set[str]:
    """The public names of a class, or those that a module lists."""
    if owner is mmrl:
        return set(mmrl.__all__)
    annotated = {name for kind in owner.__mro__ for name in vars(kind).get("__annotations__", {})}
    return {name for name in {*dir(owner), *annotated} if not name.startswith("_")}


@pytest.mark.parametrize("owner", DOCUMENTED)
def test_the_documented_names_are_the_public_ones(owner: str) -> None:
    documented = {name for of, name in headings() if of == owner}
    constructors = {"of"} if owner in ("encoder", "server") else set()
    assert documented == public(DOCUMENTED[owner]) - constructors


def test_each_command_has_a_row_that_says_what_it_is_in_python() -> None:
    rows = re.findall(r"^\| (`mmrl .*?) \| (.*) \|$", API.read_text(), re.MULTILINE)
    listed = [name for row, _ in rows for name in re.findall(r"`mmrl ([a-z]+)`", row)]
    assert sorted(listed) == sorted(command.name for command in COMMANDS)
    known = {f"{of}.{name}" for of, name in headings()}
    for _, python in rows:
        assert set(re.findall(r"`((?:mmrl|home)\.\w+)`", python)) <= known


def test_each_listed_name_is_there() -> None:
    for name in mmrl.__all__:
        assert getattr(mmrl, name) is not None
    with pytest.raises(AttributeError, match="no_such"):
        _ = mmrl.no_such


def test_importing_mmrl_keeps_libraries_quiet_and_what_is_set_stays() -> None:
    code = "import os, mmrl; print(os.environ['TF_CPP_MIN_LOG_LEVEL'], os.environ['DO_NOT_TRACK'])"
    assert printed(code, TF_CPP_MIN_LOG_LEVEL="0").split() == ["0", "true"]


def static() -> dict[str, Any]:
    """What is documented, as its owner holds it; `__getattr__` of the module gives its classes."""
    return {
        f"{of}.{name}": inspect.getattr_static(DOCUMENTED[of], name, None)
        for of, name in headings()
    }


CALLED = (FunctionType, classmethod)


def examples() -> Iterator[tuple[str, doctest.DocTest]]:
    """The docstrings with an example: of functions, methods, properties, and `home.models`."""
    finder = doctest.DocTestFinder(recurse=False)
    for name, held in {**static(), "home.models": Models}.items():
        if isinstance(held, (*CALLED, property)) or held is Models:
            for test in finder.find(getattr(held, "__func__", held), name, globs={}):
                if test.examples:
                    yield name, test


EXAMPLES = dict(examples())
NEED_NONE = {"server.run", "server.close"}  # one blocks; `mmrl.server` shows how it is closed


def test_each_documented_function_and_method_has_an_example() -> None:
    called = {name for name, one in static().items() if isinstance(one, CALLED)}
    assert called - set(EXAMPLES) == NEED_NONE


@pytest.fixture(scope="module")
def archive() -> Iterator[str]:
    """The address of the sandbox's archive, where 30 posts of 3 communities have settled."""
    with SandboxServer(busy(30, 5)) as server:
        server.now = START.timestamp() + 40 * 3_600
        yield server.url


@pytest.fixture(scope="module")
def earth(trained_home: Path, trained: Trained, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a home `earth` of 500 samples and a model, one of two models, and files."""
    folder = tmp_path_factory.mktemp("work")
    shutil.copytree(trained_home, folder / "earth")
    catalog = mmrl.open(folder / "earth").catalog
    fill_samples(catalog, SAMPLES)
    fill_posts(catalog, SAMPLES)
    shutil.copytree(trained_home, folder / "of_two_models")
    models = Registry(folder / "of_two_models")
    models.register(trained, trained.test_samples, fingerprint="two")
    (folder / "images").mkdir()
    for number, name in enumerate(("lake", "hill")):
        pixels = np.random.default_rng(number).integers(0, 255, (64, 64, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / "images" / f"{name}.png")
    (folder / "plan.toml").write_text(
        'name = "small"\nas_of = "2026-09-15"\nlearners = ["mmrl", "subreddit_median"]\n'
    )
    (folder / "posts.csv").write_text(
        "id,title,created,score,image\n"
        "a1,Lake,2026-09-01,10,lake.png\na2,Hill,2026-09-02,20,hill.png\n"
    )
    (folder / "drafts.csv").write_text(
        "image,title,subreddit,at\n"
        "images/lake.png,Lake at dawn,pics,Sat 18:00\nimages/hill.png,Hill,pics,\n"
    )
    created = int(datetime(2024, 1, 5, tzinfo=UTC).timestamp())
    submission = {
        "id": "b1",
        "title": "Old",
        "subreddit": "pics",
        "created_utc": created,
        "score": 3,
        "url": "https://i.redd.it/x.jpg",
    }
    (folder / "RS_2024-01.jsonl").write_text(json.dumps(submission) + "\n")
    return folder


@pytest.fixture(scope="module")
def given(earth: Path) -> dict[str, Any]:
    """What the examples of a ranker and of samples start from; the ranker loads its model once."""
    home = mmrl.open(earth / "earth", quiet=True, filter={"require_image": False})
    as_of = "2026-09-15"
    return {"ranker": home.ranker(as_of=as_of), "samples": home.samples(as_of=as_of)}


@pytest.mark.slow
@pytest.mark.parametrize("name", EXAMPLES)
def test_the_example_of_a_docstring_runs(
    name: str,
    earth: Path,
    given: dict[str, Any],
    archive: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(earth)
    monkeypatch.setenv("MMRL_ARCTIC_SHIFT__BASE_URL", archive)
    monkeypatch.setenv("MMRL_IMAGES__ALLOW_LOOPBACK", "true")
    monkeypatch.setenv("MMRL_FILTER__REQUIRE_IMAGE", "false")
    test = EXAMPLES[name]
    test.globs = {"mmrl": mmrl, "home": mmrl.open("earth", quiet=True), **given}
    said: list[str] = []
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    runner.run(test, out=said.append)
    assert runner.failures == 0, "".join(said)
