"""Client of OpenAI's chat API, as far as captioning needs it: vLLM, llama.cpp, clouds.

One request to `POST {base_url}/chat/completions` holds one image (a data URL) and the prompt.
What servers differ in is settled here: how the answer's length is bounded, and in how many ways
an error is told. The key is read from the environment for each client, sent as a Bearer token, and
taken out of whatever a server says before that goes anywhere.
"""

import base64
import json
import os
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import httpx2

from mmrl.config import CaptionServerSettings
from mmrl.errors import ConfigError
from mmrl.runtime.loopback import is_loopback

_MOST_BYTES = 1_000_000  # of an answer: a caption has some hundreds
_MOST_BYTES_OF_LIST = 16_000_000  # of a cloud's list of models
_LONGEST_SAID = 300  # characters kept of what a server says of an error
_KEY = re.compile(r"[\x21-\x7e]+")
_THOUGHTS = re.compile(r"\s*<think>.*?(</think>|\Z)", re.DOTALL)


class BrokenAnswerError(Exception):
    """An answer is not what the API promises; the message says in what."""


@dataclass(frozen=True)
class Answer:
    """A whole answer of the server: status, headers by lower-case name, and the body."""

    status: int
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class Reply:
    """The model's words in an answer.

    Attributes:
        text: without thoughts that the server left in; "" where there is none.
        refused: why the model or a filter would not answer; None where it did.
        cut: the answer ended because it had the most tokens allowed.
    """

    text: str
    refused: str | None
    cut: bool


class ChatServer:
    """One server and model, under one set of settings; holds no connection.

    Raises:
        ConfigError: the URL or the model's name can't be used.
    """

    def __init__(self, settings: CaptionServerSettings) -> None:
        self._settings = settings
        self.url, self._loopback = _checked_url(settings.base_url)
        if not settings.model.strip():
            raise ConfigError(
                "caption_server.base_url is set and caption_server.model is empty: name the model "
                f"as the server does (GET {self.url}/models lists them)."
            )
        # llama.cpp and vLLM of any age take max_tokens; some of OpenAI's models take only
        # max_completion_tokens and no temperature. `adapt` learns which from the first answer.
        self._options: dict[str, Any] = {"max_tokens": settings.max_tokens, "temperature": 0}

    @asynccontextmanager
    async def connect(self) -> AsyncIterator["Connection"]:
        """Connections to the server, kept and used again until the end of the block.

        Raises:
            ConfigError: the key can't be sent.
        """
        key = self._key()
        # A proxy of the environment would see what is sent without encryption.
        async with httpx2.AsyncClient(
            headers=self._headers(key),
            timeout=self._settings.timeout_seconds,
            limits=httpx2.Limits(max_connections=self._settings.concurrency),
            trust_env=not self._loopback,
        ) as client:
            yield Connection(self, client, key)

    def models(self, seconds: float) -> Answer:
        """The server's answer to `GET {base_url}/models`; `seconds` bounds each wait for it.

        Raises:
            ConfigError: the key can't be sent.
            httpx2.HTTPError, BrokenAnswerError: no whole answer came.
        """
        key = self._key()
        with (
            httpx2.Client(
                headers=self._headers(key), timeout=seconds, trust_env=not self._loopback
            ) as client,
            client.stream("GET", f"{self.url}/models") as response,
        ):
            parts = _Parts(response, _MOST_BYTES_OF_LIST)
            for part in response.iter_raw():
                parts.add(part)
            return parts.answer()

    def clean(self, text: str) -> str:
        """A server's words on one line, short, and without the key should they repeat it."""
        key = os.environ.get(self._settings.key_variable, "").strip()
        if key:
            text = text.replace(key, "[key]")
        return " ".join(text.split())[:_LONGEST_SAID]

    def request(self, jpeg: bytes) -> dict[str, Any]:
        """The body of a request for one image's caption."""
        url = "data:image/jpeg;base64," + base64.b64encode(jpeg).decode("ascii")
        image = {"type": "image_url", "image_url": {"url": url}}
        prompt = {"type": "text", "text": self._settings.prompt}
        messages = [{"role": "user", "content": [image, prompt]}]
        return {"model": self._settings.model, "messages": messages, **self._options}

    def adapt(self, sent: dict[str, Any], answer: Answer) -> bool:
        """True where the answer says that an option is unknown here, so that another try may do."""
        error = _error(answer.body)
        name, code = error.get("param"), str(error.get("code"))
        if answer.status != 400 or not code.startswith("unsupported") or name not in sent:
            return False
        if name == "max_tokens":
            self._options.pop("max_tokens", None)
            self._options["max_completion_tokens"] = self._settings.max_tokens
        elif name == "temperature":
            self._options.pop("temperature", None)
        else:
            return False
        return True

    def explain(self, answer: Answer) -> str:
        """Status and the server's own words, such as `HTTP 400: no such model`."""
        message = _error(answer.body).get("message") or answer.body[:2000].decode(
            "utf-8", "replace"
        )
        words = self.clean(str(message))
        return f"HTTP {answer.status}: {words}" if words else f"HTTP {answer.status}"

    def _key(self) -> str | None:
        variable = self._settings.key_variable
        key = os.environ.get(variable, "").strip()
        if not key:
            return None
        if not _KEY.fullmatch(key):  # an HTTP library would show it in its own error
            raise ConfigError(
                f"The environment variable {variable} holds what can't be a key: it has spaces, "
                "line breaks or signs outside ASCII. Set it to the server's key alone."
            )
        if self.url.startswith("http://") and not self._loopback:
            raise ConfigError(
                f"A key ({variable}) would go to {self.url} without encryption: use an https:// "
                "address in caption_server.base_url, a tunnel to this machine, or unset the key."
            )
        return key

    def _headers(self, key: str | None) -> dict[str, str]:
        # No compression: what is read is bounded as it comes, not as it unfolds.
        headers = {"Accept": "application/json", "Accept-Encoding": "identity"}
        return headers if key is None else headers | {"Authorization": f"Bearer {key}"}


