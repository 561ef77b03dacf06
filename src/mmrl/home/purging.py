"""Purges of a home: what somebody asks for, what is known to be gone, and asking again first."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from mmrl.home import signals
from mmrl.home.moments import moment

if TYPE_CHECKING:
    from mmrl.catalog import Catalog
    from mmrl.config import Settings
    from mmrl.errors import MmrlError
    from mmrl.purge.recheck import RecheckReport
    from mmrl.runtime.progress import Progress
    from mmrl.sources.live import LiveSource, Traits
    from mmrl.sources.transport import Transport

RUNNING = "Another purge of this home is under way (process {process}): wait until it has ended."
_POST = re.compile(r"(?:.*/comments/)?([0-9A-Za-z][0-9A-Za-z_-]{0,63})(?:[/?#].*)?")
_ACCOUNT = re.compile(r"(?:/?u/)?([0-9A-Za-z_-]{1,64})")


@dataclass(frozen=True)
class Limits:
    """Limits of a round of checks.

    Attributes:
        requests: the most to send; None for no limit.
        span: the longest time to go on for; None for no limit.
        sandbox_clock: the hidden option of that name.
        source: the name of the live source to ask; None for the home's own.
    """

    requests: int | None = None
    span: timedelta | None = None
    sandbox_clock: str | None = None
    source: str | None = None


def purge(
    catalog: "Catalog",
    settings: "Settings",
    bars: "Progress",
    *,
    posts: Sequence[str] = (),
    authors: Sequence[str] = (),
    dry_run: bool = False,
    limits: Limits = Limits(),
) -> dict[str, Any]:
    """Erases posts that are asked for; without any, what is gone, after asking again.

    Returns:
        what came of it, as `mmrl purge --json` prints it; `error` is what kept it from asking, if
        anything did: what was known to be gone is erased all the same.

    Raises:
        InputError: an id, an address or a name can't be one.
        Failure: another purge is under way.
    """
    from mmrl.storage.lock import only_one

    with only_one(catalog.home, "purge", RUNNING):
        if posts or authors:
            return _on_request(catalog, settings, posts, authors, dry_run, bars)
        if dry_run:
            return _dry_run(catalog, settings, limits)
        return _all(catalog, settings, limits, bars)


def _on_request(
    catalog: "Catalog",
    settings: "Settings",
    posts: Sequence[str],
    authors: Sequence[str],
    dry_run: bool,
    bars: "Progress",
) -> dict[str, Any]:
    from mmrl.catalog.fullnames import POST, bare_id
    from mmrl.catalog.removers import REQUESTED
    from mmrl.purge.run import erase, posts_of

    names = [_read(_ACCOUNT, name, "--author", "an account's name") for name in authors]
    addresses = [_read(_POST, post, "--post", "a post's id or address") for post in posts]
    ids = [bare_id(POST, address) for address in addresses]
    chosen = dict.fromkeys([*ids, *(one for name in names for one in posts_of(catalog, name))])
    reasons = dict.fromkeys(chosen, REQUESTED)
    known = catalog.lookup("posts", "post_id", reasons, ["post_id"]).num_rows
    outcome: dict[str, Any] = {"dry_run": dry_run, "unknown": len(reasons) - known, "error": None}
    if dry_run:
        return {**outcome, "erased": {REQUESTED: known} if known else {}}
    report = erase(catalog, settings, reasons, moment(None), bars, frozenset(names))
    return {**outcome, **report.as_dict()}


def _dry_run(catalog: "Catalog", settings: "Settings", limits: Limits) -> dict[str, Any]:
    """What is known to be gone, and how many posts a re-check would ask for; asks nothing."""
    from mmrl.errors import ConfigError, SourceError
    from mmrl.purge.recheck import due
    from mmrl.purge.removals import find_gone
    from mmrl.sources.connection import live_kind

    name, recheck_after = live_kind(limits.source, settings).name, timedelta(0)
    not_told: str | None = None
    error: MmrlError | None = None
    at = moment(None)
    try:
        connected = _connect(catalog, settings, limits)
        if connected is not None:
            source, transport = connected
            name, recheck_after = source.name, source.traits.recheck_after
            not_told, at = _not_told(source.traits), transport.now()
    except (ConfigError, SourceError) as failed:  # a real purge erases what is known all the same
        error = failed
    gone = find_gone(catalog, settings.purge, at)
    every = timedelta(days=settings.purge.recheck_days)
    return {
        "dry_run": True,
        "erased": dict(Counter(gone.erase.values())),
        "waiting": dict(gone.waiting),
        "kept": dict(gone.kept),
        "due": len(due(catalog, every, at, name, recheck_after)),
        "not_told": not_told,
        "error": error,
    }


def _all(
    catalog: "Catalog", settings: "Settings", limits: Limits, bars: "Progress"
) -> dict[str, Any]:
    """Re-checks where there are credentials, then erases what is known to be gone."""
    from mmrl.errors import ConfigError, SourceError
    from mmrl.purge.recheck import RecheckReport
    from mmrl.purge.removals import find_gone
    from mmrl.purge.run import erase
    from mmrl.runtime.clock import Halt

    checked = RecheckReport()
    error: MmrlError | None = None
    stopped = False
    at = moment(None)
    has_credentials = True
    not_told: str | None = None
    try:
        connected = _connect(catalog, settings, limits)
        has_credentials = connected is not None
        if connected is not None:
            not_told = _not_told(connected[0].traits)
            at = _recheck(*connected, catalog, settings, limits, bars, checked)
    except Halt:
        stopped = True
    except (ConfigError, SourceError) as failed:  # what is known is erased all the same
        error = failed
    gone = find_gone(catalog, settings.purge, at)
    outcome: dict[str, Any] = {
        "dry_run": False,
        "credentials": has_credentials,
        "site": settings.reddit.site,
        "stopped": stopped,
        "checks": {**vars(checked), "gone": dict(checked.gone)},
        "not_told": not_told,
        "waiting": dict(gone.waiting),
        "kept": dict(gone.kept),
        "error": error,
    }
    if stopped:
        return {**outcome, "erased": {}, "left": len(gone.erase)}
    return {**outcome, **erase(catalog, settings, gone.erase, at, bars).as_dict()}


def _connect(
    catalog: "Catalog", settings: "Settings", limits: Limits
) -> "tuple[LiveSource, Transport] | None":
    """The source that re-checks ask, and its transport; None where it lacks credentials."""
    from mmrl.sources.budget import Priority
    from mmrl.sources.connection import can_ask, connect_live, live_kind

    kind = live_kind(limits.source, settings)
    if not can_ask(kind, settings, catalog.home):
        return None
    source, transport = connect_live(kind, settings, catalog.home)
    transport.clock = signals.clock(limits.sandbox_clock, source, transport.clock)
    transport.priority = Priority.PURGE
    return source, transport


def _recheck(
    source: "LiveSource",
    transport: "Transport",
    catalog: "Catalog",
    settings: "Settings",
    limits: Limits,
    bars: "Progress",
    report: "RecheckReport",
) -> datetime:
    """Checks what is due; returns the time by the source's clock when it ended."""
    from mmrl.purge.recheck import recheck

    until = None if limits.span is None else transport.now() + limits.span
    every = timedelta(days=settings.purge.recheck_days)
    with signals.stopped_by_signals(transport.clock, [transport]):
        recheck(source, catalog, every, transport.now, bars, report, limits.requests, until)
    return transport.now()


def _not_told(traits: "Traits") -> str | None:
    """A sentence on the deletions that a source can't tell; None where it tells them all."""
    if traits.settles_after is None:
        return None
    hours = int(traits.settles_after / timedelta(hours=1))
    return (
        f"{traits.label} does not tell deletions later than {hours} hours after a post: posts that "
        "were deleted after that stay here until Reddit's own API is asked, which needs "
        "credentials: `--from reddit`."
    )


def _read(pattern: re.Pattern[str], text: str, option: str, expected: str) -> str:
    from mmrl.errors import InputError

    match = pattern.fullmatch(text.strip())
    if match is None:
        raise InputError(f"{option} is {text!r}, expected {expected}.")
    return match[1]
