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
    from mmrl.home import collecting
    from mmrl.storage.lock import Taken

    opened = open_home(home)
    try:
        report = collecting.observe(opened.catalog, opened.settings, source, as_of, sandbox_clock)
    except Taken as taken:
        report, message = ObserveReport(), str(taken)
    else:
        message = (
            f"{report.due:,} observations due, {report.written:,} taken, {report.absent:,} posts "
            f"gone, {report.requests} requests."
        )
    typer.echo(json.dumps({**vars(report), "message": message}) if as_json else message)