@dataclass(frozen=True)
class Connection:
    """An open ChatServer."""

    server: ChatServer
    _client: httpx2.AsyncClient = field(repr=False)
    _key: str | None = field(repr=False)

    async def post(self, request: dict[str, Any]) -> Answer:
        """Sends one request.

        Raises:
            httpx2.HTTPError, BrokenAnswerError: no whole answer came.
        """
        url = f"{self.server.url}/chat/completions"
        async with self._client.stream("POST", url, json=request) as response:
            parts = _Parts(response, _MOST_BYTES)
            async for part in response.aiter_raw():
                parts.add(part)
            return parts.answer()


class _Parts:
    """A body as it comes, given up once it is too long."""

    def __init__(self, response: httpx2.Response, most: int) -> None:
        packed = response.headers.get("content-encoding", "identity")
        if packed != "identity":
            raise BrokenAnswerError(f"an answer packed as {packed[:20]!r}, which nobody asked for")
        self._response = response
        self._most = most
        self._body = bytearray()

    def add(self, part: bytes) -> None:
        self._body += part
        if len(self._body) > self._most:
            raise BrokenAnswerError(f"an answer of more than {self._most:,} bytes")

    def answer(self) -> Answer:
        return Answer(self._response.status_code, dict(self._response.headers), bytes(self._body))


def read_reply(body: bytes) -> Reply:
    """The model's words in a whole answer.

    Raises:
        BrokenAnswerError: the body is no chat completion.
    """
    try:
        choice = json.loads(body)["choices"][0]
        message = choice["message"]
        content, refusal = message.get("content"), message.get("refusal")
        ended = choice.get("finish_reason")
        if isinstance(content, list):  # a list of parts, as some servers answer
            content = "".join(part["text"] for part in content if part.get("type") == "text")
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        message = _error(body).get("message")  # some clouds report errors with status 200
        raise BrokenAnswerError(str(message) if message else "no chat completion") from None
    if content is not None and not isinstance(content, str):
        raise BrokenAnswerError("a chat completion whose content is no text")
    if ended == "content_filter":
        refusal = refusal or "a content filter"
    text = _THOUGHTS.sub("", content or "", count=1).strip()
    return Reply(text, str(refusal) if refusal else None, ended == "length")


def read_models(body: bytes) -> list[str]:
    """The names in an answer to `GET /models`.

    Raises:
        BrokenAnswerError: the body is no list of models.
    """
    try:
        return [str(model["id"]) for model in json.loads(body)["data"]]
    except (ValueError, LookupError, TypeError, RecursionError):
        raise BrokenAnswerError("no list of models") from None


def _error(body: bytes) -> dict[str, Any]:
    """What an error's body tells, with its words under `message`; empty where it is not JSON."""
    try:
        told = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    if not isinstance(told, dict):
        return {}
    inner = told.get("error") or told.get("detail") or told
    return inner if isinstance(inner, dict) else {"message": inner}


def _checked_url(address: str | None) -> tuple[str, bool]:
    """A base URL without its last slash, and whether it names this machine.

    No error repeats the URL: a user name or a query in it may be a secret.
    """
    needed = "caption_server.base_url needs an address such as http://127.0.0.1:8000/v1"
    try:
        parts = urlsplit((address or "").strip())
        host, _ = parts.hostname, parts.port
        httpx2.URL(parts.geturl())
    except (ValueError, httpx2.InvalidURL):
        raise ConfigError(f"{needed}: the one given can't be read.") from None
    if parts.scheme not in ("http", "https") or not host:
        raise ConfigError(f"{needed}: the one given does not start with http:// and a host.")
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise ConfigError(
            f"{needed}: the one given holds a user name, a ? or a #. A key goes into the "
            "environment variable that caption_server.key_variable names."
        )
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}", is_loopback(host)
