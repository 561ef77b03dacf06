"""Stages on a Ray cluster of two machines, both on this one, beside the plain loop.

    python -m benchmarks.cluster [--images 240] [--chunks 200] [--megabytes 8]

Needs the extra `ray`. Three figures:

- captions by a server that answers after 200 ms, two requests at once from each actor: seconds of
  the plain loop, of one actor and of two; the work waits, so a busy machine shows in it little;
- what a chunk costs, beside the plain loop's, on a stage that does nothing;
- how much the driver grows while the results of chunks go through it, by the memory that it alone
  holds.

Starting Ray and its actors is not in the first two: a first stage has started them.
"""

import argparse
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pyarrow as pa

from mmrl.catalog import Catalog
from mmrl.catalog.tables import SCHEMAS
from mmrl.config import ImageSettings, Settings
from mmrl.images.probe import probe
from mmrl.pipeline import Results, Silent, run_stage
from mmrl.pipeline.cluster import Cluster
from mmrl.pipeline.local import work_here
from mmrl.pipeline.run import make_stage
from mmrl.pipeline.stage import Executor
from mmrl.stages import STAGES, StageInfo
from tests.support.caption_faults import faults, grey, reply_json
from tests.support.ray_cluster import ray_cluster

AS_OF = datetime(2026, 6, 1, tzinfo=UTC)
LATENCY = 0.2  # seconds
ROWS = 16  # of a chunk of the stage that does nothing
NOTHING = StageInfo("nothing", "does nothing", "benchmarks.cluster:Nothing", None, spreads=True)
CAPTION = next(stage for stage in STAGES if stage.name == "caption")


