"""Costs of Airflow: its set-up, a task's overhead, and a day with nothing new.

    python -m benchmarks.airflow

The same stages, on a home where all is done already, are run by `mmrl run` one after the
other; by Airflow one at a time (the difference is Airflow's overhead); and by Airflow as it is
set up by `make airflow`, which runs side by side what may be.
"""

import os
import subprocess
import sys
import tempfile
import time
from datetime import datetime, timedelta
from pathlib import Path

from mmrl.stages import names
from mmrl.times import parse_time
from tests.support.airflow_client import Airflow
from tests.support.airflow_days import simulated_days
from tests.support.airflow_process import start_airflow

PROJECT = Path(__file__).parents[1]
DAILY = "mmrl_daily"


def set_up() -> None:
    """Prints what Airflow's environment takes, with packages that uv has fetched before."""
    uv = PROJECT / ".venv" / "bin" / "uv"
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, folder], check=True)
        install = [uv, "pip", "install", "--quiet", "--python", f"{folder}/bin/python"]
        subprocess.run([*install, "-r", PROJECT / "requirements" / "airflow.txt"], check=True)
        seconds = time.perf_counter() - began
        size = sum(f.stat().st_size for f in Path(folder).rglob("*") if f.is_file())
    print(f"Airflow's environment: {seconds:.1f} s from uv's cache, {size / 1e6:.0f} MB")


def by_mmrl(home: Path, as_of: datetime) -> float:
    """Seconds that the stages take, one command after the other."""
    began = time.perf_counter()
    for stage in names():
        command = [sys.executable, "-m", "mmrl", "run", stage, "--json"]
        command += ["--home", str(home), "--as-of", as_of.isoformat()]
        subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - began


def by_airflow(airflow: Airflow, as_of: datetime) -> float:
    """Seconds from a run's start to its end, as Airflow tells."""
    run = airflow.trigger(DAILY, as_of)
    state = airflow.wait(DAILY, run, 900)
    assert state == "success", airflow.tasks(DAILY, run)
    told = airflow.get(f"/api/v2/dags/{DAILY}/dagRuns/{run}")
    took = parse_time(told["end_date"]) - parse_time(told["start_date"])
    return took.total_seconds()


def main() -> None:
    """Prints all figures."""
    set_up()
    os.environ["OMP_NUM_THREADS"] = "2"
    with (
        tempfile.TemporaryDirectory() as folder,
        simulated_days(Path(folder) / "home", 60, 5) as days,
    ):
        days.pass_until(days.sandbox.start + timedelta(days=5))
        as_of = days.now
        by_mmrl(days.home, as_of)  # does what there is to do
        one_by_one, alone, together = [], [], []
        with start_airflow(
            Path(folder) / "one", days.home, AIRFLOW__CORE__PARALLELISM="1"
        ) as airflow:
            airflow.unpause(DAILY)
            _settle(airflow)
            for time_of in times(as_of):
                one_by_one.append(by_airflow(airflow, time_of))
                alone.append(by_mmrl(days.home, time_of))
        with start_airflow(Path(folder) / "many", days.home) as airflow:
            airflow.unpause(DAILY)
            _settle(airflow)
            together = [by_airflow(airflow, time_of) for time_of in times(as_of)]
    for name, seconds in (
        ("mmrl run, one after the other", alone),
        ("Airflow, one at a time", one_by_one),
        ("Airflow, side by side where it may", together),
    ):
        print(f"{name}: {' and '.join(f'{s:.1f}' for s in seconds)} s for {len(names())} stages")
    overhead = (min(one_by_one) - min(alone)) / len(names())
    print(f"Airflow's overhead: {overhead:.1f} s a task, {min(one_by_one) / min(alone):.2f} times")


def times(as_of: datetime) -> list[datetime]:
    """Airflow has one run for each time."""
    return [as_of + timedelta(minutes=minute) for minute in range(2)]


def _settle(airflow: Airflow) -> None:
    """Waits for the run of the last day, which Airflow begins by itself."""
    for _ in range(240):
        runs = airflow.get(f"/api/v2/dags/{DAILY}/dagRuns")["dag_runs"]
        if runs and all(run["state"] in ("success", "failed") for run in runs):
            return
        time.sleep(1)
    raise TimeoutError("Airflow's own first run has not ended")


if __name__ == "__main__":
    main()
