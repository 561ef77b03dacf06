"""PRAW's requests, sent through a transport; its own limiter and retries put aside."""

from typing import TYPE_CHECKING, Any

from mmrl.sources.transport import Transport

if TYPE_CHECKING:
    import praw


def put_aside_limits(reddit: "praw.Reddit") -> None:
    """Turns PRAW's own limiter and retries off, as a transport does both.

    One repetition is left to PRAW: after a 401 it gets a new token and repeats at once.
    """
    from prawcore.rate_limit import RateLimiter
    from prawcore.sessions import FiniteRetryStrategy

    class NoLimiter(RateLimiter):
        def delay(self) -> None:
            pass

        def update(self, *, response_headers: Any) -> None:
            pass

    class OnceMore(FiniteRetryStrategy):
        def __init__(self, retries: int = 1) -> None:
            super().__init__(retries=retries)

        def _sleep_seconds(self) -> float | None:
            return None

    for core in (reddit._core, reddit._read_only_core, reddit._authorized_core):
        if core is not None:
            core._rate_limiter = NoLimiter(window_size=600)
            core._retry_strategy_class = OnceMore


def requestor_class() -> type:
    """The class of requestors for PRAW that send through a transport."""
    import prawcore

    class Requestor(prawcore.Requestor):
        def __init__(self, *, transport: Transport, **options: Any) -> None:
            super().__init__(**options)
            self._transport = transport

        def request(self, *args: Any, timeout: float | None = None, **options: Any) -> Any:
            timeout = timeout or self.timeout
            return self._transport.send(self._http, *args, timeout=timeout, **options)

    return Requestor
