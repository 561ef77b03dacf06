"""The gate before the models: a few work, a few wait, the rest is told when to come back."""

import asyncio
import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from time import monotonic
from typing import Literal, TypeVar

from starlette.requests import Request

from mmrl.web.requests.problems import Problem

_Result = TypeVar("_Result")
_WEIGHT = 0.1  # of the newest piece of work in the running mean of seconds
_GUESS = 0.5  # seconds a piece of work is thought to take before any was done


class Gate:
    """Places for work that loads the machine: `workers` at once, and `waiting` behind them.

    Whoever waits and goes away frees the place at once; work under way runs to its end.
    """

    def __init__(self, workers: int = 1, waiting: int = 16) -> None:
        self._threads = ThreadPoolExecutor(workers, "models")
        self._turns = asyncio.Semaphore(workers)
        self._workers = workers
        self._places = workers + waiting
        self._seconds = _GUESS
        self.inside = 0  # at work or waiting
        self.refused = 0

    @property
    def waiting(self) -> int:
        """Requests that wait for their turn."""
        return max(0, self.inside - self._workers)

    async def run(self, request: Request, work: Callable[[], _Result]) -> _Result:
        """Runs blocking work in its turn, in a thread.

        Args:
            request: with its body read; watched while it waits.

        Raises:
            Problem: every place is taken (429, with Retry-After), or the client went away.
        """
        if self.inside >= self._places:
            self.refused += 1
            seconds = math.ceil(self._seconds * self.inside / self._workers) or 1
            raise Problem(
                429,
                f"{self.inside} predictions are under way or wait, as many as fit: try again in "
                f"{seconds} seconds.",
                {"Retry-After": str(seconds)},
            )
        self.inside += 1
        try:
            await self._turn(request)
            try:
                return await self._work(work)
            finally:
                self._turns.release()
        finally:
            self.inside -= 1

    async def _turn(self, request: Request) -> None:
        turn = asyncio.ensure_future(self._turns.acquire())
        gone = asyncio.ensure_future(_gone(request))
        try:
            await asyncio.wait({turn, gone}, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            await self._give_up(turn)
            raise
        finally:
            gone.cancel()
        if not turn.done():
            await self._give_up(turn)
            raise ClientGone

    async def _give_up(self, turn: "asyncio.Future[Literal[True]]") -> None:
        """Gives a turn back, whether it came or not."""
        turn.cancel()
        try:
            await turn
        except asyncio.CancelledError:
            return
        self._turns.release()

    async def _work(self, work: Callable[[], _Result]) -> _Result:
        began = monotonic()
        future = asyncio.get_running_loop().run_in_executor(self._threads, work)
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            await asyncio.wait({future})  # the thread holds the place until it ends
            raise
        finally:
            self._seconds += _WEIGHT * (monotonic() - began - self._seconds)

    def close(self) -> None:
        """Lets work under way end, and takes no more."""
        self._threads.shutdown(wait=True, cancel_futures=True)


class ClientGone(Problem):
    """Whoever asked went away while waiting; nobody reads the answer."""

    def __init__(self) -> None:
        super().__init__(408, "The client went away before its turn came.")


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
