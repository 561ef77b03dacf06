"""The last run of a home: when it ended and what became of it, in one small file."""

import json
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from mmrl.errors import InputError
from mmrl.pipeline.run import RunReport
from mmrl.storage.opening import storage_of
from mmrl.times import iso, parse_time

_FILE = "last_run.json"


@dataclass(frozen=True)
class LastRun:
    """A run that ended.

    Attributes:
        why: the error that ended it; None where it came to its end.
        seconds: it took.
        done, failed: rows of all its stages.
    """

    ended_at: datetime
    why: str | None
    seconds: float
    done: int = 0
    failed: int = 0


def remember_run(
    home: str, ended_at: datetime, seconds: float, ended: RunReport | BaseException
) -> None:
    """Writes what `last_run` reads.

    Args:
        ended: the run's report, or the error that ended it.
    """
    why, done, failed = None, 0, 0
    if isinstance(ended, RunReport):
        done = sum(stage.done for stage in ended.stages)
        failed = sum(sum(stage.failed.values()) for stage in ended.stages)
    else:
        why = type(ended).__name__
    kept = LastRun(ended_at, why, round(seconds, 3), done, failed)
    written = json.dumps({**asdict(kept), "ended_at": iso(ended_at)})
    storage_of(home).write(_FILE, written.encode())


def last_run(home: str | Path) -> LastRun | None:
    """The home's last run; None where there was none, or the file can't be read."""
    data = storage_of(home).read(_FILE)
    if data is None:
        return None
    try:
        kept = json.loads(data)
        return LastRun(
            parse_time(kept["ended_at"]),
            None if kept["why"] is None else str(kept["why"]),
            float(kept["seconds"]),
            int(kept["done"]),
            int(kept["failed"]),
        )
    except (ValueError, KeyError, TypeError, InputError):
        return None
