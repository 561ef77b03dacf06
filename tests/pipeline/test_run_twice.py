"""Two runs of one stage on one home take turns."""

import fcntl
import json
import subprocess
import sys
import threading
from pathlib import Path

from mmrl.catalog import Catalog


def test_a_stage_that_another_process_is_at_waits_for_it_and_says_so(tmp_path: Path) -> None:
    home = tmp_path / "home"
    Catalog.open(home, create=True)
    (home / "locks").mkdir()
    with (home / "locks" / "run-filter").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        held.write("4711")
        held.flush()
        command = [sys.executable, "-m", "mmrl", "run", "filter", "--home", str(home), "--json"]
        run = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert run.stdout is not None
        assert run.stderr is not None
        killer = threading.Timer(60, run.kill)
        killer.start()
        assert "waits for process 4711" in run.stderr.readline()
        assert run.poll() is None
    said, _ = run.communicate(timeout=60)
    killer.cancel()
    assert run.returncode == 0
    assert json.loads(said)["did_anything"] is False
