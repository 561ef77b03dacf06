"""`mmrl purge`."""

from collections.abc import Iterable
from typing import Annotated, Any

import typer

from mmrl.cli.options import DEFAULT_HOME, From, Home, Json, open_home
from mmrl.cli.spans import SandboxTime, span
from mmrl.runtime.counted import counted
from mmrl.runtime.foreign_text import shown


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

    from mmrl.home.purging import Limits
    from mmrl.home.purging import purge as erase
    from mmrl.runtime.bars import Bars

    limits = Limits(requests, span(duration, "--for"), sandbox_clock, source)
    opened = open_home(home)
    with Bars(quiet=as_json) as bars:
        outcome = erase(
            *(opened.catalog, opened.settings, bars),
            posts=posts or [],
            authors=authors or [],
            dry_run=dry_run,
            limits=limits,
        )
    error = outcome.pop("error")
    if as_json:
        typer.echo(json.dumps({**outcome, "error": str(error) if error else None}))
    else:
        typer.echo(_summary(outcome))
    if error is not None:
        raise error


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
            f"Re-checked {counted(checks['checked'], 'post')} in "
            f"{counted(checks['requests'], 'request')}: "
            f"{counted(checks['standing'], 'stands', 'stand')}"
            + _listed(checks["gone"], ", gone")
            + "."
            + (f" {counted(left, 'is', 'are')} still due." if left else "")
        )
    if outcome.get("resumed"):
        lines.append("An earlier purge that was killed was ended first.")
    if outcome.get("stopped"):
        lines.append(
            f"Stopped; {counted(outcome['left'], 'post is', 'posts are')} to be erased by the next "
            "purge."
        )
    else:
        images = f" and {counted(outcome['images'], 'image')}" if outcome.get("images") else ""
        total = sum(outcome["erased"].values())
        lines.append(
            f"{would} {counted(total, 'post')}{images}" + _listed(outcome["erased"], ":") + "."
        )
    if outcome.get("unknown"):
        lines.append(
            f"{counted(outcome['unknown'], 'of the ids is', 'of the ids are')} not kept here, and "
            "kept out."
        )
    if outcome.get("waiting"):
        lines.append("Waiting, as they may come back" + _listed(outcome["waiting"], ":") + ".")
    if outcome.get("kept"):
        lines.append("Kept, as purge.moderated is false" + _listed(outcome["kept"], ":") + ".")
    if outcome.get("due"):
        lines.append(f"{counted(outcome['due'], 'post is', 'posts are')} due to be re-checked.")
    if outcome.get("not_told"):
        lines.append(outcome["not_told"])
    return "\n".join([*lines, *_elsewhere(outcome)])


def _elsewhere(outcome: dict[str, Any]) -> list[str]:
    """Sentences on what had been made of the posts: models, experiments, reports, old versions."""
    lines = []
    if outcome.get("models"):
        lines.append(f"Model versions that had met some of them: {', '.join(outcome['models'])}.")
    if outcome.get("learned"):
        lines.append(
            f"Versions that learned from some, and keep numbers made from them: "
            f"{', '.join(outcome['learned'])}. `mmrl train --force` trains one without them; then "
            f"{', '.join(f'`mmrl models drop {version}`' for version in outcome['learned'])}."
        )
    if outcome.get("experiments"):
        lines.append(
            "Experiments' cells that had been judged on some of them"
            + _listed(outcome["experiments"], ":")
            + "."
        )
    if outcome.get("reports"):
        lines.append(f"Reports written anew: {', '.join(outcome['reports'])}.")
    lines += [
        f"Report {x} is deleted: {why}" for x, why in outcome.get("reports_deleted", {}).items()
    ]
    lines += [
        f"{count} old versions of {table} have a tag and still hold what was erased: take it away."
        for table, count in outcome.get("versions_left", {}).items()
    ]
    return lines


def _listed(counts: dict[str, int], before: str) -> str:
    named: Iterable[tuple[str, int]] = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return before + " " + ", ".join(f"{shown(name)} {n:,}" for name, n in named) if counts else ""
