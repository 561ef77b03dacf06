"""Posts as Reddit sends them, written once each with their first observation, many a commit."""

from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from mmrl.catalog import Catalog, Failed
from mmrl.errors import MmrlError
from mmrl.runtime.clock import Halt
from mmrl.sources.files.importer import rows
from mmrl.sources.post import Parsed, Refused, Unstated
from mmrl.sources.reddit import api as api
from mmrl.sources.submission import parse_submission

if TYPE_CHECKING:
    import praw

STAGE = "collect"  # under this name refused posts are kept in `failures`
_REMEMBERED = 50_000  # ids of known posts that are not asked of the catalog again
_SUBSCRIBERS_FOR = timedelta(hours=1)
_AUTHORS_WITHIN = timedelta(minutes=5)  # a post is kept without its author's facts after that


@dataclass
class SweepReport:
    """Counts of a search for new posts.

    Attributes:
        seen: posts in the answers; `new` were not known, and are now.
        requests: sent to Reddit, without those for a token and repetitions.
        subreddits: new posts by subreddit.
        refused: unusable posts by reason code.
        unreachable: subreddits that Reddit does not show, with its answer.
        gap: a listing ended before a known post came; the ids between are still to be filled.
    """

    seen: int = 0
    new: int = 0
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


@dataclass(frozen=True)
class Kept:
    """A post that was written, for whoever observes it again."""

    post_id: str
    created_at: datetime
    observed_at: datetime


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
            self._catalog.append("observations", rows("observations", observations))
        else:
            self._catalog.insert("observations", rows("observations", observations))

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
        reddit: "praw.Reddit",
        catalog: Catalog,
        now: Callable[[], datetime],
        report: SweepReport,
        followed: Iterable[str] | None = None,
        *,
        new_times: bool = False,
    ) -> None:
        self._reddit = reddit
        self._catalog = catalog
        self._now = now
        self._source = api.source_of(reddit)
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
            result = read_live(submission, self._source, now)
            if isinstance(result, Refused):
                self._refused[post_id] = Failed(post_id, result.reason, result.detail)
            else:
                self._waiting[post_id] = _Found(result, str(submission.get("subreddit_id") or ""))
            self.since = self.since or now
        return fresh

    def flush(self, *, final: bool = False) -> list[Kept]:
        """Writes what waits and is not in the catalog, with authors' facts and subscribers.

        Args:
            final: there is no later attempt; what Reddit does not tell now is left out.

        Raises:
            SourceError: Reddit did not tell of the authors; all still waits.
        """
        self._drop_known()
        posts = [post.parsed.post for post in self._waiting.values()]
        observations = [
            post.parsed.observation for post in self._waiting.values() if post.parsed.observation
        ]
        try:
            self._add_authors(posts, observations)
            self._add_subscribers(observations)
        except (MmrlError, Halt):
            late = self.since is not None and self._now() - self.since > _AUTHORS_WITHIN
            if not (final or late):
                raise
        # Observations first: a post that is known then always has the one that came with it.
        self._writer.write(observations)
        self.report.new += self._catalog.insert("posts", rows("posts", posts))
        self._writer.done()
        self._catalog.fail(STAGE, self._refused.values(), self._now())
        self.report.subreddits.update(post["subreddit"] for post in posts)
        self.report.refused.update(str(failure.reason) for failure in self._refused.values())
        kept = [Kept(post["post_id"], post["created_at"], post["first_seen_at"]) for post in posts]
        self._remember([*self._waiting, *self._refused])
        self._waiting, self._refused, self.since = {}, {}, None
        return kept

    def _drop_known(self) -> None:
        ids = [*self._waiting, *self._refused]
        if not ids:
            return
        stored = self._catalog.lookup("posts", "post_id", ids, ["post_id"])
        known = stored["post_id"].to_pylist()
        for post_id in known:
            self._waiting.pop(post_id, None)
            self._refused.pop(post_id, None)
        self._remember(known)

    def _remember(self, ids: Iterable[str]) -> None:
        for post_id in ids:
            self._known[post_id] = None
            self._known.move_to_end(post_id)
        while len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)

    def _add_authors(self, posts: list[dict[str, Any]], observations: list[dict[str, Any]]) -> None:
        author_of = {post["post_id"]: post["author_id"] for post in posts if post["author_id"]}
        add_authors(self._reddit, observations, author_of, self.report)

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
        for part in api.info(self._reddit, sorted(stale)):
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
    reddit: "praw.Reddit",
    observations: Iterable[dict[str, Any]],
    author_of: dict[str, str],
    report: Any,
) -> None:
    """Puts authors' karma and age into observations; left out where Reddit does not tell them.

    Args:
        author_of: bare account ids by post id.
        report: its `requests` is counted up.
    """
    known: dict[str, api.Author] = {}
    for part in api.authors(reddit, author_of.values()):
        report.requests += 1
        known |= part
    for observation in observations:
        author = known.get(author_of.get(observation["post_id"], ""))
        if author is not None:
            observation["author_link_karma"] = author.link_karma
            observation["author_comment_karma"] = author.comment_karma
            observation["author_created_at"] = author.created_at


def read_live(submission: dict[str, Any], source: str, as_of: datetime) -> Parsed | Refused:
    """A post as Reddit just sent it: observed now, with the score it has at this age."""
    return parse_submission(
        submission,
        source=source,
        as_of=as_of,
        unstated=Unstated(as_of, settled=True),
        raw_json=True,
    )
