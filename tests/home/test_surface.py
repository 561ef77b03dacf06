"""The documented surface is the one there is, and its examples run."""

import doctest
import inspect
import json
import re
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import mmrl
from mmrl.home.home import Home
from mmrl.home.models import Models
from mmrl.home.ranker import Ranker
from mmrl.home.vectors import ContentEncoder
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


def test_each_listed_name_is_there() -> None:
    for name in mmrl.__all__:
        assert getattr(mmrl, name) is not None
    with pytest.raises(AttributeError, match="no_such"):
        _ = mmrl.no_such


def test_importing_mmrl_keeps_libraries_quiet_and_what_is_set_stays() -> None:
    code = "import os, mmrl; print(os.environ['TF_CPP_MIN_LOG_LEVEL'], os.environ['DO_NOT_TRACK'])"
    assert printed(code, TF_CPP_MIN_LOG_LEVEL="0").split() == ["0", "true"]


def examples() -> Iterator[tuple[str, doctest.DocTest]]:
    """The docstrings with an example: of functions, of methods, and of what `home.models` is."""
    finder = doctest.DocTestFinder(recurse=False)
    named = {
        f"{of}.{name}": inspect.getattr_static(owner, name, None)
        for of, owner in DOCUMENTED.items()
        for name in sorted(public(owner))
    }
    for name, one in {**named, "home.models": Models}.items():
        if inspect.isfunction(one) or one is Models:
            for test in finder.find(one, name, globs={}):
                if test.examples:
                    yield name, test


EXAMPLES = dict(examples())


def test_each_function_and_each_method_of_a_home_has_an_example() -> None:
    static = {name: inspect.getattr_static(Home, name, None) for name in public(Home)}
    methods = [name for name, one in static.items() if inspect.isfunction(one)]
    assert {f"home.{name}" for name in methods} - set(EXAMPLES) == set()
    functions = {name for name in mmrl.__all__ if inspect.isfunction(getattr(mmrl, name))}
    assert {f"mmrl.{name}" for name in functions} - set(EXAMPLES) == set()


@pytest.fixture(scope="module")
def archive() -> Iterator[str]:
    """The address of the sandbox's archive, where 30 posts of 3 communities have settled."""
    with SandboxServer(busy(30, 5)) as server:
        server.now = START.timestamp() + 40 * 3_600
        yield server.url


@pytest.fixture(scope="module")
def earth(trained_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a home `earth` of 500 samples and a model, and files to import."""
    folder = tmp_path_factory.mktemp("work")
    shutil.copytree(trained_home, folder / "earth")
    catalog = mmrl.open(folder / "earth").catalog
    fill_samples(catalog, SAMPLES)
    fill_posts(catalog, SAMPLES)
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


@pytest.mark.slow
@pytest.mark.parametrize("name", EXAMPLES)
def test_the_example_of_a_docstring_runs(
    name: str, earth: Path, archive: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(earth)
    monkeypatch.setenv("MMRL_ARCTIC_SHIFT__BASE_URL", archive)
    monkeypatch.setenv("MMRL_IMAGES__ALLOW_LOOPBACK", "true")
    monkeypatch.setenv("MMRL_FILTER__REQUIRE_IMAGE", "false")
    test = EXAMPLES[name]
    test.globs = {"mmrl": mmrl, "home": mmrl.open("earth", quiet=True)}
    said: list[str] = []
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    runner.run(test, out=said.append)
    assert runner.failures == 0, "".join(said)
