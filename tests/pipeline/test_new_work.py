"""Pending work is found by what is new, and is the same that looking at everything finds."""

import json
from datetime import datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from mmrl.catalog import Catalog, Failed, Reason
from mmrl.catalog.tables import META
from mmrl.pipeline import Silent, run_stage
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


@pytest.mark.slow
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


def test_a_check_finds_what_a_wrong_mark_has_hidden_and_says_how_much(tmp_path: Path) -> None:
    home = ChangingHome(Catalog.open(tmp_path, create=True), 0)
    home.new_posts()
    home.run_all()
    home.new_posts()
    home.time_goes_on()
    (mark,) = home.catalog.read("meta", ["value"], "name = 'mark of filter'")["value"].to_pylist()
    wrong = json.loads(mark)
    wrong["read"] = {"posts": home.catalog.last_written("posts")}
    wrong["as_of"] = home.now.isoformat()
    row = {"name": ["mark of filter"], "value": [json.dumps(wrong)]}
    home.catalog.upsert("meta", pa.table(row, schema=META))
    (stage, *_) = home.stages()
    hidden = stage.pending(home.catalog, home.now).num_rows
    assert hidden > 0
    assert run_stage(stage, home.catalog, home.now, Silent()).pending == 0
    report = run_stage(stage, home.catalog, home.now, Silent(), check=True)
    assert (report.pending, report.missed, report.done) == (hidden, hidden, hidden)
    assert f"{hidden} of them only found by the check" in report.summary()
    again = run_stage(stage, home.catalog, home.now, Silent(), check=True)
    assert (again.pending, again.missed) == (0, 0)


def test_a_day_is_found_without_looking_at_any_other_post(tmp_path: Path) -> None:
    home = ChangingHome(Catalog.open(tmp_path, create=True), 1)
    home.new_posts()
    home.run_all()
    asked = []
    (stage, *_) = home.stages()
    pending = stage.pending

    def watched(catalog: Catalog, as_of: datetime, posts: pa.Array | None = None) -> pa.Table:
        asked.append(posts)
        return pending(catalog, as_of, posts)

    stage.pending = watched  # type: ignore[method-assign]
    run_stage(stage, home.catalog, home.now, Silent())
    before = home.catalog.read("posts", ["post_id"])["post_id"].to_pylist()
    home.new_posts()
    after = home.catalog.read("posts", ["post_id"])["post_id"].to_pylist()
    asked.clear()
    run_stage(stage, home.catalog, home.now, Silent())
    assert sorted(asked[0].to_pylist()) == sorted(set(after) - set(before))


def test_a_due_failure_of_what_nobody_wants_any_more_is_forgotten_and_no_doubt_for_ever(
    tmp_path: Path,
) -> None:
    home = ChangingHome(Catalog.open(tmp_path, create=True), 2)
    home.new_posts()
    home.run_all()
    stage = next(one for one in home.stages() if one.name == "embed-title")
    lost = Failed("of no post", Reason.WORKER_DIED, transient=True)
    home.catalog.fail(stage.name, [lost], home.now)
    later = home.now + timedelta(days=2)
    assert home.catalog.due_failures(stage.name, later).to_pylist() == ["of no post"]
    home.run(stage, later)
    home.run(stage, later)
    assert home.catalog.due_failures(stage.name, later).to_pylist() == []
