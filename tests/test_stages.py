"""The stage graph is written once, and everything that lists stages follows it."""

from datetime import UTC, datetime

import pyarrow as pa

from mmrl.catalog import Catalog, Failed, Reason
from mmrl.catalog.columns import EMBEDDED
from mmrl.catalog.tables import SCHEMAS
from mmrl.config import Settings
from mmrl.pipeline.run import make_stage
from mmrl.pipeline.stage import Results
from mmrl.report.funnel import left_out
from mmrl.stages import STAGES, Count, StageInfo, names
from mmrl.status import survey

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


class CheckStage:
    """A stage that this version of mmrl does not have: two items wait for it."""

    name = "check"
    chunk = 10
    rules = ""
    reads = ("posts",)
    writes = "checks"

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def pending(self, catalog: Catalog, as_of: datetime, posts: pa.Array | None = None) -> pa.Table:
        return pa.table({"key": ["a", "b"]})

    def load(self, catalog: Catalog, pending: pa.Table) -> pa.Table:
        return pending

    def worker(self, as_of: datetime) -> "CheckStage":
        return self

    def __call__(self, batch: pa.Table) -> Results:
        return Results(batch)

    def commit(self, catalog: Catalog, done: pa.Table, as_of: datetime) -> None: ...


CHECK = StageInfo(
    "check",
    "checks posts again",
    f"{__name__}:CheckStage",
    Count("checks", "checked posts", left_out="gone"),
    ("filter",),
)
WITH_CHECK = (STAGES[0], CHECK, *STAGES[1:])


def fill(catalog: Catalog) -> None:
    rows = [
        {"post_id": "p", "checked_at": NOON},
        {"post_id": "q", "checked_at": NOON, "gone": "removed"},
    ]
    catalog.upsert("checks", pa.Table.from_pylist(rows, schema=SCHEMAS["checks"]))
    catalog.fail("check", [Failed("r", Reason.MODEL_ERROR)], NOON)


def test_status_shows_a_stage_that_is_an_entry_of_the_graph(catalog: Catalog) -> None:
    fill(catalog)
    rows = survey(catalog, Settings(), NOON, WITH_CHECK).stages
    shown = [row.stage for row in rows]
    assert shown[shown.index("filter") :] == list(names(WITH_CHECK))
    row = rows[shown.index("check")]
    assert (row.done, row.unit, row.pending) == (2, "checked posts", 2)
    assert row.left_out == [(Reason.REMOVED, 1)]
    assert row.failed == [(Reason.MODEL_ERROR, 1)]


def test_the_reports_funnel_shows_it_in_its_place(catalog: Catalog) -> None:
    fill(catalog)
    catalog.fail("import", [Failed("x", Reason.NO_TITLE)], NOON)
    catalog.fail("fetch-images", [Failed("y", Reason.TOO_SMALL)], NOON)
    shown = [(row.stage, row.items) for row in left_out(catalog, WITH_CHECK)]
    assert shown == [("import", 1), ("check", 1), ("check", 1), ("fetch-images", 1)]


def test_every_stage_is_made_by_what_its_entry_names() -> None:
    for info in STAGES:
        if info.chunked:
            stage = make_stage(info, Settings())
            assert stage.name == info.name
            assert stage.chunk > 0


def test_a_stage_comes_after_what_it_needs() -> None:
    for place, info in enumerate(STAGES):
        assert set(info.needs) <= set(names(STAGES[:place]))
        assert info.needs or place == 0


def test_a_broken_profile_stops_only_the_stages_that_run_its_models() -> None:
    broken = Settings(profile="of-nobody")
    for info in STAGES:
        if info.chunked and info.role is None:
            assert make_stage(info, broken).name == info.name


def test_every_counting_table_and_column_is_the_catalogs() -> None:
    for info in STAGES:
        if info.count is None or info.role in EMBEDDED:
            continue
        columns = SCHEMAS[info.count.table].names
        for column in (info.count.model, info.count.left_out):
            assert column is None or column in columns
