"""Parts that the DAGs share: mmrl's commands as tasks, the assets, the alerts.

mmrl runs in an environment of its own, whose pins must not meet Airflow's, so a task is a command:

- `MMRL_COMMAND`: the mmrl program; that of the project unless set.
- `MMRL_HOME`: the home, a folder that every worker sees or an s3:// address.
- `MMRL_ALERT_EMAIL`: who is told of failures and late runs, by the connection `smtp_default`.
- `MMRL_ALERT_WEBHOOK`: the id of an HTTP connection whose address is told, as JSON.
- `MMRL_ALERT_AFTER_HOURS`: when the daily run is late, counted from its start; 20 unless set.
- `MMRL_GPU_POD_TEMPLATE`: under the Kubernetes executor, the pod for tasks in the pool `gpu`.
"""

import json
import os
from datetime import timedelta
from pathlib import Path
from typing import Any

from airflow.providers.standard.hooks.subprocess import SubprocessHook
from airflow.sdk import (
    Asset,
    AsyncCallback,
    BaseOperator,
    BaseOperatorLink,
    DeadlineAlert,
    DeadlineReference,
)
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSkipException

POSTS = Asset("mmrl_posts")
OBSERVATIONS = Asset("mmrl_observations")

# As of one moment in all tasks of a run: the end of its interval. A run that was triggered
# without a logical date has none, and works as of its start.
AS_OF = "{{ (dag_run.data_interval_end or dag_run.run_after).isoformat() }}"
# The same, but as of its start where the parameter `now` is set.
AS_OF_OR_NOW = (
    "{{ (dag_run.run_after if params['now'] else "
    "dag_run.data_interval_end or dag_run.run_after).isoformat() }}"
)

WRONGLY_ASKED = 2  # mmrl's exit code for a user's mistake, which no second try mends

DEFAULTS = {
    "owner": "mmrl",
    "retries": 3,
    "retry_delay": timedelta(seconds=30),
    "retry_exponential_backoff": 2.0,
    "max_retry_delay": timedelta(minutes=30),
}

_HERE = Path(__file__).resolve().parent
_COMMAND = str(_HERE.parent / ".venv" / "bin" / "mmrl")
_FAILED = (
    "mmrl: the task {{ ti.task_id }} of {{ dag.dag_id }} failed "
    "(run {{ dag_run.run_id }}, try {{ ti.try_number }})."
)
_LATE = "mmrl: {{ dag_run.dag_id }} has not ended in time (run {{ dag_run.run_id }})."


class ReportLink(BaseOperatorLink):
    """A button on the task's page that opens the model's report."""

    name = "Report"

    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        """Where the plugin serves the report of the task's model; empty without one.

        `train` names the version, whose report `publish` then writes.
        """
        report, version = (operator.counts.get(name) for name in ("report", "model_version"))
        if report is None and version is None:
            return ""
        return f"/mmrl/reports/{Path(report).name if report else f'{version}.html'}"


class MmrlOperator(BaseOperator):
    """Runs one mmrl command; what it counted is the task's XCom, and is told in its log.

    A task that found nothing to do is skipped; one that was asked for wrongly (settings,
    credentials) fails without being tried again. What the command says goes to the log while it
    works; stopped by Airflow, it gets a SIGTERM, on which it keeps what it has.

    Args:
        command: what follows `mmrl`; may hold templates.
        idle: the count that is 0 when there was nothing to do.
    """

    template_fields = ("command",)

    def __init__(self, *, command: list[str], idle: str = "in", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.command = command
        self.idle = idle
        self.counts: dict[str, Any] = {}
        self._process = SubprocessHook()

    def execute(self, context: Any) -> dict[str, Any]:
        mmrl = os.environ.get("MMRL_COMMAND", _COMMAND)
        # The shell keeps standard output, which is the report, apart from the log, and says it
        # last, as the hook returns the last line.
        shell = ["bash", "-c", 'report=$("$@") || exit; echo "$report"', "--"]
        ended = self._process.run_command([*shell, mmrl, *self.command, "--json"])
        if ended.exit_code == WRONGLY_ASKED:
            raise AirflowFailException("mmrl can't do that as it is asked to: its log says why.")
        if ended.exit_code:
            raise AirflowException(f"mmrl ended with {ended.exit_code}: its log says why.")
        self.counts = counts = counted(json.loads(ended.output))
        for name, value in counts.items():
            self.log.info("%s: %s", name, value)
        if not counts.get(self.idle, 1):
            context["ti"].xcom_push(key="return_value", value=counts)
            raise AirflowSkipException(skipped_because(counts))
        for asset in self.outlets:
            context["outlet_events"][asset].extra = counts
        return counts

    def on_kill(self) -> None:
        self._process.send_sigterm()


def skipped_because(counts: dict[str, Any]) -> str:
    """Why a task had nothing to do; that posts wait for a later run is said with it."""
    reason = str(counts.get("message") or "Nothing new.")
    if later := counts.get("later"):
        reason += (
            f" {later:,} posts came later than this run's time and wait: the next scheduled run "
            "takes them, or Trigger with `As of now`."
        )
    return reason


def counted(report: dict[str, Any]) -> dict[str, Any]:
    """A command's report; that of a stage as `in`, `out` and `left_out` by reason."""
    if "stages" not in report:
        return report
    (stage,) = report["stages"]
    return {
        "stage": stage["stage"],
        "in": stage["pending"],
        "out": stage["done"],
        "left_out": {**stage["failed"], **stage["noted"]},
        "seconds": stage["seconds"],
        "later": report.get("later", 0),
        **{
            name: report[name]
            for name in ("message", "model_version", "report")
            if report[name] is not None
        },
    }


def gpu_pod() -> dict[str, Any] | None:
    """The pod for a task in the pool `gpu`; other executors than Kubernetes ignore it."""
    template = os.environ.get("MMRL_GPU_POD_TEMPLATE")
    return {"pod_template_file": template} if template else None


def on_failure() -> list[Any]:
    """Who is told when a task has failed for good."""
    return [make(**options) for make, options in _alerts(_FAILED)]


def on_late() -> list[DeadlineAlert]:
    """Who is told when a run has not ended in time."""
    after = timedelta(hours=float(os.environ.get("MMRL_ALERT_AFTER_HOURS", "20")))
    return [
        DeadlineAlert(DeadlineReference.DAGRUN_QUEUED_AT, after, AsyncCallback(make, options))
        for make, options in _alerts(_LATE)
    ]


def _alerts(text: str) -> list[tuple[Any, dict[str, Any]]]:
    alerts: list[tuple[Any, dict[str, Any]]] = []
    if email := os.environ.get("MMRL_ALERT_EMAIL"):
        from airflow.providers.smtp.notifications.smtp import SmtpNotifier

        alerts.append((SmtpNotifier, {"to": email, "subject": text, "html_content": text}))
    if webhook := os.environ.get("MMRL_ALERT_WEBHOOK"):
        from airflow.providers.http.notifications.http import HttpNotifier

        alerts.append((HttpNotifier, {"http_conn_id": webhook, "json": {"text": text}}))
    return alerts
