"""Airflow itself, with its scheduler, runs the DAGs on simulated days: twice, and with a kill.

The home and the sandbox live through all tests of this file, in their order: a day each.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from mmrl.catalog import Catalog
from mmrl.catalog.columns import key_columns
from mmrl.catalog.tables import SCHEMAS
from mmrl.learning.registry.registry import Registry
from mmrl.stages import names
from mmrl.times import parse_time
from tests.support.airflow_client import Airflow
from tests.support.airflow_days import Days, simulated_days
from tests.support.airflow_process import start_airflow, start_postgres
from tests.support.mail_server import MailServer, mail_server
from tests.support.web_hook import WebHook, web_hook

pytestmark = pytest.mark.slow

NAMES = names()
DAILY = "mmrl_daily"
POSTS, DAYS = 360, 25
RUN_SECONDS = 600.0


@pytest.fixture(scope="module")
def days(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Days]:
    with simulated_days(tmp_path_factory.mktemp("days") / "home", POSTS, DAYS) as days:
        yield days


@pytest.fixture(scope="module")
def hook() -> Iterator[WebHook]:
    with web_hook() as hook:
        yield hook


@pytest.fixture(scope="module")
def post_office() -> Iterator[MailServer]:
    with mail_server() as server:
        yield server


@pytest.fixture(scope="module")
def on_sqlite(
    days: Days, hook: WebHook, post_office: MailServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Airflow]:
    folder = tmp_path_factory.mktemp("airflow")
    by_mail = {"from_email": "mmrl@example.org", "disable_ssl": True, "disable_tls": True}
    alerts = {
        "MMRL_ALERT_EMAIL": "me@example.org",
        "AIRFLOW_CONN_SMTP_DEFAULT": json.dumps(
            {
                "conn_type": "smtp",
                "host": "127.0.0.1",
                "port": post_office.port,
                "extra": by_mail,
            }
        ),
        "MMRL_ALERT_WEBHOOK": "mmrl_webhook",
        "MMRL_ALERT_AFTER_HOURS": "0.002",
        "AIRFLOW_CONN_MMRL_WEBHOOK": json.dumps({"conn_type": "http", "host": hook.url}),
    }
    with start_airflow(folder, days.home, **alerts) as airflow:
        yield airflow


def test_with_nothing_new_every_task_is_skipped_and_not_done(on_sqlite: Airflow) -> None:
    # Unpaused, Airflow makes up for the day that has just ended; nothing was collected yet.
    on_sqlite.unpause(DAILY)
    run = _first_run(on_sqlite)
    assert on_sqlite.wait(DAILY, run, RUN_SECONDS) == "success"
    tasks = on_sqlite.tasks(DAILY, run)
    assert {name: task["state"] for name, task in tasks.items()} == dict.fromkeys(NAMES, "skipped")
    assert {on_sqlite.counts(DAILY, run, stage)["in"] for stage in NAMES} == {0}


def test_a_run_that_is_late_is_told_of(
    on_sqlite: Airflow, hook: WebHook, post_office: MailServer
) -> None:
    # That run lasted longer than the seven seconds after which this Airflow tells.
    _until(lambda: _were_told("has not ended in time", hook, post_office), 60)


@pytest.fixture(scope="module")
def two_days(on_sqlite: Airflow, days: Days) -> list[dict[str, dict[str, Any]]]:
    """The tasks' counts on a day, and two days later with new posts."""
    counted = []
    for day in (DAYS - 3, DAYS - 1):
        days.pass_until(days.sandbox.start + timedelta(days=day))
        run = on_sqlite.trigger(DAILY, days.now)
        assert on_sqlite.wait(DAILY, run, RUN_SECONDS) == "success", on_sqlite.tasks(DAILY, run)
        counted.append({stage: on_sqlite.counts(DAILY, run, stage) for stage in NAMES})
    return counted


