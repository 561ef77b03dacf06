"""Logs: a line an event, in UTC, as text or JSON."""

import json
from pathlib import Path

import pytest

from tests.support.command import is_one_sentence, process


def import_posts(tmp_path: Path, *options: str) -> list[str]:
    table = tmp_path / "posts.csv"
    table.write_text("id,title,created,score\na1,T,2026-09-01,10\n")
    home = tmp_path / "home"
    answer = process(
        *options, "import", "table", table, "--subreddit", "pics", "--home", home, TZ="Asia/Tokyo"
    )
    assert answer.code == 0, answer.err
    return answer.err.splitlines()


def test_json_has_a_line_an_event_with_counts_and_times_in_utc(tmp_path: Path) -> None:
    lines = [line for line in import_posts(tmp_path, "--log", "json") if line.startswith("{")]
    begins, ends = map(json.loads, lines)
    assert begins["event"] == "begins"
    assert ends["work"] == "import posts.csv"
    assert ends["done"] == ends["total"] == (tmp_path / "posts.csv").stat().st_size
    assert ends["summary"].split(",")[0] == "1 new post"
    assert ends["time"].endswith("Z")
    assert ends["time"] >= begins["time"]


def test_text_has_the_same_and_a_level_leaves_out_what_is_under_it(tmp_path: Path) -> None:
    (line,) = [one for one in import_posts(tmp_path, "--log", "text") if " ends " in one]
    assert ' info mmrl ends work="import posts.csv" total=' in line
    quiet = import_posts(tmp_path, "--log", "json", "--log-level", "error")
    assert not [one for one in quiet if one.startswith("{")]


def test_an_error_is_the_last_event_with_its_exit_code(tmp_path: Path) -> None:
    answer = process("--log", "json", "run", "--home", tmp_path / "absent")
    event = json.loads(answer.err.splitlines()[-1])
    assert (answer.code, event["level"], event["exit_code"]) == (2, "error", 2)
    assert "There is no mmrl home" in event["event"]


@pytest.mark.parametrize("option", ["--log=xml", "--log-level=loud"])
def test_an_unknown_form_or_level_is_refused(option: str) -> None:
    is_one_sentence(process(option, "models", "list"), 2, "expected")
