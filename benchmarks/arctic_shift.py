"""Arctic Shift's figures: a backfill of 100,000 posts, a start, and the archive's public schemas.

    python -m benchmarks.arctic_shift backfill --posts 100000
    python -m benchmarks.arctic_shift start --posts 10000
    python -m benchmarks.arctic_shift schemas FOLDER      # schemas/RS of the archive's repository

The first two ask a sandbox, whose clock skips what would be slept; the third reads files alone.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

from mmrl.catalog import Catalog
from mmrl.collector.backfill import Backfill
from mmrl.config import ArcticShiftSettings, Settings
from mmrl.runtime.clock import SystemClock
from mmrl.runtime.progress import Silent
from mmrl.sandbox import Faults, SandboxProcess, SandboxServer, World, start_process
from mmrl.sandbox.clock import SandboxClock
from mmrl.sources.arctic_shift.api import ArcticShift
from mmrl.sources.arctic_shift.source import ArcticShiftSource
from mmrl.sources.connection import connect_live
from mmrl.sources.kinds import ARCTIC_SHIFT
from mmrl.sources.post import Parsed
from mmrl.sources.reddit.source import to_base36
from mmrl.sources.transport import Transport

START = datetime(2026, 1, 1, tzinfo=UTC)


def backfill(posts: int, days: int, capacity: int) -> dict[str, Any]:
    """A backfill of 90 days of two communities, and how often each post was sent."""
    world = World.from_posts(
        [
            {
                "id": to_base36(0x40000000 + 7 * number),
                "title": f"Post {number}",
                "subreddit": ("pics", "EarthPorn")[number % 2],
                "created": START.timestamp() + int(number * days * 86_400 / posts),
                "score": number % 500,
                "author": f"author{number % 4_000}",
            }
            for number in range(posts)
        ]
    )
    home = tempfile.mkdtemp(prefix="mmrl-arctic-")
    with SandboxServer(world, simulated_limit=True) as server:
        server.now = START.timestamp() + (days + 2) * 86_400
        server.misfortune.set(Faults(capacity=capacity))
        settings = Settings(arctic_shift=ArcticShiftSettings(base_url=server.url))
        clock = SandboxClock(server.url, "jump")
        source, transport = connect_live(ARCTIC_SHIFT, settings, home, clock=clock)
        catalog = Catalog.open(home, create=True)
        began, simulated = time.monotonic(), server.now
        names = ["pics", "EarthPorn"]
        work = Backfill(source, transport, catalog, names, START, transport.now())
        estimate = work.sample()
        work.run(Silent())
        archive = server.stats()["archive"]
        return {
            "posts": posts,
            "capacity": capacity,
            "estimated_requests": estimate.requests,
            "requests": archive["requests"],
            "posts_by_times_sent": archive["posts_by_times_sent"],
            "most_in_a_second": archive["most_in_a_second"],
            "rows": catalog.count("posts"),
            "settled": catalog.count("observations", "settled = true"),
            "megabytes": round(transport.received / 1e6, 1),
            "seconds": round(time.monotonic() - began, 1),
            "seconds_at_two_a_second": round(server.now - simulated, 1),
        }


def start(posts: int) -> dict[str, Any]:
    """`mmrl start` on the sandbox: seconds and peak memory by stage."""
    with start_process(posts, seed=1) as sandbox, tempfile.TemporaryDirectory() as folder:
        return _start(sandbox, Path(folder) / "home")


def _start(sandbox: SandboxProcess, home: Path) -> dict[str, Any]:
    from mmrl.sandbox.world import SUBREDDITS

    sandbox.set_clock(sandbox.end + timedelta(hours=48))
    command = [sys.executable, "-m", "mmrl", "start", *SUBREDDITS, "--days", "90"]
    command += ["--home", str(home), "--sandbox-clock", "jump", "--json"]
    environment = {
        **os.environ,
        "MMRL_ARCTIC_SHIFT__BASE_URL": sandbox.url,
        "MMRL_IMAGES__ALLOW_LOOPBACK": "true",
    }
    began = time.monotonic()
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    report = json.loads(done.stdout)
    return {
        "minutes": round((time.monotonic() - began) / 60, 1),
        "backfill": report["backfill"],
        "stages": {
            stage["stage"]: {
                "done": stage["done"],
                "minutes": round(stage["seconds"] / 60, 2),
                "peak_gib": round((stage["peak_bytes"] or 0) / 1024**3, 2),
            }
            for stage in report["stages"]
        },
        "version": report["model_version"],
    }


def schemas(folder: Path, each: int) -> dict[str, Any]:
    """Made-up posts of each month's published schema, read as the client reads them."""
    source = ArcticShiftSource(ArcticShift("https://x.example", Transport(SystemClock()), ""))
    now = datetime(2026, 6, 1, tzinfo=UTC)
    counts: Counter[str] = Counter()
    refused: Counter[str] = Counter()
    dropped: Counter[str] = Counter()
    for file in sorted(folder.rglob("RS_*.json")):
        counts["months"] += 1
        for post in _made(json.loads(file.read_text()), file.stem.removeprefix("RS_"), each):
            result = source.read(post, now)
            counts["posts"] += 1
            if isinstance(result, Parsed):
                counts["read"] += 1
                counts["settled"] += bool(result.observation and result.observation["settled"])
                dropped.update(result.dropped)
            else:
                refused[f"{result.reason} {result.field}".strip()] += 1
    return {**counts, "refused": dict(refused), "values_left_out": dict(dropped)}


