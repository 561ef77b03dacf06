"""The daily pipeline: filter, fetch, caption, embed, merge, train, publish, on what is new.

Every task runs `mmrl run STAGE --as-of TIME`, at the end of the run's day. So a run that comes
late, or is asked for again as a backfill, does the work of its own day.
"""

from datetime import UTC, datetime, timedelta

from airflow.sdk import DAG, Asset, CronDataIntervalTimetable

from mmrl_airflow import (
    AS_OF,
    DEFAULTS,
    OBSERVATIONS,
    POSTS,
    MmrlOperator,
    ReportLink,
    gpu_pod,
    on_failure,
    on_late,
)

# What each stage needs, how long it may take, and whether it wants a GPU (training does not).
AFTER = {
    "filter": [],
    "fetch-images": ["filter"],
    "caption": ["fetch-images"],
    "embed-title": ["filter"],
    "embed-image": ["fetch-images"],
    "embed-caption": ["caption"],
    "embed-visual": ["caption"],
    "merge": ["embed-title", "embed-image", "embed-caption", "embed-visual"],
    "train": ["merge"],
    "publish": ["train"],
}
HOURS = {"filter": 1, "merge": 2, "publish": 1}
LONG = 8
ON_GPU = {"caption", "embed-title", "embed-image", "embed-caption", "embed-visual"}


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
    default_args={**DEFAULTS, "on_failure_callback": on_failure()},
    deadline=on_late(),
    tags=["mmrl"],
) as dag:
    tasks = {
        stage: (LinkedOperator if stage in ("train", "publish") else MmrlOperator)(
            task_id=stage,
            command=["run", stage, "--as-of", AS_OF],
            inlets=[POSTS, OBSERVATIONS] if stage in ("filter", "merge") else [],
            outlets=[Asset(f"mmrl_{stage}".replace("-", "_"))],
            execution_timeout=timedelta(hours=HOURS.get(stage, LONG)),
            # A stage that found nothing new is skipped; what follows may have work all the same.
            trigger_rule="none_failed",
            **({"pool": "gpu", "executor_config": gpu_pod()} if stage in ON_GPU else {}),
        )
        for stage in AFTER
    }
    for stage, needed in AFTER.items():
        for other in needed:
            tasks[other] >> tasks[stage]
