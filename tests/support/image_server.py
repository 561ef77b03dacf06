"""A real HTTP server on loopback that serves whatever a test scripts, and counts what it sees."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from io import BytesIO

import numpy as np
from PIL import Image

from tests.support.loopback import Answers, listening

Handler = BaseHTTPRequestHandler


def image_file(
    seed: int = 0, size: tuple[int, int] = (96, 64), image_format: str = "JPEG"
) -> bytes:
    """An encoded image of coarse noise; each seed another one."""
    coarse = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    file = BytesIO()
    Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC).save(file, image_format)
    return file.getvalue()


@dataclass
class ImageServer:
    """What is served and what was seen."""

    port: int
    pages: dict[str, Callable[[Handler], None]] = field(default_factory=dict)
    asked: Counter[str] = field(default_factory=Counter)
    headers: list[dict[str, str]] = field(default_factory=list)
    connections: int = 0
    busy: int = 0
    most_busy: int = 0

    def url(self, path: str, host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.port}{path}"

    def serve(self, path: str, body: bytes, status: int = 200, **headers: str) -> str:
        """Serves a body under a path; underscores in header names stand for hyphens."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.pages[path] = lambda handler: answer(handler, body, status, named)
        return self.url(path)

    def script(self, path: str, *steps: Callable[[Handler], None]) -> str:
        """Answers the first request by the first step, and so on; the last one stays."""
        left = list(steps)

        def page(handler: Handler) -> None:
            step = left.pop(0) if len(left) > 1 else left[0]
            step(handler)

        self.pages[path] = page
        return self.url(path)


def answer(
    handler: Handler, body: bytes, status: int = 200, headers: dict[str, str] | None = None
) -> None:
    handler.send_response(status)
    for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
        handler.send_header(name, value)
    handler.end_headers()
    handler.wfile.write(body)


def dribble(handler: Handler, given_up: threading.Event, begin: bytes = b"") -> None:
    """Sends a byte now and then, until the client hangs up, which sets the event.

    No single wait is long; the whole answer would take hours.
    """
    handler.send_response(200)
    handler.send_header("Content-Length", "100000")
    handler.end_headers()
    try:
        for byte in begin.ljust(100_000):
            handler.wfile.write(bytes([byte]))
            handler.wfile.flush()
            time.sleep(0.05)
    except OSError:
        given_up.set()
        raise


@contextmanager
def image_server() -> Iterator[ImageServer]:
    lock = threading.Lock()

    class Pages(Answers):
        def setup(self) -> None:
            super().setup()
            with lock:
                server.connections += 1

        def do_GET(self) -> None:
            with lock:
                server.asked[self.path] += 1
                server.headers.append(dict(self.headers))
                server.busy += 1
                server.most_busy = max(server.most_busy, server.busy)
            try:
                page = server.pages.get(self.path)
                if page is None:
                    answer(self, b"no such image", 404)
                else:
                    page(self)
            except OSError:  # the client hung up, which some tests want
                self.close_connection = True
            finally:
                with lock:
                    server.busy -= 1

    with listening(Pages) as port:
        server = ImageServer(port)
        yield server
