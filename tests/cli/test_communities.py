"""`mmrl communities`: an aligned table for people, the same facts for programs."""

import io
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from rich.console import Console

import mmrl
from mmrl.cli.terminal.tables import communities_table
from mmrl.home.home import Home
from mmrl.serving.communities import Community
from tests.support.command import Run

NEWEST = datetime(2026, 11, 1, tzinfo=UTC)
KNOWN = [
    Community("EarthPorn", 1_204, 1_100, 41.0, 23_000_000, NEWEST),
    Community("two [b]words\x1b", 1, 0, None, None, NEWEST),
]


def test_the_table_is_aligned_and_fits_eighty_columns() -> None:
    console = Console(width=80, file=io.StringIO())
    console.print(communities_table(KNOWN))
    head, one, other = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    for name, value in (("posts", "1,204"), ("matured", "1,100"), ("subscribers", "23,000,000")):
        assert head.index(name) + len(name) == one.index(value) + len(value)
    assert "two [b]words\\x1b" in other
    assert other.count("not known") == 2
    assert head.index("newest") == one.index("2026-11-01") == other.index("2026-11-01")


def test_programs_get_the_facts_and_people_the_table(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mmrl.init(tmp_path / "home")
    assert (
        "No post is known that the filter keeps"
        in run("communities", "--home", tmp_path / "home").out
    )
    monkeypatch.setattr(Home, "communities", lambda self, as_of=None: KNOWN)
    answer = run("communities", "--home", tmp_path / "home", "--json")
    assert json.loads(answer.out)[0] == {**KNOWN[0].as_dict(), "newest": "2026-11-01T00:00:00Z"}
    assert "EarthPorn" in run("communities", "--home", tmp_path / "home").out
