"""`mmrl serve`."""

from typing import Annotated

import typer

import mmrl
from mmrl.cli.options import DEFAULT_HOME, AsOf, Home


def serve(
    home: Home = DEFAULT_HOME,
    host: Annotated[
        str,
        typer.Option(
            "--host", help="The address to listen on; another than loopback takes a token."
        ),
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", help="0 takes a free one.")] = 8400,
    names: Annotated[
        list[str] | None,
        typer.Option(
            "--name",
            metavar="HOST",
            help="A host name that the server is asked for by, as behind a proxy; repeatable.",
        ),
    ] = None,
    as_of: AsOf = None,
) -> None:
    """Serves the page and the API: which picture, which title, where, when, and why.

    Loads the champion once and prints an address on this machine alone. A new champion is taken up
    while it serves. With `--host` others can ask as well; they need the token of the environment
    variable MMRL_SERVE_TOKEN.
    """
    import logging

    logging.basicConfig(format="%(asctime)s %(message)s", level=logging.WARNING)
    with mmrl.server(home, host=host, port=port, names=names or (), as_of=as_of) as server:
        typer.echo(f"Version {server.version} predicts at {server.url} (Ctrl-C ends it).")
        if server.asks_for_token:
            typer.echo("Whoever asks gives the token of MMRL_SERVE_TOKEN.")
        server.run()
