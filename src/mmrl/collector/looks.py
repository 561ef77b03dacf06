"""Looks again at posts that have reached a checkpoint age, a hundred a request.

What is due follows from the looks there are: a post is due when it has passed a checkpoint since
its newest look. So a look that was missed is taken as soon as possible, at its true age. The
posts that wait for a checkpoint are kept in a queue; its size follows the posts of the last days,
never the size of the catalog or how long the process runs.
"""

import heapq
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mmrl.catalog import Catalog, Failed, moment
from mmrl.catalog.fullnames import POST, fullname
from mmrl.collector.writer import Kept, LookWriter, add_authors, read_live
from mmrl.sources.kinds import ANSWERED
from mmrl.sources.post import Refused
from mmrl.sources.reddit import api as api
from mmrl.times import from_epoch

if TYPE_CHECKING:
    import praw

STAGE = "observe"  # under this name unusable answers are kept in `failures`
ABSENT = "absent"  # `removed_by` of a post that Reddit no longer answers for
_MISSED = timedelta(days=7)  # how long after its last checkpoint a missed look is still taken
_HOUR = 3_600_000_000  # microseconds
_SUSPECT = 10  # so many posts or more, most of them absent, are asked for once more


@dataclass
class ObserveReport:
    """What a round of looks did.

    Attributes:
        due: posts to look at; `looked` were.
        absent: those among them that Reddit no longer answers for; their look says so.
        late: looks taken more than ten minutes after their age.
        requests: sent to Reddit, those for a token and repetitions left out.
        refused: unusable answers by reason code.
    """

    due: int = 0
    looked: int = 0
    absent: int = 0
    late: int = 0
    requests: int = 0
    refused: Counter[str] = field(default_factory=Counter)


class Looks:
    """The queue of looks, and those taken that wait to be written.

    Args:
        checkpoints_hours: ages to look at.
        now: tells the time of an answer that has just come.
        new_times: see `LookWriter`.
    """

    def __init__(
        self,
        reddit: "praw.Reddit",
        catalog: Catalog,
        checkpoints_hours: Sequence[float],
        now: Callable[[], datetime],
        *,
        new_times: bool = False,
    ) -> None:
        self._reddit = reddit
        self._catalog = catalog
        self._writer = LookWriter(catalog, new_times)
        self._checkpoints = np.sort(np.array(checkpoints_hours, dtype=float) * _HOUR)
        self._now = now
        self._queue: list[tuple[int, int, str]] = []  # due at, created at (microseconds), post
        self._taken: list[dict[str, Any]] = []
        self._failed: list[Failed] = []
        self.report = ObserveReport()

    def reload(self, as_of: datetime) -> None:
        """Makes the queue anew from the catalog; looks that wait to be written must be, before."""
        ids, created, next_at = upcoming(self._catalog, self._checkpoints, as_of)
        at, began = next_at.tolist(), created.tolist()
        self._queue = list(zip(at, began, ids.to_pylist(), strict=True))
        heapq.heapify(self._queue)

    def add(self, kept: Sequence[Kept]) -> None:
        """Queues posts that have just been kept, for the checkpoints after their first look."""
        for post in kept:
            created = _micros(post.created_at)
            self._push(created, post.post_id, _micros(post.looked_at) - created)

    @property
    def queued(self) -> int:
        """Posts that wait for a checkpoint."""
        return len(self._queue)

    @property
    def waiting(self) -> int:
        """Looks that wait to be written."""
        return len(self._taken) + len(self._failed)

    def due(self, now: datetime) -> int:
        """How many looks are due, up to a few hundred."""
        at = _micros(now)
        # A heap's children come after their parent, so only branches that are due are walked.
        found, places = 0, [0]
        while places and found < 500:
            place = places.pop()
            if place < len(self._queue) and self._queue[place][0] <= at:
                found += 1
                places += [2 * place + 1, 2 * place + 2]
        return found

    def next_at(self, now: datetime, wait: timedelta) -> datetime | None:
        """When to take looks: once a request is full of them, or the first one has waited."""
        if not self._queue:
            return None
        first = from_epoch(self._queue[0][0] / 1_000_000)
        return first if first <= now and self.due(now) >= api.BATCH else first + wait

    def take(self) -> int:
        """Looks at the hundred posts that have been due longest; returns how many were due.

        Raises:
            SourceError, ConfigError: no answer; wrong credentials. They stay due.
        """
        at = _micros(self._now())
        taken: list[tuple[int, int, str]] = []
        while self._queue and self._queue[0][0] <= at and len(taken) < api.BATCH:
            taken.append(heapq.heappop(self._queue))
        try:
            looked_at = self._look([post_id for _, _, post_id in taken])
        except BaseException:
            for entry in taken:
                heapq.heappush(self._queue, entry)
            raise
        for due_at, created, post_id in taken:
            late = looked_at - timedelta(minutes=10) > from_epoch(due_at / 1_000_000)
            self.report.late += late
            self._push(created, post_id, _micros(looked_at) - created)
        self.report.due += len(taken)
        return len(taken)

    def flush(self) -> None:
        """Writes the looks taken, in one commit."""
        self._writer.write(self._taken)
        self._writer.done()
        self.report.looked += len(self._taken)
        self._taken = []
        self._catalog.fail(STAGE, self._failed, self._now())
        self.report.refused.update(str(failure.reason) for failure in self._failed)
        self._failed = []

    def _push(self, created: int, post_id: str, age: int) -> None:
        following = int(np.searchsorted(self._checkpoints, age, side="right"))
        if following < len(self._checkpoints):
            due_at = created + int(self._checkpoints[following])
            heapq.heappush(self._queue, (due_at, created, post_id))

    def _look(self, ids: list[str]) -> datetime:
        """Takes one look at each; returns when."""
        waiting = set(ids)
        looks: list[dict[str, Any]] = []
        failed: list[Failed] = []
        author_of: dict[str, str] = {}
        for ask_again in (True, False):
            for answer in api.info(
                self._reddit, [fullname(POST, post_id) for post_id in ids if post_id in waiting]
            ):
                self.report.requests += 1
                now = self._now()
                for submission in answer:
                    post_id = str(submission.get("id"))
                    if post_id not in waiting:  # not asked for, or sent twice
                        continue
                    waiting.discard(post_id)
                    result = read_live(submission, api.source_of(self._reddit), now)
                    if isinstance(result, Refused):
                        failed.append(Failed(post_id, result.reason, result.detail))
                    elif result.look is not None:
                        looks.append(result.look)
                        if result.post["author_id"]:
                            author_of[post_id] = result.post["author_id"]
            if not (ask_again and len(ids) >= _SUSPECT and len(waiting) > len(ids) / 2):
                break
        add_authors(self._reddit, looks, author_of, self.report)
        now = self._now()
        self._taken += looks + [_absent(post_id, now) for post_id in ids if post_id in waiting]
        self._failed += failed
        self.report.absent += len(waiting)
        return now


