"""`mmrl purge`."""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mmrl.cli.options import DEFAULT_HOME, From, Home, Json, open_home
from mmrl.cli.spans import SandboxTime, span
from mmrl.home import signals
from mmrl.home.moments import moment
from mmrl.runtime.foreign_text import shown

if TYPE_CHECKING:
    from mmrl.catalog import Catalog
    from mmrl.config import Settings
    from mmrl.errors import MmrlError
    from mmrl.purge.recheck import RecheckReport
    from mmrl.runtime.bars import Bars
    from mmrl.sources.kinds import Kind

_RUNNING = "Another purge of this home is under way (process {process}): wait until it has ended."
_POST = re.compile(r"(?:.*/comments/)?([0-9A-Za-z][0-9A-Za-z_-]{0,63})(?:[/?#].*)?")
_ACCOUNT = re.compile(r"(?:/?u/)?([0-9A-Za-z_-]{1,64})")


@dataclass(frozen=True)
class _Limits:
    """Limits of a round of checks.

    Attributes:
        requests: the most to send; None for no limit.
        span: the longest time to go on for; None for no limit.
        sandbox_clock: the hidden option of that name.
        source: the name of the live source to ask; None for the home's own.
    """

    requests: int | None
    span: timedelta | None
    sandbox_clock: str | None
    source: str | None


def purge(
    home: Home = DEFAULT_HOME,
    posts: Annotated[
        list[str] | None,
        typer.Option("--post", metavar="ID", help="Erase this post now; asks Reddit nothing."),
    ] = None,
    authors: Annotated[
        list[str] | None,
        typer.Option("--author", metavar="NAME", help="Erase this account's posts now."),
    ] = None,
    requests: Annotated[
        int | None, typer.Option(min=1, help="At most so many requests; the rest stays due.")
    ] = None,
    duration: Annotated[
        str | None,
        typer.Option("--for", metavar="TIME", help="Re-check for at most this long, such as 1h."),
    ] = None,
    source: From = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be erased; ask and change nothing.")
    ] = False,
    sandbox_clock: SandboxTime = None,
    as_json: Json = False,
) -> None:
    """Erases what was deleted on Reddit, from every table, version, report and file.

    Re-checks what is kept, oldest check first, many posts a request. What observations have
    already shown to be gone is erased without any request, also where there are no credentials.
    Ctrl-C keeps the checks made so far; a purge that was killed is ended by the next one.
    """
    import json

    from mmrl.runtime.bars import Bars
    from mmrl.runtime.lock import only_one

    longest = span(duration, "--for")
    opened = open_home(home)
    catalog, settings = opened.catalog, opened.settings
    with only_one(catalog.home, "purge", _RUNNING), Bars(quiet=as_json) as bars:
        if posts or authors:
            outcome = _on_request(catalog, settings, posts or [], authors or [], dry_run, bars)
        elif dry_run:
            outcome = _dry_run(catalog, settings, moment(None))
        else:
            limits = _Limits(requests, longest, sandbox_clock, source)
            outcome = _all(catalog, settings, limits, bars)
    error = outcome.pop("error")
    if as_json:
        typer.echo(json.dumps({**outcome, "error": str(error) if error else None}))
    else:
        typer.echo(_summary(outcome))
    if error is not None:
        raise error


def _on_request(
    catalog: "Catalog",
    settings: "Settings",
    posts: list[str],
    authors: list[str],
    dry_run: bool,
    bars: "Bars",
) -> dict[str, Any]:
    from mmrl.catalog.fullnames import POST, bare_id
    from mmrl.purge.run import REQUESTED, erase, posts_of

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


def _dry_run(catalog: "Catalog", settings: "Settings", at: datetime) -> dict[str, Any]:
    from mmrl.purge.recheck import due
    from mmrl.purge.removals import find_gone

    gone = find_gone(catalog, settings.purge, at)
    return {
        "dry_run": True,
        "erased": dict(Counter(gone.erase.values())),
        "waiting": dict(gone.waiting),
        "kept": dict(gone.kept),
        "due": len(due(catalog, timedelta(days=settings.purge.recheck_days), at)),
        "error": None,
    }


