"""Observations of posts that have reached a checkpoint age, as many a request as the source takes.

A post is due when it has passed a checkpoint since its newest observation. So an observation that
was missed is made as soon as possible, and dated by its true age. The posts that wait for a
checkpoint stand in a queue, whose size follows the posts of the last days, not the catalog's size
nor how long the process has run.
"""

import heapq
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mmrl.catalog import Catalog, Failed, moment, quote
from mmrl.catalog.removers import ABSENT
from mmrl.collector.writer import Kept, ObservationWriter, add_authors
from mmrl.sources.kinds import ANSWERED
from mmrl.sources.later_facts import fill
from mmrl.sources.live import LiveSource
from mmrl.sources.post import Refused
from mmrl.times import from_epoch

STAGE = "observe"  # under this name unusable answers are kept in `failures`
_MISSED = timedelta(days=7)  # how long after the last checkpoint a missed one is still made
_HOUR = 3_600_000_000  # microseconds
# Whether an archive has taken a score again is asked every hour at first, ever more rarely when it
# is late, and no more after weeks.
_AGAIN, _AGAIN_RARELY = timedelta(hours=1), timedelta(hours=12)
_SETTLES_WITHIN = timedelta(days=21)
_SUSPECT = 10  # so many posts or more, most of them absent, are asked for once more


@dataclass
class ObserveReport:
    """Counts of a round of observations.

    Attributes:
        due: posts to observe.
        written: observations written.
        absent: of those, the ones that say that Reddit no longer shows the post.
        late: observations made more than ten minutes after they were due.
        requests: sent to Reddit, without those for a token and repetitions.
        refused: unusable answers by reason code.
    """

    due: int = 0
    written: int = 0
    absent: int = 0
    late: int = 0
    requests: int = 0
    refused: Counter[str] = field(default_factory=Counter)


