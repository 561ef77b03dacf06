"""Open connections to servers, used again from one request to the next.

httpcore's own pool looks at every connection of it, and at each one's socket, whenever a request
begins or ends, which costs several times the request itself where 64 are under way. Here a request
takes the one that its server's last request left, and looks at that alone.
"""

import ssl
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import TracebackType

import httpcore

_Server = tuple[bytes, bytes, int | None]  # scheme, host and port


class Connections:
    """Connections of one event loop, any number of them; closed at the end of the `async with`."""

    def __init__(
        self, ssl_context: ssl.SSLContext, network_backend: httpcore.AsyncNetworkBackend
    ) -> None:
        self._ssl = ssl_context
        self._backend = network_backend
        self._idle = defaultdict[_Server, list[httpcore.AsyncHTTPConnection]](list)

    async def __aenter__(self) -> "Connections":
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for connections in self._idle.values():
            for connection in connections:
                await connection.aclose()
        self._idle.clear()

    @asynccontextmanager
    async def answer(self, request: httpcore.Request) -> AsyncIterator[httpcore.Response]:
        """The answer to a request; its body is read within, or the connection is given up.

        Raises:
            httpcore's NetworkError, TimeoutException and ProtocolError; what its backend raises.
        """
        origin = request.url.origin
        idle = self._idle[origin.scheme, origin.host, origin.port]
        connection = await _still_open(idle) or httpcore.AsyncHTTPConnection(
            origin, self._ssl, network_backend=self._backend
        )
        try:
            response = await connection.handle_async_request(request)
            try:
                yield response
            finally:
                await response.aclose()
        finally:
            if connection.is_idle() and not connection.is_closed():
                idle.append(connection)
            else:
                await connection.aclose()


async def _still_open(
    idle: list[httpcore.AsyncHTTPConnection],
) -> "httpcore.AsyncHTTPConnection | None":
    """The last of these that its server has not closed; those after it are closed here, too."""
    while idle:
        connection = idle.pop()
        if not connection.has_expired():
            return connection
        await connection.aclose()
    return None
