"""Costs of merging: a whole catalog, a day's new posts, and the one-post-at-a-time way.

    python -m benchmarks.merge            about two minutes
    python -m benchmarks.merge --quick    a tenth of the posts

The catalogs are synthetic: rows of random numbers, written straight to their tables.

1. The merge stage and the load of its samples with four 1024-d vectors a post, in a process of its
   own. Wanted for 20,000 posts: under 5 s and under 2 GB.
2. A daily run that adds 200 posts, and labels the 200 of the day before, to a catalog of 5,000 and
   to one of 100,000. Wanted: at most 1.5 times the cost.
3. The way of the system this one replaces, written from its description: for each post a scan of
   a data frame for its rows, and each vector fetched by itself. The samples must be equal.
"""

import argparse
import resource
import statistics
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime, timedelta
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pyarrow as pa

from benchmarks.rows import keep
from mmrl import samples
from mmrl.catalog import Catalog
from mmrl.catalog.columns import SPACES, TIME
from mmrl.catalog.keys import text_content, visual_content
from mmrl.catalog.tables import embeddings
from mmrl.config import Settings
from mmrl.pipeline import Silent, run_stage
from mmrl.pipeline.stages.merge import MergeStage

START = datetime(2026, 1, 1, tzinfo=UTC)
DIM = 1024
ENCODERS = dict.fromkeys(SPACES, "benchmark")
SUBREDDITS = np.array(["aww", "pics", "EarthPorn", "food", "Art", "space"])
EVERY = timedelta(minutes=1)  # a post a minute


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="a tenth of the posts")
    scale = 10 if parser.parse_args().quick else 1
    with tempfile.TemporaryDirectory() as folder:
        whole = 20_000 // scale
        home = Path(folder) / "whole"
        write_posts(Catalog.open(home, create=True), 0, whole, vectors=True)
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as own_process:
            merged, loaded, peak = own_process.submit(merge_and_load, home).result()
        print(f"1. {whole:,} posts with 4 x {DIM} numbers each")
        print(f"   merge {merged:.2f} s, load {loaded:.2f} s: {merged + loaded:.2f} s")
        print(f"   peak memory {peak / 1e9:.2f} GB")

        small, large = 5_000 // scale, 100_000 // scale
        days = {stored: daily_runs(Path(folder) / str(stored), stored) for stored in (small, large)}
        print("2. A daily run that adds 200 posts and labels 200 (median of 7)")
        for stored, seconds in days.items():
            print(f"   to {stored:>7,} posts: {seconds * 1000:.0f} ms")
        print(f"   ratio {days[large] / days[small]:.2f}")

        some = 300
        ours = (merged + loaded) / whole
        theirs = one_at_a_time(Catalog.open(home), some)
        print(f"3. One post at a time, over the catalog of 1. (its first {some}, equal samples)")
        print(
            f"   {theirs * 1000:.1f} ms a post; mmrl {ours * 1000:.3f} ms: {theirs / ours:,.0f} x"
        )


def merge_and_load(home: Path) -> tuple[float, float, int]:
    """Seconds to merge, seconds to load, and this process's peak memory in bytes."""
    catalog = Catalog.open(home)
    started = time.perf_counter()
    run_stage(MergeStage(Settings()), catalog, as_of(10**6), Silent())
    merged = time.perf_counter()
    table = samples.load(catalog, Settings(), as_of(10**6), encoders=ENCODERS)
    loaded = time.perf_counter()
    assert table.num_rows == catalog.count("posts")
    assert all(table[space].null_count == 0 for space in SPACES)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return merged - started, loaded - merged, peak


def daily_runs(home: Path, stored: int) -> float:
    """The median seconds of daily runs over a catalog that holds so many posts."""
    catalog = Catalog.open(home, create=True)
    write_posts(catalog, 0, stored)
    run_stage(MergeStage(Settings()), catalog, as_of(stored), Silent())
    catalog.compact()
    seconds = []
    for day in range(8):
        first = stored + 200 * day
        write_posts(catalog, first, 200, labelled=False)
        if day:
            write_observations(catalog, first - 200, 200, age_hours=36)
        report = run_stage(MergeStage(Settings()), catalog, as_of(first + 200), Silent())
        assert report.done == (400 if day else 200)
        if day:  # the first one has no posts of the day before
            seconds.append(report.seconds)
    return statistics.median(seconds)


