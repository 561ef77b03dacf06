"""Items that a stage could not do: why, how often they were tried, and when to try them again."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

import pyarrow as pa

from mmrl.catalog.protocol import Tables
from mmrl.catalog.query import among, moment, quote
from mmrl.catalog.reasons import Reason
from mmrl.catalog.tables import FAILURES as SCHEMA
from mmrl.runtime.retry import FAILURES as RETRY

TABLE = "failures"


@dataclass(frozen=True)
class Failed:
    """An item that a stage could not do.

    Attributes:
        key: the item, unique within its stage.
        reason: why, from the closed list.
        detail: a few words for whoever looks into it (an HTTP status, an error's text).
        transient: worth another try later; the wait doubles from 10 minutes up to a day, and the
            fortieth try is the last.
        encoder: the id of the model that failed on it, where another one may not.
    """

    key: str
    reason: Reason
    detail: str | None = None
    transient: bool = False
    encoder: str | None = None


def fail(catalog: Tables, stage: str, failures: Iterable[Failed], as_of: datetime) -> None:
    """Records failed items; see `Catalog.fail`."""
    by_key = {failure.key: failure for failure in failures}
    if not by_key:
        return
    before = catalog.lookup(TABLE, "key", by_key, ["key", "attempts"], f"stage = {quote(stage)}")
    attempts = dict(zip(before["key"].to_pylist(), before["attempts"].to_pylist(), strict=True))
    rows = []
    for item, failure in by_key.items():
        # What a budget left out was not tried, so it is never given up.
        tried = attempts.get(item, 0) + (failure.reason != Reason.CAPTION_BUDGET_SPENT)
        again = failure.transient and not RETRY.exhausted(tried)
        wait = timedelta(seconds=RETRY.wait(max(tried, 1)))
        rows.append(
            {
                "stage": stage,
                "key": item,
                "reason": str(failure.reason),
                "detail": failure.detail,
                "attempts": tried,
                "last_at": as_of,
                "retry_after": as_of + wait if again else None,
                "encoder": failure.encoder,
            }
        )
    catalog.upsert(TABLE, pa.Table.from_pylist(rows, schema=SCHEMA))


def open_failures(
    catalog: Tables,
    stage: str,
    as_of: datetime,
    encoder: str | None = None,
    keys: pa.ChunkedArray | None = None,
) -> pa.ChunkedArray:
    """The keys of a stage that are not to be tried now; see `Catalog.open_failures`."""
    condition = f"stage = {quote(stage)} AND (retry_after IS NULL OR retry_after > {moment(as_of)})"
    if encoder is not None:
        condition += f" AND (encoder IS NULL OR encoder = {quote(encoder)})"
    return catalog.lookup(TABLE, "key", keys, ["key"], condition)["key"]


def due_failures(catalog: Tables, stage: str, as_of: datetime) -> pa.ChunkedArray:
    """The keys of a stage that are to be tried again now; see `Catalog.due_failures`."""
    condition = f"stage = {quote(stage)} AND retry_after <= {moment(as_of)}"
    return catalog.read(TABLE, ["key"], condition)["key"]


def clear_failures(catalog: Tables, stage: str, keys: Iterable[str]) -> None:
    """Forgets failures of items that have since been done."""
    of_stage = f"stage = {quote(stage)}"
    failed = catalog.lookup(TABLE, "key", keys, ["key"], of_stage)["key"].to_pylist()
    for condition in among("key", failed):
        catalog.delete(TABLE, f"{of_stage} AND {condition}")
