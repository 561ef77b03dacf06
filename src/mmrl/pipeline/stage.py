"""What a stage is: pending work, and a worker that turns a batch into rows and failures.

A stage knows nothing of batching, prefetch, retries or progress; the engine owns those.
"""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

import pyarrow as pa

from mmrl.catalog.catalog import Catalog, Failed


@dataclass(frozen=True)
class Results:
    """What became of one batch.

    Attributes:
        done: rows to write.
        failed: the items that failed, with their reasons.
        noted: how often something happened that people should know, in words.
    """

    done: pa.Table
    failed: list[Failed] = field(default_factory=list)
    noted: Counter[str] = field(default_factory=Counter)


class Worker(Protocol):
    """Turns loaded rows into results; made once a run, it may hold a model."""

    def __call__(self, batch: pa.Table) -> Results: ...


class Stage(Protocol):
    """One step of the pipeline.

    Attributes:
        name: as in `mmrl run NAME`, such as `embed-image`.
        chunk: most rows a commit; see `runner.ChunkSize`.
    """

    name: str
    chunk: int

    def pending(self, catalog: Catalog, as_of: datetime) -> pa.Table:
        """What is to be done at `as_of`: small columns, the first one `key` (text, unique)."""
        ...

    def load(self, catalog: Catalog, pending: pa.Table) -> pa.Table:
        """One chunk of pending rows with its heavy inputs added; runs ahead of the worker."""
        ...

    def worker(self) -> Worker:
        """Makes what does the work; called once a run, and only when something is pending."""
        ...

    def commit(self, catalog: Catalog, done: pa.Table, as_of: datetime) -> None:
        """Writes one chunk's finished rows; must be safe to repeat."""
        ...
