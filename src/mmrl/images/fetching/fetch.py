"""Fetcher of images over HTTP, many at once and kindly.

Connections are kept and used again; one host never sees more than `per_host` requests at once, and
a host that asks for a pause gets it from all of them. An image is probed in a thread while others
are still on their way. Each address ends as an image or as a reason, never as an exception.
"""

import asyncio
import os
import random
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import httpcore

from mmrl.catalog.reasons import Reason
from mmrl.config import ImageSettings
from mmrl.images.fetching.answers import judge_headers, judge_status, read_headers
from mmrl.images.fetching.connect import AddressRefusedError, PublicBackend, Resolve, resolve
from mmrl.images.fetching.connections import Connections
from mmrl.images.fetching.hosts import Gates
from mmrl.images.fetching.room import MOST_HELD_BYTES, NoRoomError, Room, Taking
from mmrl.images.fetching.unpack import PackedBodyError, Unpacker
from mmrl.images.formats import SNIFFED_BYTES, other_format, sniff
from mmrl.images.image import FetchedImage, Refused
from mmrl.images.placeholders import placeholder_at
from mmrl.images.probe import probe
from mmrl.images.safety import Address, check_url, quoted
from mmrl.runtime.retry import IMAGES, retry_after
from mmrl.version import __version__

USER_AGENT = f"mmrl/{__version__} (learns what makes image posts popular; fetches an image once)"
MOST_REDIRECTS = 5
_DRAINED_BYTES = 65_536
_HEADERS = [
    ("User-Agent", USER_AGENT),
    ("Accept", "image/*"),
    ("Accept-Encoding", "identity"),  # images are packed already; some servers pack all the same
]
_BROKEN_OFF = (
    *(httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError),
    OSError,
)


@dataclass(frozen=True)
class _TryAgain:
    """An attempt that failed but need not have; `seconds` is the wait that the server asked for."""

    refused: Refused
    seconds: float | None = None


class Fetcher:
    """Fetches images under one set of limits; holds no connection between calls."""

    def __init__(
        self, images: ImageSettings, *, resolve: Resolve = resolve, seed: int | None = None
    ) -> None:
        """
        Args:
            resolve: turns a host and port into numeric addresses; the system's way by default.
            seed: of the jitter in waits; it shows in no result.
        """
        self._images = images
        self._resolve = resolve
        self._draw = random.Random(seed)
        self._ssl = httpcore.default_ssl_context()

    def fetch(self, urls: Sequence[str]) -> dict[str, FetchedImage | Refused]:
        """The image of each distinct http(s) address, or the refusal of it.

        Addresses are left out for which there is no room in memory any more: they are asked for by
        another call, once these images are put away. At least one is always in the result.
        """
        distinct = list(dict.fromkeys(urls))
        return asyncio.run(self._fetch_all(distinct)) if distinct else {}

    async def _fetch_all(self, urls: list[str]) -> dict[str, FetchedImage | Refused]:
        with ThreadPoolExecutor(min(4, os.cpu_count() or 1), "probe") as threads:
            backend = PublicBackend(self._images, self._resolve)
            async with Connections(self._ssl, backend) as connections:
                run = _Run(self._images, self._draw, connections, threads)
                outcomes = await asyncio.gather(*map(run.fetch, urls))
        return {url: got for url, got in zip(urls, outcomes, strict=True) if got is not None}


