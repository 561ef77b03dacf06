"""Two runs of one stage on one home take turns."""

import fcntl
import json
from pathlib import Path

import pytest

from mmrl.catalog import Catalog
from tests.support.command import ending, start


@pytest.mark.slow
def test_a_stage_that_another_process_is_at_waits_for_it_and_says_so(tmp_path: Path) -> None:
    home = tmp_path / "home"
    Catalog.open(home, create=True)
    (home / "locks").mkdir()
    with (home / "locks" / "run-filter").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        held.write("4711")
        held.flush()
        run = start("run", "filter", "--home", home, "--json")
        assert run.stderr is not None
        assert "waits for process 4711" in run.stderr.readline()
        assert run.poll() is None
    ended = ending(run)
    assert ended.code == 0, ended.err
    assert json.loads(ended.out)["did_anything"] is False
