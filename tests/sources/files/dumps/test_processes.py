"""A dump that several processes read comes out as one process reads it."""

import pickle
import subprocess
import sys
import threading
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import psutil
import pytest
import zstandard

from mmrl.errors import Failure, InputError
from mmrl.sources.files.dumps import processes
from mmrl.sources.files.dumps.asked import Asked
from mmrl.sources.files.dumps.block import Reading
from mmrl.sources.files.dumps.processes import read_beside
from mmrl.sources.files.dumps.reading import Plan, read_here
from mmrl.sources.files.source import START
from mmrl.sources.post import Unstated
from tests.support.waiting import eventually

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def post(number: int) -> dict[str, Any]:
    subreddit = ("aww", "pics", "food")[number % 3]
    words = "x" * (number % 700)
    created = 1_700_000_000 + number
    return {"id": f"p{number}", "title": "t", "subreddit": subreddit, "created_utc": created} | {
        "score": number,
        "selftext": words,
    }


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    """Two dumps of some blocks each, with a bad line now and then."""
    files = []
    for name, first in (("a.zst", 0), ("b", 9_000)):
        good = (orjson.dumps(post(number)) for number in range(first, first + 9_000))
        lines = [b'{"bad' if at % 997 == 5 else line for at, line in enumerate(good)]
        content = b"\n".join(lines) + b"\n"
        path = tmp_path / name
        path.write_bytes(zstandard.compress(content) if name.endswith("zst") else content)
        asked = Asked(frozenset({"aww", "pics"}))
        files.append((path, Reading(asked, f"dump:{name}", NOW, Unstated(NOW, settled=False))))
    return Plan(tuple(files), START)


def test_all_rows_come_in_order(plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "cores", lambda: 2)
    here, beside = list(read_here(plan)), list(read_beside(plan))
    assert len(here) >= 4
    assert beside == here


def test_a_break_is_told_after_what_came_before(
    plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "cores", lambda: 2)
    path = plan.files[0][0]
    path.write_bytes(path.read_bytes()[:-200])
    results = read_beside(plan)
    with pytest.raises(InputError, match="ends in the middle"):
        for _ in results:
            pass


def test_a_killed_process_ends_the_reading_with_a_sentence(plan: Plan) -> None:
    reading = processes._Processes(plan, 2)
    reading._parsing[0].kill()  # before it can have answered with all it gets
    with reading, pytest.raises(Failure, match="was killed"):
        for _ in reading.results():
            pass
    started = (reading._unpacking, *reading._parsing)
    assert all(process.poll() is not None for process in started)


def test_a_message_that_can_t_be_taken_ends_the_reading(
    plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "cores", lambda: 2)

    def cut(source: object) -> bytes:
        raise EOFError

    monkeypatch.setattr(processes, "_received", cut)
    monkeypatch.setattr(threading, "excepthook", lambda told: None)
    with pytest.raises(Failure, match="was killed"):
        next(read_beside(plan))


READ = """
import pickle, sys
from mmrl.sources.files.dumps.processes import read_beside
results = read_beside(pickle.loads(bytes.fromhex(sys.argv[1])))
next(results)
print("reads", flush=True)
sys.stdin.read()
"""


@pytest.mark.slow
def test_who_is_killed_leaves_no_process_behind(plan: Plan) -> None:
    """The input is a pipe that does not end, so none of them comes to its end by itself."""
    (_, _), (path, reading) = plan.files
    endless = pickle.dumps(replace(plan, files=((Path("-"), reading),))).hex()
    with subprocess.Popen(
        [sys.executable, "-c", READ, endless], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as reader:
        assert reader.stdin is not None
        assert reader.stdout is not None
        reader.stdin.write(path.read_bytes())
        reader.stdin.flush()
        assert reader.stdout.readline() == b"reads\n"
        started = psutil.Process(reader.pid).children()
        assert len(started) > 1
        reader.kill()
        eventually(lambda: not any(process.is_running() for process in started))