def _all(catalog: "Catalog", settings: "Settings", limits: _Limits, bars: "Bars") -> dict[str, Any]:
    """Re-checks where there are credentials, then erases what is known to be gone."""
    from mmrl.errors import ConfigError, SourceError
    from mmrl.purge.recheck import RecheckReport
    from mmrl.purge.removals import find_gone
    from mmrl.purge.run import erase
    from mmrl.runtime.clock import Halt
    from mmrl.sources.connection import live_kind

    checked = RecheckReport()
    error: MmrlError | None = None
    stopped = False
    at = moment(None)
    has_credentials = True
    try:
        kind = live_kind(limits.source, settings)
        has_credentials = _can_ask(kind, catalog, settings)
        if has_credentials:
            at = _recheck(kind, catalog, settings, limits, bars, checked)
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
        "waiting": dict(gone.waiting),
        "kept": dict(gone.kept),
        "error": error,
    }
    if stopped:
        return {**outcome, "erased": {}, "left": len(gone.erase)}
    return {**outcome, **erase(catalog, settings, gone.erase, at, bars).as_dict()}


def _recheck(
    kind: "Kind",
    catalog: "Catalog",
    settings: "Settings",
    limits: _Limits,
    bars: "Bars",
    report: "RecheckReport",
) -> datetime:
    """Checks what is due; returns the time by the source's clock when it ended."""
    from mmrl.purge.recheck import recheck
    from mmrl.sources.budget import Priority
    from mmrl.sources.connection import connect_live

    source, transport = connect_live(kind, settings, catalog.home)
    clock = transport.clock = signals.clock(limits.sandbox_clock, source, transport.clock)
    transport.priority = Priority.PURGE
    until = None if limits.span is None else transport.now() + limits.span
    every = timedelta(days=settings.purge.recheck_days)
    with signals.stopped_by_signals(clock, [transport]):
        recheck(source, catalog, every, transport.now, bars, report, limits.requests, until)
    return transport.now()


def _can_ask(kind: "Kind", catalog: "Catalog", settings: "Settings") -> bool:
    """Whether there are the credentials that a source needs."""
    from mmrl.sources.kinds import REDDIT
    from mmrl.sources.reddit.credentials import find_credentials

    if kind is not REDDIT:
        return True
    return find_credentials(catalog.home, settings.reddit.site) is not None


def _read(pattern: re.Pattern[str], text: str, option: str, expected: str) -> str:
    from mmrl.errors import InputError

    match = pattern.fullmatch(text.strip())
    if match is None:
        raise InputError(f"{option} is {text!r}, expected {expected}.")
    return match[1]


def _summary(outcome: dict[str, Any]) -> str:
    """The outcome in words, a sentence a line."""
    would = "Would erase" if outcome["dry_run"] else "Erased"
    lines = []
    checks = outcome.get("checks")
    if outcome.get("credentials") is False:
        lines.append(
            "Nothing could be re-checked: there are no credentials for Reddit under "
            f"[{outcome['site']}] in praw.ini. What was known to be gone is erased all the same."
        )
    elif checks is not None:
        left = checks["due"] - checks["checked"]
        lines.append(
            f"Re-checked {checks['checked']:,} posts in {checks['requests']:,} requests: "
            f"{checks['standing']:,} stand"
            + _listed(checks["gone"], ", gone")
            + "."
            + (f" {left:,} are still due." if left else "")
        )
    if outcome.get("resumed"):
        lines.append("An earlier purge that was killed was ended first.")
    if outcome.get("stopped"):
        lines.append(f"Stopped; {outcome['left']:,} posts are to be erased by the next purge.")
    else:
        images = f" and {outcome['images']:,} images" if outcome.get("images") else ""
        total = sum(outcome["erased"].values())
        lines.append(f"{would} {total:,} posts{images}" + _listed(outcome["erased"], ":") + ".")
    if outcome.get("unknown"):
        lines.append(f"{outcome['unknown']:,} of the ids are not kept here; they are kept out.")
    if outcome.get("waiting"):
        lines.append("Waiting, as they may come back" + _listed(outcome["waiting"], ":") + ".")
    if outcome.get("kept"):
        lines.append("Kept, as purge.moderated is false" + _listed(outcome["kept"], ":") + ".")
    if outcome.get("due"):
        lines.append(f"{outcome['due']:,} posts are due to be re-checked.")
    if outcome.get("models"):
        lines.append(f"Model versions that had met some of them: {', '.join(outcome['models'])}.")
    if outcome.get("reports"):
        lines.append(f"Reports written anew: {', '.join(outcome['reports'])}.")
    lines += [
        f"Report {x} is deleted: {why}" for x, why in outcome.get("reports_deleted", {}).items()
    ]
    lines += [
        f"{count} old versions of {table} have a tag and still hold what was erased: take it away."
        for table, count in outcome.get("versions_left", {}).items()
    ]
    return "\n".join(lines)


def _listed(counts: dict[str, int], before: str) -> str:
    named: Iterable[tuple[str, int]] = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return before + " " + ", ".join(f"{shown(name)} {n:,}" for name, n in named) if counts else ""
