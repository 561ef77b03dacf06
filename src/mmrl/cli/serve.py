"""`mmrl serve`."""

from typing import TYPE_CHECKING, Annotated

import typer

from mmrl.cli.options import DEFAULT_HOME, AsOf, Home, open_home

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime


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

    from mmrl.runtime.malloc import give_back_what_is_freed
    from mmrl.web.app import make_app
    from mmrl.web.champion import Champion
    from mmrl.web.requests.access import Access, token_of_environment
    from mmrl.web.requests.listen import address, bound, server_of
    from mmrl.web.service import Service

    logging.basicConfig(format="%(asctime)s %(message)s", level=logging.WARNING)
    give_back_what_is_freed()
    now = _clock(as_of)
    access = Access.of(host, tuple(names or ()), token_of_environment())
    opened = open_home(home)
    with bound(host, port) as listening:
        champion = Champion(opened.catalog, opened.settings, now)
        app = make_app(Service(opened.catalog, opened.settings, access, now, champion))
        typer.echo(f"Version {champion.version} predicts at {address(listening)} (Ctrl-C ends it).")
        if access.token is not None:
            typer.echo("Whoever asks gives the token of MMRL_SERVE_TOKEN.")
        server_of(app).run(sockets=[listening])


def _clock(as_of: str | None) -> "Callable[[], datetime]":
    """The present at each call, or always the time that was given."""
    from mmrl.home.moments import moment

    if as_of is None:
        return lambda: moment(None)
    fixed = moment(as_of)
    return lambda: fixed
