"""Connections used again: by whom, when not, and what that costs."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import httpcore
import pytest

from mmrl.images.fetching.connections import Connections

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
Client = Callable[[Connections, str, "Server"], Awaitable[Any]]


class Server:
    """Answers each request with ANSWER, and counts connections; hangs up after each if told."""

    def __init__(self, hangs_up: bool = False) -> None:
        self.connections = 0
        self.hung_up = asyncio.Event()
        self._hangs_up = hangs_up

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        while await reader.readline():
            while (await reader.readline()).strip():
                pass
            writer.write(ANSWER)
            await writer.drain()
            if self._hangs_up:
                break
        writer.close()
        await writer.wait_closed()
        self.hung_up.set()


async def ask(connections: Connections, url: str, whole: bool = True) -> bytes:
    request = httpcore.Request("GET", url, headers=[("Host", "127.0.0.1")])
    async with connections.answer(request) as response:
        return await response.aread() if whole else b""


def at_server(client: Client, hangs_up: bool = False) -> Server:
    """Runs a client at a server."""

    async def run() -> Server:
        server = Server(hangs_up)
        client_of = Connections(httpcore.default_ssl_context(), httpcore.AnyIOBackend())
        async with await asyncio.start_server(server, "127.0.0.1", 0) as listening:
            port = listening.sockets[0].getsockname()[1]
            async with client_of as connections:
                await client(connections, f"http://127.0.0.1:{port}/", server)
        return server

    return asyncio.run(run())


def test_requests_in_a_row_share_a_connection_and_those_at_once_do_not() -> None:
    async def client(connections: Connections, url: str, server: Server) -> None:
        for _ in range(3):
            assert await ask(connections, url) == b"hello"
        await asyncio.gather(*(ask(connections, url) for _ in range(4)))

    assert at_server(client).connections == 4


def test_a_connection_whose_answer_was_not_read_is_not_used_again() -> None:
    async def client(connections: Connections, url: str, server: Server) -> None:
        await ask(connections, url, whole=False)
        assert await ask(connections, url) == b"hello"

    assert at_server(client).connections == 2


def test_a_connection_that_failed_is_not_used_again() -> None:
    async def client(connections: Connections, url: str, server: Server) -> None:
        with pytest.raises(httpcore.ConnectError):
            await ask(connections, "http://127.0.0.1:1/")
        with pytest.raises(httpcore.ConnectError):
            await ask(connections, "http://127.0.0.1:1/")
        assert await ask(connections, url) == b"hello"

    assert at_server(client).connections == 1


def test_a_connection_that_its_server_closed_meanwhile_is_not_used_again() -> None:
    async def client(connections: Connections, url: str, server: Server) -> None:
        for _ in range(2):
            assert await ask(connections, url) == b"hello"
            await server.hung_up.wait()
            server.hung_up.clear()

    assert at_server(client, hangs_up=True).connections == 2


def test_a_request_looks_at_one_connection_however_many_are_open(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    looked: Counter[str] = Counter()
    for name in ("has_expired", "is_closed", "is_idle", "is_available"):
        method = getattr(httpcore.AsyncHTTPConnection, name)

        def counted(self: Any, name: str = name, method: Callable[..., Any] = method) -> Any:
            looked[name] += 1
            return method(self)

        monkeypatch.setattr(httpcore.AsyncHTTPConnection, name, counted)

    async def client(connections: Connections, url: str, server: Server) -> None:
        await asyncio.gather(*(ask(connections, url) for _ in range(16)))
        looked.clear()
        for _ in range(10):
            await ask(connections, url)

    assert at_server(client).connections == 16
    assert max(looked.values()) == 10
