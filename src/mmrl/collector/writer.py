"""Posts as a live source sends them, written once with their first observation, many a commit."""

from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from mmrl.catalog import Catalog, Failed, quote
from mmrl.errors import MmrlError
from mmrl.runtime.clock import Halt
from mmrl.sources.files.importer import table_rows
from mmrl.sources.live import Author, LiveSource
from mmrl.sources.post import Parsed, Refused

STAGE = "collect"  # under this name refused posts are kept in `failures`
_REMEMBERED = 50_000  # ids of known posts that are not asked of the catalog again
_SUBSCRIBERS_FOR = timedelta(hours=1)
_AUTHORS_WITHIN = timedelta(minutes=5)  # a post is kept without its author's facts after that


@dataclass
class SweepReport:
    """Counts of a search for new posts.

    Attributes:
        seen: posts in the answers; `new` were not known, and are now.
        pictured: the new ones with an image to fetch.
        requests: sent to the source, without those for a token and repetitions.
        subreddits: new posts by subreddit.
        refused: unusable posts by reason code.
        unreachable: subreddits that the source does not show, with its answer.
        gap: a listing ended before a known post came; the ids between are still to be filled.
    """

    seen: int = 0
    new: int = 0
    pictured: int = 0
    requests: int = 0
    subreddits: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    unreachable: dict[str, str] = field(default_factory=dict)
    gap: bool = False


@dataclass(frozen=True)
class _Found:
    """A post that waits to be written."""

    parsed: Parsed
    subreddit_id: str
    known: bool = False  # the post is there already, of another source


@dataclass(frozen=True)
class Kept:
    """A post that was written, for whoever observes it again.

    Attributes:
        final: its observation is of a score that the source took again; none follows.
    """

    post_id: str
    created_at: datetime
    observed_at: datetime
    final: bool


class ObservationWriter:
    """Writes observations, at a cost that follows how many they are.

    Args:
        new_times: each observation has a time of its own, so none can be there already; False
            where work is done as of one moment, and maybe again.
    """

    def __init__(self, catalog: Catalog, new_times: bool) -> None:
        self._catalog = catalog
        self._sure = new_times
        self._new_times = new_times

    def write(self, observations: list[dict[str, Any]]) -> None:
        """Writes observations; until `done` they may be handed in again."""
        append, self._sure = self._sure, False
        if append:
            self._catalog.append("observations", table_rows("observations", observations))
        else:
            self._catalog.insert("observations", table_rows("observations", observations))

    def done(self) -> None:
        """What was written will not be handed in again."""
        self._sure = self._new_times