def test_two_days_give_two_models_with_their_metrics(
    two_days: list[dict[str, dict[str, Any]]], days: Days
) -> None:
    assert [day["train"]["model_version"] for day in two_days] == ["1", "2"]
    one, two = Registry(days.home).list()
    assert one.trained_at < two.trained_at
    assert one.metrics["spearman"] != two.metrics["spearman"]


def test_the_tasks_counts_are_those_of_mmrl_status(
    two_days: list[dict[str, dict[str, Any]]], days: Days
) -> None:
    _assert_counts_are_status(two_days, days.home)
    assert all(day["filter"]["in"] > 0 for day in two_days)


def test_the_report_is_shown_to_those_who_are_logged_in_and_to_nobody_else(
    two_days: list[dict[str, dict[str, Any]]], on_sqlite: Airflow
) -> None:
    run = _runs(on_sqlite)[-1]["dag_run_id"]
    path = f"/api/v2/dags/{DAILY}/dagRuns/{run}/taskInstances/publish/links"
    link = on_sqlite.get(path)["extra_links"]["Report"]
    assert link == "/mmrl/reports/2.html"
    assert "<html" in on_sqlite.page(link)
    with pytest.raises(HTTPError, match="401"):
        urlopen(on_sqlite.address + link, timeout=30)
    with pytest.raises(HTTPError, match="404"):
        on_sqlite.page("/mmrl/reports/..%2Fmmrl.toml")


def test_a_backfill_learns_from_what_was_known_on_its_day(
    two_days: list[dict[str, dict[str, Any]]], on_sqlite: Airflow, days: Days
) -> None:
    first = days.sandbox.start + timedelta(days=DAYS - 3)
    (run,) = on_sqlite.backfill(DAILY, first, first + timedelta(days=1))
    assert on_sqlite.wait(DAILY, run, RUN_SECONDS) == "success", on_sqlite.tasks(DAILY, run)
    learned = [day["train"]["in"] for day in two_days]
    again = on_sqlite.counts(DAILY, run, "train")["in"]
    assert learned[0] < again < learned[1]
    # A run's day begins and ends at 04:00.
    newest = Registry(days.home).list()[-1]
    assert parse_time(newest.trained_at) == first + timedelta(days=1, hours=4)


def test_a_task_that_can_not_work_fails_at_once_and_someone_is_told(
    on_sqlite: Airflow, days: Days, hook: WebHook, post_office: MailServer
) -> None:
    credentials = days.home / "praw.ini"
    right = credentials.read_text()
    credentials.write_text("[another]\nclient_id = x\n")
    try:
        on_sqlite.unpause("mmrl_collect")
        run = on_sqlite.trigger("mmrl_collect", days.now, **{"for": "5s"})
        assert on_sqlite.wait("mmrl_collect", run, 120) == "failed"
    finally:
        credentials.write_text(right)
    assert on_sqlite.tasks("mmrl_collect", run)["collect"]["try_number"] == 1
    _until(lambda: _were_told("the task collect of", hook, post_office), 60)
    assert {(mail["from"], mail["to"]) for mail in post_office.mails} == {
        ("mmrl@example.org", "me@example.org")
    }


def test_observations_that_are_due_are_taken_by_their_own_dag(
    on_sqlite: Airflow, days: Days
) -> None:
    on_sqlite.unpause("mmrl_observe")
    run = on_sqlite.trigger("mmrl_observe", days.now)
    assert on_sqlite.wait("mmrl_observe", run, 120) == "success"
    counts = on_sqlite.counts("mmrl_observe", run, "observe")
    assert counts["due"] == counts["written"]


