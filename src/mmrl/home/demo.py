"""The demo: the whole path on simulated posts, from collecting to the report.

The sandbox's clock stands in for time: it is moved a few hours, Reddit's API is asked for what is
new and for the observations that are due, and so on until the last post has matured.
"""

import json
from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from mmrl.catalog import Catalog
from mmrl.collector.once import observe, sweep
from mmrl.config import Settings, load_settings
from mmrl.errors import InputError
from mmrl.home.make import init
from mmrl.learning.evaluation.record import as_json
from mmrl.pipeline import Meter, Progress, StageReport
from mmrl.pipeline import run as pipeline
from mmrl.runtime.bars import watching
from mmrl.runtime.quiet import quiet_libraries
from mmrl.sandbox import SandboxProcess, praw_settings, start_process
from mmrl.sandbox.images import Drawing, render
from mmrl.sources.kinds import SIMULATED
from mmrl.sources.reddit.api import connect
from mmrl.sources.reddit.source import RedditSource
from mmrl.times import iso

STEP = timedelta(hours=3)  # a first observation this early still tells karma at creation
_COMPACT_EVERY = 40  # sweeps; each leaves a small file in two tables
_MARK = "# Written by `mmrl demo`: this home holds simulated posts."


@dataclass
class DemoReport:
    """Results of the demo; see `as_dict`.

    Attributes:
        pictures: two files to try predictions with.
    """

    catalog: Catalog
    as_of: datetime
    collected: StageReport
    requests: int
    run: pipeline.RunReport
    pictures: list[Path]

    def as_dict(self) -> dict[str, Any]:
        """Counts a stage and table, splits, metrics, the noise ceiling, version, report, costs."""
        trained = self.run.trained
        evaluation = trained.evaluation if trained else None
        stages = [self.collected, *self.run.stages]
        return {
            "simulated": True,
            "home": self.catalog.home,
            "as_of": iso(self.as_of),
            "requests": self.requests,
            "stages": {
                stage.name: {
                    "pending": stage.pending,
                    "done": stage.done,
                    "failed": dict(stage.failed),
                    "seconds": round(stage.seconds, 2),
                    "peak_bytes": stage.peak_bytes,
                }
                for stage in stages
            },
            "tables": {name: self.catalog.count(name) for name in self.catalog.table_names()},
            "splits": as_json(evaluation.splits) if evaluation else None,
            "models": {
                name: {"kind": model.kind, "metrics": as_json(model.metrics)}
                for name, model in (evaluation.models if evaluation else {}).items()
            },
            "noise_ceiling": as_json(evaluation.noise_ceiling) if evaluation else None,
            "model_version": trained.version if trained else None,
            "report": str(self.run.published.report) if self.run.published else None,
        }


def run_demo(home: Path, posts: int, seed: int, *, quiet: bool = False) -> DemoReport:
    """Collects simulated posts into a home, runs every stage on them, trains and reports.

    Args:
        quiet: show no bars.

    Raises:
        InputError: the home holds posts that are not simulated.
    """
    quiet_libraries()
    _prepare(home)
    catalog = Catalog.open(home)
    with start_process(posts, seed) as sandbox, watching(quiet=quiet) as progress:
        settings = load_settings(home)
        collected = StageReport("collect")
        with Meter() as meter:
            requests = _collect(sandbox, catalog, settings, progress, collected)
        collected.seconds, collected.peak_bytes = meter.seconds, meter.peak_bytes
        progress.finish(f"{collected.done:,} posts in {requests:,} requests")
        as_of = sandbox.now
        run = pipeline.run(catalog, settings, [], as_of, progress, truth=sandbox.truth())
    return DemoReport(catalog, as_of, collected, requests, run, _leave_pictures(home))


def _leave_pictures(home: Path) -> list[Path]:
    """Draws two images that nobody posted into the home's folder `pictures`."""
    folder = home / "pictures"
    folder.mkdir(exist_ok=True)
    pictures = []
    for number, drawing in enumerate((Drawing(0, 0.5, -0.2, 1), Drawing(5, -0.4, 0.3, 2)), 1):
        pictures.append(folder / f"{number}.jpg")
        pictures[-1].write_bytes(render(drawing))
    return pictures


def _collect(
    sandbox: SandboxProcess,
    catalog: Catalog,
    settings: Settings,
    progress: Progress,
    report: StageReport,
) -> int:
    """Lets the simulated weeks pass, sweeping and observing; returns the requests it took."""
    source = RedditSource(connect(**praw_settings(sandbox.url)))
    last_observation = timedelta(hours=max(settings.reddit.checkpoints_hours))
    until = sandbox.end + last_observation + 2 * STEP
    steps = int((until - sandbox.start) / STEP) + 1
    progress.start("collect", steps)
    requests = 0
    refused: Counter[str] = Counter()
    for step in range(1, steps + 1):
        now = sandbox.start + step * STEP
        sandbox.set_clock(now)
        swept = sweep(source, catalog, settings.reddit.subreddits, now)
        observed = observe(source, catalog, settings, now)
        requests += swept.requests + observed.requests
        refused.update(swept.refused)
        report.pending += swept.new
        report.done += swept.new
        if step % _COMPACT_EVERY == 0:
            catalog.compact()
        progress.advance(1)
    report.failed.update(refused)
    return requests


def _prepare(home: Path) -> None:
    init(home)
    if Catalog.open(home).count("posts", f"NOT ({SIMULATED})"):
        raise InputError(
            f"The home {home} holds posts that are not simulated: give the demo a home of its "
            "own with --home."
        )
    from mmrl.sandbox.world import SUBREDDITS

    settings = home / "mmrl.toml"
    if _MARK not in settings.read_text(encoding="utf-8"):
        settings.write_text(
            f"{_MARK}\n\n[reddit]\nsubreddits = {json.dumps(list(SUBREDDITS))}\n\n"
            "[images]\nallow_loopback = true  # the sandbox serves its images there\n",
            encoding="utf-8",
        )
