"""The socket that the server listens on."""

import asyncio
import socket

import pytest

from mmrl.errors import InputError
from mmrl.web.requests.listen import address, bound


def test_a_free_port_is_found_and_its_address_told() -> None:
    with bound("127.0.0.1", 0) as listening:
        host, port = listening.getsockname()
        assert address(listening) == f"http://127.0.0.1:{port}/"
        with socket.create_connection((host, port)):
            pass  # it listens before anything serves


def test_an_answer_in_two_pieces_does_not_wait_for_the_first_to_be_acknowledged() -> None:
    async def accepted() -> int:
        delays: asyncio.Future[int] = asyncio.get_running_loop().create_future()

        async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            there = writer.get_extra_info("socket")
            delays.set_result(there.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
            writer.close()

        with bound("127.0.0.1", 0) as listening:
            async with await asyncio.start_server(serve, sock=listening):
                _, writer = await asyncio.open_connection(*listening.getsockname())
                try:
                    return await delays
                finally:
                    writer.close()

    assert asyncio.run(accepted())


def test_a_port_in_use_is_said_with_what_to_do() -> None:
    with bound("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(InputError, match=rf"Port {port} of 127\.0\.0\.1 is in use.*--port 0"):
            bound("127.0.0.1", port)


@pytest.mark.parametrize(
    ("host", "port", "told"),
    [
        ("127.0.0.1", 70_000, "no port"),
        ("192.0.2.7", 0, "no address of this machine"),
        ("no such host", 0, "no host"),
    ],
)
def test_what_can_not_be_listened_on_is_said(host: str, port: int, told: str) -> None:
    with pytest.raises(InputError, match=told):
        bound(host, port)