def due(catalog: Catalog, checkpoints_hours: Sequence[float], as_of: datetime) -> list[str]:
    """The posts that have passed a checkpoint since their newest look, oldest first."""
    checkpoints = np.sort(np.array(checkpoints_hours, dtype=float) * _HOUR)
    ids, created, next_at = upcoming(catalog, checkpoints, as_of)
    chosen = np.flatnonzero(next_at <= _micros(as_of))
    chosen = chosen[np.argsort(created[chosen], kind="stable")]
    return list(ids.take(pa.array(chosen)).to_pylist())


def upcoming(
    catalog: Catalog, checkpoints: np.ndarray, as_of: datetime
) -> tuple[pa.ChunkedArray, np.ndarray, np.ndarray]:
    """The posts that wait for a checkpoint: ids, when created, and when their next look is due.

    Times are microseconds since 1970. A post that was never looked at is due since its creation.
    """
    since = as_of - timedelta(microseconds=float(checkpoints.max())) - _MISSED
    posts = catalog.read(
        "posts",
        ["post_id", "created_at"],
        f"created_at > {moment(since)} AND created_at <= {moment(as_of)} AND {ANSWERED}",
    )
    looks = catalog.read(
        "observations", ["post_id", "observed_at"], f"observed_at > {moment(since)}"
    )
    created = posts["created_at"].cast(pa.int64()).to_numpy()
    place = pc.index_in(looks["post_id"], value_set=posts["post_id"].combine_chunks())
    known = looks["observed_at"].cast(pa.int64()).filter(place.is_valid()).to_numpy()
    place = place.drop_null().to_numpy()
    newest = np.full(len(created), -1)  # age at the newest look; -1: none yet
    np.maximum.at(newest, place, known - created[place])
    covered = np.searchsorted(checkpoints, newest, side="right")
    next_at = np.where(
        newest < 0, created, created + np.append(checkpoints, 0).astype(np.int64)[covered]
    )
    left = (newest < 0) | (covered < len(checkpoints))
    return posts["post_id"].filter(pa.array(left)), created[left], next_at[left]


def _absent(post_id: str, at: datetime) -> dict[str, Any]:
    """A look that found nothing: no score, but the post is known to be gone."""
    return {"post_id": post_id, "observed_at": at, "settled": True, "removed_by": ABSENT}


def _micros(time: datetime) -> int:
    return round(time.timestamp() * 1_000_000)
