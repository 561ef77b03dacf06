"""Costs of a day's posts in a large home: `mmrl run` on 200 new ones, and an import.

    python -m benchmarks.increments                         1,000,000 posts stored, half an hour
    python -m benchmarks.increments --stored 200000         as many as this
    python -m benchmarks.increments --days 6                days that are run, of which the first
                                                            is left out

The homes are synthetic: rows of random numbers, written straight to their tables, as all stages
leave them; then every stage is run once, finds nothing to do and leaves its mark, and a first day
joins the files that so many writes have left. Models are stubs that take no time.

1. `mmrl run` from filter to merge after 200 posts came, with their images, and 200 older ones
   matured, in a home of 5,000 posts and in the large one. Wanted: at most 1.5 times the
   seconds, and at most 300 MB more memory.
2. What `mmrl run publish` reads before it predicts: of the day's new posts, and, as when there is a
   new champion, of all that are up, 6,480 of the newest. The first of them is added to 1.
3. The same found by looking at all posts, as without marks.
4. The import of a dump of 50,000 posts into the large home and into an empty one. Wanted: the same
   rate within 20%.

Seconds on the clock and, in brackets, of all threads on the processor: on a busy machine only the
latter can be compared.
"""

import argparse
import resource
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from benchmarks.large_home import (
    CHUNKED,
    PROFILE,
    as_of,
    observe,
    write_dump,
    write_new,
    write_posts,
)
from mmrl.catalog import Catalog
from mmrl.config import Settings
from mmrl.pipeline import run as pipeline
from mmrl.runtime.progress import Silent
from mmrl.samples.load import samples_with_vectors
from mmrl.serving.live import live_posts
from mmrl.sources.files.dump import DumpSource
from mmrl.sources.files.importer import import_posts

SMALL, NEW, IMPORTED = 5_000, 200, 50_000
BATCH = 50_000  # rows written at a time


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--stored", type=int, default=1_000_000, help="posts in the large home")
    parser.add_argument("--days", type=int, default=6, help="days that are run")
    parser.add_argument("--folder", type=Path, help="keep the homes here, and use those there")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        kept = options.folder or Path(folder)
        small, large = (home_of(kept, stored) for stored in (SMALL, options.stored))
        days = {
            stored: alone(run_days, home, stored, options.days)
            for stored, home in ((SMALL, small), (options.stored, large))
        }
        print(f"1. `mmrl run` from filter to merge, {NEW} new posts (median of {options.days - 1})")
        for stored, day in days.items():
            print(f"   to {stored:>9,} posts: {shown(day.whole)}, {day.peak / 1e6:,.0f} MB")
        few, many = days.values()
        for place, of in enumerate(("clock", "processor")):
            print(f"   {many.whole[place] / few.whole[place]:.2f} x by the {of}")
        print(f"   {(many.peak - few.peak) / 1e6:,.0f} MB more")
        for name, seconds in few.stages.items():
            print(f"   {name:>15}: {seconds:.2f} s, {many.stages[name]:.2f} s")
        print(f"2. Samples of {NEW} new posts; of all that are up")
        for stored, day in days.items():
            print(
                f"   among {stored:>9,} posts: {shown(day.new)}; {shown(day.live)}, "
                f"{day.live_peak / 1e6:,.0f} MB"
            )
        print("   Filter to publish")
        for place, of in enumerate(("clock", "processor")):
            ratio = (many.whole[place] + many.new[place]) / (few.whole[place] + few.new[place])
            print(f"   {ratio:.2f} x by the {of}")
        print(f"   {(many.live_peak - few.live_peak) / 1e6:,.0f} MB more")
        print("3. Looking at all posts")
        for stored, day in days.items():
            print(f"   {stored:>12,} posts: {shown(day.check)}, {day.check_peak / 1e6:,.0f} MB")
        dump = kept / "RS_benchmark.jsonl"
        write_dump(dump, options.stored + 10_000_000, IMPORTED)
        print(f"4. Import of {IMPORTED:,} posts")
        costs: dict[str, list[list[float]]] = {}
        for name, home in (("empty", kept / "empty"), ("large", large), ("empty", kept / "again")):
            costs.setdefault(name, []).append(alone(import_seconds, home, dump))
            print(f"   into the {name} home: {shown(costs[name][-1])}")
        for place, of in enumerate(("clock", "processor")):
            empty = statistics.mean(cost[place] for cost in costs["empty"])
            print(f"   {empty / costs['large'][0][place]:.2f} of the rate by the {of}")


