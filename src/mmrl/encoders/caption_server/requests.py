"""Requests for captions: how often each image is sent, and whether it or the server is to blame.

Each image ends as a caption or as a reason. What is the settings' or the server's fault (a wrong
model name, a bad key, a server that is down) must not be written down as the images' fault: where
nothing has gone well yet and an image is refused or gets no answer, an image of our own is sent;
if that fails too, all of the call ends there, with the server's own words.
"""

import asyncio
import io
import os
import random
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache

import httpx2
from PIL import Image

from mmrl.catalog.reasons import Reason
from mmrl.config import CaptionServerSettings
from mmrl.encoders.caption_server.chat_api import (
    Answer,
    BrokenAnswerError,
    ChatServer,
    Connection,
    read_reply,
)
from mmrl.encoders.caption_text import judge
from mmrl.encoders.protocols import Caption, Uncaptioned
from mmrl.errors import Failure
from mmrl.images.decode import open_rgb
from mmrl.images.image import UnreadableError
from mmrl.runtime.retry import CAPTIONS, retry_after

JPEG_QUALITY = 85
# May be about the one image: its size, its format, what it shows.
_ABOUT_THE_IMAGE = frozenset({400, 403, 413, 415, 422, 451})

Sleep = Callable[[float], Awaitable[None]]


@dataclass
class Allowance:
    """The number of requests that may still be sent; None for any number."""

    left: int | None

    def take(self) -> bool:
        if self.left is None:
            return True
        if self.left == 0:
            return False
        self.left -= 1
        return True


@dataclass(frozen=True)
class _Again:
    """A request that failed but need not have; `seconds` is the wait that the server asked for."""

    detail: str
    failure: Failure
    seconds: float | None = None


@dataclass(frozen=True)
class _Refused:
    """A request that the server would not serve, for its image or for the settings."""

    detail: str
    failure: Failure


_SPENT = Uncaptioned(
    Reason.CAPTION_BUDGET_SPENT, "no request left of caption_server.budget", transient=True
)


class Captioning:
    """One call of `ServerCaptions.caption`: what its requests share.

    Attributes:
        stopped: why nothing more is asked; None as long as the server works.
    """

    def __init__(
        self,
        settings: CaptionServerSettings,
        connection: Connection,
        allowance: Allowance,
        threads: ThreadPoolExecutor,
        sleep: Sleep,
        draw: random.Random,
    ) -> None:
        self._settings = settings
        self._connection = connection
        self._server = connection.server
        self._allowance = allowance
        self._threads = threads
        self._sleep = sleep
        self._draw = draw
        self._places = asyncio.Semaphore(self._settings.concurrency)
        self._asking = asyncio.Lock()
        self._answered = 0
        self._resume_at = 0.0  # of the monotonic clock: a server that asks for a pause gets it
        self.stopped: Failure | None = None

    async def caption(self, image: bytes) -> Caption | Uncaptioned:
        async with self._places:
            if self.stopped is not None:
                return self._left()
            loop = asyncio.get_running_loop()
            try:
                jpeg = await loop.run_in_executor(
                    self._threads, _small_jpeg, image, self._settings.image_side
                )
            except UnreadableError as error:
                return Uncaptioned(error.reason, error.detail)
            return await self._persist(jpeg)

    async def _persist(self, jpeg: bytes) -> Caption | Uncaptioned:
        """Asks until there is a caption or a reason, and finds out who is to blame for none."""
        answered = self._answered
        got = await self._try(jpeg, self._settings.attempts)
        if isinstance(got, _Refused) and await self._is_well(0, self._settings.attempts):
            return Uncaptioned(Reason.CAPTION_REFUSED, got.detail)
        if isinstance(got, _Again) and await self._is_well(answered, 1):
            return Uncaptioned(Reason.CAPTION_SERVER_ERROR, got.detail, transient=True)
        return self._left() if isinstance(got, _Refused | _Again) else got

    async def _try(self, jpeg: bytes, attempts: int) -> Caption | Uncaptioned | _Again | _Refused:
        """Asks until one answer tells for good, or it was asked often enough."""
        attempt = 1
        while True:
            got = await self._ask(jpeg)
            if not isinstance(got, _Again) or self.stopped is not None or attempt == attempts:
                return got
            asked = got.seconds or 0.0
            if asked > CAPTIONS.longest_asked:  # left for a later run
                return got
            if asked:
                self._resume_at = max(self._resume_at, time.monotonic() + asked)
            else:
                await self._sleep(CAPTIONS.wait(attempt, self._draw.random()))
            attempt += 1

    async def _is_well(self, answered: int, attempts: int) -> bool:
        """True where the server serves an image; if not, `stopped` is set or the budget is spent.

        Asks with an image of our own, unless there have been more answers than `answered`.
        """
        async with self._asking:
            if self._answered <= answered and self.stopped is None:
                got = await self._try(_own_image(), attempts)
                if isinstance(got, _Again | _Refused):
                    self.stopped = got.failure
            return self._answered > answered and self.stopped is None

    async def _ask(self, jpeg: bytes) -> Caption | Uncaptioned | _Again | _Refused:
        """One request, sent anew where the server only did not know an option."""
        while True:
            pause = self._resume_at - time.monotonic()
            if pause > 0:
                await self._sleep(pause)
            if not self._allowance.take():
                return _SPENT
            request = self._server.request(jpeg)
            try:
                async with asyncio.timeout(self._settings.timeout_seconds):
                    answer = await self._connection.post(request)
                if answer.status == 200:
                    return self._read(answer)
            except TimeoutError:
                return self._no_answer(f"no whole answer in {self._settings.timeout_seconds:g} s")
            except httpx2.HTTPError as error:
                return self._no_answer(words(error))
            except BrokenAnswerError as error:
                detail = self._server.clean(str(error))
                return _Again(detail, Failure(no_such_api(self._server.url, detail)))
            if not self._server.adapt(request, answer):
                return self._judge_status(answer)

    def _read(self, answer: Answer) -> Caption | Uncaptioned:
        read = read_reply(answer.body)
        self._answered += 1
        if read.refused is not None:
            return Uncaptioned(Reason.CAPTION_REFUSED, self._server.clean(read.refused))
        if not read.text and read.cut:
            detail = f"all {self._settings.max_tokens} tokens went elsewhere (thoughts?)"
            return Uncaptioned(Reason.EMPTY_CAPTION, detail)
        return judge(read.text, self._settings.prompt)

    def _judge_status(self, answer: Answer) -> Uncaptioned | _Again | _Refused:
        detail = self._server.explain(answer)
        failure = not_serving(self._server, self._settings, answer)
        if CAPTIONS.retries(answer.status):
            return _Again(detail, failure, retry_after(answer.headers))
        if answer.status in _ABOUT_THE_IMAGE:
            return _Refused(detail, failure)
        self.stopped = self.stopped or failure
        return self._left()

    def _no_answer(self, detail: str) -> _Again:
        clean = self._server.clean(detail)
        return _Again(clean, Failure(unreachable(self._server.url, clean)))

    def _left(self) -> Uncaptioned:
        if self.stopped is None:
            return _SPENT
        detail = self._server.clean(str(self.stopped))
        return Uncaptioned(Reason.CAPTION_SERVER_ERROR, detail, transient=True)


