"""Transport of requests to a live source: within the shared budget, repeated where it may help.

Every request asks the budget first, which other processes share. It is sent again after errors that
may pass: 429, 5xx, a reset or cut connection, a time-out, an answer that is no JSON.
"""

import logging
import random
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from statistics import median
from typing import TYPE_CHECKING, Any

from mmrl.errors import SourceError, StorageError
from mmrl.runtime.clock import Clock, Halt
from mmrl.runtime.retry import REDDIT, Retry, retry_after
from mmrl.sources.budget import Budget, BudgetState, Priority, Ticket

if TYPE_CHECKING:
    import requests

_log = logging.getLogger(__name__)
_SHORTEST_PAUSE = 0.5  # seconds, whatever a Retry-After asks for
_DEFAULT_PAUSE = 5.0  # seconds that all processes send nothing after a 429 without a Retry-After
_CLOCKS_AGREE = 5.0  # seconds; the Date header has whole ones, and answers take their time


class NoAnswer(SourceError):  # noqa: N818 - a finding about the source, as `Unreachable` is
    """The source did not answer within the patience given; tried again later, it may."""


class Later(Exception):  # noqa: N818 - no error: others go first
    """The budget has nothing for this priority now; `seconds` says when it may."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"not before {seconds:.1f} s from now")
        self.seconds = seconds


class Transport:
    """Sends the requests of one connection.

    Args:
        budget: shared with other processes; None for no limit.
        patience: seconds that a request is repeated for, before `NoAnswer`.
        service: the name of whoever answers, for sentences.
        retry: the policy by which a request is repeated.

    Attributes:
        priority: of the requests to come, see `at`.
        sent: requests by priority, with repetitions and those for tokens.
        faults: errors by name, also those where a repetition helped.
        received: bytes of answers, as they are once decompressed.
        asking: a request is on its way.
        finishing: requests may be sent though the clock was stopped, but nothing waits.
        last_fault: the newest fault in words; None after an answer.
    """

    def __init__(
        self,
        clock: Clock,
        budget: Budget | None = None,
        *,
        patience: float = 300.0,
        service: str = "Reddit",
        retry: Retry = REDDIT,
    ) -> None:
        self._service = service
        self._retry = retry
        self.clock = clock
        self.budget = budget
        self.patience = patience
        self.priority = Priority.DISCOVERY
        self.sent: Counter[str] = Counter()
        self.faults: Counter[str] = Counter()
        self.received = 0
        self.asking = False
        self.finishing = False
        self._may_wait = True
        self.last_fault: str | None = None
        self._ahead: deque[float] = deque(maxlen=9)  # the source's clock minus this one, seconds

    def now(self) -> datetime:
        """The present by the source's clock; by this machine's until it has answered."""
        return self.clock.now() + timedelta(seconds=self.skew)

    @property
    def skew(self) -> float:
        """Seconds that the source's clock is ahead of this machine's; 0 where they agree."""
        ahead = median(self._ahead) if self._ahead else 0.0
        return ahead if abs(ahead) >= _CLOCKS_AGREE else 0.0

    @contextmanager
    def at(self, priority: Priority, *, may_wait: bool = True) -> Iterator[None]:
        """Requests within the block have this priority.

        Args:
            may_wait: if False and the first request would have to wait for the budget, `Later`
                is raised, so that the caller can do something else meanwhile.
        """
        before = self.priority, self._may_wait
        self.priority, self._may_wait = priority, may_wait
        try:
            yield
        finally:
            self.priority, self._may_wait = before

    def state(self) -> BudgetState | None:
        """The used part of the client's budget; None without one."""
        return None if self.budget is None else self.budget.state(self._seconds())

    def send(self, http: "requests.Session", *args: Any, **options: Any) -> "requests.Response":
        """Sends a request, and repeats it until it is answered.

        Raises:
            NoAnswer: it was not answered within the patience given.
            Halt: the clock was stopped while it waited.
        """
        began = self._seconds()
        tries = 0
        while True:
            fault, response, wait = self._try(http, args, options)
            if response is not None:
                self.last_fault = None
                return response
            tries += 1
            self.faults[fault] += 1
            self.last_fault = fault
            if wait is None:
                wait = self._retry.wait(tries, random.random())
            if self._seconds() - began + wait > self.patience:
                raise NoAnswer(
                    f"{self._service} does not answer as it should ({fault}): what was read so far "
                    "is kept; try again later."
                )
            _log.debug("%s: %s, trying again in %.1f s", self._service, fault, wait)
            self.wait(wait)

    def _try(
        self, http: "requests.Session", args: Any, options: Any
    ) -> "tuple[str, requests.Response | None, float | None]":
        """The fault in words, the answer if there is one, and the wait that was asked for."""
        from http.client import HTTPException

        import requests
        from urllib3.exceptions import HTTPError

        ticket = self._ask_leave()
        self.sent[self.priority.name.lower()] += 1
        response = None
        sent_at = self._seconds()
        self.asking = True
        try:
            response = http.request(*args, **options)
        except (requests.RequestException, HTTPError, HTTPException, OSError, ValueError) as error:
            return type(error).__name__, None, None
        finally:
            self.asking = False
            self._answered(ticket, None if response is None else response.headers)
        self.received += len(response.content)
        self._compare_clocks(response.headers.get("Date"), sent_at)
        if response.status_code == 429:
            wait = retry_after(response.headers)
            if wait is not None:
                wait = min(max(wait, _SHORTEST_PAUSE), self._retry.longest_asked)
            if self.budget is not None:
                self.budget.pause(self._seconds() + (wait or _DEFAULT_PAUSE))
            return "429 Too Many Requests", None, wait
        if response.status_code == 403 and not _is_json(response):
            # Not a closed subreddit, for which the API answers in JSON.
            blocked = f"403 with a page: {self._service} blocks this network or user agent"
            return blocked, None, None
        if self._retry.retries(response.status_code):
            return f"{response.status_code} {response.reason or ''}".strip(), None, None
        if response.status_code == 200 and not _is_json(response):
            return "an answer that is no JSON", None, None
        return "", response, None

    def _ask_leave(self) -> Ticket | None:
        if self.clock.stopping and not self.finishing:
            raise Halt
        if self.budget is None:
            return None
        while True:
            leave = self.budget.ask(self.priority, self._seconds())
            if isinstance(leave, Ticket):
                self._may_wait = True
                return leave
            if self.finishing:
                raise Halt
            if not self._may_wait:
                raise Later(leave)
            self.wait(min(leave, 10.0))

    def _answered(self, ticket: Ticket | None, headers: Any) -> None:
        """Notes the end of a request; it counts for longer where its budget can't be written."""
        if ticket is not None and self.budget is not None:
            with suppress(StorageError, OSError):
                self.budget.answered(ticket, self._seconds(), headers)

    def wait(self, seconds: float) -> None:
        """Waits by the clock.

        Raises:
            Halt: the clock was stopped, or nothing waits any more.
        """
        self.clock.sleep(seconds)
        if self.clock.stopping or self.finishing:
            raise Halt

    def _seconds(self) -> float:
        return self.clock.now().timestamp()

    def _compare_clocks(self, date: str | None, sent_at: float) -> None:
        try:
            told = parsedate_to_datetime(date or "")
        except ValueError:
            return
        if told.tzinfo is None:
            told = told.replace(tzinfo=UTC)
        here = (sent_at + self._seconds()) / 2
        self._ahead.append(told.timestamp() + 0.5 - here)


def _is_json(response: "requests.Response") -> bool:
    try:
        response.json()
    except ValueError:
        return False
    return True
