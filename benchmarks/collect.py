"""Collects from the simulated Reddit for simulated days, with faults and kills, and counts.

    python -m benchmarks.collect requests [--posts 1000]
    python -m benchmarks.collect day [--hours 24] [--times 20] [--kills 50] [--no-faults]
    python -m benchmarks.collect limit [--minutes 20] [--speed 30]
    python -m benchmarks.collect memory [--days 7] [--times 1]

`requests`: API requests for posts, five observations of each and their authors, against
the original system's way (three requests a post and observation), both counted by the sandbox.
`day`: a collector that is killed with SIGKILL at random instants while everything else goes wrong
too; says what was lost, doubled, and looked at too late.
`limit`: three processes that share one client ask as much as they may; says the most requests in
any 60 simulated seconds.
`memory`: the collector's resident memory over a simulated week.

Time is simulated: it passes truly while the collector works, and what it would sleep is skipped
(`limit`: it passes some times faster). Posts are simulated, too: twelve subreddits with the shares
of `SHARES`, `A_DAY` posts a day together, times `--times`.
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc

from benchmarks.steady_world import (
    A_DAY,
    START,
    make_home,
    make_world,
    serve,
    start,
)
from mmrl.catalog import Catalog
from mmrl.config import RedditSettings
from mmrl.sandbox import Faults, SandboxServer, praw_settings

CHECKPOINTS = RedditSettings().checkpoints_hours
TEN_MINUTES = timedelta(minutes=10)
FAULTS = {
    "too_many": 0.004,
    "too_many_unsaid": 0.004,
    "server_error": 0.02,
    "reset": 0.01,
    "cut": 0.01,
    "slow": 0.002,
    "expired_token": 0.004,
    "garbled": 0.004,
    "duplicates": 0.01,
    "suspended": 0.02,
    "held_back": 0.02,
    "held_back_seconds": 400.0,
    "slow_seconds": 2.0,
}


# Requests for a thousand posts


def count_requests(posts: int, times: float) -> None:
    """Prints what both ways need for the same posts and observations."""
    days = posts / (A_DAY * times)
    world = make_world(days, times)
    with tempfile.TemporaryDirectory() as folder, serve(world) as server:
        home = make_home(Path(folder), server.url)
        hours = days * 24 + max(CHECKPOINTS) + 0.5
        process = start(home, "collect", "--for", f"{int(hours * 60)}m")
        # Asking for what is not there yet is no cost of these posts.
        while process.poll() is None and server.now < START.timestamp() + days * 86_400 + 900:
            time.sleep(0.02)
        found = server.stats()["requests"]
        polls_before = found.get("r/*/new", 0)
        process.wait()
        ours = server.stats()["requests"]
        catalog = Catalog.open(home)
        kept, observations = catalog.count("posts"), catalog.count("observations")
    idle = ours["r/*/new"] - polls_before
    total = sum(ours.values()) - idle
    rounds = 1 + len(CHECKPOINTS)
    print(
        f"at {times:g} times the real rate: {kept:,} posts, {observations:,} observations, "
        f"{total:,} requests"
    )
    print(f"  {json.dumps(ours)}, of them {idle} polls after the last post (not counted)")
    print(f"  {1_000 * total / (kept * rounds):.1f} requests for 1,000 posts and an observation")
    with serve(world) as server:
        server.now = START.timestamp() + 4 * 86_400
        asked = original_way(server, [post.id for post in world.posts[: min(posts, 200)]])
    print(
        f"  the original's way: {1_000 * asked / min(posts, 200):,.0f} for 1,000 posts and an "
        "observation"
    )


def original_way(server: SandboxServer, ids: list[str]) -> int:
    """An observation as the original takes it, post by post; returns the requests."""
    import praw

    reddit = praw.Reddit(**{**praw_settings(server.url), "window_size": 10**9})
    for post_id in ids:
        submission = reddit.submission(post_id)
        assert submission.score is not None
        assert submission.subreddit.subscribers
        if submission.author is not None:
            assert submission.author.link_karma is not None
    return int(server.stats()["total"])


# A day with faults and kills


def day(hours: float, times: float, kills: int, seed: int, with_faults: bool) -> bool:
    """Prints what was lost, doubled and late; returns whether that is as little as promised."""
    dice = random.Random(seed)
    world = make_world(hours / 24, times, seed)
    begin, end = START.timestamp(), START.timestamp() + hours * 3_600
    outage = begin + hours * 3_600 * 0.4, begin + hours * 3_600 * 0.4 + min(3_600, hours * 600)
    closed_from, closed_until = end - hours * 3_600 * 0.3, end - hours * 3_600 * 0.2
    faults = {**FAULTS, "outage_from": outage[0], "outage_until": outage[1], "seed": seed}
    instants = sorted(dice.uniform(begin + 60, end) for _ in range(kills))
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder, serve(world) as server:
        home = make_home(Path(folder), server.url)
        log = Path(os.environ.get("MMRL_BENCHMARK_LOG", Path(folder) / "log"))
        # A check of each subreddit's own listing finds posts that were held back.
        settled = end + 9 * 3_600
        killed = 0
        process = start(home, "collect", mode="jump:180", log=log)
        while server.now < settled:
            closed = closed_from <= server.now < closed_until
            wanted = {**faults, "private": ["Art"], "banned": ["gifs"]} if closed else faults
            if with_faults and server.misfortune.faults.private != wanted.get("private", []):
                server.misfortune.set(Faults(**wanted))
            elif with_faults and not server.misfortune.faults.cut:
                server.misfortune.set(Faults(**faults))
            if instants and server.now >= instants[0]:
                instants.pop(0)
                time.sleep(dice.uniform(0, 0.3))
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
                killed += 1
                process = start(home, "collect", mode="jump:180", log=log)
            if process.poll() is not None:
                print(log.read_text()[-3_000:])
                raise RuntimeError(f"the collector ended by itself with {process.returncode}")
            time.sleep(0.01)
        process.send_signal(signal.SIGTERM)
        ended = process.wait()
        stats = server.stats()
        catalog = Catalog.open(home)
        found = catalog.read("posts", ["post_id", "created_at", "first_seen_at"])
        observations = catalog.read("observations", ["post_id", "observed_at"])
        gaps = catalog.read("gaps").to_pylist()
    there = {post.id for post in world.posts}
    ids = found["post_id"].to_pylist()
    lost, doubled = there - set(ids), len(ids) - len(set(ids))
    due, late = late_observations(found, observations, settled, outage if with_faults else None)
    seen = pc.subtract(found["first_seen_at"], found["created_at"]).cast("int64").to_numpy() / 1e6
    print(
        f"{hours:g} simulated hours at {times:g} times the real rate, {killed} kills, faults "
        f"{'on' if with_faults else 'off'}: {len(there):,} posts, {len(lost)} lost, {doubled} "
        f"doubled, {1 - late / max(due, 1):.2%} of {due:,} observations within ten minutes "
        f"({late} late); {len(gaps)} gaps, {sum(gap['state'] == 'open' for gap in gaps)} open; "
        f"first seen after {np.median(seen):.0f} s (median), {np.quantile(seen, 0.99):.0f} s (99%)"
        f"; {stats['total']:,} requests, most in 60 s {stats['most_in_a_minute']}; ended with "
        f"{ended}; {time.perf_counter() - began:.0f} s"
    )
    for post_id in sorted(lost)[:10]:
        post = next(post for post in world.posts if post.id == post_id)
        print("  lost:", post_id, datetime.fromtimestamp(post.created, tz=UTC))
    return not lost and not doubled and late <= 0.01 * due and stats["most_in_a_minute"] <= 100


def late_observations(
    posts: Any, observations: Any, now: float, outage: tuple[float, float] | None
) -> tuple[int, int]:
    """Looks that fell due outside of the outage, and those of them not taken within 10 minutes."""
    created = dict(zip(posts["post_id"].to_pylist(), posts["created_at"].to_pylist(), strict=True))
    taken: dict[str, list[float]] = {}
    for post_id, at in zip(
        observations["post_id"].to_pylist(), observations["observed_at"].to_pylist(), strict=True
    ):
        taken.setdefault(post_id, []).append(at.timestamp())
    due = late = 0
    for post_id, at in created.items():
        for checkpoint in CHECKPOINTS:
            due_at = at.timestamp() + checkpoint * 3_600
            if due_at + 600 > now:
                continue
            if outage and outage[0] - 600 <= due_at <= outage[1]:
                continue
            due += 1
            # The clock of Reddit's answers has whole seconds.
            late += not any(
                -1 <= observation - due_at <= 600 for observation in taken.get(post_id, ())
            )
    return due, late


# Three processes, one client


def limit(minutes: float, speed: float) -> bool:
    """Prints the most requests in any 60 simulated seconds; returns whether the limit was kept."""

    world = make_world(1, 20)
    with tempfile.TemporaryDirectory() as folder, serve(world, speed) as server:
        server.now = START.timestamp() + 12 * 3_600
        home = make_home(Path(folder), server.url, poll_seconds=[1, 2])
        processes = [start(home, "collect", "--no-looks", mode="scaled")]
        processes += [_hammer(home, server.url, name) for name in ("OBSERVATIONS", "PURGE")]
        until = time.monotonic() + minutes * 60 / speed
        while time.monotonic() < until:
            time.sleep(0.2)
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait()
        stats = server.stats()
    print(
        f"three processes, one client, {minutes:g} simulated minutes at {speed:g} times the real "
        f"speed: {stats['total']:,} requests ({stats['total'] / minutes:.0f} a minute), most in "
        f"any 60 s {stats['most_in_a_minute']} of 100"
    )
    return bool(stats["most_in_a_minute"] <= 100)


def _hammer(home: Path, url: str, priority: str) -> Any:
    """A process that asks as much as its priority may."""
    code = f"""