def one_at_a_time(catalog: Catalog, some: int) -> float:
    """Seconds a post, merged by scanning data frames and fetching single vectors."""
    expected = samples.load(catalog, Settings(), as_of(10**6), encoders=ENCODERS).slice(0, some)
    posts = catalog.read("posts").to_pandas()
    observations = catalog.read("observations").to_pandas()
    images = catalog.read("post_images").to_pandas()
    captions = catalog.read("captions").to_pandas()
    mature = timedelta(hours=36)
    started = time.perf_counter()
    rows = []
    for post_id in expected["post_id"].to_pylist():
        post = posts[posts["post_id"] == post_id].iloc[0]
        its_observations = observations[observations["post_id"] == post_id].sort_values(
            "observed_at"
        )
        image = images[images["post_id"] == post_id].iloc[0]["sha256"]
        caption = captions[captions["sha256"] == image].iloc[0]["text"]
        first = its_observations.iloc[0]
        label = its_observations[
            its_observations["observed_at"] - post["created_at"] >= mature
        ].iloc[0]
        contents = {
            "title": text_content(post["title"]),
            "caption": text_content(caption),
            "image": image,
            "visual": visual_content(image, post["title"]),
        }
        rows.append(
            {
                "score": label["score"],
                "popularity": label["score"] / first["subscribers"] * 1000,
                "log_author_link_karma": np.log1p(first["author_link_karma"]),
                **{
                    space: catalog.lookup(
                        f"embeddings_{space}_{DIM}", "content", [content], ["vector"]
                    )["vector"][0].values.to_numpy()
                    for space, content in contents.items()
                },
            }
        )
    seconds = time.perf_counter() - started
    for name in rows[0]:
        values = np.array([row[name] for row in rows])
        assert np.allclose(values, np.array(expected[name].to_pylist()), rtol=1e-6), name
    return seconds / some


def as_of(posts: int) -> datetime:
    """A time by which that many posts had matured."""
    return START + posts * EVERY + timedelta(days=30)


def ids(first: int, count: int) -> list[str]:
    return [f"p{number:08}" for number in range(first, first + count)]


def write_posts(
    catalog: Catalog, first: int, count: int, labelled: bool = True, vectors: bool = False
) -> None:
    """Posts with all that merge reads of them, in order of creation."""
    random = np.random.default_rng(first)
    post_ids, created = ids(first, count), [START + i * EVERY for i in range(first, first + count)]
    # Hashes as long as those of real images, so that joins compare as much.
    images = [text_content(post_id) for post_id in post_ids]
    titles = [f"Title {post_id} of a post, about as long as titles are" for post_id in post_ids]
    captions = [f"a caption of {post_id}" for post_id in post_ids]
    keep(
        catalog,
        "posts",
        count,
        post_id=post_ids,
        subreddit=SUBREDDITS[random.integers(0, len(SUBREDDITS), count)],
        title=titles,
        author_id=[f"a{author}" for author in random.zipf(1.5, count) % 50_000],
        created_at=created,
        first_seen_at=[time + timedelta(minutes=30) for time in created],
        source=["benchmark"] * count,
    )
    keep(
        catalog,
        "selection",
        count,
        post_id=post_ids,
        rules=["benchmark"] * count,
        decided_at=created,
    )
    keep(
        catalog,
        "images",
        count,
        sha256=images,
        width=random.integers(100, 4000, count),
        height=random.integers(100, 4000, count),
        format=["JPEG"] * count,
        byte_size=random.integers(10_000, 1_000_000, count),
        phash=["0" * 16] * count,
        bytes=[b""] * count,
    )
    keep(
        catalog,
        "post_images",
        count,
        post_id=post_ids,
        sha256=images,
        fetched_at=created,
        final_url=[""] * count,
    )
    write_observations(catalog, first, count, age_hours=0.5)
    if labelled:
        write_observations(catalog, first, count, age_hours=36)
    if vectors:
        keep(catalog, "captions", count, sha256=images, captioner=["b"] * count, text=captions)
        contents = {
            "title": map(text_content, titles),
            "caption": map(text_content, captions),
            "image": images,
            "visual": map(visual_content, images, titles),
        }
        for space in SPACES:
            numbers = random.random(count * DIM, dtype=np.float32)
            rows = {
                "content": list(contents[space]),
                "encoder": [ENCODERS[space]] * count,
                "vector": pa.FixedSizeListArray.from_arrays(pa.array(numbers), DIM),
            }
            table = pa.table(rows).cast(embeddings(DIM))
            catalog.insert(f"embeddings_{space}_{DIM}", table)


def write_observations(catalog: Catalog, first: int, count: int, age_hours: float) -> None:
    random = np.random.default_rng(first)
    seen = timedelta(hours=age_hours)
    keep(
        catalog,
        "observations",
        count,
        post_id=ids(first, count),
        observed_at=pa.array([START + i * EVERY + seen for i in range(first, first + count)], TIME),
        score=random.lognormal(4, 2, count).astype(np.int64),
        subscribers=random.integers(1_000, 30_000_000, count),
        author_link_karma=random.integers(1, 100_000, count),
        author_comment_karma=random.integers(1, 100_000, count),
    )


if __name__ == "__main__":
    main()
