"""Asks a running Airflow through its REST API, version 2."""

import json
import time
from datetime import datetime, timedelta
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

_ENDED = {"success", "failed"}


class Airflow:
    """A client who is logged in.

    Args:
        address: of the API server.
        password: of the user admin.
    """

    def __init__(self, address: str, password: str) -> None:
        self.address = address
        self._token = ""
        self._token = self._ask("POST", "/auth/token", {"username": "admin", "password": password})[
            "access_token"
        ]

    def unpause(self, dag: str) -> None:
        """Lets a DAG's runs begin."""
        self._ask("PATCH", f"/api/v2/dags/{dag}", {"is_paused": False})

    def trigger(self, dag: str, as_of: datetime, **conf: Any) -> str:
        """Asks for the run whose day ends at that time; returns its id."""
        given = {
            "logical_date": (as_of - timedelta(days=1)).isoformat(),
            "data_interval_start": (as_of - timedelta(days=1)).isoformat(),
            "data_interval_end": as_of.isoformat(),
            "conf": conf,
        }
        run: str = self._ask("POST", f"/api/v2/dags/{dag}/dagRuns", given)["dag_run_id"]
        return run

    def backfill(self, dag: str, first: datetime, last: datetime) -> list[str]:
        """Asks for the runs that begin between two times, as the page does; returns their ids."""
        given = {"dag_id": dag, "from_date": first.isoformat(), "to_date": last.isoformat()}
        for _ in range(5):
            try:
                self._ask("POST", "/api/v2/backfills", {**given, "max_active_runs": 1})
                break
            except HTTPError as error:
                if error.code != 503:  # SQLite was being written to
                    raise
                time.sleep(1)
        path = f"/api/v2/dags/{dag}/dagRuns?run_type=backfill&order_by=run_after"
        return [run["dag_run_id"] for run in self._ask("GET", path)["dag_runs"]]

    def wait(self, dag: str, run: str, seconds: float) -> str:
        """The state that a run ended in."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            state = str(self._ask("GET", f"/api/v2/dags/{dag}/dagRuns/{run}")["state"])
            if state in _ENDED:
                return state
            time.sleep(0.5)
        raise TimeoutError(f"{dag} {run} has not ended in {seconds} s: {self.tasks(dag, run)}")

    def tasks(self, dag: str, run: str) -> dict[str, dict[str, Any]]:
        """What became of each task."""
        found = self._ask("GET", f"/api/v2/dags/{dag}/dagRuns/{run}/taskInstances")
        return {task["task_id"]: task for task in found["task_instances"]}

    def counts(self, dag: str, run: str, task: str) -> dict[str, Any]:
        """What a task says it did: its XCom."""
        path = f"/api/v2/dags/{dag}/dagRuns/{run}/taskInstances/{task}/xcomEntries/return_value"
        value = self._ask("GET", path)["value"]
        counts: dict[str, Any] = json.loads(value) if isinstance(value, str) else value
        return counts

    def get(self, path: str) -> Any:
        """The answer to another question, as JSON."""
        return self._ask("GET", path)

    def page(self, path: str) -> str:
        """A page that is served beside the API, as text.

        Raises:
            HTTPError: it is not there, or not for this user.
        """
        return self._open("GET", path, None).decode()

    def _ask(self, method: str, path: str, given: Any = None) -> Any:
        return json.loads(self._open(method, path, given))

    def _open(self, method: str, path: str, given: Any) -> bytes:
        data = None if given is None else json.dumps(given).encode()
        headers = {"Content-Type": "application/json"}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        request = Request(self.address + path, data=data, headers=headers, method=method)
        try:
            with urlopen(request, timeout=60) as answer:
                body: bytes = answer.read()
                return body
        except HTTPError as error:
            error.add_note(error.read().decode(errors="replace")[:1_000])
            raise