class Observations:
    """The queue of posts to observe, and the observations that wait to be written.

    Args:
        checkpoints_hours: the ages at which a post is observed; of a source that takes scores
            again once, that age alone counts.
        now: tells the time of an answer that has just come.
        new_times: see `ObservationWriter`.
    """

    def __init__(
        self,
        source: LiveSource,
        catalog: Catalog,
        checkpoints_hours: Sequence[float],
        now: Callable[[], datetime],
        *,
        new_times: bool = False,
    ) -> None:
        self._source = source
        self._catalog = catalog
        self._writer = ObservationWriter(catalog, new_times)
        self._settles = source.traits.settles_after
        if self._settles is not None:
            checkpoints_hours = [self._settles.total_seconds() / 3_600]
        self._checkpoints = np.sort(np.array(checkpoints_hours, dtype=float) * _HOUR)
        self._now = now
        self._queue: list[tuple[int, int, str]] = []  # due at, created at (microseconds), post
        self._taken: list[dict[str, Any]] = []
        self._failed: list[Failed] = []
        self._later: list[tuple[dict[str, Any], datetime]] = []  # posts as answers tell them now
        self.report = ObserveReport()

    def reload(self, as_of: datetime) -> None:
        """Makes the queue anew from the catalog; to be called after `flush`."""
        settles = self._source.name if self._settles else None
        ids, created, next_at = upcoming(self._catalog, self._checkpoints, as_of, settles)
        at, began = next_at.tolist(), created.tolist()
        self._queue = list(zip(at, began, ids.to_pylist(), strict=True))
        heapq.heapify(self._queue)

    def add(self, kept: Sequence[Kept]) -> None:
        """Queues posts that were just written, for the checkpoints still ahead of them."""
        for post in kept:
            if post.final:
                continue
            created = _micros(post.created_at)
            self._push(created, post.post_id, _micros(post.observed_at) - created)

    @property
    def queued(self) -> int:
        """Posts that wait for a checkpoint."""
        return len(self._queue)

    @property
    def waiting(self) -> int:
        """Observations that wait to be written."""
        return len(self._taken) + len(self._failed)

    def due(self, now: datetime) -> int:
        """The number of posts that are due, counted up to a few hundred."""
        at = _micros(now)
        # A heap's children come after their parent, so only branches that are due are walked.
        due, places = 0, [0]
        while places and due < 500:
            place = places.pop()
            if place < len(self._queue) and self._queue[place][0] <= at:
                due += 1
                places += [2 * place + 1, 2 * place + 2]
        return due

    def next_at(self, now: datetime, wait: timedelta) -> datetime | None:
        """When to observe: once a request is full, or the first post has waited this long."""
        if not self._queue:
            return None
        first = from_epoch(self._queue[0][0] / 1_000_000)
        full = first <= now and self.due(now) >= self._source.traits.batch
        return first if full else first + wait

    def take(self) -> int:
        """Observes a request full of posts, those due longest; returns how many were due.

        Raises:
            SourceError, ConfigError: no answer; wrong credentials. The posts stay due.
        """
        at = _micros(self._now())
        taken: list[tuple[int, int, str]] = []
        while self._queue and self._queue[0][0] <= at and len(taken) < self._source.traits.batch:
            taken.append(heapq.heappop(self._queue))
        try:
            observed_at, again = self._observe([post_id for _, _, post_id in taken])
        except BaseException:
            for entry in taken:
                heapq.heappush(self._queue, entry)
            raise
        for due_at, created, post_id in taken:
            late = observed_at - timedelta(minutes=10) > from_epoch(due_at / 1_000_000)
            self.report.late += late and self._settles is None
            if self._settles is None:
                self._push(created, post_id, _micros(observed_at) - created)
            elif post_id in again:
                self._ask_again(created, post_id, observed_at)
        self.report.due += len(taken)
        return len(taken)

    def flush(self) -> None:
        """Writes the observations that wait, in one commit."""
        self._writer.write(self._taken)
        self._writer.done()
        self.report.written += len(self._taken)
        self._taken = []
        fill(self._catalog, self._later)
        self._later = []
        self._catalog.fail(STAGE, self._failed, self._now())
        self.report.refused.update(str(failure.reason) for failure in self._failed)
        self._failed = []

    def _push(self, created: int, post_id: str, age: int) -> None:
        following = int(np.searchsorted(self._checkpoints, age, side="right"))
        if following < len(self._checkpoints):
            due_at = created + int(self._checkpoints[following])
            heapq.heappush(self._queue, (due_at, created, post_id))

    def _ask_again(self, created: int, post_id: str, now: datetime) -> None:
        """Queues a post whose score was not taken again yet, until that is not to be expected."""
        asked_since = now - from_epoch((created + int(self._checkpoints[-1])) / 1_000_000)
        following = _micros(now + min(max(asked_since / 12, _AGAIN), _AGAIN_RARELY))
        if asked_since < _SETTLES_WITHIN:
            heapq.heappush(self._queue, (following, created, post_id))

    def _observe(self, ids: list[str]) -> tuple[datetime, set[str]]:
        """Observes each post once; returns when, and the posts whose score is not final yet."""
        waiting = set(ids)
        again: set[str] = set()
        observations: list[dict[str, Any]] = []
        failed: list[Failed] = []
        author_of: dict[str, str] = {}
        for ask_again in (True, False):
            asked = [post_id for post_id in ids if post_id in waiting]
            for answer in self._source.posts(asked):
                self.report.requests += 1
                now = self._now()
                for submission in answer:
                    post_id = str(submission.get("id"))
                    if post_id not in waiting:  # not asked for, or sent twice
                        continue
                    waiting.discard(post_id)
                    result = self._source.read(submission, now)
                    if isinstance(result, Refused):
                        failed.append(Failed(post_id, result.reason, result.detail))
                        continue
                    self._later.append((result.post, now))
                    if result.observation is None:
                        continue
                    if self._settles is not None and not result.observation["settled"]:
                        again.add(post_id)
                    else:
                        observations.append(result.observation)
                        if result.post["author_id"]:
                            author_of[post_id] = result.post["author_id"]
            suspect = len(ids) >= _SUSPECT and len(waiting) > len(ids) / 2
            if not (ask_again and suspect and self._settles is None):
                break
        add_authors(self._source, observations, author_of, self.report)
        now = self._now()
        self._taken += observations
        self._failed += failed
        if self._settles is not None:
            return now, again | waiting
        self._taken += [
            _absent(post_id, now, self._source.name) for post_id in ids if post_id in waiting
        ]
        self.report.absent += len(waiting)
        return now, set()


