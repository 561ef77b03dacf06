"""Posts that came later than the moment work is done for are counted, and people are told."""

from datetime import timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from mmrl.catalog import Catalog
from mmrl.cli.app import app
from mmrl.config import Settings
from mmrl.pipeline import Silent
from mmrl.pipeline.run import run
from mmrl.times import iso
from tests.support.purge_home import START, keep, make_post

SEEN = START  # when the made-up posts were first seen, at the earliest


def home_with_posts(tmp_path: Path) -> Catalog:
    catalog = Catalog.open(tmp_path / "home", create=True)
    keep(catalog, [make_post(post_id=f"p{number}") for number in range(3)])
    return catalog


def test_a_run_counts_the_posts_that_came_later(tmp_path: Path) -> None:
    catalog = home_with_posts(tmp_path)
    before = SEEN - timedelta(days=1)
    assert run(catalog, Settings(), ["filter"], before, Silent()).later == 3
    after = SEEN + timedelta(days=400)
    assert run(catalog, Settings(), ["filter"], after, Silent()).later == 0


@pytest.mark.parametrize("command", ["run", "status"])
def test_a_command_says_that_posts_wait(tmp_path: Path, command: str) -> None:
    home_with_posts(tmp_path)
    at = iso(SEEN - timedelta(days=1))
    stage = ["filter"] if command == "run" else []
    told = CliRunner().invoke(
        app, [command, *stage, "--home", str(tmp_path / "home"), "--as-of", at]
    )
    assert told.exit_code == 0, told.output
    assert f"3 posts came later than {at} and wait" in " ".join(told.output.split())


@pytest.mark.parametrize("time", ["0001-01-01", "9999-12-31T23:00", "-62135596800", "1e11"])
def test_a_time_that_no_post_can_have_is_refused_in_a_sentence(tmp_path: Path, time: str) -> None:
    home_with_posts(tmp_path)
    told = CliRunner().invoke(app, ["status", "--home", str(tmp_path / "home"), f"--as-of={time}"])
    assert told.exception is not None
    assert "give a time from 1970 to 2199" in str(told.exception)