def test_on_postgresql_a_task_killed_in_its_middle_is_tried_again_and_nothing_is_lost_or_doubled(
    days: Days, tmp_path: Path
) -> None:
    days.pass_until(days.sandbox.start + timedelta(days=DAYS))
    before = len(Registry(days.home).list())
    with (
        start_postgres() as database,
        start_airflow(tmp_path, days.home, AIRFLOW__DATABASE__SQL_ALCHEMY_CONN=database) as airflow,
    ):
        airflow.unpause(DAILY)
        run = _first_run(airflow)
        killed = {stage: _kill(stage, days.home, after) for stage, after in KILLED.items()}
        assert airflow.wait(DAILY, run, RUN_SECONDS) == "success", airflow.tasks(DAILY, run)
        tasks = airflow.tasks(DAILY, run)
    assert all(killed.values())
    assert {stage for stage, task in tasks.items() if task["try_number"] == 2} == set(KILLED)
    assert len(Registry(days.home).list()) == before + 1
    catalog = Catalog.open(days.home)
    for table in ("selection", "post_images", "captions", "samples", "predictions"):
        keys = key_columns(SCHEMAS[table])
        rows = catalog.read(table, keys)
        assert rows.num_rows == rows.group_by(keys).aggregate([]).num_rows
    for row in _status(days.home):
        assert not row["pending"], row
    fetched, failed = catalog.count("post_images"), catalog.count("failures")
    assert fetched + failed >= catalog.count("selection", "reason IS NULL") > 0


# How long a stage's process lives before it is killed: training is in its middle then.
KILLED = {"fetch-images": 0.5, "train": 6.0}


def _kill(stage: str, home: Path, after: float) -> bool:
    """Waits for a stage's process, and kills it with SIGKILL some seconds later."""
    until = time.monotonic() + 240
    while time.monotonic() < until:
        for process in Path("/proc").glob("[0-9]*"):
            try:
                words = (process / "cmdline").read_bytes().split(b"\0")
                where = (process / "environ").read_bytes().split(b"\0")
            except OSError:
                continue
            python = words[0].endswith((b"python", b"python3", b"python3.11"))
            named = [b"run", stage.encode()]
            if python and words[2:4] == named and f"MMRL_HOME={home}".encode() in where:
                time.sleep(after)
                os.kill(int(process.name), signal.SIGKILL)
                return True
        time.sleep(0.05)
    return False


def _first_run(airflow: Airflow) -> str:
    _until(lambda: bool(_runs(airflow)), 120)
    return str(_runs(airflow)[0]["dag_run_id"])


def _runs(airflow: Airflow) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = airflow.get(f"/api/v2/dags/{DAILY}/dagRuns?order_by=run_after")[
        "dag_runs"
    ]
    return sorted(found, key=lambda run: run["queued_at"])


def _were_told(what: str, hook: WebHook, post_office: MailServer) -> bool:
    """Whether both ways were taken."""
    by_hook = any(what in told["text"] for told in hook.told)
    return by_hook and any(what in mail["subject"] for mail in post_office.mails)


def _until(true: Any, seconds: float) -> None:
    until = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < until, "it did not happen in time"
        time.sleep(0.5)


def _status(home: Path) -> list[dict[str, Any]]:
    command = [sys.executable, "-m", "mmrl", "status", "--home", str(home), "--json"]
    said = subprocess.run(command, check=True, capture_output=True, text=True)
    rows = json.loads(said.stdout)["stages"]
    return [row for row in rows if row["stage"] in NAMES]


def _assert_counts_are_status(
    runs: list[dict[str, dict[str, Any]]],
    home: Path,
) -> None:
    """What the tasks said of their runs adds up to what mmrl says of the home."""
    status = {row["stage"]: row for row in _status(home)}
    for stage in NAMES:
        out = sum(run[stage]["out"] for run in runs)
        left_out: Counter[str] = Counter()
        for run in runs:
            left_out.update(run[stage]["left_out"])
        row = status[stage]
        if stage == "filter":
            assert row["done"] == out - left_out.total()
            assert row["left_out"] == left_out
        elif stage == "merge":
            assert row["done"] == out - left_out.total()
        elif stage == "train":
            assert row["done"] == len([run for run in runs if run[stage].get("model_version")])
        elif stage == "publish":
            assert row["done"] == out - len(runs)  # each wrote a report besides the predictions
        else:
            assert row["done"] == out
            assert row["failed"] == left_out