def due(catalog: Catalog, checkpoints_hours: Sequence[float], as_of: datetime) -> list[str]:
    """The posts that have passed a checkpoint since their newest observation, oldest first."""
    checkpoints = np.sort(np.array(checkpoints_hours, dtype=float) * _HOUR)
    ids, created, next_at = upcoming(catalog, checkpoints, as_of)
    chosen = np.flatnonzero(next_at <= _micros(as_of))
    chosen = chosen[np.argsort(created[chosen], kind="stable")]
    return list(ids.take(pa.array(chosen)).to_pylist())


def upcoming(
    catalog: Catalog, checkpoints: np.ndarray, as_of: datetime, settles: str | None = None
) -> tuple[pa.ChunkedArray, np.ndarray, np.ndarray]:
    """The posts that wait for a checkpoint: their ids, when they were created, when they are due.

    Times are microseconds since 1970. A post that was never observed is due since its creation.

    Args:
        settles: a source that takes scores again once; then only the posts count that it has
            observed, until its observation is of that score.
    """
    within = _MISSED if settles is None else _SETTLES_WITHIN
    since = as_of - timedelta(microseconds=float(checkpoints.max())) - within
    posts = catalog.read(
        "posts",
        ["post_id", "created_at"],
        f"created_at > {moment(since)} AND created_at <= {moment(as_of)} AND {ANSWERED}",
    )
    observed = f"observed_at > {moment(since)}"
    if settles is not None:
        observed += f" AND source = {quote(settles)}"
    observations = catalog.read("observations", ["post_id", "observed_at", "settled"], observed)
    created = posts["created_at"].cast(pa.int64()).to_numpy()
    place = pc.index_in(observations["post_id"], value_set=posts["post_id"].combine_chunks())
    known = observations["observed_at"].cast(pa.int64()).filter(place.is_valid()).to_numpy()
    settled = pc.fill_null(observations["settled"], False).filter(place.is_valid()).to_numpy()
    place = place.drop_null().to_numpy()
    if settles is not None:
        seen, done = np.zeros(len(created), dtype=bool), np.zeros(len(created), dtype=bool)
        seen[place], done[place[settled]] = True, True
        left = seen & ~done
        next_at = created + int(checkpoints.max())
        return posts["post_id"].filter(pa.array(left)), created[left], next_at[left]
    newest = np.full(len(created), -1)  # age at the newest observation; -1: none yet
    np.maximum.at(newest, place, known - created[place])
    covered = np.searchsorted(checkpoints, newest, side="right")
    next_at = np.where(
        newest < 0, created, created + np.append(checkpoints, 0).astype(np.int64)[covered]
    )
    left = (newest < 0) | (covered < len(checkpoints))
    return posts["post_id"].filter(pa.array(left)), created[left], next_at[left]


def _absent(post_id: str, at: datetime, source: str) -> dict[str, Any]:
    """An observation without a score, which says that the post is gone."""
    facts = {"post_id": post_id, "observed_at": at, "source": source}
    return {**facts, "settled": True, "removed_by": ABSENT}


def _micros(time: datetime) -> int:
    return round(time.timestamp() * 1_000_000)
