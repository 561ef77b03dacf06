"""A web hook on loopback that remembers what it was told."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.support.loopback import Answers, listening


class WebHook:
    """Attributes: url, where it answers; told, the JSON bodies so far."""

    def __init__(self, port: int, told: list[Any]) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.told = told


@contextmanager
def web_hook() -> Iterator[WebHook]:
    """Answers while the block lasts."""
    told: list[Any] = []

    class Handler(Answers):
        def do_POST(self) -> None:
            told.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

    with listening(Handler) as port:
        yield WebHook(port, told)
