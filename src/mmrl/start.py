"""The start of a home: posts of the last days from Arctic Shift, every stage, and a model.

Each part goes on where it was: the home is made once, the past is asked for once, stages find what
is pending. So an interrupted start is ended by the same command.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from mmrl.catalog import Catalog
from mmrl.collector.backfill import Backfill, Estimate
from mmrl.collector.once import observe
from mmrl.collector.rules import keep_rules
from mmrl.collector.writer import SweepReport
from mmrl.config import Settings, load_settings
from mmrl.errors import InputError
from mmrl.home.make import init
from mmrl.pipeline import Meter
from mmrl.pipeline import run as pipeline
from mmrl.runtime.progress import Progress
from mmrl.sources.kinds import ARCTIC_SHIFT
from mmrl.sources.live import LiveSource
from mmrl.sources.transport import Transport


@dataclass
class StartReport:
    """What a start did.

    Attributes:
        estimate: of the backfill, made after its first pages.
        backfill: counts of it; `seconds` it took, and the bytes received.
        run: the report of the stages.
    """

    catalog: Catalog
    as_of: datetime
    estimate: Estimate
    backfill: SweepReport
    seconds: float
    received: int
    run: pipeline.RunReport

    def as_dict(self) -> dict[str, Any]:
        """For `--json`: counts, seconds and peak bytes by stage, the model's version."""
        return {
            "home": self.catalog.home,
            "estimate": vars(self.estimate),
            "backfill": {
                "seen": self.backfill.seen,
                "new": self.backfill.new,
                "requests": self.backfill.requests,
                "seconds": round(self.seconds, 1),
                "bytes": self.received,
            },
            **self.run.as_dict(),
        }


def make_home(home: Path, subreddits: Sequence[str]) -> Settings:
    """Makes the home where it is not there, following these subreddits from Arctic Shift.

    Raises:
        InputError: it is there, and follows others.
    """
    fresh = not (home / "mmrl.toml").exists()
    init(home)
    file = home / "mmrl.toml"
    if fresh:
        text = file.read_text(encoding="utf-8")
        for name, value in (("live", ARCTIC_SHIFT.name), ("subreddits", list(subreddits))):
            text = _set(text, name, value)
        file.write_text(text, encoding="utf-8")
    settings = load_settings(home)
    followed = {name.lower() for name in settings.reddit.subreddits}
    others = [name for name in subreddits if name.lower() not in followed]
    if others:
        raise InputError(
            f"The home {home} does not follow r/{', r/'.join(others)}: add them to "
            f"reddit.subreddits in {file}, or give another --home."
        )
    return settings


def bring(
    source: LiveSource,
    transport: Transport,
    catalog: Catalog,
    settings: Settings,
    days: int,
    progress: Progress,
    tell: Callable[[Estimate], None],
) -> tuple[Backfill, Estimate]:
    """Brings the last days' posts, their settled scores, and the subreddits' rules."""
    until = transport.now()
    names = settings.reddit.subreddits
    work = Backfill(source, transport, catalog, names, until - timedelta(days=days), until)
    estimate = work.sample()
    tell(estimate)
    work.run(progress)
    # What an earlier start met before its score had settled.
    observe(source, catalog, settings, transport.now(), transport.now)
    keep_rules(source, catalog, names, transport.now())
    return work, estimate


def start(
    source: LiveSource,
    transport: Transport,
    catalog: Catalog,
    settings: Settings,
    days: int,
    progress: Progress,
    tell: Callable[[Estimate], None],
) -> StartReport:
    """Brings posts, runs every stage on them, trains.

    Args:
        tell: is given the estimate once it is known.

    Raises:
        SourceError: Arctic Shift does not answer; what was read is kept.
    """
    with Meter() as meter:
        work, estimate = bring(source, transport, catalog, settings, days, progress, tell)
    as_of = transport.now()
    run = pipeline.run(catalog, settings, [], as_of, progress)
    return StartReport(
        catalog, as_of, estimate, work.report, meter.seconds, transport.received, run
    )


def _set(text: str, name: str, value: object) -> str:
    """The text of a new home's settings with one line that counts in place of its comment."""
    lines = text.splitlines()
    place = next(n for n, line in enumerate(lines) if line.startswith(f"# {name} = "))
    lines[place] = f"{name} = {json.dumps(value)}"
    return "\n".join(lines) + "\n"
