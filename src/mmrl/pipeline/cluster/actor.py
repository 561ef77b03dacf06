"""An actor of Ray: a stage's worker, and the reading of its inputs."""

import threading
import time
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

import pyarrow as pa

from mmrl.catalog import Catalog
from mmrl.config import Settings
from mmrl.encoders.device.threads import use_threads
from mmrl.errors import ConfigError
from mmrl.images.decode import use_limit
from mmrl.pipeline.stage import Results, Stage, Worker
from mmrl.version import __version__


@dataclass(frozen=True)
class Job:
    """What an actor is to do.

    Attributes:
        number: higher than that of the job before.
        make: makes the stage.
        settings: the actor's share of the home's.
        home: the catalog's location.
        version: of the driver's mmrl.
    """

    number: int
    make: "partial[Stage]"
    settings: Settings
    home: str
    as_of: datetime
    version: str


class StageActor:
    """Does chunks of one stage at a time. Ray calls `work` from two threads: one reads, one works.

    What a worker loaded stays with the process, so that the next stage finds its model there.
    """

    def __init__(self) -> None:
        self._reading = threading.Lock()
        self._working = threading.Lock()
        self._worker: Worker | None = None
        self._number = -1

    def start(self, job: Job) -> None:
        """Opens the catalog and makes the stage, in the place of an earlier one.

        A job that comes late, when a newer one has begun, is left.

        Raises:
            ConfigError: this machine has another mmrl.
            NotFoundError: it does not see the home.
        """
        if __version__ != job.version:
            raise ConfigError(
                f"The machines of the Ray cluster have mmrl {__version__}, and this one has "
                f"{job.version}: install the same."
            )
        with self._working:
            if job.number < self._number:
                return
            use_threads(job.settings.threads)
            use_limit(job.settings.images.max_pixels)
            self._number, self._as_of = job.number, job.as_of
            self._catalog = Catalog.open(job.home)
            self._stage = job.make()
            self._worker = None

    def work(self, chunk: pa.Table) -> tuple[float | None, Results]:
        """Reads a chunk's inputs and does it.

        Returns:
            the seconds that the worker took, None for an actor's first chunk, which loads the
            model; and its results, whose `rest` has only the columns that the chunk came with.
        """
        with self._reading:
            batch = self._stage.load(self._catalog, chunk)
        with self._working:
            first = self._worker is None
            if self._worker is None:
                self._worker = self._stage.worker(self._as_of)
            started = time.perf_counter()
            results = self._worker(batch)
            seconds = time.perf_counter() - started
        if results.rest is not None:
            results = replace(results, rest=results.rest.select(chunk.column_names))
        return None if first else seconds, results
