"""A small stage whose items say how they go; importable, so that actors of Ray can make it."""

import os
import signal
import threading
import time
from collections import Counter
from datetime import datetime
from typing import Any

import pyarrow as pa

from mmrl.catalog import Catalog, Failed, Reason, without
from mmrl.catalog.tables import SCHEMAS
from mmrl.config import Settings
from mmrl.errors import WeightsError
from mmrl.pipeline import Results
from mmrl.stages import StageInfo

INFO = StageInfo("words", "puts words", "tests.support.cluster_stage:Words", None, spreads=True)


class Words:
    """Gives each key words, in `captions`, and does with it what its name says.

    `fail...` is a failure, `kill...` kills the process, `slow...` takes a while, `raise...` ends
    the run, `rest...` is left for the next call as long as the batch has others.
    """

    name = "words"
    chunk = 256
    rules = ""
    reads = ("post_images",)
    writes = "captions"

    def __init__(self, keys: list[str]) -> None:
        self.keys = keys

    def pending(self, catalog: Catalog, as_of: datetime, posts: Any = None) -> pa.Table:
        rows = pa.table({"key": pa.array(self.keys, pa.string())})
        rows = without(rows, "key", catalog.read("captions", ["sha256"])["sha256"].to_pylist())
        return without(rows, "key", catalog.open_failures(self.name, as_of))

    def load(self, catalog: Catalog, pending: pa.Table) -> pa.Table:
        return pending.append_column("heavy", pa.repeat("x" * 1000, pending.num_rows))

    def worker(self, as_of: datetime) -> Any:
        return work

    def commit(self, catalog: Catalog, done: pa.Table, as_of: datetime) -> None:
        catalog.upsert("captions", done)


def work(batch: pa.Table) -> Results:
    keys = batch["key"].to_pylist()
    assert batch["heavy"].null_count == 0
    left = [place for place, key in enumerate(keys) if key.startswith("rest")]
    left = left if len(left) < len(keys) else []
    tried = [key for place, key in enumerate(keys) if place not in left]
    for key in tried:
        if key.startswith("kill"):
            os.kill(os.getpid(), signal.SIGKILL)
            threading.Event().wait()
        if key.startswith("raise"):
            raise WeightsError("The weights are not there: fetch them.")
        if key.startswith("slow"):
            time.sleep(0.05)
    failed = [Failed(key, Reason.MODEL_ERROR, "so") for key in tried if key.startswith("fail")]
    rows = [
        {"sha256": key, "captioner": "words", "text": key.upper()}
        for key in tried
        if not key.startswith("fail")
    ]
    done = pa.Table.from_pylist(rows, schema=SCHEMAS["captions"])
    return Results(done, failed, Counter({"words": len(rows)}), batch.take(left) if left else None)


def make_words(info: StageInfo, settings: Settings) -> Words:
    """As `mmrl.pipeline.run.make_stage`, for actors, which do what they are given."""
    return Words([])