def shown(seconds: Sequence[float]) -> str:
    return f"{seconds[0]:.2f} s ({seconds[1]:.2f} s)"


@dataclass(frozen=True)
class Days:
    """Costs of a day's run: of the whole, by the clock of each stage, in memory; of the samples of
    new posts and of all that are up; and of a check."""

    whole: list[float]
    stages: dict[str, float]
    peak: int
    new: list[float]
    live: list[float]
    live_peak: int
    check: list[float]
    check_peak: int


class Timed:
    """Seconds on the clock, and of all threads on the processor."""

    def __enter__(self) -> "Timed":
        self._begun = time.perf_counter(), time.process_time()
        return self

    def __exit__(self, *error: object) -> None:
        now = time.perf_counter(), time.process_time()
        self.seconds = [end - begun for end, begun in zip(now, self._begun, strict=True)]


def alone(work: Callable[..., Any], *arguments: Any) -> Any:
    """What some work gives in a process of its own, so that its peak of memory is its own."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as own_process:
        return own_process.submit(work, *arguments).result()


def home_of(folder: Path, stored: int) -> Path:
    """A home with so many posts, all done."""
    home = folder / f"home-{stored}"
    if not (home / "ready").exists():
        started = time.perf_counter()
        alone(fill, home, stored)
        print(f"(a home of {stored:,} posts made in {time.perf_counter() - started:.0f} s)")
    return home


def fill(home: Path, stored: int) -> None:
    """Writes posts with all that the stages make of them, and has every stage leave its mark."""
    catalog = Catalog.open(home, create=True)
    for first in range(0, stored, BATCH):
        write_posts(catalog, first, min(BATCH, stored - first))
    catalog.compact()
    report = run(catalog, as_of(stored), CHUNKED)
    assert not report.did_anything, [(stage.name, stage.pending) for stage in report.stages]
    run(catalog, next_day(catalog, home, stored), CHUNKED)
    (home / "ready").touch()


def next_day(catalog: Catalog, home: Path, done: int) -> datetime:
    """A day's new posts come, and as many older ones mature; the time after it."""
    write_new(catalog, home, done, NEW)
    observe(catalog, done - NEW, NEW, timedelta(hours=40), score=5)
    return as_of(done + NEW)


def run_days(home: Path, stored: int, days: int) -> "Days":
    """Runs a few days, and then looks at all posts."""
    catalog = Catalog.open(home)
    done = catalog.count("posts")
    whole: list[list[float]] = []
    stages: dict[str, list[float]] = {}
    for day in range(days):
        moment = next_day(catalog, home, done + NEW * day)
        with Timed() as timed:
            report = run(catalog, moment, CHUNKED)
        assert all(stage.done >= NEW for stage in report.stages if stage.name != "read-text")
        if day:
            whole.append(timed.seconds)
            for stage in report.stages:
                stages.setdefault(stage.name, []).append(stage.seconds)
    peak, now = peak_memory(), as_of(done + NEW * days)
    posts = live_posts(catalog, Settings(), now).sort_by("created_at")["post_id"].to_pylist()
    costs = {}
    for some in (NEW, len(posts)):
        with Timed() as timed:
            samples_with_vectors(catalog, Settings(), now, PROFILE, posts=posts[-some:])
        costs[some] = timed.seconds
    live_peak = peak_memory()
    with Timed() as timed:
        checked = run(catalog, now, CHUNKED, check=True)
    assert not any(stage.missed for stage in checked.stages)
    return Days(
        [statistics.median(part) for part in zip(*whole, strict=True)],
        {name: statistics.median(seconds) for name, seconds in stages.items()},
        peak,
        costs[NEW],
        costs[len(posts)],
        live_peak,
        timed.seconds,
        peak_memory(),
    )


def peak_memory() -> int:
    """Of this process, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def run(
    catalog: Catalog, moment: datetime, stages: Sequence[str], check: bool = False
) -> pipeline.RunReport:
    """Stages with stubs for models."""
    pipeline.load_profile = lambda settings: PROFILE  # type: ignore[attr-defined]
    return pipeline.run(catalog, Settings(), stages, moment, Silent(), check=check)


def import_seconds(home: Path, dump: Path) -> list[float]:
    """Seconds that an import takes."""
    catalog = Catalog.open(home, create=True)
    with Timed() as timed:
        report = import_posts(catalog, DumpSource([dump]), as_of(10**8), Silent())
    assert report.new == IMPORTED
    return timed.seconds


if __name__ == "__main__":
    main()
