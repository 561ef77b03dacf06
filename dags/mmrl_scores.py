"""Looks every day how published predictions came out; a bad week is a failed task, and an alert.

The task fails where, over the last seven days with outcomes, the model was worse than the mean of
the community's last 90 days. Whoever is named for alerts is told, as of any failure.
"""

from datetime import UTC, datetime, timedelta

from airflow.sdk import DAG, Asset

from mmrl_airflow import AS_OF, DEFAULTS, MmrlOperator, on_failure

with DAG(
    "mmrl_scores",
    description="Tells when predictions fall below the baseline's level for a week",
    doc_md=__doc__,
    schedule="0 9 * * *",
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    default_args={**DEFAULTS, "retries": 1, "on_failure_callback": on_failure()},
    tags=["mmrl"],
) as dag:
    MmrlOperator(
        task_id="scores",
        command=["scores", "--alarm", "--as-of", AS_OF],
        outlets=[Asset("mmrl_scores")],
        execution_timeout=timedelta(hours=1),
    )