def _made(schema: Any, month: str, each: int) -> Iterator[dict[str, Any]]:
    dice = Random(month)
    year, number = (int(part) for part in month.split("-"))
    created = datetime(year, number, 15, tzinfo=UTC).timestamp()
    for place in range(each):
        post: dict[str, Any] = _value(schema, dice)
        # What a schema tells the length of only: an id, a name, times within the month.
        post |= {"id": to_base36(10_000_000 + place), "subreddit": "pics"}
        if "name" in post:
            post["name"] = f"t3_{post['id']}"
        post["created_utc"] = str(int(created)) if _is_text(post, "created_utc") else int(created)
        if "permalink" in post:
            post["permalink"] = f"/r/pics/comments/{post['id']}/x/"
        for name in ("retrieved_on", "retrieved_utc"):
            if post.get(name) is not None:
                post[name] = int(created) + 30
        meta = post.get("_meta")
        if isinstance(meta, dict) and "retrieved_2nd_on" in meta:
            meta["retrieved_2nd_on"] = int(created) + 36 * 3_600 + 60
        yield post


def _is_text(post: dict[str, Any], name: str) -> bool:
    return isinstance(post.get(name), str)


def _usage(part: dict[str, Any]) -> float:
    return 1.0 if part["usage"] == "always" else float(part["usage"])


def _value(variants: list[dict[str, Any]], dice: Random) -> Any:
    """A value of one of a schema's variants, as often as the schema says it occurs."""
    if not variants:
        return None
    variant = dice.choices(variants, [_usage(variant) + 1e-6 for variant in variants])[0]
    inner: Any = variant.get("schema") or {}
    match variant["type"]:
        case "object" if inner.get("type") == "key-value":
            return {f"key{place}": _value(inner["schema"], dice) for place in range(2)}
        case "object":
            return {
                name: _value(part, dice)
                for name, part in inner.items()
                if dice.random() <= sum(map(_usage, part))
            }
        case "array":
            parts = inner.get("schema") or []
            return [_value(parts, dice)] if parts and dice.random() < 0.7 else []
        case "string" if inner.get("values"):
            values = inner["values"]
            return dice.choices(values, [_usage(value) + 1e-6 for value in values])[0]["value"]
        case "string":
            shortest, longest = int(inner.get("min_length", 1)), int(inner.get("max_length", 8))
            return "x" * dice.randint(shortest, max(shortest, min(longest, 60)))
        case "int":
            return dice.randint(int(inner["min_value"]), int(inner["max_value"]))
        case "float":
            return dice.uniform(inner["min_value"], inner["max_value"])
        case "bool":
            return dice.random() < 0.5
        case _:
            return None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    tasks = parser.add_subparsers(dest="task", required=True)
    task = tasks.add_parser("backfill")
    task.add_argument("--posts", type=int, default=100_000)
    task.add_argument("--days", type=int, default=90)
    task.add_argument("--capacity", type=int, default=1_000)
    task = tasks.add_parser("start")
    task.add_argument("--posts", type=int, default=10_000)
    task = tasks.add_parser("schemas")
    task.add_argument("folder", type=Path)
    task.add_argument("--each", type=int, default=50)
    given = parser.parse_args()
    if given.task == "backfill":
        found = backfill(given.posts, given.days, given.capacity)
    elif given.task == "start":
        found = start(given.posts)
    else:
        found = schemas(given.folder, given.each)
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
