"""Simulated days for Airflow to work on: a sandbox, and a home that is collected up to a moment."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

from mmrl.catalog import Catalog
from mmrl.collector.once import observe, sweep
from mmrl.config import load_settings
from mmrl.home.make import init
from mmrl.sandbox import SandboxProcess, praw_settings, start_process
from mmrl.sandbox.world import SUBREDDITS
from mmrl.sources.reddit.api import connect
from mmrl.sources.reddit.source import RedditSource

_STEP = timedelta(hours=6)


class Days:
    """A home that lives through the sandbox's days, as far as it was collected.

    Attributes:
        now: up to when.
    """

    def __init__(self, sandbox: SandboxProcess, home: Path) -> None:
        self.sandbox, self.home = sandbox, home
        self.now = sandbox.start
        init(home)
        (home / "mmrl.toml").write_text(
            f"[reddit]\nsubreddits = {json.dumps(list(SUBREDDITS))}\n"
            "[images]\nallow_loopback = true\n"
            "[train]\nmin_samples = 100\nbootstrap = 100\nablation = false\ntest_blocks = 1\n",
            encoding="utf-8",
        )
        ini = "\n".join(f"{name} = {value}" for name, value in praw_settings(sandbox.url).items())
        (home / "praw.ini").write_text(f"[mmrl]\n{ini}\n", encoding="utf-8")

    def pass_until(self, moment: datetime) -> None:
        """Collects and observations, every few hours, up to that time."""
        catalog, settings = Catalog.open(self.home), load_settings(self.home)
        source = RedditSource(connect(**praw_settings(self.sandbox.url)))
        while self.now < moment:
            self.now = min(self.now + _STEP, moment)
            self.sandbox.set_clock(self.now)
            sweep(source, catalog, settings.reddit.subreddits, self.now)
            observe(source, catalog, settings, self.now)
        catalog.compact()


@contextmanager
def simulated_days(home: Path, posts: int, days: int) -> Iterator[Days]:
    """A new home, and the sandbox that its posts and images come from while the block lasts."""
    with start_process(posts, seed=3, days=days) as sandbox:
        yield Days(sandbox, home)
