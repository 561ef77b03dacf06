"""Stages: pending work, and a worker that turns a batch into rows and failures.

A stage knows nothing of batching, prefetch, retries or progress; executors and the runner own
those.
"""

from collections import Counter
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

import pyarrow as pa

from mmrl.catalog import Catalog, Failed
from mmrl.config import Settings
from mmrl.runtime.progress import Progress
from mmrl.stages import StageInfo


@dataclass(frozen=True)
class Results:
    """Results of one batch.

    Attributes:
        done: rows to write.
        failed: the items that failed, with their reasons.
        noted: how often something happened that people should know, in words.
        rest: rows of the batch, with `key`, that memory had no room for; the worker gets them again
            once these results are committed. None: all were done or failed.
    """

    done: pa.Table
    failed: list[Failed] = field(default_factory=list)
    noted: Counter[str] = field(default_factory=Counter)
    rest: pa.Table | None = None

    @property
    def left(self) -> set[str]:
        """The keys of `rest`."""
        return set() if self.rest is None else set(self.rest["key"].to_pylist())


class Worker(Protocol):
    """Turns loaded rows into results; made once a run, it may hold a model and the `as_of`."""

    def __call__(self, batch: pa.Table) -> Results: ...


class Stage(Protocol):
    """One step of the pipeline.

    Nothing becomes pending but by a row that comes to one of the tables that it reads, by a row
    that goes from the one that it writes, by other rules, or with time: a failure that is due, a
    post that was of the future. So the engine can tell it which posts to look at: see `new_work`.

    Attributes:
        name: as in `mmrl run NAME`, such as `embed-image`.
        chunk: most rows a commit; see `local.ChunkSize`.
        rules: a text that changes with all else that makes something pending: settings, models.
        reads: the tables whose new rows make something pending, by `post_id` or `sha256`.
        writes: the table that tells what is done; no one else writes to it.
    """

    @property
    def name(self) -> str: ...
    @property
    def chunk(self) -> int: ...
    @property
    def rules(self) -> str: ...
    @property
    def reads(self) -> tuple[str, ...]: ...
    @property
    def writes(self) -> str: ...

    def pending(self, catalog: Catalog, as_of: datetime, posts: pa.Array | None = None) -> pa.Table:
        """What is to be done at `as_of`: small columns, the first one `key` (text, unique).

        Args:
            posts: only what these posts give to do, though others may, too; all by default.
        """
        ...

    def load(self, catalog: Catalog, pending: pa.Table) -> pa.Table:
        """One chunk of pending rows with its heavy inputs added; runs ahead of the worker."""
        ...

    def worker(self, as_of: datetime) -> Worker:
        """Makes what does the work; called once a run, and only when something is pending."""
        ...

    def commit(self, catalog: Catalog, done: pa.Table, as_of: datetime) -> None:
        """Writes one chunk's finished rows; must be safe to repeat."""
        ...


MakeStage = Callable[[StageInfo, Settings], Stage]


@dataclass(frozen=True)
class Tried:
    """A chunk that was tried, or a part of one: its keys, and what came of them."""

    keys: set[str]
    results: Results


class Executor(Protocol):
    """Does a stage's pending work somewhere."""

    def __call__(
        self, stage: Stage, catalog: Catalog, as_of: datetime, pending: pa.Table
    ) -> Generator[Tried, None, None]:
        """What came of each chunk, in the order of `pending`, whose rows are one or more.

        It goes on once the caller has committed a chunk and asks for the next one. Writes nothing.
        """
        ...


@dataclass
class StageReport:
    """Counts and costs of a run of one stage.

    Attributes:
        pending: items that were to be done.
        done: items whose rows were written.
        failed: items by reason code.
        noted: how often something happened that people should know.
        missed: of a run that checks, how many of the pending items the short way had not found.
        seconds, peak_bytes: see `Meter`.
    """

    name: str
    pending: int = 0
    done: int = 0
    failed: Counter[str] = field(default_factory=Counter)
    noted: Counter[str] = field(default_factory=Counter)
    missed: int = 0
    seconds: float = 0.0
    peak_bytes: int = 0

    def summary(self) -> str:
        """The report in a few words, such as `1,931 done, 12 image_gone`."""
        if not self.pending:
            return "nothing new"
        parts = [f"{self.done:,} done"]
        for counted in (self.failed, self.noted):
            parts += [f"{count:,} {what}" for what, count in counted.most_common()]
        if self.missed:
            parts.append(f"{self.missed:,} of them only found by the check")
        return ", ".join(parts)


@dataclass(frozen=True)
class WholeRun:
    """Inputs of a stage that runs as a whole.

    Attributes:
        truth: of simulated posts only: a table of expected log scores for the noise ceiling.
    """

    catalog: Catalog
    settings: Settings
    as_of: datetime
    progress: Progress
    truth: Any = None


class Outcome(Protocol):
    """The outcome of a stage that runs as a whole."""

    @property
    def stage(self) -> StageReport:
        """Its report, as of any other stage."""
        ...
