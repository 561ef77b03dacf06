"""The start of a home: posts of the last days from Arctic Shift, every stage, and a model.

Each part goes on where it was: the home is made once, the past is asked for once, stages find what
is pending. So an interrupted start is ended by the same call.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from mmrl.collector.backfill import Estimate
from mmrl.collector.once import observe
from mmrl.collector.rules import keep_rules
from mmrl.collector.writer import SweepReport
from mmrl.config import FILE, load_settings
from mmrl.errors import InputError
from mmrl.home.archive import Archive, connected, named
from mmrl.home.home import Home
from mmrl.home.make import commented_toml, init
from mmrl.home.moments import days_before, moment
from mmrl.home.opened import require_folder
from mmrl.pipeline import Meter
from mmrl.pipeline.run import RunReport
from mmrl.runtime.bars import note, watching
from mmrl.runtime.clock import Halt
from mmrl.sources.arctic_shift.connection import check_contact
from mmrl.sources.kinds import ARCTIC_SHIFT
from mmrl.storage.location import Location
from mmrl.storage.opening import storage_of

NO_CONTACT = (
    "Requests carry no contact: give --contact, an e-mail address or a page, so that Arctic "
    "Shift's maintainer can reach you."
)


@dataclass(frozen=True)
class Brought:
    """What came of the past, and what that took.

    Attributes:
        estimate: made after its first pages.
        counts: of the posts that came.
        seconds, received: the time and the bytes of answers that it took.
        as_of: when it had come.
    """

    estimate: Estimate
    counts: SweepReport
    seconds: float
    received: int
    as_of: datetime


@dataclass(frozen=True)
class StartReport:
    """What a start did.

    Attributes:
        home: the home, open.
        brought: the posts that came.
        run: the report of the stages.
    """

    home: Home
    brought: Brought
    run: RunReport

    def as_dict(self) -> dict[str, Any]:
        """For `--json`: counts, seconds and peak bytes by stage, the model's version."""
        brought = self.brought
        return {
            "home": self.home.address,
            "estimate": vars(brought.estimate),
            "backfill": {
                "seen": brought.counts.seen,
                "new": brought.counts.new,
                "requests": brought.counts.requests,
                "seconds": round(brought.seconds, 1),
                "bytes": brought.received,
            },
            **self.run.as_dict(),
        }


def start(
    home: str | Path,
    subreddits: Sequence[str],
    days: int,
    quiet: bool,
    sandbox_clock: str | None,
    settings: Mapping[str, Any],
    contact: str | None = None,
) -> StartReport:
    """Makes a home, brings posts, runs every stage on them and trains; see `mmrl.start`."""
    if not Location.of(home).is_local:
        raise InputError(f"{home} is no folder: a start makes a home on this machine.")
    if not subreddits:
        raise InputError("There is no community to start with: name one or more, without r/.")
    # Refused before anything is made.
    days_before(moment(None), days)
    check_contact(contact or "")
    make_home(Location.of(home).path, named(subreddits), contact)
    opened = Home.open(home, quiet=quiet, **settings)
    if not opened.settings.arctic_shift.contact:
        note(NO_CONTACT, quiet=quiet)
    try:
        with (
            watching(quiet=quiet) as bars,
            connected(
                *(opened.catalog, opened.settings, bars, partial(note, quiet=quiet)),
                observing=True,
                sandbox_clock=sandbox_clock,
            ) as archive,
        ):
            brought = bring(archive, days)
    except Halt:  # the clock's word for it, which nobody outside waits for
        raise KeyboardInterrupt from None
    return StartReport(opened, brought, opened.run(as_of=brought.as_of))


def make_home(home: Path, subreddits: Sequence[str], contact: str | None = None) -> None:
    """Makes the home where it is not there, following these subreddits from Arctic Shift.

    Its settings come first and whole, so a start that is killed at any instant is taken up.

    Args:
        contact: written into its settings, also where it is there; None leaves them as they are.

    Raises:
        InputError: it is there, and follows others, or its settings have no line for the contact;
            it is a file.
    """
    require_folder(home)
    storage = storage_of(home)
    if not storage.exists(FILE):
        text = commented_toml()
        for name, value in (("live", ARCTIC_SHIFT.name), ("subreddits", list(subreddits))):
            text = _set(text, name, value)
        if contact:
            text = _set(text, "contact", contact)
        storage.write(FILE, text.encode())
    init(home)
    followed = {name.lower() for name in load_settings(home).reddit.subreddits}
    others = [name for name in subreddits if name.lower() not in followed]
    if others:
        raise InputError(
            f"The home {home} does not follow r/{', r/'.join(others)}: add them to "
            f"reddit.subreddits in {home / FILE}, or give another --home."
        )
    if contact is not None and contact != load_settings(home).arctic_shift.contact:
        text = (storage.read(FILE) or b"").decode()
        if not any(_is_line(line, "contact") for line in text.splitlines()):
            raise InputError(
                f"{home / FILE} has no line for the contact: add arctic_shift.contact to it."
            )
        storage.write(FILE, _set(text, "contact", contact).encode())


def bring(archive: Archive, days: int) -> Brought:
    """Brings the last days' posts, their settled scores, and the subreddits' rules.

    Raises:
        SourceError: the archive does not answer; what was read is kept.
        Halt: it was stopped; what was read is kept.
    """
    names = archive.settings.reddit.subreddits
    now = archive.transport.now
    with Meter() as meter:
        work = archive.past(names, days_before(now(), days), now())
        estimate = work.sample()
        archive.tell(estimate.sentence())
        work.run(archive.progress)
        # What an earlier start met before its score had settled.
        observe(archive.source, archive.catalog, archive.settings, now(), now)
        keep_rules(archive.source, archive.catalog, names, now())
    return Brought(estimate, work.report, meter.seconds, archive.transport.received, now())


def _set(text: str, name: str, value: object) -> str:
    """The text of a home's settings with one line that counts in place of its comment."""
    lines = text.splitlines()
    place = next(n for n, line in enumerate(lines) if _is_line(line, name))
    lines[place] = f"{name} = {json.dumps(value)}"
    return "\n".join(lines) + "\n"


def _is_line(line: str, name: str) -> bool:
    """True for the line of a setting, whether it counts or is a comment still."""
    return line.startswith((f"# {name} = ", f"{name} = "))
