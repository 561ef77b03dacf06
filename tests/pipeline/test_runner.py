"""The engine: chunks, commits, failures, retries, progress."""

from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mmrl.catalog import Catalog, Failed, Reason, without
from mmrl.catalog.tables import SCHEMAS
from mmrl.pipeline import Results, Silent, run_stage
from mmrl.pipeline.local import ChunkSize
from mmrl.pipeline.stage import StageReport
from mmrl.runtime.meter import Meter

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


class Caption:
    """A small stage: captions the keys it was given, failing those it is told to."""

    name = "caption"
    rules = ""
    reads = ("post_images",)
    writes = "captions"

    def __init__(self, keys: list[str], chunk: int, fails: dict[str, bool] | None = None) -> None:
        self.keys, self.chunk, self.fails = keys, chunk, fails or {}
        self.workers = 0
        self.batches: list[int] = []
        self.on_batch: Callable[[int], None] = lambda number: None

    def pending(self, catalog: Catalog, as_of: datetime, posts: pa.Array | None = None) -> pa.Table:
        rows = pa.table({"key": pa.array(self.keys, pa.string())})
        rows = without(rows, "key", catalog.read("captions", ["sha256"])["sha256"].to_pylist())
        return without(rows, "key", catalog.open_failures(self.name, as_of))

    def load(self, catalog: Catalog, pending: pa.Table) -> pa.Table:
        return pending

    def worker(self, as_of: datetime) -> Any:
        self.workers += 1
        return self._work

    def _work(self, batch: pa.Table) -> Results:
        self.on_batch(len(self.batches))
        self.batches.append(batch.num_rows)
        keys = batch["key"].to_pylist()
        failed = [
            Failed(key, Reason.MODEL_ERROR, transient=self.fails[key])
            for key in keys
            if key in self.fails
        ]
        done = [key for key in keys if key not in self.fails]
        rows = [{"sha256": key, "captioner": "c", "text": key} for key in done]
        return Results(pa.Table.from_pylist(rows, schema=SCHEMAS["captions"]), failed)

    def commit(self, catalog: Catalog, done: pa.Table, as_of: datetime) -> None:
        catalog.upsert("captions", done)


def show(catalog: Catalog, image: str) -> None:
    """Has a post show an image."""
    row = {"post_id": "p", "sha256": image, "fetched_at": NOON, "final_url": ""}
    catalog.insert("post_images", pa.Table.from_pylist([row], schema=SCHEMAS["post_images"]))


def captioned(catalog: Catalog) -> list[str]:
    return sorted(catalog.read("captions")["sha256"].to_pylist())


def test_nothing_pending_makes_no_worker(catalog: Catalog) -> None:
    stage = Caption([], 4)
    report = run_stage(stage, catalog, NOON, Silent())
    assert (stage.workers, report.pending, report.summary()) == (0, 0, "nothing new")


def test_work_is_done_in_chunks_by_one_worker_and_a_second_run_finds_nothing(
    catalog: Catalog,
) -> None:
    stage = Caption([f"k{i}" for i in range(10)], 4)
    report = run_stage(stage, catalog, NOON, Silent())
    assert (stage.workers, stage.batches, report.done) == (1, [4, 4, 2], 10)
    assert run_stage(stage, catalog, NOON, Silent()).pending == 0


def test_what_was_committed_before_a_crash_stays_and_the_rest_is_pending(
    catalog: Catalog,
) -> None:
    stage = Caption([f"k{i}" for i in range(10)], 4)

    def crash(number: int) -> None:
        if number == 1:
            raise RuntimeError("power cut")

    stage.on_batch = crash
    with pytest.raises(RuntimeError, match="power cut"):
        run_stage(stage, catalog, NOON, Silent())
    assert len(captioned(catalog)) == 4
    again = Caption(stage.keys, 4)
    assert run_stage(again, catalog, NOON, Silent()).done == 6
    assert captioned(catalog) == sorted(stage.keys)


def test_a_permanent_failure_is_not_tried_again_and_a_transient_one_is_later(
    catalog: Catalog,
) -> None:
    show(catalog, "b")
    stage = Caption(["a", "b", "c"], 2, fails={"a": False, "b": True})
    report = run_stage(stage, catalog, NOON, Silent())
    assert (report.done, dict(report.failed)) == (1, {"model_error": 2})
    assert run_stage(stage, catalog, NOON, Silent()).pending == 0
    later = NOON + timedelta(hours=1)
    mended = Caption(["a", "b", "c"], 2)
    assert run_stage(mended, catalog, later, Silent()).done == 1
    assert captioned(catalog) == ["b", "c"]
    assert catalog.read("failures")["key"].to_pylist() == ["a"]


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    keys=st.lists(st.text("abcdef'", min_size=1, max_size=4), unique=True, max_size=12),
    chunk=st.integers(1, 5),
    data=st.data(),
)
def test_every_pending_item_ends_as_a_row_or_as_a_failure(
    tmp_path_factory: pytest.TempPathFactory, keys: list[str], chunk: int, data: st.DataObject
) -> None:
    fails = {key: False for key in keys if data.draw(st.booleans())}
    catalog = Catalog.open(tmp_path_factory.mktemp("home"), create=True)
    report = run_stage(Caption(keys, chunk, fails), catalog, NOON, Silent())
    assert captioned(catalog) == sorted(set(keys) - set(fails))
    assert sorted(catalog.read("failures")["key"].to_pylist()) == sorted(fails)
    assert report.done + sum(report.failed.values()) == report.pending == len(keys)


def test_the_meter_sees_time_and_memory() -> None:
    with Meter() as meter:
        held = bytearray(80_000_000)
        held[::4096] = b"x" * len(held[::4096])
        __import__("time").sleep(0.15)
    assert meter.seconds >= 0.15
    assert meter.peak_bytes > 80_000_000


def test_chunks_grow_while_they_are_quick_and_shrink_when_they_are_slow() -> None:
    size = ChunkSize(1024)
    assert size.rows == 8
    size.took(60)  # the first chunk loads the model: its time says nothing
    assert size.rows == 8
    for _ in range(2):
        size.took(0.1)
    assert size.rows == 128
    size.took(10)
    assert size.rows == 128
    size.took(30)
    assert size.rows == 64
    for _ in range(10):
        size.took(100)
    assert size.rows == 1
    for _ in range(20):
        size.took(0)
    assert size.rows == 1024


def test_what_people_should_know_of_a_run_is_in_its_summary(catalog: Catalog) -> None:
    stage = Caption([f"k{i}" for i in range(20)], 8)
    work = stage._work

    def cutting(batch: pa.Table) -> Results:
        results = work(batch)
        return Results(results.done, noted=Counter({"texts cut": 1, "never": 0}))

    stage._work = cutting  # type: ignore[method-assign]
    report = run_stage(stage, catalog, NOON, Silent())
    assert report.summary() == "20 done, 3 texts cut"
    assert StageReport("caption").summary() == "nothing new"
