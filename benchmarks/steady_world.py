"""A world at a steady rate, a home on it, and mmrl as processes: for benchmarks.collect."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from mmrl.home.make import init
from mmrl.sandbox import SandboxServer, World, praw_settings
from mmrl.sources.reddit.source import to_base36

START = datetime(2026, 6, 1, tzinfo=UTC)
A_DAY = 5_000  # posts a day of the twelve default subreddits together: "some thousands"
SHARES = {
    "aww": 0.2,
    "funny": 0.2,
    "pics": 0.14,
    "mildlyinteresting": 0.14,
    "food": 0.08,
    "OldSchoolCool": 0.06,
    "Art": 0.06,
    "gifs": 0.04,
    "EarthPorn": 0.03,
    "space": 0.02,
    "DIY": 0.02,
    "photoshopbattles": 0.01,
}
ID_STEP = 37  # of Reddit's ids, one in so many is a post of these subreddits


def make_world(days: float, times: float, seed: int = 0) -> World:
    """Posts at a steady rate with an American day's rhythm, as a world to serve."""
    rng = np.random.default_rng([7, seed])
    count = int(A_DAY * times * days)
    hours = np.arange(0, days * 24, 0.01)
    weight = np.cumsum(1.2 + np.cos(2 * np.pi * (hours - 19) / 24))
    at = np.sort(np.interp(rng.random(count) * weight[-1], weight, hours)) * 3_600
    where = rng.choice(len(SHARES), count, p=np.array(list(SHARES.values())))
    who = np.minimum(rng.pareto(1.2, count) * count / 30, count - 1).astype(int)
    names = list(SHARES)
    return World.from_posts(
        [
            {
                "id": to_base36(0x40000000 + ID_STEP * number),
                "title": f"Simulated post {number}",
                "subreddit": names[where[number]],
                "created": START.timestamp() + float(at[number]),
                "score": int(number % 997),
                "author": f"author{who[number]}",
            }
            for number in range(count)
        ]
    )


def make_home(folder: Path, url: str, **settings: Any) -> Path:
    """A home whose credentials are the sandbox's."""
    home = folder / "home"
    init(home)
    options = {"subreddits": list(SHARES), **settings}
    lines = [f"{name} = {json.dumps(value)}" for name, value in options.items()]
    (home / "mmrl.toml").write_text("[reddit]\n" + "\n".join(lines) + "\n", encoding="utf-8")
    ini = "\n".join(f"{name} = {value}" for name, value in praw_settings(url).items())
    (home / "praw.ini").write_text(f"[mmrl]\n{ini}\n", encoding="utf-8")
    return home


@contextmanager
def serve(world: World, speed: float = 1.0, limit: int = 1_000) -> Iterator[SandboxServer]:
    """A sandbox whose rate limit passes on its own clock: as Reddit's, 1,000 in ten minutes."""
    with SandboxServer(world, requests_a_window=limit, simulated_limit=True, speed=speed) as server:
        server.now = START.timestamp()
        yield server


def start(home: Path, *words: str, mode: str = "jump", log: Path | None = None) -> Any:
    """Starts an mmrl command on the sandbox's clock."""
    out = subprocess.DEVNULL if log is None else log.open("a")
    return subprocess.Popen(
        [sys.executable, "-m", "mmrl", *words, "--home", str(home), "--sandbox-clock", mode],
        env={
            **os.environ,
            "OMP_NUM_THREADS": "1",
            "PRAWCORE_TIMEOUT": "1",
            "PYTHONFAULTHANDLER": "1",
        },
        stdout=out,
        stderr=out,
        start_new_session=True,
    )
