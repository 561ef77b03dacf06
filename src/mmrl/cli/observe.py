"""`mmrl observe`."""

import typer

from mmrl.cli.options import DEFAULT_HOME, AsOf, From, Home, Json, open_home
from mmrl.cli.spans import SandboxTime


def observe(
    home: Home = DEFAULT_HOME,
    source: From = None,
    as_of: AsOf = None,
    sandbox_clock: SandboxTime = None,
    as_json: Json = False,
) -> None:
    """Takes the observations that are due: at each checkpoint age of every collected post.

    `mmrl collect` takes them too, unless it was started with --no-looks.
    """
    import json

    from mmrl.collector.observations import ObserveReport
    from mmrl.collector.once import observe as take_observations
    from mmrl.home import signals
    from mmrl.home.collecting import OBSERVED_ELSEWHERE, lock
    from mmrl.home.moments import moment
    from mmrl.runtime.lock import Taken, only_one
    from mmrl.sources.budget import Priority
    from mmrl.sources.connection import connect_live, live_kind

    opened = open_home(home)
    catalog, settings = opened.catalog, opened.settings
    kind = live_kind(source, settings)
    live, transport = connect_live(kind, settings, catalog.home, observing=True)
    clock = transport.clock = signals.clock(sandbox_clock, live, transport.clock)
    at = moment(as_of) if as_of is not None or sandbox_clock is None else transport.now()
    transport.priority = Priority.OBSERVATIONS
    try:
        with (
            only_one(catalog.home, lock(live.traits.mark, "looks"), OBSERVED_ELSEWHERE),
            signals.stopped_by_signals(clock, [transport]),
        ):
            report = take_observations(
                live, catalog, settings, at, None if as_of else transport.now
            )
    except Taken as taken:
        report, message = ObserveReport(), str(taken)
    else:
        catalog.compact()
        message = (
            f"{report.due:,} observations due, {report.written:,} taken, {report.absent:,} posts "
            f"gone, {report.requests} requests."
        )
    typer.echo(json.dumps({**vars(report), "message": message}) if as_json else message)