from mmrl.config import RedditSettings
from mmrl.sandbox.clock import SandboxClock
from mmrl.sources import reddit as api
from mmrl.sources.budget import Priority
from mmrl.sources.reddit.connection import open_connection
clock = SandboxClock({url!r}, "scaled")
reddit, transport = open_connection(RedditSettings(), {str(home)!r}, clock=clock)
transport.priority = Priority.{priority}
while True:
    list(api.info(reddit, ["t3_x"]))
"""
    return subprocess.Popen(
        [sys.executable, "-c", code], env={**os.environ, "OMP_NUM_THREADS": "1"}
    )


# Memory


def memory(days: float, times: float) -> None:
    """Prints resident memory over the simulated days."""
    world = make_world(days, times)
    with tempfile.TemporaryDirectory() as folder, serve(world) as server:
        # Versions are dropped by their files' true age, and a simulated day passes in minutes.
        home = make_home(Path(folder), server.url, keep_versions_days=0.003)
        process = start(home, "collect")
        samples: list[tuple[float, float]] = []
        while server.now < START.timestamp() + days * 86_400:
            if process.poll() is not None:
                raise RuntimeError(f"the collector ended by itself with {process.returncode}")
            passed = (server.now - START.timestamp()) / 86_400
            samples.append((passed, _resident(process.pid)))
            time.sleep(0.5)
        process.send_signal(signal.SIGTERM)
        process.wait()
        catalog = Catalog.open(home)
        observations, asked = catalog.count("observations"), server.stats()["requests"]
        counts = f"{catalog.count('posts'):,} posts, {observations:,} observations"
        versions = sum(1 for _ in (home / "catalog").rglob("*.manifest"))
    for part in range(8):
        within = [mb for at, mb in samples if part <= 8 * at / days < part + 1]
        if within:
            print(f"  day {days * part / 8:5.2f}: {max(within):7.1f} MB")
    total = sum(asked.values())
    an_observation = 1_000 * total / max(observations, 1)
    print(
        f"{days:g} days at {times:g} times the real rate: {counts}, {versions} versions on disk; "
        f"{total:,} requests, {an_observation:.1f} for 1,000 observations: {json.dumps(asked)}"
    )


def _resident(process: int) -> float:
    pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def main() -> None:
    """Runs what was asked for, or a short form of all; ends with 1 where a promise was broken."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parts = parser.add_subparsers(dest="what")
    asked = parts.add_parser("requests")
    asked.add_argument("--posts", type=int, default=1_000)
    asked.add_argument("--times", type=float, default=20)
    whole = parts.add_parser("day")
    whole.add_argument("--hours", type=float, default=24)
    whole.add_argument("--times", type=float, default=20)
    whole.add_argument("--kills", type=int, default=50)
    whole.add_argument("--seed", type=int, default=0)
    whole.add_argument("--no-faults", action="store_true")
    limits = parts.add_parser("limit")
    limits.add_argument("--minutes", type=float, default=20)
    limits.add_argument("--speed", type=float, default=30)
    resident = parts.add_parser("memory")
    resident.add_argument("--days", type=float, default=7)
    resident.add_argument("--times", type=float, default=1)
    given = parser.parse_args()
    kept = True
    if given.what in (None, "requests"):
        for times in (20.0, 1.0) if given.what is None else (given.times,):
            count_requests(getattr(given, "posts", 1_000), times)
    if given.what in (None, "day"):
        kept &= day(
            getattr(given, "hours", 24),
            getattr(given, "times", 20),
            getattr(given, "kills", 50),
            getattr(given, "seed", 0),
            not getattr(given, "no_faults", False),
        )
    if given.what in (None, "limit"):
        kept &= limit(getattr(given, "minutes", 20), getattr(given, "speed", 30))
    if given.what in (None, "memory"):
        memory(getattr(given, "days", 7), getattr(given, "times", 1))
    sys.exit(not kept)


if __name__ == "__main__":
    main()
