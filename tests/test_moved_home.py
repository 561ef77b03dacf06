"""A home is moved, copied or mounted elsewhere, and goes on as if it had always been there."""

import json
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner

from mmrl.catalog import Catalog
from mmrl.cli.app import app
from mmrl.errors import ConfigError
from mmrl.learning.registry.registry import Registry
from tests.support.command import printed_by
from tests.support.earlier_home import AS_OF, train_variables, unpack_earlier_home
from tests.support.purge_home import where

pytestmark = pytest.mark.slow

Run = Callable[..., str]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command and returns what it printed."""
    for name, value in train_variables().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("MMRL_PURGE__SETTLE_SECONDS", "0")

    return lambda *arguments: printed_by(capsys, *arguments)


def addresses(home: Path) -> set[str]:
    """Every address of experiments, runs and versions in the home's database."""
    with closing(sqlite3.connect(home / "mlflow.db")) as database:
        rows = database.execute(
            "SELECT artifact_location FROM experiments UNION SELECT artifact_uri FROM runs "
            "UNION SELECT source FROM model_versions "
            "UNION SELECT storage_location FROM model_versions"
        )
        return {row[0] for row in rows}


@pytest.mark.slow
def test_a_moved_home_predicts_trains_reports_and_purges_and_touches_nothing_outside(
    tmp_path: Path, run: Run
) -> None:
    first, second = tmp_path / "first", tmp_path / "elsewhere" / "a b#c%20d & señor"
    unpack_earlier_home(first)
    second.parent.mkdir()
    shutil.move(first, second)
    first.write_text("nobody writes here any more")  # a folder of that name can't be made
    home = ("--home", second)

    picture = tmp_path / "picture.jpg"
    picture.write_bytes(Catalog.open(second).read("images", ["bytes"])["bytes"][0].as_py())
    draft = ("--title", "A quiet harbour", "--subreddit", "SimPics", "--as-of", AS_OF)
    assert json.loads(run("predict", picture, *draft, *home, "--json"))["model_version"]
    assert "version 2" in run("run", "--as-of", AS_OF, *home).lower()
    assert len(json.loads(run("models", "list", *home, "--json"))) == 2
    run("report", "2", *home)
    assert (second / "reports" / "2.html").is_file()

    doomed = Registry(second).test_predictions("2")["post_id"][0].as_py()
    assert where(second, doomed.encode())
    run("purge", "--post", doomed, *home)
    assert where(second, doomed.encode()) == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["elsewhere", "first", "picture.jpg"]
    assert list(second.parent.iterdir()) == [second]
    assert where(second, str(first).encode()) == []


def test_the_database_of_an_earlier_home_is_read_as_it_is_and_mended_by_the_next_training(
    tmp_path: Path, run: Run
) -> None:
    unpack_earlier_home(tmp_path / "home")
    home = tmp_path / "home"
    assert any(address.startswith("file:///old-home/") for address in addresses(home))
    before = (home / "mlflow.db").read_bytes()
    assert Registry(home).load("1").version == "1"
    assert (home / "mlflow.db").read_bytes() == before  # reading changes nothing
    Registry(home)._store.make_relative()
    assert all(address.startswith(("models", "mlruns/0")) for address in addresses(home))
    assert Registry(home).show("champion").version == "1"
    assert where(home / "mlflow.db", b"/old-home") == []


@pytest.mark.parametrize("name", ["what?", "a?b", "?/inside"])
def test_a_home_with_a_question_mark_is_refused_before_anything_is_made(
    tmp_path: Path, name: str
) -> None:
    with pytest.raises(ConfigError, match="without `\\?` in its path"):
        Catalog.open(tmp_path / name, create=True)
    result = CliRunner().invoke(app, ["init", str(tmp_path / name)])
    assert isinstance(result.exception, ConfigError)
    assert list(tmp_path.iterdir()) == []