class Nothing:
    """A stage whose chunks give so many bytes, and which writes none of them."""

    name = "nothing"
    chunk = ROWS
    reads = ("post_images",)
    writes = "captions"

    def __init__(self, chunks: int = 0, size: int = 0) -> None:
        self.chunks, self.size = chunks, size
        self.rules = str(chunks)  # so that another number of them is other work

    def pending(self, catalog: Catalog, as_of: datetime, posts: Any = None) -> pa.Table:
        return pa.table({"key": [f"k{number}" for number in range(self.chunks * ROWS)]})

    def load(self, catalog: Catalog, pending: pa.Table) -> pa.Table:
        return pending

    def worker(self, as_of: datetime) -> Callable[[pa.Table], Results]:
        return lambda batch: Results(
            batch.append_column("bytes", pa.repeat(b"x" * (self.size // ROWS), batch.num_rows))
        )

    def commit(self, catalog: Catalog, done: pa.Table, as_of: datetime) -> None:
        """Writes nothing."""


def make_nothing(size: int, info: StageInfo, settings: Settings) -> Nothing:
    """As `mmrl.pipeline.run.make_stage`."""
    return Nothing(0, size)


def fill(folder: Path, images: int) -> Catalog:
    """A home of selected posts, each with an image of its own."""
    catalog = Catalog.open(folder, create=True)
    numbers = range(images)
    files = [grey(number % 250, (64 + number // 250, 48)) for number in numbers]
    facts = [vars(probe(file, ImageSettings())) for file in files]
    rows = [{**fact, "bytes": file} for fact, file in zip(facts, files, strict=True)]
    catalog.append("images", as_rows("images", rows))
    posts = [
        {
            "post_id": f"p{number}",
            "sha256": facts[number]["sha256"],
            "final_url": f"https://i.redd.it/{number}.png",
            "fetched_at": AS_OF,
        }
        for number in numbers
    ]
    catalog.append("post_images", as_rows("post_images", posts))
    kept = [{"post_id": f"p{n}", "rules": "r", "decided_at": AS_OF} for n in numbers]
    catalog.append("selection", as_rows("selection", kept))
    return catalog


def as_rows(table: str, rows: list[dict[str, Any]]) -> pa.Table:
    """Rows in a table's schema; what they lack is null."""
    return pa.Table.from_pylist(rows, schema=SCHEMAS[table])


def captions(folder: Path, images: int, url: str, actors: int | None) -> float:
    """Seconds of the stage `caption` on a home of its own; no actors: the plain loop."""
    catalog = fill(folder, images)
    server = {"base_url": url, "model": "some/model", "concurrency": 2}
    settings = Settings(caption_server=server, ray={"actors": actors, "batch": ROWS})
    stage = make_stage(CAPTION, settings)
    began = time.perf_counter()
    if actors is None:
        report = run_stage(stage, catalog, AS_OF, Silent())
        seconds = time.perf_counter() - began
    else:
        with closing(Cluster(settings)) as cluster:
            # Something to do for each actor first, so that all have started.
            warm = partial(make_nothing, 0)
            run_stage(Nothing(20), catalog, AS_OF, Silent(), cluster.executor(NOTHING, warm))
            began = time.perf_counter()
            executor = cluster.executor(CAPTION, make_stage)
            report = run_stage(stage, catalog, AS_OF, Silent(), executor)
            seconds = time.perf_counter() - began
    if report.done != images:
        raise RuntimeError(f"{report.done} of {images} captions: {report.summary()}")
    return seconds


def waiting(folder: Path, images: int) -> None:
    """Prints what actors gain on a stage that waits."""
    with faults() as server:
        said = reply_json({"choices": [{"message": {"content": "a grey field"}}]})

        def late(handler: Any) -> None:
            threading.Event().wait(LATENCY)
            said(handler)

        server.by_shade = dict.fromkeys(range(-1, 260), late)
        took = {
            actors: captions(folder / f"captions-{actors}", images, server.url, actors)
            for actors in (None, 1, 2)
        }
    print(f"{images} captions of {LATENCY:g} s, two at once in each process:")
    for actors, seconds in took.items():
        what = "the plain loop" if actors is None else f"{actors} actor(s)"
        print(f"  {what:15} {seconds:6.1f} s, {took[1] / seconds:.2f} x one actor's rate")


@dataclass(frozen=True)
class Cost:
    """What a chunk of nothing costs: seconds by the clock, of them this process's CPU.

    Attributes:
        grew: bytes that this process grew by, over all chunks.
    """

    seconds: float
    cpu: float
    grew: int


def nothing(folder: Path, chunks: int, size: int, actors: int | None) -> Cost:
    """The cost of the stage that does nothing; no actors: the plain loop."""
    catalog = Catalog.open(folder, create=True)
    if actors is None:
        return cost(catalog, Nothing(chunks, size), chunks)
    settings = Settings(ray={"actors": actors})
    with closing(Cluster(settings)) as cluster:
        executor = cluster.executor(NOTHING, partial(make_nothing, size))
        run_stage(Nothing(20, size), catalog, AS_OF, Silent(), executor)
        return cost(catalog, Nothing(chunks, size), chunks, executor)


def cost(catalog: Catalog, stage: Nothing, chunks: int, executor: Executor = work_here) -> Cost:
    """Runs the stage once."""
    held = Held(looks=stage.size > 0)
    began, cpu = time.perf_counter(), time.process_time()
    report = run_stage(stage, catalog, AS_OF, held, executor)
    if report.done != chunks * ROWS:
        raise RuntimeError(f"not all was done: {report.summary()}")
    seconds = time.perf_counter() - began
    return Cost(seconds / chunks, (time.process_time() - cpu) / chunks, held.most - held.first)


class Held(Silent):
    """Progress that looks at the memory which this process alone holds, which takes a while."""

    def __init__(self, looks: bool) -> None:
        self._looks = looks
        self._process = psutil.Process()
        self.first = self.most = self._process.memory_full_info().uss

    def advance(self, units: int) -> None:
        if self._looks:
            self.most = max(self.most, self._process.memory_full_info().uss)


def main() -> None:
    """Prints all figures."""
    parser = argparse.ArgumentParser(description="Stages on a Ray cluster beside the plain loop.")
    parser.add_argument("--images", type=int, default=240, help="0: no captions")
    parser.add_argument("--chunks", type=int, default=200)
    parser.add_argument("--megabytes", type=int, default=8, help="that each chunk gives")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, ray_cluster(2):
        folder = Path(name)
        if options.images:
            waiting(folder, options.images)
        for actors in (None, 1, 2):
            each = nothing(folder / f"nothing-{actors}", options.chunks, 0, actors)
            where = "in the plain loop" if actors is None else f"on {actors} actor(s)"
            cpu = f"{1000 * each.cpu:.1f} ms of them this process's CPU"
            print(f"a chunk of nothing {where}: {1000 * each.seconds:.1f} ms, {cpu}")
        size = options.megabytes << 20
        grew = nothing(folder / "bytes", options.chunks, size, 2).grew
        through = options.chunks * options.megabytes
        print(f"the driver, {through:,} MB of results through it: {grew / 2**20:.0f} MB more held")


if __name__ == "__main__":
    main()
