"""The socket that the server listens on."""

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
