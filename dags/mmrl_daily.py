"""The daily pipeline: filter, fetch, caption, embed, merge, train, publish, on what is new.

Every task runs `mmrl run STAGE --as-of TIME`, at the end of the run's day. So a run that comes
late, or is asked for again as a backfill, does the work of its own day.
"""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

from airflow.sdk import DAG, Asset, CronDataIntervalTimetable, Param

from mmrl_airflow import (
    AS_OF_OR_NOW,
    DEFAULTS,
    OBSERVATIONS,
    POSTS,
    MmrlOperator,
    ReportLink,
    gpu_pod,
    on_failure,
    on_late,
)

# mmrl's stage graph: `make lint` writes the file from `mmrl.stages`, a test holds it to that.
STAGES = json.loads(Path(__file__).with_name("mmrl_stages.json").read_text(encoding="utf-8"))
HOURS = {"filter": 1, "merge": 2, "publish": 1}  # how long a stage may take
LONG = 8


class LinkedOperator(MmrlOperator):
    """For the tasks whose page links to the model's report."""

    operator_extra_links = (ReportLink(),)


with DAG(
    "mmrl_daily",
    description="Learns from yesterday's posts: eight steps, on new data only",
    doc_md=__doc__,
    schedule=CronDataIntervalTimetable("0 4 * * *", timezone="UTC"),
    start_date=datetime(2005, 6, 23, tzinfo=UTC),  # Reddit's first day: dumps reach back
    catchup=False,
    max_active_runs=1,
    params={
        "now": Param(
            False,
            type="boolean",
            title="As of now",
            description="Also take in what came since the end of the last interval.",
        )
    },
    default_args={**DEFAULTS, "on_failure_callback": on_failure()},
    deadline=on_late(),
    tags=["mmrl"],
) as dag:
    tasks = {}
    for stage in STAGES:
        name = stage["name"]
        make = LinkedOperator if name in ("train", "publish") else MmrlOperator
        tasks[name] = make(
            task_id=name,
            command=["run", name, "--as-of", AS_OF_OR_NOW],
            inlets=[POSTS, OBSERVATIONS] if name in ("filter", "merge") else [],
            outlets=[Asset(f"mmrl_{name}".replace("-", "_"))],
            execution_timeout=timedelta(hours=HOURS.get(name, LONG)),
            # A stage that found nothing new is skipped; what follows may have work all the same.
            trigger_rule="none_failed",
            **({"pool": "gpu", "executor_config": gpu_pod()} if stage["gpu"] else {}),
        )
        for needed in stage["needs"]:
            tasks[needed] >> tasks[name]
