"""A home in an object store against one on a disk: the whole path, its requests, kills, writers.

    python -m benchmarks.bucket [--posts 1000] [--kills 10] [--seed 0] [--parts path kills writers]

A real S3 server (SeaweedFS) runs on loopback; it counts requests and bytes of each command.

path: the same posts are imported into a home on a disk and into one in the store, all stages are
run on both, and both are asked; then the one in the store is copied to a disk, where its model
predicts, too; an account's posts are purged from both homes.
kills: copies of an imported home are killed at random instants of their run and run again.
writers: several processes write the same keys, and spend one budget, at once.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.kill import (
    FAST,
    UNTIL_MERGE,
    command,
    differences,
    kill_and_compare,
    write_posts,
)
from benchmarks.s3_server import S3Server, Traffic, copy_home, s3_server
from mmrl.catalog import Catalog

WRITERS, ROUNDS, KEYS = 3, 8, 160
_UPSERT = """
import sys
import pyarrow as pa
from mmrl.catalog import Catalog
from mmrl.catalog.tables import SCHEMAS
from mmrl.sources.budget import Budget, Priority, Ticket
from mmrl.storage.opening import storage_of
home, rounds, keys = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
catalog = Catalog.open(home, create=True)
budget = Budget(storage_of(home), "budget-writers.json", per_minute=50)
sent = 0
for turn in range(rounds):
    rows = [{"sha256": f"{key:064}", "captioner": "c", "text": str(turn)} for key in range(keys)]
    catalog.upsert("captions", pa.Table.from_pylist(rows, schema=SCHEMAS["captions"]))
    for _ in range(5):
        sent += isinstance(budget.ask(Priority.DISCOVERY, 1_780_000_000.0), Ticket)
print(sent)
"""


def timed(server: S3Server, *words: str) -> tuple[float, Traffic, str]:
    """Runs a command; its seconds, what the store counted meanwhile, and what it printed."""
    before, began = server.traffic(), time.perf_counter()
    done = subprocess.run(
        words, check=True, env={**os.environ, **FAST}, capture_output=True, text=True
    )
    seconds = time.perf_counter() - began
    time.sleep(0.5)  # the server counts a request a moment after it has answered
    return seconds, server.traffic().since(before), done.stdout


def path(server: S3Server, folder: Path, posts: Path, count: int) -> int:
    """Takes both homes along the whole path and prints the costs; gives how much differs."""
    disk, bucket = folder / "disk", f"{server.bucket}/home"
    image = posts.parent / "images" / "k1.jpg"
    draft = ["predict", str(image), "--title", "A red lake", "--subreddit", "sub1"]
    images = ["--images", str(posts.parent / "images")]
    both: tuple[str | Path, ...] = (disk, bucket)
    steps = [
        ("import", ["import", "table", str(posts), *images]),
        ("run, to merge", ["run", *UNTIL_MERGE]),
        ("the same again", ["run", *UNTIL_MERGE]),
        ("status", ["status"]),
        ("train", ["train"]),
        ("publish", ["run", "publish"]),
        ("report", ["report"]),
        ("predict", draft),
    ]
    for home in both:
        words = [sys.executable, "-m", "mmrl", "init", str(home)]
        subprocess.run(words, check=True, stdout=subprocess.DEVNULL)
    print(f"{count:,} posts{'disk s':>14}{'store s':>9}{'requests':>10}{'MB in':>8}{'MB out':>8}")
    for name, words in steps:
        local, (seconds, traffic, _) = (timed(server, *command(home, *words)) for home in both)
        print(
            f"{name:18}{local[0]:8.1f}{seconds:9.1f}{traffic.requests:10,}"
            f"{traffic.received / 1e6:8.1f}"
            f"{traffic.sent / 1e6:8.1f}",
            flush=True,
        )
    bad = same("the whole path", disk, bucket)
    copied = folder / "copied"
    copy_home(bucket, copied)
    mmrl = [sys.executable, "-m", "mmrl"]
    repair = [*mmrl, "repair", "--home", str(copied)]
    subprocess.run(repair, stdout=subprocess.DEVNULL, check=True)
    agree = predictions(bucket, image) == predictions(copied, image)
    print(f"predictions of the store's model, and of its copy on a disk: {agree=}", flush=True)
    for home in both:
        erase = [*mmrl, "purge", "--author", "author3", "--home", str(home)]
        env = {**os.environ, "MMRL_PURGE__SETTLE_SECONDS": "0"}
        subprocess.run(erase, check=True, env=env, stdout=subprocess.DEVNULL)
    return bad + (not agree) + same("after a purge of an account", disk, bucket)


def kills(server: S3Server, folder: Path, count: int, posts: int, seed: int) -> int:
    """Kills runs in the store; gives how many ended unlike the run on a disk."""
    hits = bad = 0
    at = f"{server.bucket}/killed"
    for instant, hit, differing in kill_and_compare(folder, count, posts, seed, UNTIL_MERGE, at):
        ended = "" if hit else " (had ended)"
        print(f"killed at {instant:6.2f} s{ended}: {differing or 'equal'}", flush=True)
        hits += hit
        bad += bool(differing)
    print(f"{count} runs, {hits} killed before their end, {bad} with a difference", flush=True)
    return bad


def same(name: str, left: str | Path, right: str | Path) -> int:
    """Prints whether two homes hold the same rows; gives 1 where they do not."""
    differing = differences(Catalog.open(left), Catalog.open(right))
    print(f"{name}: {differing or 'equal row for row'}", flush=True)
    return bool(differing)


def predictions(home: str | Path, image: Path) -> list[dict[str, object]]:
    """What a home's champion predicts for one draft."""
    words = ["predict", str(image), "--title", "A red lake", "--subreddit", "sub1", "--json"]
    done = subprocess.run(command(home, *words), check=True, capture_output=True, text=True)
    told = json.loads(done.stdout)
    return told if isinstance(told, list) else [told]


