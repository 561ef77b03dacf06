"""Discovery through the newest comments of r/all, as the original system found its posts.

The sample is biased. A post is found only once somebody comments on it: posts without comments
never, busy ones early, quiet ones late. r/all leaves out subreddits that opted out of it, and each
poll reads only the newest hundred comments, which at busy hours are a part of them. So train on
such posts only together with others that were found this way.
"""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from mmrl.catalog.fullnames import POST, bare_id
from mmrl.collector.writer import Keeper
from mmrl.sources.reddit import api
from mmrl.sources.reddit.source import RedditSource

_REMEMBERED = 50_000  # posts that were met before
_LONGEST = timedelta(seconds=60)  # how long a post waits for others, to be asked for in one request


class CommentStream:
    """Polls the comments of r/all, and hands the followed subreddits' posts to the keeper.

    Args:
        now: tells the time of an answer that has just come.
        every_seconds: time between two polls.

    Attributes:
        newest_age: None; comments do not tell it.
        polled_at: when a poll last ended.
    """

    def __init__(
        self,
        source: RedditSource,
        keeper: Keeper,
        subreddits: Sequence[str],
        now: Callable[[], datetime],
        every_seconds: float,
    ) -> None:
        self._source = source
        self._keeper = keeper
        self._followed = {name.lower() for name in subreddits}
        self._now = now
        self._every = timedelta(seconds=every_seconds)
        self._met: OrderedDict[str, None] = OrderedDict()
        self._waiting: dict[str, None] = {}
        self._since: datetime | None = None
        self._due_at = now()
        self.newest_age: timedelta | None = None
        self.polled_at: datetime | None = None

    def restart(self, now: datetime) -> None:
        """A poll is due now: at the start, or because the clock was found to be wrong."""
        self._due_at = now

    def next_poll(self) -> datetime | None:
        """The time of the next poll."""
        return self._due_at

    def poll(self) -> None:
        """Reads a page of comments, and asks for their posts once enough of them wait.

        Raises:
            SourceError, ConfigError: no answer; wrong credentials. The posts still wait.
        """
        self._keeper.report.requests += 1
        for comment in api.comments(self._source.reddit):
            post_id = bare_id(POST, str(comment.get("link_id")))
            if str(comment.get("subreddit")).lower() in self._followed and post_id not in self._met:
                self._met[post_id] = None
                self._waiting[post_id] = None
                self._since = self._since or self._now()
        while len(self._met) > _REMEMBERED:
            self._met.popitem(last=False)
        self._due_at = self._now() + self._every
        waited = self._since is not None and self._now() - self._since >= _LONGEST
        if len(self._waiting) >= api.BATCH or waited:
            self.ask()
        self.polled_at = self._now()

    def ask(self) -> None:
        """Asks for the posts that wait; they wait until Reddit has answered."""
        while self._waiting:
            batch = list(self._waiting)[: api.BATCH]
            for answer in self._source.posts(batch):
                self._keeper.report.requests += 1
                self._keeper.offer(answer)
            for post_id in batch:
                del self._waiting[post_id]
        self._since = None
