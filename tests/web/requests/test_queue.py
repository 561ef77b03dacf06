"""The gate behind a real server: clients that come, wait and go away, over real connections."""

import json
import socket
import threading
from collections.abc import Iterator
from http.client import HTTPConnection
from urllib.parse import urlsplit

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from mmrl.web.requests.gate import Gate
from mmrl.web.requests.problems import Problem
from tests.support.browser import served
from tests.support.waiting import eventually


class Queue:
    """A server whose work goes on until `go_on` is set; one works, one may wait."""

    def __init__(self) -> None:
        self.go_on = threading.Event()
        self.gate: Gate | None = None

    async def work(self, request: Request) -> Response:
        """The one route: the body is read, then the work waits its turn."""
        self.gate = self.gate or Gate(workers=1, waiting=1)
        await request.body()
        try:
            return JSONResponse(await self.gate.run(request, self.go_on.wait))
        except Problem as problem:
            return problem.answer()

    def waits(self, count: int) -> bool:
        """Whether so many requests wait."""
        return self.gate is not None and self.gate.inside > 0 and self.gate.waiting == count


@pytest.fixture
def queue() -> Queue:
    return Queue()


@pytest.fixture
def place(queue: Queue) -> Iterator[tuple[str, int]]:
    """Where that server listens."""
    app = Starlette(routes=[Route("/", queue.work, methods=["POST"])])
    with served(app) as url:
        parts = urlsplit(url)
        yield str(parts.hostname), int(parts.port or 0)
        queue.go_on.set()


def ask(place: tuple[str, int]) -> HTTPConnection:
    """Sends a request, and does not wait for its answer."""
    connection = HTTPConnection(*place)
    connection.request("POST", "/", b"x" * 1000)
    return connection


def test_a_client_that_goes_away_frees_its_place(queue: Queue, place: tuple[str, int]) -> None:
    working = ask(place)
    eventually(lambda: queue.waits(0))
    leaving = ask(place)
    eventually(lambda: queue.waits(1))
    assert isinstance(leaving.sock, socket.socket)
    leaving.sock.close()
    eventually(lambda: queue.waits(0))
    staying = ask(place)
    eventually(lambda: queue.waits(1))
    queue.go_on.set()
    assert [json.load(one.getresponse()) for one in (working, staying)] == [True, True]


def test_beyond_the_queue_an_answer_comes_at_once(queue: Queue, place: tuple[str, int]) -> None:
    waiting = [ask(place)]
    eventually(lambda: queue.waits(0))
    waiting.append(ask(place))
    eventually(lambda: queue.waits(1))
    refused = ask(place).getresponse()
    assert refused.status == 429
    assert int(refused.headers["retry-after"]) >= 1
    queue.go_on.set()
    assert [one.getresponse().status for one in waiting] == [200, 200]
