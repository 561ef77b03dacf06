"""A local Reddit over HTTP: as much of its API as PRAW uses, the posts' images, and an archive.

It binds to loopback, its clock is simulated and moves only when told, and every answer comes from
a simulated world. Paths under `/sandbox/` are for whoever runs it, and no part of Reddit's API.
"""

import threading
from types import TracebackType

from mmrl.errors import InputError
from mmrl.sandbox.api import Api
from mmrl.sandbox.archive import Archive
from mmrl.sandbox.handler import Handler
from mmrl.sandbox.state import HttpServer, State
from mmrl.sandbox.world import World


class SandboxServer(State):
    """Serves a world until closed; a context manager.

    Args:
        port: 0 takes a free one.
        requests_a_window, window_seconds: the rate limit; generous by default.
        simulated_limit: its windows pass on the simulated clock instead of the real one.
        speed: simulated seconds a real second; 0 stands still until told otherwise.
    """

    def __init__(
        self,
        world: World,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        requests_a_window: int = 1_000_000,
        window_seconds: int = 600,
        simulated_limit: bool = False,
        speed: float = 0.0,
    ) -> None:
        super().__init__(world, requests_a_window, window_seconds, simulated_limit, speed)
        try:
            self._http = HttpServer((host, port), Handler)
        except OSError as error:
            raise InputError(
                f"The sandbox can't listen on {host}:{port} ({error.strerror}): give another "
                "--port, or 0 for a free one."
            ) from error
        self._http.sandbox = self
        self.url = f"http://{host}:{self._http.server_address[1]}"
        self.api = Api(world, self.url)
        self.archive = Archive(self.api)
        self._thread = threading.Thread(target=self._http.serve_forever, daemon=True)

    def __enter__(self) -> "SandboxServer":
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._http.shutdown()
        self._http.server_close()
