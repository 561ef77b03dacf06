"""Pending work is found by what is new, and is the same that looking at everything finds."""

from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pytest

from mmrl.catalog import Catalog
from mmrl.pipeline.new_work import NewWork
from mmrl.pipeline.stage import Stage
from tests.support.changing_home import ChangingHome


def keys(pending: pa.Table) -> list[str]:
    return sorted(pending["key"].to_pylist())


def assert_nothing_is_missed(
    stage: Stage, catalog: Catalog, as_of: datetime, after: list[str]
) -> None:
    short = keys(NewWork(stage, catalog, as_of).pending)
    assert short == keys(stage.pending(catalog, as_of)), (stage.name, after)


@pytest.mark.parametrize("seed", range(4))
def test_whatever_happens_what_is_new_is_all_that_is_pending(tmp_path: Path, seed: int) -> None:
    home = ChangingHome(Catalog.open(tmp_path, create=True), seed)
    home.new_posts()
    home.observe()
    home.run_all()
    after = []
    for step in range(16):
        after.append(home.happen())
        stages = home.stages()
        for stage in (*stages[step % 3 :: 3], stages[0], stages[-1]):
            assert_nothing_is_missed(stage, home.catalog, home.now, after)
