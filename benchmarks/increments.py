"""Costs of a day's posts in a large home: `mmrl run` on 200 new ones, and an import.

    python -m benchmarks.increments                         1,000,000 posts stored, half an hour
    python -m benchmarks.increments --stored 200000         as many as this
    python -m benchmarks.increments --days 6                days that are run, of which the first
                                                            is left out

The homes are synthetic: rows of random numbers, written straight to their tables, as all stages
leave them; then every stage is run once, finds nothing to do and leaves its mark. Models are stubs
that take no time.

1. `mmrl run` from filter to merge after 200 posts came, with their images, and 200 older ones
   matured, in a home of 5,000 posts and in the large one. Wanted: at most 1.5 times the
   seconds, and at most 300 MB more memory.
2. The same found by looking at all posts, as without marks.
3. The import of a dump of 50,000 posts into the large home and into an empty one. Wanted: the same
   rate within 20%.

Seconds on the clock and, in brackets, of all threads on the processor: on a busy machine only the
latter can be compared.
"""

import argparse
import hashlib
import io
import resource
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
from PIL import Image

from benchmarks.rows import keep
from mmrl.catalog import Catalog
from mmrl.catalog.columns import SPACES, TIME
from mmrl.catalog.keys import text_content, visual_content
from mmrl.catalog.tables import embeddings_table, schema_of
from mmrl.config import Settings
from mmrl.encoders.profiles import Profile
from mmrl.encoders.protocols import Caption
from mmrl.pipeline import run as pipeline
from mmrl.runtime.progress import Silent
from mmrl.sources.files.dump import DumpSource
from mmrl.sources.files.importer import import_posts
from mmrl.stages import STAGES

START = datetime(2026, 1, 1, tzinfo=UTC)
EVERY = timedelta(seconds=20)  # a post
DIM = 32  # numbers of a vector; they are written and never read
SMALL, NEW, IMPORTED = 5_000, 200, 50_000
FLAIRS = 1_000  # of stored posts; each new one has its own
BATCH = 50_000  # rows written at a time
FIRST_ID = 36**6  # ids of posts count upwards, as Reddit's do
DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
CHUNKED = [stage.name for stage in STAGES if stage.chunked]


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
        print("2. Looking at all posts")
        for stored, day in days.items():
            print(f"   {stored:>12,} posts: {shown(day.check)}, {day.check_peak / 1e6:,.0f} MB")
        dump = kept / "RS_benchmark.jsonl"
        write_dump(dump, options.stored + 10_000_000)
        print(f"3. Import of {IMPORTED:,} posts")
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
    """Costs of a day's run: of the whole, by the clock of each stage, in memory, and of a check."""

    whole: list[float]
    stages: dict[str, float]
    peak: int
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
    (home / "ready").touch()


