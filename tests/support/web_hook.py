"""A web hook on loopback that remembers what it was told."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class WebHook:
    """Attributes: url, where it answers; told, the JSON bodies so far."""

    def __init__(self, port: int, told: list[Any]) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.told = told


@contextmanager
def web_hook() -> Iterator[WebHook]:
    """Answers while the block lasts."""
    told: list[Any] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            told.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *ignored: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield WebHook(server.server_port, told)
    finally:
        server.shutdown()
        server.server_close()
