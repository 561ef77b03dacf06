"""Limits of requests under way: so many at once, so many to a host, none while it pauses."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from mmrl.config import ImageSettings

LEFT_ALONE_AFTER = 16  # requests in a row that a host gave no answer to


class Gates:
    """The gates of one event loop; a request passes its host's gate and then the common one."""

    def __init__(self, images: ImageSettings) -> None:
        self._all = asyncio.Semaphore(images.concurrency)
        self._hosts = defaultdict[str, asyncio.Semaphore](
            lambda: asyncio.Semaphore(images.per_host)
        )
        self._opens: dict[str, float] = {}  # on the event loop's clock
        self._unanswered: Counter[str] = Counter()

    def shut(self, host: str, seconds: float) -> None:
        """Lets no request to a host begin for so many seconds."""
        opens = asyncio.get_running_loop().time() + seconds
        self._opens[host] = max(opens, self._opens.get(host, 0.0))

    def heard(self, host: str, answered: bool) -> None:
        """Notes how a request to a host ended."""
        self._unanswered[host] = 0 if answered else self._unanswered[host] + 1

    def left_alone(self, host: str) -> bool:
        """True for a host that is down, whose images would only hold up the others'.

        It is asked again in the next batch.
        """
        return self._unanswered[host] >= LEFT_ALONE_AFTER

    @asynccontextmanager
    async def through(self, host: str) -> AsyncIterator[None]:
        # The host's gate first, so that those who wait at it hold no place in the whole.
        async with self._hosts[host]:
            loop = asyncio.get_running_loop()
            while (wait := self._opens.get(host, 0.0) - loop.time()) > 0:
                await asyncio.sleep(wait)
            async with self._all:
                yield
