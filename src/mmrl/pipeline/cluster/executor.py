"""The loop of the driver: cut chunks, hand them out, give what came of them in order."""

from collections.abc import Callable, Generator
from datetime import datetime

import pyarrow as pa

from mmrl.catalog import Catalog, Failed, Reason
from mmrl.pipeline.cluster.line import Chunk, Line
from mmrl.pipeline.cluster.pool import Pool
from mmrl.pipeline.local import ChunkSize
from mmrl.pipeline.stage import Results, Stage, Tried

MakePool = Callable[[Catalog, datetime, int], Pool]
"""Starts the actors for a catalog, an `as_of` and a number of chunks."""


def work_on_cluster(
    make_pool: MakePool,
    batch: int | None,
    stage: Stage,
    catalog: Catalog,
    as_of: datetime,
    pending: pa.Table,
) -> Generator[Tried, None, None]:
    """An `Executor`, but for its first two arguments.

    Args:
        batch: the most rows of a chunk; None for the stage's own.
    """
    size = ChunkSize(stage.chunk if batch is None else min(batch, stage.chunk))
    line = Line(pending)
    pool = make_pool(catalog, as_of, -(-pending.num_rows // size.rows))
    try:
        while True:
            while len(line) < pool.room and line.grow(size.rows):
                pass
            if not len(line):
                return
            chunk = line.first
            if chunk.spent:
                line.leave(None)
                yield Tried(set(chunk.keys), _given_up(chunk))
                continue
            pool.give(line)
            if not chunk.done:
                pool.wait(line)
                continue
            results = pool.take(chunk, line)
            if results is None:
                continue
            line.leave(results.rest)
            pool.give(line)  # before the caller commits, so that nobody waits for that
            if chunk.seconds is not None:
                size.took(chunk.seconds)
            yield Tried(set(chunk.keys) - results.left, results)
    finally:
        pool.close(line)


def _given_up(chunk: Chunk) -> Results:
    """An item that killed what touched it, as a failure; it is tried again when that is due."""
    told = f"{chunk.deaths} actors died on it, the last with {chunk.told}"
    failures = [Failed(key, Reason.WORKER_DIED, told, transient=True) for key in chunk.keys]
    return Results(pa.table({}), failures)
