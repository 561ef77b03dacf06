"""Captioner whose model runs on a server that speaks OpenAI's chat API: vLLM, llama.cpp, a cloud.

An image leaves this machine small, as a JPEG without its metadata.
"""

import asyncio
import copy
import hashlib
import os
import random
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import httpx2

from mmrl.config import CaptionServerSettings
from mmrl.encoders.caption_server.chat_api import BrokenAnswerError, ChatServer, read_models
from mmrl.encoders.caption_server.requests import (
    Allowance,
    Captioning,
    Sleep,
    no_such_api,
    not_serving,
    unreachable,
    words,
)
from mmrl.encoders.protocols import Caption, Uncaptioned
from mmrl.errors import WeightsError

_CHECK_SECONDS = 5.0
_NAMED = 8  # of the models that a server has, in an error


class ServerCaptions:
    """A Captioner whose model runs elsewhere.

    The id holds what decides on the words: the model's name as the server has it, the prompt's
    hash, the longest answer, the size of the image. It leaves out the address: a server that
    moves is the same model. A server that puts another model under the same name must be given
    another name for it, or captions of both are taken for the same.

    An image that does not decode is no error here but an Uncaptioned with BROKEN_IMAGE, so that
    no other image is paid for twice.

    Args:
        sleep: how to wait, in seconds.
        seed: of the jitter in waits; it shows in no result.

    Raises:
        ConfigError: the URL or the model's name can't be used.
    """

    def __init__(
        self,
        settings: CaptionServerSettings,
        *,
        sleep: Sleep = asyncio.sleep,
        seed: int | None = None,
    ) -> None:
        self._settings = settings
        self._sleep = sleep
        self._draw = random.Random(seed)
        self._server = ChatServer(settings)
        self._allowance = Allowance(None)
        prompt = hashlib.sha256(settings.prompt.encode()).hexdigest()[:12]
        self.id = (
            f"{settings.model}@server+{prompt},{settings.max_tokens}tok,{settings.image_side}px"
        )

    def for_run(self) -> "ServerCaptions":
        """The same captioner with the settings' budget of requests, none of it spent yet.

        Without it nothing is counted: a prediction asks once, and is no run.
        """
        limited = copy.copy(self)
        limited._allowance = Allowance(self._settings.budget)
        return limited

    def check(self) -> None:
        """Asks the server which models it has: one short request.

        Raises:
            ConfigError: the key can't be sent.
            WeightsError: the server can't be reached, wants another key, or lists other models.
        """
        url, model = self._server.url, self._settings.model
        try:
            answer = self._server.models(_CHECK_SECONDS)
        except httpx2.HTTPError as error:
            detail = self._server.clean(words(error))
            raise WeightsError(unreachable(url, detail)) from None
        except BrokenAnswerError as error:
            raise WeightsError(no_such_api(url, str(error))) from None
        if answer.status != 200:
            raise WeightsError(str(not_serving(self._server, self._settings, answer)))
        try:
            there = read_models(answer.body)
        except BrokenAnswerError as error:
            raise WeightsError(no_such_api(url, str(error))) from None
        if there and not any(_same_model(listed, model) for listed in there):
            names = ", ".join(map(self._server.clean, there[:_NAMED]))
            more = f" and {len(there) - _NAMED} more" if len(there) > _NAMED else ""
            raise WeightsError(
                f"The captioning server at {url} has no model {model!r}; it has {names}{more}: "
                "set caption_server.model to one of them that takes images."
            )

    def caption(self, images: Sequence[bytes]) -> list[Caption | Uncaptioned]:
        """One result an image, in the order given; `concurrency` are asked for at once.

        Raises:
            ConfigError: the key can't be sent.
            Failure: no image got a caption and the server or the settings are to blame; where
                some did, they are returned, and the rest is Uncaptioned and worth another try.
        """
        return asyncio.run(self._caption_all(images)) if images else []

    async def _caption_all(self, images: Sequence[bytes]) -> list[Caption | Uncaptioned]:
        with ThreadPoolExecutor(min(4, os.cpu_count() or 1), "image") as threads:
            async with self._server.connect() as connection:
                run = Captioning(
                    self._settings,
                    connection,
                    self._allowance,
                    threads,
                    self._sleep,
                    self._draw,
                )
                results = await asyncio.gather(*map(run.caption, images))
        if run.stopped is not None and not any(isinstance(got, Caption) for got in results):
            raise run.stopped
        return results


def _same_model(listed: str, model: str) -> bool:
    """Gemini lists `models/NAME` for NAME, transformers NAME for `NAME@main`."""
    return model in (listed, f"{listed}@main") or listed.endswith(f"/{model}")
