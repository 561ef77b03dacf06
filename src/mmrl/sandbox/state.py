"""The state of a running sandbox: its world, clock, rate limit, faults and counts."""

import threading
import time
from collections import Counter, deque
from http.server import ThreadingHTTPServer

from mmrl.sandbox.api import Api, Json
from mmrl.sandbox.archive import Archive
from mmrl.sandbox.faults import Misfortune
from mmrl.sandbox.world import World


class State:
    """State that the handlers of all connections share; `lock` guards the counts.

    Args:
        requests_a_window, window_seconds: the rate limit.
        simulated_limit: its windows pass on the simulated clock instead of the real one.
        speed: simulated seconds a real second; 0 stands still until told otherwise.

    Attributes:
        url, api, archive: set once the server has a port.
    """

    url: str
    api: Api
    archive: Archive

    def __init__(
        self,
        world: World,
        requests_a_window: int,
        window_seconds: int,
        simulated_limit: bool,
        speed: float,
    ) -> None:
        self.world = world
        self._clock = (world.start.timestamp(), time.monotonic())
        self._speed = speed
        self.lock = threading.Lock()
        self.misfortune = Misfortune()
        self.requests: Counter[str] = Counter()
        self.arrivals: deque[float] = deque(maxlen=200_000)
        self.archived: deque[float] = deque(maxlen=200_000)  # requests to the archive
        self.single_ids = 0  # of them, those for one id within a minute of another such one
        self._single_id_at = float("-inf")
        self.sent: Counter[str] = Counter()  # how often the archive sent each post in pages
        self.tokens: set[str] = set()
        self.limit, self.window = requests_a_window, window_seconds
        self._simulated_limit = simulated_limit
        self._window_start, self._window_used = self._limit_clock(), 0

    @property
    def now(self) -> float:
        """The simulated time, in epoch seconds.

        It has whole microseconds, as a caller's clock has: were it finer, a caller that waits
        for exactly a minute would be a fraction of a microsecond early.
        """
        moment, set_at = self._clock
        return round(moment + self._speed * (time.monotonic() - set_at), 6)

    @now.setter
    def now(self, value: float) -> None:
        self._clock = (value, time.monotonic())

    @property
    def speed(self) -> float:
        """Simulated seconds a real second."""
        return self._speed

    @speed.setter
    def speed(self, value: float) -> None:
        self._clock = (self.now, time.monotonic())
        self._speed = value

    def _limit_clock(self) -> float:
        return self.now if self._simulated_limit else time.monotonic()

    def count_request(self) -> tuple[int, float, float]:
        """Counts one API request: used, remaining and seconds to the next window."""
        with self.lock:
            moment = self._limit_clock()
            self.arrivals.append(self.now)
            if not 0 <= moment - self._window_start < self.window:
                self._window_start, self._window_used = moment, 0
            self._window_used += 1
            left = self.window - (moment - self._window_start)
            return self._window_used, float(self.limit - self._window_used), left

    def count_archive_request(self, ids: int) -> None:
        """Counts one request to the archive, for so many ids."""
        with self.lock:
            moment = self._limit_clock()
            self.archived.append(moment)
            if ids == 1:
                self.single_ids += moment - self._single_id_at < 60
                self._single_id_at = moment

    def stats(self) -> Json:
        """Requests by path, the most within any 60 simulated seconds, and the archive's."""
        with self.lock:
            arrivals = sorted(self.arrivals)
            counts = dict(self.requests)
            archived, single_ids = sorted(self.archived), self.single_ids
            sent = Counter(self.sent.values())
        return {
            "requests": counts,
            "total": sum(counts.values()),
            "most_in_a_minute": _most_within(arrivals, 60),
            "archive": {
                "requests": len(archived),
                "most_in_a_second": _most_within(archived, 1),
                "single_ids": single_ids,
                "posts_by_times_sent": dict(sent),
            },
        }


def _most_within(arrivals: list[float], seconds: float) -> int:
    """The most of these sorted times within any so many seconds."""
    most = first = 0
    for last, arrival in enumerate(arrivals):
        while arrival - arrivals[first] >= seconds:
            first += 1
        most = max(most, last - first + 1)
    return most


class HttpServer(ThreadingHTTPServer):
    """A thread a connection.

    Attributes:
        sandbox: what is shown.
    """

    daemon_threads = True
    request_queue_size = 128
    sandbox: State
