"""Erases every week what was deleted on Reddit, in the time that other requests leave."""

from datetime import UTC, datetime, timedelta

from airflow.sdk import DAG, Asset, Param

from mmrl_airflow import DEFAULTS, MmrlOperator, on_failure

with DAG(
    "mmrl_purge",
    description="Erases what was deleted on Reddit, from every table, version and file",
    doc_md=__doc__,
    schedule="30 2 * * 0",
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    default_args={**DEFAULTS, "on_failure_callback": on_failure()},
    params={"for": Param("6h", type="string", pattern=r"^[0-9.smhd]+$", title="How long")},
    tags=["mmrl"],
) as dag:
    MmrlOperator(
        task_id="purge",
        command=["purge", "--for", "{{ params['for'] }}"],
        outlets=[Asset("mmrl_purge")],
        execution_timeout=timedelta(hours=8),
        pool="reddit_api",
    )
