"""The gate before the models."""

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest
from starlette.requests import Request

from mmrl.web.requests.gate import ClientGone, Gate
from mmrl.web.requests.problems import Problem


class Client:
    """A client that waits for its answer, until it goes away."""

    def __init__(self) -> None:
        self.gone = asyncio.Event()
        self.request = Request({"type": "http"}, self._receive)

    async def _receive(self) -> dict[str, Any]:
        await self.gone.wait()
        return {"type": "http.disconnect"}


def run(test: Callable[[Gate, threading.Event], Any]) -> None:
    """Runs a test in a loop of its own, with a gate of one worker and one place to wait."""

    async def whole() -> None:
        gate, go_on = Gate(workers=1, waiting=1), threading.Event()
        try:
            await test(gate, go_on)
        finally:
            go_on.set()
            gate.close()

    asyncio.run(whole())


async def until(condition: Callable[[], bool]) -> None:
    while not condition():
        await asyncio.sleep(0)


def test_more_than_fit_are_told_when_to_come_back() -> None:
    async def test(gate: Gate, go_on: threading.Event) -> None:
        working = asyncio.create_task(gate.run(Client().request, go_on.wait))
        waiting = asyncio.create_task(gate.run(Client().request, lambda: "done"))
        await until(lambda: gate.waiting == 1)
        with pytest.raises(Problem) as refused:
            await gate.run(Client().request, lambda: "never")
        assert refused.value.status == 429
        assert int(refused.value.headers["Retry-After"]) >= 1
        assert gate.refused == 1
        go_on.set()
        assert await working
        assert await waiting == "done"
        assert gate.inside == 0

    run(test)


def test_whoever_waits_and_goes_away_frees_the_place() -> None:
    async def test(gate: Gate, go_on: threading.Event) -> None:
        working = asyncio.create_task(gate.run(Client().request, go_on.wait))
        leaving = Client()
        left = asyncio.create_task(gate.run(leaving.request, lambda: pytest.fail("it ran")))
        await until(lambda: gate.waiting == 1)
        leaving.gone.set()
        with pytest.raises(ClientGone):
            await left
        assert gate.waiting == 0
        next_one = asyncio.create_task(gate.run(Client().request, lambda: "next"))
        await until(lambda: gate.waiting == 1)
        go_on.set()
        await working
        assert await next_one == "next"

    run(test)


def test_a_place_is_freed_by_work_that_fails_and_by_work_that_is_given_up() -> None:
    def fail() -> None:
        raise ValueError("broken")

    async def test(gate: Gate, go_on: threading.Event) -> None:
        with pytest.raises(ValueError, match="broken"):
            await gate.run(Client().request, fail)
        working = asyncio.create_task(gate.run(Client().request, go_on.wait))
        waiting = asyncio.create_task(gate.run(Client().request, lambda: "never"))
        await until(lambda: gate.waiting == 1)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert gate.inside == 1
        go_on.set()
        await working
        assert await gate.run(Client().request, lambda: "again") == "again"
        assert gate.inside == 0

    run(test)