def writers(home: str) -> int:
    """Lets processes write at once; gives how many things were lost or doubled."""
    words = [sys.executable, "-c", _UPSERT, home, str(ROUNDS), str(KEYS)]
    running = [subprocess.Popen(words, stdout=subprocess.PIPE, text=True) for _ in range(WRITERS)]
    sent = [int(process.communicate()[0]) for process in running]
    rows = Catalog.open(home).read("captions", ["sha256"])["sha256"].to_pylist()
    print(
        f"{WRITERS} processes x {ROUNDS} upserts of the same {KEYS} keys: {len(rows)} rows, "
        f"{len(set(rows))} of them distinct; of a budget of 50 requests they sent {sum(sent)}",
        flush=True,
    )
    return abs(len(rows) - KEYS) + abs(len(set(rows)) - KEYS) + abs(sum(sent) - 50)


def main() -> None:
    """Prints the figures, and ends with 1 if anything differed, was lost or doubled."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--posts", type=int, default=1000)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parts = ("path", "kills", "writers")
    parser.add_argument("--parts", nargs="+", choices=parts, default=parts)
    arguments = parser.parse_args()
    bad = 0
    with tempfile.TemporaryDirectory() as place, s3_server(Path(place) / "server") as server:
        os.environ.update(server.env)
        folder = Path(place)
        if "path" in arguments.parts:
            posts = write_posts(folder / "given", arguments.posts, arguments.seed)
            bad += path(server, folder, posts, arguments.posts)
        if "kills" in arguments.parts:
            few = min(arguments.posts, 90)
            bad += kills(server, folder / "kills", arguments.kills, few, arguments.seed)
        if "writers" in arguments.parts:
            bad += writers(f"{server.bucket}/writers")
    print(f"{bad} things differ, were lost or doubled")
    sys.exit(bool(bad))


if __name__ == "__main__":
    main()
