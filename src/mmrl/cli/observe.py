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

    from mmrl.home import collecting

    opened = open_home(home)
    asked = opened.catalog, opened.settings, source, as_of, sandbox_clock
    report, message = collecting.observed(*asked)
    typer.echo(json.dumps({**vars(report), "message": message}) if as_json else message)
