"""A local Reddit over HTTP: as much of its API as PRAW uses, and the posts' pictures.

It binds to loopback, its clock is simulated and moves only when told, and every answer comes from
a simulated world. Paths under `/sandbox/` are for whoever runs it, and no part of Reddit's API.
"""

import threading
import time
from collections import Counter, deque
from types import TracebackType

from mmrl.errors import InputError
from mmrl.sandbox.api import Api, Json
from mmrl.sandbox.faults import Misfortune
from mmrl.sandbox.handler import Handler, HttpServer
from mmrl.sandbox.world import World


class SandboxServer:
    """Serves a world until closed; a context manager.

    Args:
        port: 0 takes a free one.
        requests_a_window, window_seconds: the rate limit; generous by default.
        simulated_limit: its windows pass on the simulated clock instead of the real one.
        speed: simulated seconds a real second; 0 stands still until told otherwise.
    """

    def __init__(
        self,
        world: World,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        requests_a_window: int = 1_000_000,
        window_seconds: int = 600,
        simulated_limit: bool = False,
        speed: float = 0.0,
    ) -> None:
        self.world = world
        self._clock = (world.start.timestamp(), time.monotonic())
        self._speed = speed
        self.lock = threading.Lock()
        self.misfortune = Misfortune()
        self.requests: Counter[str] = Counter()
        self.arrivals: deque[float] = deque(maxlen=200_000)
        self.tokens: set[str] = set()
        self.limit, self.window = requests_a_window, window_seconds
        self._simulated_limit = simulated_limit
        self._window_start, self._window_used = self._limit_clock(), 0
        try:
            self._http = HttpServer((host, port), Handler)
        except OSError as error:
            raise InputError(
                f"The sandbox can't listen on {host}:{port} ({error.strerror}): give another "
                "--port, or 0 for a free one."
            ) from error
        self._http.sandbox = self
        self.url = f"http://{host}:{self._http.server_address[1]}"
        self.api = Api(world, self.url)
        self._thread = threading.Thread(target=self._http.serve_forever, daemon=True)

    def __enter__(self) -> "SandboxServer":
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._http.shutdown()
        self._http.server_close()

    @property
    def now(self) -> float:
        """The simulated time, in epoch seconds."""
        moment, set_at = self._clock
        return moment + self._speed * (time.monotonic() - set_at)

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

    def stats(self) -> Json:
        """Requests by path, and the most within any 60 simulated seconds."""
        with self.lock:
            arrivals = sorted(self.arrivals)
            counts = dict(self.requests)
        most = first = 0
        for last, arrival in enumerate(arrivals):
            while arrival - arrivals[first] >= 60:
                first += 1
            most = max(most, last - first + 1)
        return {"requests": counts, "total": sum(counts.values()), "most_in_a_minute": most}
