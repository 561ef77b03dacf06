"""Arctic Shift's API: the few requests that mmrl sends, as the API's own page describes them.

GET /api/posts/search?subreddit=&sort=desc&limit=&before=&after=   posts by time, newest first
GET /api/posts/ids?ids=                                            posts, up to 500 a request
GET /api/subreddits/ids?ids=                                       subreddits, up to 500 a request
GET /api/subreddits/rules?subreddits=                              rules, up to 1,000 a request

Every answer is `{"data": [...]}`, or `{"data": null, "error": "..."}`. A request that takes the
server too long is answered with 422: then fewer posts are asked for, and more again once it works.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mmrl.errors import SourceError
from mmrl.runtime.retry import ARCTIC_SHIFT_SLOWER
from mmrl.sources.live import Json, batches
from mmrl.sources.transport import Transport

if TYPE_CHECKING:
    import requests

MOST_IDS = 500
MOST_NAMES = 1_000
PAGE = 100
# Posts in one answer, the most first. With `auto` the server sends 100 to 1,000, as it can.
LIMITS: tuple[str | int, ...] = ("auto", PAGE, 50, 25, 12)
_LEAST_IDS = 25
_GROWS_AFTER = 4  # answers in a row until more is asked for again
_TIMEOUT = 60.0  # seconds
_SLOWER = ("timeout", "timed out", "slow down")  # in the error of a request that was too much


class _TooMuch(Exception):  # noqa: N818 - asked for again, as less
    """The server had no time for a request of this size."""


@dataclass(frozen=True)
class Page:
    """Posts of one answer.

    Attributes:
        last: no more follow. Told by an answer that is less than half full: one that lacks a few
            posts may have been thinned out after the limit was applied.
    """

    posts: list[Json]
    last: bool


class ArcticShift:
    """A connection to the API.

    Args:
        base_url: without a path.
        user_agent: names the program and how its user is reached.
    """

    def __init__(self, base_url: str, transport: Transport, user_agent: str) -> None:
        self.base_url = base_url.rstrip("/")
        self._transport = transport
        self._headers = {"User-Agent": user_agent, "Accept": "application/json"}
        self._http: requests.Session | None = None
        self._step = 0  # the place in LIMITS that works
        self._worked = 0  # answers since it last changed

    def search(
        self,
        subreddit: str,
        *,
        before: int | None = None,
        after: int | None = None,
        many: bool = False,
    ) -> Page:
        """The newest posts of a subreddit, newest first.

        Args:
            before, after: epoch seconds; the posts were created strictly between them.
            many: more than a page at once, if the server can.
        """
        params: dict[str, str | int] = {"subreddit": subreddit, "sort": "desc"}
        params |= {} if before is None else {"before": before}
        params |= {} if after is None else {"after": after}
        tries = 0
        while True:
            step = max(self._step, 0 if many else 1)
            try:
                posts = self._get("posts/search", {**params, "limit": LIMITS[step]})
            except _TooMuch as error:
                tries += 1
                if step + 1 == len(LIMITS):
                    raise SourceError(_too_slow(f"{LIMITS[step]} posts")) from error
                self._step, self._worked = step + 1, 0
                self._transport.wait(ARCTIC_SHIFT_SLOWER.wait(tries))
                continue
            self._worked += 1
            if self._step > 0 and self._worked >= _GROWS_AFTER:
                self._step, self._worked = self._step - 1, 0
            limit = LIMITS[step]
            return Page(posts, len(posts) < (limit if isinstance(limit, int) else PAGE) / 2)

    def posts(self, ids: Iterable[str]) -> Iterator[list[Json]]:
        """Posts by id, a list for each request."""
        for batch in batches(ids, MOST_IDS):
            yield from self._by_id("posts/ids", batch)

    def subreddits(self, ids: Iterable[str]) -> Iterator[list[Json]]:
        """Subreddits by id, a list for each request."""
        for batch in batches(ids, MOST_IDS):
            yield from self._by_id("subreddits/ids", batch)

    def rules(self, names: Sequence[str]) -> Iterator[list[Json]]:
        """Rules of subreddits, a list for each request."""
        for batch in batches(names, MOST_NAMES):
            yield self._slower(
                lambda: self._get("subreddits/rules", {"subreddits": ",".join(batch)})  # noqa: B023
            )

    def _by_id(self, path: str, ids: list[str], tries: int = 0) -> Iterator[list[Json]]:
        """Asks for ids; in halves where all were too much."""
        try:
            yield self._get(path, {"ids": ",".join(ids)})
            return
        except _TooMuch as error:
            if len(ids) <= _LEAST_IDS:
                raise SourceError(_too_slow(f"{len(ids)} ids")) from error
        self._transport.wait(ARCTIC_SHIFT_SLOWER.wait(tries + 1))
        half = (len(ids) + 1) // 2
        yield from self._by_id(path, ids[:half], tries + 1)
        yield from self._by_id(path, ids[half:], tries + 1)

    def _slower(self, ask: Callable[[], list[Json]]) -> list[Json]:
        """Sends a request that can't be made smaller; once more after a wait."""
        try:
            return ask()
        except _TooMuch:
            self._transport.wait(ARCTIC_SHIFT_SLOWER.wait(1))
        try:
            return ask()
        except _TooMuch as error:
            raise SourceError(_too_slow("a few facts")) from error

    def _get(self, path: str, params: dict[str, Any]) -> list[Json]:
        """One GET; the objects of its answer.

        Raises:
            SourceError: no answer, a refusal, or something else than objects.
            _TooMuch: the request took the server too long.
        """
        import requests

        if self._http is None:
            self._http = requests.Session()
        response = self._transport.send(
            self._http,
            "GET",
            f"{self.base_url}/api/{path}",
            params=params,
            headers=self._headers,
            timeout=_TIMEOUT,
            allow_redirects=False,
        )
        try:
            answer = response.json()
        except ValueError:
            answer = None
        error = str(answer.get("error") or "") if isinstance(answer, dict) else ""
        if any(word in error.lower() for word in _SLOWER):
            raise _TooMuch
        data = answer.get("data") if isinstance(answer, dict) else None
        if response.status_code != 200 or error or not isinstance(data, list):
            raise SourceError(_refused(response.status_code, error))
        return [item for item in data if isinstance(item, dict)]


def _refused(status: int, error: str) -> str:
    printable = "".join(letter for letter in error[:120] if letter.isprintable())
    why = f"{status}: {printable}" if printable else f"{status}, and no list of objects"
    return (
        f"Arctic Shift refuses the request ({why}): check arctic_shift.base_url and the names of "
        "the subreddits, or try again later; `mmrl doctor --live` compares its answers with what "
        "mmrl knows."
    )


def _too_slow(what: str) -> str:
    return (
        f"Arctic Shift has no time for a request of {what}: it is busy; what was read so far is "
        "kept, try again later."
    )