class Keeper:
    """Takes posts as they are found, and writes the new ones when told to.

    Posts that wait are lost with the process. The listing shows them again, because a frontier is
    saved only after the posts before it.

    Args:
        now: tells the time of an answer that has just come.
        followed: only posts of these subreddits are kept; None: all.
        new_times: see `ObservationWriter`.
    """

    def __init__(
        self,
        source: LiveSource,
        catalog: Catalog,
        now: Callable[[], datetime],
        report: SweepReport,
        followed: Iterable[str] | None = None,
        *,
        new_times: bool = False,
    ) -> None:
        self._source = source
        self._catalog = catalog
        self._now = now
        self._followed = None if followed is None else {name.lower() for name in followed}
        self._writer = ObservationWriter(catalog, new_times)
        self._waiting: dict[str, _Found] = {}
        self._refused: dict[str, Failed] = {}
        self._known: OrderedDict[str, None] = OrderedDict()
        self._subscribers: dict[str, tuple[datetime, int]] = {}
        self.report = report
        self.since: datetime | None = None  # when the first of those that wait was seen

    @property
    def waiting(self) -> int:
        """Posts that wait to be written."""
        return len(self._waiting)

    def offer(self, submissions: Iterable[dict[str, Any]]) -> list[str]:
        """Takes posts of an answer that has just come.

        Returns:
            the subreddits (lower case) of those that were not met lately, one a post.
        """
        now = self._now()
        fresh = []
        for submission in submissions:
            post_id = str(submission.get("id"))
            subreddit = str(submission.get("subreddit")).lower()
            if self._followed is not None and subreddit not in self._followed:
                continue
            self.report.seen += 1
            if post_id in self._known or post_id in self._waiting or post_id in self._refused:
                continue
            fresh.append(subreddit)
            result = self._source.read(submission, now)
            if isinstance(result, Refused):
                self._refused[post_id] = Failed(post_id, result.reason, result.detail)
            else:
                self._waiting[post_id] = _Found(result, str(submission.get("subreddit_id") or ""))
            self.since = self.since or now
        return fresh

    def flush(self, *, final: bool = False) -> list[Kept]:
        """Writes what waits and is not in the catalog, with authors' facts and subscribers.

        Args:
            final: there is no later attempt; what the source does not tell now is left out.

        Raises:
            SourceError: the source did not tell of the authors; all still waits.
        """
        self._drop_known()
        posts = [each.parsed.post for each in self._waiting.values() if not each.known]
        parsed = [each.parsed for each in self._waiting.values()]
        observations = [row for each in parsed for row in (each.first, each.observation) if row]
        try:
            self._add_authors([each.post for each in parsed], observations)
            self._add_subscribers(observations)
        except (MmrlError, Halt):
            late = self.since is not None and self._now() - self.since > _AUTHORS_WITHIN
            if not (final or late):
                raise
        # Observations first: a post that is known then always has the one that came with it.
        self._writer.write(observations)
        self.report.new += self._catalog.insert("posts", table_rows("posts", posts))
        self.report.pictured += sum(post.get("image_url") is not None for post in posts)
        self._writer.done()
        self._catalog.fail(STAGE, self._refused.values(), self._now())
        self.report.subreddits.update(post["subreddit"] for post in posts)
        self.report.refused.update(str(failure.reason) for failure in self._refused.values())
        kept = [_kept(each, self._source) for each in parsed]
        self._remember([*self._waiting, *self._refused])
        self._waiting, self._refused, self.since = {}, {}, None
        return kept

    def _drop_known(self) -> None:
        ids = [*self._waiting, *self._refused]
        if not ids:
            return
        stored = self._catalog.lookup("posts", "post_id", ids, ["post_id", "source"]).to_pylist()
        known = {row["post_id"]: row["source"] for row in stored}
        elsewhere = [post_id for post_id, source in known.items() if source != self._source.name]
        for post_id in set(elsewhere).intersection(self._waiting) - self._observed(elsewhere):
            # One post with observations of both: this source sees it for the first time.
            self._waiting[post_id] = replace(self._waiting[post_id], known=True)
            del known[post_id]
        for post_id in known:
            self._waiting.pop(post_id, None)
            self._refused.pop(post_id, None)
        self._remember(known)

    def _observed(self, ids: list[str]) -> set[str]:
        """The posts among these that have an observation of this source."""
        mine = f"source = {quote(self._source.name)}"
        rows = self._catalog.lookup("observations", "post_id", ids, ["post_id"], mine)
        return set(rows["post_id"].to_pylist())

    def _remember(self, ids: Iterable[str]) -> None:
        for post_id in ids:
            self._known[post_id] = None
            self._known.move_to_end(post_id)
        while len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)

    def _add_authors(self, posts: list[dict[str, Any]], observations: list[dict[str, Any]]) -> None:
        author_of = {post["post_id"]: post["author_id"] for post in posts if post["author_id"]}
        add_authors(self._source, observations, author_of, self.report)

    def _add_subscribers(self, observations: list[dict[str, Any]]) -> None:
        """Asks for the subscribers where the posts do not carry them already."""
        now = self._now()
        lacking = {}
        for observation in observations:
            subreddit_id = self._waiting[observation["post_id"]].subreddit_id
            if observation["subscribers"] is None and subreddit_id:
                lacking[observation["post_id"]] = subreddit_id
        stale = {
            name
            for name in lacking.values()
            if name not in self._subscribers or now - self._subscribers[name][0] >= _SUBSCRIBERS_FOR
        }
        for part in self._source.subreddits(sorted(stale)):
            self.report.requests += 1
            self.learn_subscribers(part)
        for observation in observations:
            told = self._subscribers.get(lacking.get(observation["post_id"], ""))
            if told is not None:
                observation["subscribers"] = told[1]

    def learn_subscribers(self, subreddits: Iterable[dict[str, Any]]) -> None:
        """Takes subscribers from objects of subreddits that have just come."""
        for subreddit in subreddits:
            subscribers = subreddit.get("subscribers")
            if isinstance(subscribers, int) and subscribers >= 0:
                self._subscribers[str(subreddit.get("name"))] = (self._now(), subscribers)


def add_authors(
    source: LiveSource,
    observations: Iterable[dict[str, Any]],
    author_of: dict[str, str],
    report: Any,
) -> None:
    """Puts authors' karma and age into observations; left out where the source does not tell them.

    Args:
        author_of: bare account ids by post id.
        report: its `requests` is counted up.
    """
    known: dict[str, Author] = {}
    for part in source.authors(author_of.values()):
        report.requests += 1
        known |= part
    for observation in observations:
        author = known.get(author_of.get(observation["post_id"], ""))
        if author is not None:
            observation["author_link_karma"] = author.link_karma
            observation["author_comment_karma"] = author.comment_karma
            observation["author_created_at"] = author.created_at


def _kept(parsed: Parsed, source: LiveSource) -> Kept:
    """A post for whoever observes it again."""
    observation = parsed.observation
    return Kept(
        parsed.post["post_id"],
        parsed.post["created_at"],
        parsed.post["first_seen_at"],
        final=(
            source.traits.settles_after is not None
            and observation is not None
            and observation["settled"]
        ),
    )
