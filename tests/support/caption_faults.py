"""A captioning server that misbehaves as it is told."""

import base64
import io
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

from PIL import Image

from mmrl.catalog.reasons import Reason
from mmrl.config import CaptionServerSettings
from mmrl.encoders.caption_server.server import ServerCaptions
from mmrl.encoders.protocols import Caption, Uncaptioned
from tests.support.image_server import answer
from tests.support.loopback import Answers, listening

Handler = BaseHTTPRequestHandler
Step = Callable[[Handler], None]


@dataclass
class Faults:
    """A real HTTP server that answers as a test says, and keeps what it was asked."""

    url: str
    asked: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    listed: list[dict[str, str]] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    by_shade: dict[int, Step] = field(default_factory=dict)
    models: Step | None = None
    busy: int = 0
    most_busy: int = 0

    def captions(self, **changes: Any) -> ServerCaptions:
        """A captioner of this server that waits for nothing."""

        async def no_wait(seconds: float) -> None:
            self.waited.append(seconds)

        self.waited: list[float] = []
        options = {"base_url": self.url, "model": "some/model", "prompt": "Say what is there."}
        settings = CaptionServerSettings(**{**options, "concurrency": 1, "attempts": 3, **changes})
        return ServerCaptions(settings, sleep=no_wait, seed=0)


@contextmanager
def faults() -> Iterator[Faults]:
    lock = threading.Lock()

    class Api(Answers):
        def do_GET(self) -> None:
            server.listed.append({**self.headers})
            (server.models or reply_json({"data": [{"id": "some/model"}]}))(self)

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            with lock:
                server.asked.append({"path": self.path, **body})
                server.headers.append(dict(self.headers))
                server.busy += 1
                server.most_busy = max(server.most_busy, server.busy)
                step = server.steps.pop(0) if server.steps else None
            step = step or server.by_shade.get(shade(body), said(f"shade {shade(body)}"))
            try:
                step(self)
            except OSError:  # the client hung up, which some tests want
                self.close_connection = True
            finally:
                with lock:
                    server.busy -= 1

    with listening(Api) as port:
        server = Faults(f"http://127.0.0.1:{port}/v1")
        yield server


def grey(shade: int, size: tuple[int, int] = (64, 48)) -> bytes:
    """An image that the server can tell from others."""
    file = io.BytesIO()
    Image.new("L", size, shade).save(file, "PNG")
    return file.getvalue()


def sent_image(body: dict[str, Any]) -> Image.Image:
    prefix, _, data = body["messages"][0]["content"][0]["image_url"]["url"].partition(",")
    assert prefix == "data:image/jpeg;base64"
    return Image.open(io.BytesIO(base64.b64decode(data)))


def shade(body: dict[str, Any]) -> int:
    """The sent image's grey in steps of ten; -1 for one that has more than one."""
    low, high = sent_image(body).convert("L").getextrema()
    return round(int(low) / 10) * 10 if high - low < 10 else -1


def reply_json(body: Any, status: int = 200, **headers: str) -> Step:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda handler: answer(handler, json.dumps(body).encode(), status, named)


def said(text: Any, ended: str = "stop", **message: Any) -> Step:
    choice = {"message": {"content": text, **message}, "finish_reason": ended}
    return reply_json({"choices": [choice]})


def error(status: int, words: str = "something", **headers: str) -> Step:
    return reply_json({"error": {"message": words}}, status, **headers)


def cut_off(handler: Handler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b'{"choices": [')
    handler.close_connection = True


def hang_up(handler: Handler) -> None:
    handler.close_connection = True


def reasons(got: list[Caption | Uncaptioned]) -> list[Reason | None]:
    return [one.reason if isinstance(one, Uncaptioned) else None for one in got]
