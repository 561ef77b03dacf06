"""A home in an object store against one on a disk: the whole path, its requests, kills, writers.

    python -m benchmarks.bucket [--posts 200] [--kills 10] [--seed 0]

A real S3 server (SeaweedFS) runs on loopback. The same posts are imported into a home on a disk and
into one in the store, and every stage is run on both; the server counts requests and bytes of each
command. Then copies of the imported home are killed at random instants of their run and run again;
an account's posts are purged from both homes; the home in the store is copied to a disk, and both
predict; and several processes write the same keys and change the same object at once.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.kill import AS_OF, FAST, command, differences, kill_and_compare, write_posts
from benchmarks.s3_server import S3Server, Traffic, copy_home, s3_server
from mmrl.catalog import Catalog

WRITERS, ROUNDS, KEYS = 3, 8, 160
_UPSERT = """
import sys
import pyarrow as pa
from mmrl.catalog import Catalog
from mmrl.catalog.tables import SCHEMAS
from mmrl.sources.budget import Budget, Priority, Ticket
from mmrl.runtime.storage import storage_of
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


def path(server: S3Server, folder: Path, posts: Path, count: int) -> tuple[Path, str]:
    """Takes a home on a disk and one in the store along the whole path, and prints the costs."""
    disk, bucket = folder / "disk", f"{server.bucket}/home"
    mmrl = [sys.executable, "-m", "mmrl"]
    images = ["--images", str(posts.parent / "images")]
    per = 1000 / count
    steps: list[tuple[str, list[str]]] = [
        ("import", ["import", "table", str(posts), *images]),
        ("run", ["run"]),
        ("run, nothing new", ["run"]),
        ("status", ["status"]),
        ("models list", ["models", "list"]),
        ("report", ["report"]),
        ("predict", ["predict", str(posts.parent / "images" / "k1.jpg"), "--title", "A red lake"]),
    ]
    print(f"{'':18}{'disk s':>8}{'store s':>9}{'requests':>10}{'MB in':>8}{'MB out':>8}")
    for home in (disk, bucket):
        subprocess.run([*mmrl, "init", str(home)], check=True, stdout=subprocess.DEVNULL)
    for name, words in steps:
        if words[0] == "predict":
            words = [*words, "--subreddit", "sub1"]
        timeless = words[0] in ("models",)
        lines = [
            [*mmrl, *words, "--home", str(home)] if timeless else command(home, *words)
            for home in (disk, bucket)
        ]
        local, _, _ = timed(server, *lines[0])
        remote, traffic, _ = timed(server, *lines[1])
        figures = f"{local:8.1f}{remote:9.1f}{traffic.requests:10,}"
        print(
            f"{name:18}{figures}{traffic.received / 1e6:8.1f}{traffic.sent / 1e6:8.1f}", flush=True
        )
        if name in ("import", "run"):
            print(
                f"{'  of 1,000 posts':18}{'':17}{traffic.requests * per:10,.0f}"
                f"{traffic.received * per / 1e6:8.1f}{traffic.sent * per / 1e6:8.1f}"
            )
    return disk, bucket


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
    parser.add_argument("--posts", type=int, default=200)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    bad = hits = 0
    with tempfile.TemporaryDirectory() as place, s3_server(Path(place) / "server") as server:
        os.environ.update(server.env)
        folder = Path(place)
        posts = write_posts(folder / "given", arguments.posts, arguments.seed)
        disk, bucket = path(server, folder, posts, arguments.posts)
        bad += same("the whole path", disk, bucket)
        copied = folder / "copied"
        copy_home(bucket, copied)
        subprocess.run(
            [sys.executable, "-m", "mmrl", "repair", "--home", str(copied)],
            stdout=subprocess.DEVNULL,
            check=True,
        )
        image = posts.parent / "images" / "k1.jpg"
        agree = predictions(bucket, image) == predictions(copied, image)
        print(f"predictions of the store's model, and of its copy on a disk: {agree=}", flush=True)
        bad += not agree
        for home in (disk, bucket):
            erase = [sys.executable, "-m", "mmrl", "purge", "--author", "author3"]
            env = {**os.environ, "MMRL_PURGE__SETTLE_SECONDS": "0"}
            subprocess.run(
                [*erase, "--home", str(home)], check=True, env=env, stdout=subprocess.DEVNULL
            )
        bad += same("after a purge of an account", disk, bucket)
        at = f"{server.bucket}/killed"
        kills = kill_and_compare(
            folder / "kills", arguments.kills, arguments.posts, arguments.seed, [], at
        )
        for instant, hit, differing in kills:
            ended = "" if hit else " (had ended)"
            print(f"killed at {instant:6.2f} s{ended}: {differing or 'equal'}", flush=True)
            hits += hit
            bad += bool(differing)
        print(f"{arguments.kills} runs, {hits} killed before their end", flush=True)
        bad += writers(f"{server.bucket}/writers")
    print(f"as of {AS_OF}: {bad} things differ, were lost or doubled")
    sys.exit(bool(bad))


if __name__ == "__main__":
    main()
