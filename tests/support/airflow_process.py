"""Airflow as `make airflow` starts it, and PostgreSQL as its database, for tests."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.support.airflow_client import Airflow
from tests.support.paths import ROOT

_START_SECONDS = 240.0


@contextmanager
def start_airflow(folder: Path, home: Path, **environment: str) -> Iterator[Airflow]:
    """Airflow's own services on loopback, with the DAGs loaded, while the block lasts.

    Args:
        folder: its settings, logs and, unless told otherwise, database.
        home: that the DAGs work on.
    """
    if not (ROOT / ".venv-airflow" / "bin" / "airflow").is_file():
        pytest.skip("needs Airflow's environment: make setup-airflow")
    port = free_port()
    process = subprocess.Popen(
        [ROOT / "deploy" / "airflow" / "start.sh"],
        env={
            **os.environ,
            "AIRFLOW_HOME": str(folder),
            "AIRFLOW_PORT": str(port),
            "MMRL_HOME": str(home),
            **environment,
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        yield Airflow(f"http://127.0.0.1:{port}", _password(process))
    finally:
        process.send_signal(signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(30)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _password(process: "subprocess.Popen[str]") -> str:
    """Waits until it says that it is ready, and with which password."""
    assert process.stdout is not None
    said = []
    until = time.monotonic() + _START_SECONDS
    for line in process.stdout:
        said.append(line)
        if "password" in line:
            return line.split()[-1]
        if time.monotonic() > until:
            break
    raise TimeoutError(f"Airflow did not start: {''.join(said)}")


@contextmanager
def start_postgres() -> Iterator[str]:
    """A PostgreSQL server of its own, on loopback; yields the address for SQLAlchemy."""
    program = shutil.which("initdb") or next(
        (str(path) for path in Path("/usr/lib/postgresql").glob("*/bin/initdb")), None
    )
    if program is None:
        pytest.skip("needs PostgreSQL's server (Debian's package postgresql)")
    programs = Path(program).resolve().parent
    as_user: dict[str, str] = {}
    folder = Path(tempfile.mkdtemp(prefix="mmrl-postgres-"))
    if os.geteuid() == 0:  # the server refuses to run as root
        try:
            user = pwd.getpwnam("postgres")
        except KeyError:
            pytest.skip("needs the user postgres, as PostgreSQL does not run as root")
        os.chown(folder, user.pw_uid, user.pw_gid)
        as_user = {"user": "postgres"}
    port = free_port()
    data = folder / "data"
    initdb = [programs / "initdb", "-D", data, "-U", "airflow", "-A", "trust", "--no-sync"]
    subprocess.run(initdb, check=True, capture_output=True, cwd=folder, **as_user)
    server = subprocess.Popen(
        [programs / "postgres", "-D", data, "-h", "127.0.0.1", "-p", str(port), "-k", folder],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=folder,
        **as_user,
    )
    try:
        _wait_for(port)
        yield f"postgresql+psycopg2://airflow@127.0.0.1:{port}/postgres"
    finally:
        server.send_signal(signal.SIGINT)  # fast shutdown
        server.wait(30)
        shutil.rmtree(folder)


def _wait_for(port: int) -> None:
    for _ in range(300):
        with socket.socket() as tried:
            if tried.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise TimeoutError("PostgreSQL did not start")


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        port: int = bound.getsockname()[1]
        return port
