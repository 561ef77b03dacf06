"""A server of a home: the page and the API on a socket that is bound already."""

import socket
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Self

from mmrl.home.home import Home
from mmrl.home.moments import Moment, moment
from mmrl.runtime.malloc import share_one_heap
from mmrl.web.app import make_app
from mmrl.web.champion import Champion
from mmrl.web.requests.access import Access, token_of_environment
from mmrl.web.requests.listen import address, bound, server_of
from mmrl.web.service import Service

if TYPE_CHECKING:
    from starlette.types import ASGIApp


class Server:
    """The page and the API, ready to run; `mmrl.server` makes one, and `with` closes it.

    Attributes:
        url: where it answers.
        version: of the model that is loaded.
        asks_for_token: whoever asks has to give the token of MMRL_SERVE_TOKEN.
    """

    url: str
    version: str
    asks_for_token: bool

    def __init__(
        self, app: "ASGIApp", listening: socket.socket, version: str, asks_for_token: bool
    ) -> None:
        self.url = address(listening)
        self.version, self.asks_for_token = version, asks_for_token
        self._app, self._listening = app, listening

    @classmethod
    def of(
        cls, home: str | Path, host: str, port: int, names: Sequence[str], as_of: Moment
    ) -> Self:
        """Binds the socket, then loads the champion; see `mmrl.server`."""
        share_one_heap()
        now = _clock(as_of)
        access = Access.of(host, tuple(names), token_of_environment())
        opened = Home.open(home)
        listening = bound(host, port)
        try:
            champion = Champion(opened, now)
            app = make_app(Service(opened.catalog, opened.settings, access, now, champion))
        except BaseException:
            listening.close()
            raise
        return cls(app, listening, champion.version, access.token is not None)

    def run(self) -> None:
        """Serves until SIGTERM or Ctrl-C, and answers what is under way then."""
        server_of(self._app).run(sockets=[self._listening])

    def close(self) -> None:
        """Gives the port back."""
        self._listening.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _clock(as_of: Moment) -> Callable[[], datetime]:
    """The present at each call, or always the time that was given."""
    if as_of is None:
        return lambda: moment(None)
    fixed = moment(as_of)
    return lambda: fixed
