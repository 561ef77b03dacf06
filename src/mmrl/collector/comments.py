"""Finds posts through their comments, as the original system did: the newest comments of r/all.

This sees a sample that is not fair: a post is found once somebody comments on it, so those that
nobody does are never found, busy ones are found early and quiet ones late, and r/all leaves out
subreddits that chose not to be in it. Of r/all's comments only the newest hundred of each poll are
read; at busy hours that is a part of them. Learn from such posts only beside others found so.
"""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from mmrl.catalog.fullnames import POST, bare_id, fullname
from mmrl.collector.writer import Keeper
from mmrl.sources.reddit import api as api

if TYPE_CHECKING:
    import praw

_REMEMBERED = 50_000  # posts that were met before
_LONGEST = timedelta(seconds=60)  # how long a post met waits for others, to be asked for together


class CommentStream:
    """Polls the comments of r/all; the followed subreddits' posts under them go to the keeper.

    Args:
        now: tells the time of an answer that has just come.
        every_seconds: time between two polls.

    Attributes:
        newest_age: how old the newest post was when it was first seen, lately.
        polled_at: when a poll last came to its end.
    """

    def __init__(
        self,
        reddit: "praw.Reddit",
        keeper: Keeper,
        subreddits: Sequence[str],
        now: Callable[[], datetime],
        every_seconds: float,
    ) -> None:
        self._reddit = reddit
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
        """When to poll next."""
        return self._due_at

    def poll(self) -> None:
        """Reads a page of comments, and asks for posts where enough of them wait.

        Raises:
            SourceError, ConfigError: no answer; wrong credentials. Posts met still wait.
        """
        self._keeper.report.requests += 1
        for comment in api.comments(self._reddit):
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
        """Asks for the posts that wait, which count as met only once they came."""
        while self._waiting:
            batch = list(self._waiting)[: api.BATCH]
            for answer in api.info(self._reddit, [fullname(POST, post_id) for post_id in batch]):
                self._keeper.report.requests += 1
                self._keeper.offer(answer)
            for post_id in batch:
                del self._waiting[post_id]
        self._since = None
