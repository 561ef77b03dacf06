"""The DAGs as Airflow reads them: whole, quick to load, and in step with mmrl's own stages."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from mmrl.stages import STAGES, as_json, names
from tests.support.command import HANGS
from tests.support.paths import ROOT

pytestmark = pytest.mark.slow

DAGS = ROOT / "dags"
PYTHON = ROOT / ".venv-airflow" / "bin" / "python"

# Runs in Airflow's environment, which lacks mmrl and pytest.
DESCRIBE = """
import json, sys
import airflow.sdk
from airflow.dag_processing.dagbag import DagBag
before = set(sys.modules)
bag = DagBag(sys.argv[1])
print(json.dumps({
    "errors": bag.import_errors,
    "imported": sorted({name.partition(".")[0] for name in set(sys.modules) - before}),
    "dags": {
        dag.dag_id: {
            "max_active_runs": dag.max_active_runs,
            "catchup": dag.catchup,
            "late": len(dag.deadline or []),
            "tasks": {
                task.task_id: {
                    "upstream": sorted(task.upstream_task_ids),
                    "command": task.command,
                    "pool": task.pool,
                    "trigger_rule": task.trigger_rule.value,
                    "retries": task.retries,
                    "timeout": task.execution_timeout.total_seconds(),
                    "outlets": [asset.name for asset in task.outlets],
                    "told": len(task.on_failure_callback),
                    "pod": task.executor_config,
                    "links": [link.name for link in task.operator_extra_links],
                }
                for task in dag.tasks
            },
        }
        for dag in bag.dags.values()
    },
}))
"""


# What the helpers of the DAGs give: a command's time as Airflow renders it, links, reasons.
ASK = """
import json
from datetime import UTC, datetime
from types import SimpleNamespace
from airflow.sdk import DAG
import mmrl_airflow
run = SimpleNamespace(
    data_interval_end=datetime(2026, 11, 2, 4, tzinfo=UTC),
    run_after=datetime(2026, 11, 9, 7, tzinfo=UTC),
)
dag = DAG("any", schedule=None)
task = mmrl_airflow.MmrlOperator(
    task_id="task", command=["run", "filter", "--as-of", mmrl_airflow.AS_OF_OR_NOW], dag=dag
)
def link(**counts):
    operator = SimpleNamespace(counts=counts)
    return mmrl_airflow.ReportLink().get_link(operator, ti_key=None)
print(json.dumps({
    "as_of": {
        str(now): task.render_template(task.command, {"dag_run": run, "params": {"now": now}})[-1]
        for now in (False, True)
    },
    "links": [link(model_version="3"), link(report="/home/reports/2026-11-02.html"), link()],
    "reasons": [
        mmrl_airflow.skipped_because({"in": 0, "later": 1_200}),
        mmrl_airflow.skipped_because({"in": 0, "later": 0, "message": "Nothing to predict."}),
    ],
}))
"""


def describe(home: Path, **environment: str) -> dict[str, Any]:
    """What Airflow makes of the DAG files."""
    return asked(DESCRIBE, home, **environment)


def asked(script: str, home: Path, **environment: str) -> dict[str, Any]:
    """What a script prints as JSON in Airflow's environment."""
    if not PYTHON.is_file():
        pytest.skip("needs Airflow's environment: make setup-airflow")
    said = subprocess.run(
        [PYTHON, "-c", script, DAGS],
        env={
            **os.environ,
            "AIRFLOW_HOME": str(home),
            "AIRFLOW__CORE__DAGS_FOLDER": str(DAGS),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "PYTHONPATH": str(DAGS),
            **environment,
        },
        capture_output=True,
        text=True,
        check=True,
        timeout=HANGS,
    )
    described: dict[str, Any] = json.loads(said.stdout.splitlines()[-1])
    return described


