"""Makes the observations that are due, every hour. Skipped while a collector runs: it does that."""

from datetime import UTC, datetime, timedelta

from airflow.sdk import DAG

from mmrl_airflow import DEFAULTS, OBSERVATIONS, MmrlOperator, on_failure

with DAG(
    "mmrl_observe",
    description="Looks at posts that have reached a checkpoint age",
    doc_md=__doc__,
    schedule="59 * * * *",
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    default_args={**DEFAULTS, "on_failure_callback": on_failure()},
    tags=["mmrl"],
) as dag:
    MmrlOperator(
        task_id="observe",
        command=["observe"],
        idle="due",
        outlets=[OBSERVATIONS],
        execution_timeout=timedelta(minutes=55),
        pool="reddit_api",
    )