def run_days(home: Path, stored: int, days: int) -> "Days":
    """Runs a few days, and then looks at all posts."""
    catalog = Catalog.open(home)
    done = catalog.count("posts")
    whole: list[list[float]] = []
    stages: dict[str, list[float]] = {}
    for day in range(days):
        first = done + NEW * day
        write_new(catalog, home, first)
        observe(catalog, first - NEW, NEW, timedelta(hours=40), score=5)
        with Timed() as timed:
            report = run(catalog, as_of(first + NEW), CHUNKED)
        assert all(stage.done >= NEW for stage in report.stages if stage.name != "read-text")
        if day:
            whole.append(timed.seconds)
            for stage in report.stages:
                stages.setdefault(stage.name, []).append(stage.seconds)
    peak = peak_memory()
    with Timed() as timed:
        checked = run(catalog, as_of(done + NEW * days), CHUNKED, check=True)
    assert not any(stage.missed for stage in checked.stages)
    return Days(
        [statistics.median(part) for part in zip(*whole, strict=True)],
        {name: statistics.median(seconds) for name, seconds in stages.items()},
        peak,
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


# What is written


def as_of(posts: int) -> datetime:
    """A time by which that many posts were up."""
    return START + posts * EVERY + timedelta(hours=1)


def ids(first: int, count: int) -> list[str]:
    return [base36(FIRST_ID + number) for number in range(first, first + count)]


def base36(number: int) -> str:
    signs = ""
    while number:
        number, sign = divmod(number, 36)
        signs = DIGITS[sign] + signs
    return signs


def title_of(post_id: str) -> str:
    return f"Title {post_id} of a post, about as long as titles are"


def write_posts(catalog: Catalog, first: int, count: int) -> None:
    """Posts with all that the stages from filter to merge make of them."""
    post_ids = ids(first, count)
    created = times(first, count)
    images = [text_content(post_id) for post_id in post_ids]
    titles = [title_of(post_id) for post_id in post_ids]
    captions = [f"a caption of {post_id}" for post_id in post_ids]
    write_raw(catalog, post_ids, first, [f"https://i.redd.it/{post}.jpg" for post in post_ids])
    observe(catalog, first, count, timedelta(hours=37), score=7)
    stages = {stage.name: stage for stage in map(made, pipeline.expand(CHUNKED))}
    keep(
        catalog,
        "selection",
        count,
        post_id=post_ids,
        rules=[stages["filter"].rules] * count,
        decided_at=created,
    )
    keep(
        catalog,
        "images",
        count,
        sha256=images,
        width=640,
        height=480,
        byte_size=1,
        format="JPEG",
        phash="0" * 16,
        bytes=b"",
    )
    keep(
        catalog,
        "post_images",
        count,
        post_id=post_ids,
        sha256=images,
        fetched_at=created,
        final_url="",
    )
    version = stages["measure-images"].rules.split("'")[1]
    numbers = {
        field.name: 0.5
        for field in schema_of("image_statistics")
        if pa.types.is_floating(field.type)
    }
    colours = pa.FixedSizeListArray.from_arrays(pa.array(np.zeros(125 * count, np.float32)), 125)
    keep(
        catalog,
        "image_statistics",
        count,
        sha256=images,
        version=version,
        colours=colours,
        **numbers,
    )
    keep(catalog, "captions", count, sha256=images, captioner="stub captioner", text=captions)
    contents = {
        "title": map(text_content, titles),
        "caption": map(text_content, captions),
        "image": images,
        "visual": map(visual_content, images, titles),
    }
    if not first:
        contents["text"] = [text_content(f"flair {number}") for number in range(FLAIRS)]
    random = np.random.default_rng(first)
    for space, hashes in contents.items():
        hashes = list(hashes)
        vectors = pa.array(random.random(len(hashes) * DIM, dtype=np.float32))
        keep(
            catalog,
            embeddings_table(space, DIM),
            len(hashes),
            content=hashes,
            encoder=PROFILE.ids[space],
            vector=pa.FixedSizeListArray.from_arrays(vectors, DIM),
        )
    merge = stages["merge"]
    for start in range(0, count, merge.chunk):
        posts = pa.table({"key": post_ids[start : start + merge.chunk]})
        merged = merge.worker(as_of(10**8))(merge.load(catalog, posts))
        catalog.append("samples", merged.done)


def made(info: Any) -> Any:
    pipeline.load_profile = lambda settings: PROFILE  # type: ignore[attr-defined]
    return pipeline.make_stage(info, Settings())


def write_new(catalog: Catalog, home: Path, first: int) -> None:
    """New posts, with image files of their own."""
    folder = home / "files"
    folder.mkdir(exist_ok=True)
    post_ids = ids(first, NEW)
    for number, post_id in enumerate(post_ids, first):
        image = Image.new("RGB", (32, 32), tuple(hashlib.sha256(post_id.encode()).digest()[:3]))
        image.putpixel((number % 32, 0), (number % 256, 1, 2))
        data = io.BytesIO()
        image.save(data, "PNG")
        (folder / f"{post_id}.png").write_bytes(data.getvalue())
    urls = [(folder / f"{post_id}.png").as_uri() for post_id in post_ids]
    write_raw(catalog, post_ids, first, urls, source="table:benchmark.csv", flairs=10**9)


def write_raw(
    catalog: Catalog,
    post_ids: list[str],
    first: int,
    urls: list[str],
    source: str = "reddit",
    flairs: int = FLAIRS,
) -> None:
    """Posts as they come in, and their first observation."""
    count = len(post_ids)
    observe(catalog, first, count, timedelta(minutes=30), score=3)
    keep(
        catalog,
        "posts",
        count,
        post_id=post_ids,
        subreddit=[f"sub{number % 50}" for number in range(first, first + count)],
        title=[title_of(post_id) for post_id in post_ids],
        author_id=[f"a{number % 40_009}" for number in range(first, first + count)],
        created_at=times(first, count),
        first_seen_at=times(first, count, timedelta(minutes=30)),
        over_18=False,
        is_video=False,
        is_gallery=False,
        spoiler=False,
        image_url=urls,
        flair=[f"flair {number % flairs}" for number in range(first, first + count)],
        source=source,
    )


def observe(catalog: Catalog, first: int, count: int, age: timedelta, score: int) -> None:
    keep(
        catalog,
        "observations",
        count,
        post_id=ids(first, count),
        observed_at=times(first, count, age),
        score=score,
        settled=True,
        subscribers=100_000,
        author_link_karma=10,
    )


def times(first: int, count: int, after: timedelta = timedelta(0)) -> pa.Array:
    return pa.array([START + i * EVERY + after for i in range(first, first + count)], TIME)


def write_dump(path: Path, first: int) -> None:
    """Submissions as Arctic Shift's dumps have them."""
    with path.open("wb") as file:
        for number, post_id in enumerate(ids(first, IMPORTED), first):
            created = int((START + number % 10**6 * EVERY).timestamp())
            submission = {
                "id": post_id,
                "title": title_of(post_id),
                "subreddit": f"sub{number % 50}",
                "author": f"author{number % 40_009}",
                "author_fullname": f"t2_{number % 40_009}",
                "created_utc": created,
                "retrieved_on": created + 90_000,
                "score": number % 1000,
                "num_comments": 3,
                "upvote_ratio": 0.9,
                "subreddit_subscribers": 100_000,
                "over_18": False,
                "is_video": False,
                "spoiler": False,
                "url": f"https://i.redd.it/{post_id}.jpg",
                "domain": "i.redd.it",
                "permalink": f"/r/sub{number % 50}/comments/{post_id}/title/",
                "selftext": "",
            }
            file.write(orjson.dumps(submission) + b"\n")


class Stub:
    """A model of each kind that takes no time."""

    dim, truncated = DIM, 0

    def __init__(self, role: str) -> None:
        self.id = f"stub {role}"

    def encode(self, items: Sequence[Any], texts: Sequence[str] = ()) -> np.ndarray:
        return np.ones((len(items), DIM), np.float32)

    def caption(self, images: Sequence[bytes]) -> list[Caption]:
        return [Caption(f"a caption of {hashlib.sha256(data).hexdigest()}") for data in images]


PROFILE = Profile("stub", {}, "title", {role: Stub(role) for role in (*SPACES, "captioner")})

if __name__ == "__main__":
    main()