@pytest.fixture(scope="module")
def airflow(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return describe(tmp_path_factory.mktemp("airflow"))


def test_every_dag_loads_and_runs_once_at_a_time(airflow: dict[str, Any]) -> None:
    assert airflow["errors"] == {}
    kinds = ("collect", "daily", "observe", "purge", "scores")
    assert set(airflow["dags"]) == {f"mmrl_{kind}" for kind in kinds}
    assert {dag["max_active_runs"] for dag in airflow["dags"].values()} == {1}


def test_a_dag_file_imports_nothing_heavy(airflow: dict[str, Any]) -> None:
    heavy = {"mmrl", "numpy", "pandas", "pyarrow", "lancedb", "torch", "tensorflow", "kubernetes"}
    assert not heavy.intersection(airflow["imported"])


def test_the_graph_that_the_dag_reads_is_mmrls_own() -> None:
    written = (DAGS / "mmrl_stages.json").read_text(encoding="utf-8")
    assert written == as_json(), "run `make lint`: it writes dags/mmrl_stages.json anew"


def test_the_daily_tasks_are_mmrls_stages_and_follow_what_they_need(
    airflow: dict[str, Any],
) -> None:
    tasks = airflow["dags"]["mmrl_daily"]["tasks"]
    assert set(tasks) == set(names())
    for stage in STAGES:
        task = tasks[stage.name]
        assert task["command"][:3] == ["run", stage.name, "--as-of"]
        assert task["upstream"] == sorted(stage.needs)
        assert (task["pool"] == "gpu") == (stage.role is not None)


@pytest.fixture(scope="module")
def helpers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return asked(ASK, tmp_path_factory.mktemp("airflow"))


def test_a_run_is_as_of_the_end_of_its_day_or_as_of_now_where_that_is_asked_for(
    airflow: dict[str, Any], helpers: dict[str, Any]
) -> None:
    as_of = {"False": "2026-11-02T04:00:00+00:00", "True": "2026-11-09T07:00:00+00:00"}
    assert helpers["as_of"] == as_of
    tasks = airflow["dags"]["mmrl_daily"]["tasks"].values()
    assert all("params['now']" in task["command"][-1] for task in tasks)


def test_a_skipped_task_says_how_many_posts_wait_and_what_takes_them(
    helpers: dict[str, Any],
) -> None:
    waiting, plain = helpers["reasons"]
    assert "1,200 posts came later than this run's time and wait" in waiting
    assert "Trigger with `As of now`" in waiting
    assert plain == "Nothing to predict."


def test_training_and_publishing_link_to_the_model_s_report(
    airflow: dict[str, Any], helpers: dict[str, Any]
) -> None:
    tasks = airflow["dags"]["mmrl_daily"]["tasks"]
    linked = {name for name, task in tasks.items() if task["links"] == ["Report"]}
    assert linked == {"train", "publish"}
    assert helpers["links"] == ["/mmrl/reports/3.html", "/mmrl/reports/2026-11-02.html", ""]


def test_embeddings_that_do_not_need_each_other_run_side_by_side(airflow: dict[str, Any]) -> None:
    tasks = airflow["dags"]["mmrl_daily"]["tasks"]
    for stage in (name for name in names() if name.startswith("embed-")):
        assert not any(other.startswith("embed-") for other in tasks[stage]["upstream"])


def test_every_task_has_retries_a_time_limit_an_outlet_and_follows_what_was_skipped(
    airflow: dict[str, Any],
) -> None:
    for dag in airflow["dags"].values():
        for task in dag["tasks"].values():
            assert task["retries"] > 0
            assert task["timeout"] > 0
            assert task["outlets"]
    daily = airflow["dags"]["mmrl_daily"]["tasks"].values()
    assert {task["trigger_rule"] for task in daily} == {"none_failed"}


def test_the_pools_that_tasks_ask_for_are_those_that_are_made(airflow: dict[str, Any]) -> None:
    made = json.loads((ROOT / "deploy" / "airflow" / "pools.json").read_text())
    asked = {t["pool"] for dag in airflow["dags"].values() for t in dag["tasks"].values()}
    assert asked == {*made, "default_pool"}
    reddit = [name for name in airflow["dags"] if name not in ("mmrl_daily", "mmrl_scores")]
    for name in reddit:
        assert {t["pool"] for t in airflow["dags"][name]["tasks"].values()} == {"reddit_api"}


def test_nobody_is_told_of_failures_unless_someone_is_named(airflow: dict[str, Any]) -> None:
    tasks = airflow["dags"]["mmrl_daily"]["tasks"].values()
    assert {task["told"] for task in tasks} == {0}


def test_who_is_named_is_told_of_failures_and_of_late_runs(tmp_path: Path) -> None:
    told = describe(
        tmp_path,
        MMRL_ALERT_EMAIL="me@example.org",
        MMRL_ALERT_WEBHOOK="mmrl_webhook",
        MMRL_GPU_POD_TEMPLATE="/gpu-pod.yaml",
    )
    assert told["errors"] == {}
    daily = told["dags"]["mmrl_daily"]
    assert daily["late"] == 2
    assert {task["told"] for task in daily["tasks"].values()} == {2}
    pods = {stage for stage, task in daily["tasks"].items() if task["pod"]}
    assert pods == {stage for stage, task in daily["tasks"].items() if task["pool"] == "gpu"}
