"""Collects every hour, for nearly an hour: an alternative to a service that never stops.

Leave it paused where `mmrl collect` runs as a service (systemd, compose).
"""

from datetime import UTC, datetime, timedelta

from airflow.sdk import DAG, Param

from mmrl_airflow import DEFAULTS, OBSERVATIONS, POSTS, MmrlOperator, on_failure

with DAG(
    "mmrl_collect",
    description="Keeps every new post of the followed subreddits, and observes each as it ages",
    doc_md=__doc__,
    schedule="0 * * * *",
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    default_args={**DEFAULTS, "on_failure_callback": on_failure()},
    params={
        "for": Param("58m", type="string", pattern=r"^[0-9.smhd]+$", title="How long"),
        "from": Param(
            "",
            enum=["", "reddit", "arctic-shift"],
            title="Source",
            description="Empty: the home's own, source.live in its settings.",
        ),
    },
    tags=["mmrl"],
) as dag:
    MmrlOperator(
        task_id="collect",
        command=["collect", "--for", "{{ params['for'] }}", "--from", "{{ params['from'] }}"],
        idle="seen",
        outlets=[POSTS, OBSERVATIONS],
        execution_timeout=timedelta(minutes=65),
        pool="reddit_api",
    )