def not_serving(server: ChatServer, settings: CaptionServerSettings, answer: Answer) -> Failure:
    """The error that ends the work after an answer which no image is to blame for."""
    variable = settings.key_variable
    known = bool(os.environ.get(variable, "").strip())
    if answer.status in (401, 403):
        do = (
            f"the key in the environment variable {variable} is not accepted for "
            f"{settings.model!r}; set the right one"
            if known
            else f"set the environment variable {variable} to the server's key"
        )
    elif answer.status == 404:
        do = (
            f"look at caption_server.base_url (most addresses end in /v1) and "
            f"caption_server.model ({settings.model!r})"
        )
    else:
        do = "look at the section [caption_server] of the settings, and at the server's own log"
    reason = server.explain(answer)
    return Failure(f"The captioning server at {server.url} does not serve: {reason}; {do}.")


def _small_jpeg(data: bytes, side: int) -> bytes:
    """An image as it is sent: its longer side at most `side`, in RGB, with no metadata.

    Raises:
        UnreadableError: see `open_rgb`.
    """
    image = open_rgb(data, side)
    image.thumbnail((side, side), Image.Resampling.LANCZOS)
    # An image of its own: Pillow would write on the comment and profile that came with a file.
    plain = Image.frombytes("RGB", image.size, image.tobytes())
    file = io.BytesIO()
    plain.save(file, "JPEG", quality=JPEG_QUALITY)
    return file.getvalue()


@cache
def _own_image() -> bytes:
    """An image that nobody minds, to find out what a server does with any image."""
    file = io.BytesIO()
    Image.linear_gradient("L").convert("RGB").save(file, "JPEG")
    return file.getvalue()


def unreachable(url: str, detail: str) -> str:
    """The sentence for a server that gave no whole answer."""
    return (
        f"The captioning server at {url} gives no answer ({detail}): start it, or correct "
        "caption_server.base_url."
    )


def no_such_api(url: str, detail: str) -> str:
    """The sentence for a server that gave an answer of another kind."""
    return (
        f"The captioning server at {url} does not answer as OpenAI's API does ({detail}): look at "
        "caption_server.base_url (most addresses end in /v1)."
    )


def words(error: Exception) -> str:
    """An exception of the HTTP library in words; some of them bear none."""
    message = str(error)
    return f"{type(error).__name__}: {message}" if message else type(error).__name__
