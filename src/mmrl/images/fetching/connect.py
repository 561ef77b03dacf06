"""Connections to public addresses only: the last check, on the numbers connected to.

The name is resolved here, each number is looked at, and the connection is made to that number. No
second look-up stands between check and use, so DNS rebinding can't get in. No proxy is used, since
a proxy would do its own look-up.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterable

import httpcore

from mmrl.config import ImageSettings
from mmrl.images.safety import address_allowed

Resolve = Callable[[str, int], Awaitable[list[str]]]


class AddressRefusedError(Exception):
    """A name resolved to nothing but addresses that may not be connected to."""


async def resolve(host: str, port: int) -> list[str]:
    """The numeric addresses of a host, as the system would try them.

    Raises:
        OSError: the name is not known, or nothing could be asked.
    """
    resolved = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(sockaddr[0]) for *_, sockaddr in resolved))


class PublicBackend(httpcore.AsyncNetworkBackend):
    """Network backend of httpcore that connects to allowed addresses alone."""

    def __init__(self, images: ImageSettings, resolve: Resolve) -> None:
        self._images = images
        self._resolve = resolve
        self._plain = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """A connection to the first allowed address of `host` that answers.

        Raises:
            AddressRefusedError: no address of it is allowed.
            httpcore.ConnectError, httpcore.ConnectTimeout: none could be reached.
        """
        try:
            numbers = await self._resolve(host, port)
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError(f"{host} does not resolve: {error}") from error
        allowed = [number for number in numbers if address_allowed(number, host, self._images)]
        if not allowed:
            listed = ", ".join(numbers) or "nothing"
            raise AddressRefusedError(f"{host} resolves to {listed}, which is not public")
        share = None if timeout is None else timeout / len(allowed)
        failure: Exception | None = None
        for number in allowed:
            try:
                return await self._plain.connect_tcp(
                    number, port, share, local_address, socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure or httpcore.ConnectError(host)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
