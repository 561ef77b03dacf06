"""`mmrl status` shows all that dropped out, how the collector does, and what is left to ask for."""

import json
import socket
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest

from mmrl.catalog import Catalog, Failed, Reason
from mmrl.catalog.tables import SCHEMAS
from mmrl.cli import main
from mmrl.collector.cursors import Cursors
from mmrl.collector.status import Status
from mmrl.config import Settings
from mmrl.sandbox import Faults
from mmrl.sandbox.world import SUBREDDITS
from mmrl.status import StageStatus, survey
from tests.support.service_trial import START, Trial, busy

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
Show = Callable[..., str]


@pytest.fixture
def show(
    catalog: Catalog, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Show:
    """What `mmrl status` prints of the catalog."""
    monkeypatch.setenv("COLUMNS", "80")

    def shown(*options: str) -> str:
        monkeypatch.setattr(sys, "argv", ["mmrl", "status", "--home", catalog.home, *options])
        capsys.readouterr()
        with suppress(SystemExit):
            main()
        return capsys.readouterr().out

    return shown


def rows(catalog: Catalog) -> dict[str, StageStatus]:
    return {row.stage: row for row in survey(catalog, Settings(), NOON).stages}


def plain(text: str) -> str:
    """The words alone, however lines were folded."""
    return " ".join(text.split())


# What dropped out


def test_failures_of_every_stage_are_counted_by_reason(catalog: Catalog, show: Show) -> None:
    catalog.fail("import", [Failed("a", Reason.NO_TITLE), Failed("b", Reason.NO_ID)], NOON)
    catalog.fail("collect", [Failed("c", Reason.NO_TITLE)], NOON)
    catalog.fail("observe", [Failed("d", Reason.BAD_VALUE)], NOON)
    catalog.fail("fetch-images", [Failed("e", Reason.TOO_SMALL)], NOON)
    catalog.fail("of-a-later-version", [Failed("f", Reason.NO_TITLE)], NOON)
    found = rows(catalog)
    assert found["collect, import"].failed == [(Reason.NO_TITLE, 2), (Reason.NO_ID, 1)]
    assert found["observe"].failed == [(Reason.BAD_VALUE, 1)]
    assert found["fetch-images"].failed == [(Reason.TOO_SMALL, 1)]
    assert found["of-a-later-version"].failed == [(Reason.NO_TITLE, 1)]
    total = sum(count for row in found.values() for _, count in row.failed)
    assert total == catalog.count("failures")
    said = plain(show())
    assert "collect, import failed 2 has no title" in said
    assert "observe failed 1 holds a value that can't be read" in said


def test_what_purges_erased_is_counted_by_reason(catalog: Catalog, show: Show) -> None:
    purged = [
        {"day": "2026-05-30", "reason": "deleted", "posts": 3},
        {"day": "2026-05-31", "reason": "deleted", "posts": 4},
        {"day": "2026-05-31", "reason": "community_ops", "posts": 1},
    ]
    catalog.upsert("purged", pa.Table.from_pylist(purged, schema=SCHEMAS["purged"]))
    assert rows(catalog)["purge"].done == 8
    assert json.loads(show("--json"))["erased"] == {"deleted": 7, "community_ops": 1}
    said = plain(show())
    assert "purge 8 posts erased" in said
    assert "purge erased 7 deleted by the author" in said
    assert "purge erased 1 Reddit says 'community_ops'" in said


# The collector


def test_what_an_answer_said_is_shown_as_text(catalog: Catalog, show: Show) -> None:
    word = "[/b]x\x1b[31m\u202e"
    row = {"day": ["2026-11-20"], "reason": [word], "posts": [3]}
    catalog.insert("purged", pa.table(row, schema=SCHEMAS["purged"]))
    assert "Reddit says '[/b]x\\x1b[31m\\u202e'" in plain(show())


@pytest.mark.slow
def test_the_collectors_account_gaps_and_closed_subreddits_are_shown_in_80_columns(
    make_trial: Callable[..., Trial], catalog: Catalog, show: Show
) -> None:
    trial = make_trial(busy(6_000, 6), checkpoints_hours=[30])
    trial.server.misfortune.set(Faults(private=[SUBREDDITS[0]]))
    trial.run(0.5)
    trial.server.now += 4.2 * 3_600
    account = trial.run(0.01)
    before = catalog.versions()
    found = json.loads(show("--json"))
    assert found["collector"] == json.loads(json.dumps(account.as_dict()))
    assert found["collector"]["left_out"] == {SUBREDDITS[0]: "403 Forbidden"}
    opened = catalog.read("gaps", where="state = 'open'").to_pylist()
    assert sorted(gap["ids"] for gap in found["gaps"]["open"]) == sorted(
        gap["filled_to"] - gap["from_id"] - 1 for gap in opened
    )
    # Gaps of two subreddits lie over one another; each id is asked for once.
    ids = {n for gap in opened for n in range(gap["from_id"] + 1, gap["filled_to"])}
    assert found["gaps"]["ids"] == len(ids) > 0
    said = show()
    shown, _, path = said.partition("Next: ")  # the home's path may be long
    assert max(map(len, shown.splitlines())) <= 80
    assert "mmrl run" in path
    said = plain(said)
    assert "collector stopped 2026-06-01 04:4" in said
    assert f"left out r/{SUBREDDITS[0]}: 403 Forbidden" in said
    assert f"gaps {len(opened)} open, {len(ids):,} ids left to ask for" in said
    assert f"r/{SUBREDDITS[1].lower()}, found 2026-06-01" in said
    assert f"{account.seen:,} seen, {account.kept:,} kept" in said
    assert catalog.versions() == before

    trial.run(2)
    found = json.loads(show("--json"))["gaps"]
    assert (found["open"], found["ids"]) == ([], 0)
    assert found["filled"] == catalog.count("gaps") >= len(opened)
    assert f"gaps 0 open; {found['filled']} filled" in plain(show())


def account(catalog: Catalog, **said: Any) -> None:
    """Writes a collector's account of itself."""
    status = Status(started_at=START, at=START + timedelta(hours=1))
    Cursors(catalog).save(NOON, {**status.as_dict(), **said})


def test_a_collector_that_was_killed_is_not_called_running(catalog: Catalog, show: Show) -> None:
    account(catalog)  # of this process, which is there
    assert "collector running since 2026-06-01 00:00 UTC" in plain(show())
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    account(catalog, process=ended.pid)
    assert json.loads(show("--json"))["collector"]["state"] == "killed"
    assert f"last heard of 2026-06-01 01:00 UTC (process {ended.pid}" in plain(show())
    account(catalog, process=ended.pid, host=f"not-{socket.gethostname()}")  # nobody can tell
    assert json.loads(show("--json"))["collector"]["state"] == "running"


@pytest.mark.parametrize(
    ("state", "failing", "expected"),
    [
        ("running", True, "(now)"),
        ("running", False, "UTC, over)"),
        ("stopped", True, "it lasted to the end)"),
        ("failed", False, "this ended it)"),
    ],
)
def test_an_error_is_shown_with_what_became_of_it(
    catalog: Catalog, show: Show, state: str, failing: bool, expected: str
) -> None:
    error = {"last_error": "Reddit [says] no.", "last_error_at": "2026-06-01T00:30:00Z"}
    account(catalog, state=state, failing=failing, **error)
    said = plain(show())
    assert "error Reddit [says] no. (" in said
    assert expected in said


def test_an_account_is_read_as_it_was_written_whatever_another_version_added() -> None:
    status = Status(started_at=START, at=NOON, kept=3, left_out={"a": "403 Forbidden"})
    assert Status.from_dict({**status.as_dict(), "of_a_later_version": 1}) == status


def test_a_broken_profile_leaves_the_other_stages_counted(
    catalog: Catalog, show: Show, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalog.fail("caption", [Failed("a" * 64, Reason.BROKEN_IMAGE)], NOON)
    monkeypatch.setenv("MMRL_PROFILE", "nowhere")
    stages = json.loads(show("--json"))["stages"]
    counted = {row["stage"]: row["done"] for row in stages}
    assert {name for name, done in counted.items() if done is None} == {
        *("caption", "embed-title", "embed-caption", "embed-image", "embed-visual", "embed-text")
    }
    assert next(row for row in stages if row["stage"] == "caption")["failed"]
    assert "can't be counted: There is no profile 'nowhere'" in plain(show())


def test_a_home_without_a_collector_has_no_lines_of_one(show: Show) -> None:
    said = json.loads(show("--json"))
    assert said["collector"] is None
    assert said["gaps"] == {"open": [], "ids": 0, "filled": 0, "unlisted": []}
    shown, _, _ = show().partition("Next: ")
    assert "collector" not in shown
    assert "gaps" not in shown