class _Run:
    """One call of `Fetcher.fetch`: what its requests share."""

    def __init__(
        self,
        images: ImageSettings,
        draw: random.Random,
        connections: Connections,
        threads: ThreadPoolExecutor,
    ) -> None:
        self._images = images
        self._draw = draw
        self._connections = connections
        self._threads = threads
        self._gates = Gates(images)
        self._room = Room(max(MOST_HELD_BYTES, images.max_bytes))

    async def fetch(self, url: str) -> FetchedImage | Refused | None:
        """One address's image or refusal; None where there is no room for it any more."""
        address = check_url(url, self._images)
        if isinstance(address, Refused):
            return address
        try:
            got = await self._persist(address)
        except NoRoomError:
            return None
        if isinstance(got, Refused):
            return got
        data, final_url = got
        loop = asyncio.get_running_loop()
        facts = await loop.run_in_executor(self._threads, probe, data, self._images)
        if isinstance(facts, Refused):
            self._room.give_back(len(data))
            return facts
        return FetchedImage(data, facts, final_url)

    async def _persist(self, address: Address) -> tuple[bytes, str] | Refused:
        """Attempts until one tells for good, or there have been enough of them."""
        attempt = 1
        while True:
            got = await self._follow(address)
            if not isinstance(got, _TryAgain):
                return got
            asked = got.seconds or 0.0
            if attempt == self._images.attempts or asked > IMAGES.longest_asked:
                return got.refused
            if not asked:  # where the host asked for a pause, its gate is shut that long
                await asyncio.sleep(IMAGES.wait(attempt, self._draw.random()))
            attempt += 1

    async def _follow(self, address: Address) -> tuple[bytes, str] | Refused | _TryAgain:
        """One attempt: a request and those it is sent on to, each address checked like the first.

        Returns:
            the file's bytes and where they lay, or why there are none.
        """
        for _ in range(MOST_REDIRECTS + 1):
            placeholder = placeholder_at(address)
            if placeholder is not None:
                return Refused(
                    Reason.IMAGE_REMOVED_PLACEHOLDER, f"{placeholder.host}'s own address"
                )
            got = await self._ask(address)
            if isinstance(got, bytes):
                return got, str(address)
            if not isinstance(got, str):
                return got
            onward = check_url(got, self._images, base=address)
            if isinstance(onward, Refused):
                return Refused(onward.reason, f"sent on to {got[:200]}: {onward.detail}")
            address = onward
        return Refused(Reason.HTTP_ERROR, f"sent on more than {MOST_REDIRECTS} times")

    async def _ask(self, address: Address) -> bytes | str | Refused | _TryAgain:
        """One request: the file's bytes, an address to go on to, or why there is neither."""
        limit = self._images.timeout_seconds
        try:
            async with self._gates.through(address.host):
                self._room.require()
                if self._gates.left_alone(address.host):
                    detail = f"{address.host} did not answer other requests"
                    return Refused(Reason.NETWORK_ERROR, detail, transient=True)
                async with asyncio.timeout(limit):
                    got = await self._exchange(address)
            self._gates.heard(address.host, answered=True)
            return got
        except AddressRefusedError as error:  # transient: a sick resolver says such things too
            return Refused(Reason.HOST_NOT_ALLOWED, str(error), transient=True)
        except TimeoutError:
            detail = f"no whole answer within {limit:g} s"
        except _BROKEN_OFF as error:
            detail = f"{type(error).__name__}: {error}"[:200]
        self._gates.heard(address.host, answered=False)
        return _TryAgain(Refused(Reason.NETWORK_ERROR, detail, transient=True))

    async def _exchange(self, address: Address) -> bytes | str | Refused | _TryAgain:
        url = httpcore.URL(
            scheme=address.scheme, host=address.host, port=address.port, target=address.target
        )
        sent = [("Host", address.netloc), *_HEADERS]
        request = httpcore.Request("GET", url, headers=sent)
        async with self._connections.answer(request) as response:
            headers = read_headers(response.headers)
            if response.status in (301, 302, 303, 307, 308) and "location" in headers:
                await _drain(response, headers)
                return quoted(headers["location"])
            refused = judge_status(response.status)
            if refused is not None:
                await _drain(response, headers)
            else:
                refused = judge_headers(headers, self._images)
            if refused is None:
                return await self._read(response, headers)
            if not IMAGES.retries(response.status):
                return refused
            seconds = retry_after(headers)
            if seconds is not None:
                self._gates.shut(address.host, min(seconds, IMAGES.longest_asked))
            return _TryAgain(refused, seconds)

    async def _read(self, response: httpcore.Response, headers: dict[str, str]) -> bytes | Refused:
        """The body, given up as soon as it is too long or no image.

        Raises:
            NoRoomError: other images fill the memory.
        """
        try:
            unpacker = Unpacker(headers)
            with self._room.taking() as taking:
                data = await self._read_parts(response, headers, unpacker, taking)
                if isinstance(data, bytes):
                    taking.keep()
                return data
        except PackedBodyError as error:
            return Refused(Reason.BROKEN_IMAGE, str(error))

    async def _read_parts(
        self,
        response: httpcore.Response,
        headers: dict[str, str],
        unpacker: Unpacker,
        taking: Taking,
    ) -> bytes | Refused:
        parts: list[bytes] = []
        most, sniffed = self._images.max_bytes, False
        async for packed in response.aiter_stream():
            part = unpacker.part(packed, most - taking.size)
            parts.append(part)
            if taking.size + len(part) > most:
                return Refused(Reason.TOO_MANY_BYTES, f"over {most} bytes")
            taking.more(len(part))
            if not sniffed and taking.size >= SNIFFED_BYTES:
                head = b"".join(parts)
                if sniff(head[:SNIFFED_BYTES]) is None and other_format(head) is None:
                    content_type = headers.get("content-type", "nothing")[:100]
                    return Refused(Reason.NOT_AN_IMAGE, f"its server calls it {content_type}")
                sniffed = True
        return b"".join(parts)


async def _drain(response: httpcore.Response, headers: dict[str, str]) -> None:
    """Reads a short body that nobody wants, so that its connection can be used again."""
    length = headers.get("content-length", "")
    if length.isdecimal() and len(length) < 9 and int(length) <= _DRAINED_BYTES:
        async for _ in response.aiter_stream():
            pass
