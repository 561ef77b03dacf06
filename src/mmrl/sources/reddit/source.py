"""Reddit as a live source: its own API, through PRAW."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from mmrl.catalog.fullnames import POST, fullname
from mmrl.sources.live import Author, Json, Rules, Stretch, Traits
from mmrl.sources.post import Parsed, Refused, Unstated
from mmrl.sources.reddit import api
from mmrl.sources.submission import parse_submission

if TYPE_CHECKING:
    import praw

_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


class RedditSource:
    """See `LiveSource`. A post's place is its id, which counts up over all of Reddit."""

    traits = Traits(
        label="Reddit",
        mark="",
        batch=api.BATCH,
        together=50,
        timed=False,
        reach=1_000,  # Reddit shows the newest 1,000 posts of a listing, no more
        late=timedelta(hours=3),
        check_every=timedelta(hours=8),
        settles_after=None,
        tells_closed=True,
        tells_rules=False,
        recheck_after=timedelta(0),
    )

    def __init__(self, reddit: "praw.Reddit") -> None:
        self.reddit = reddit

    @property
    def name(self) -> str:
        return api.source_of(self.reddit)

    @property
    def url(self) -> str:
        return str(self.reddit.config.reddit_url)

    def place(self, post: Json) -> int | None:
        try:
            return int(str(post.get("id")), 36)
        except ValueError:
            return None

    def newest(
        self, subreddits: Sequence[str], after: str | None = None, floor: int | None = None
    ) -> tuple[list[Json], str | None]:
        return api.newest(self.reddit, subreddits, after)

    def stretch(self, subreddits: Sequence[str], above: int, below: int) -> Stretch:
        """Asks for the hundred newest ids, whose posts may be of any subreddit."""
        bottom = max(above + 1, below - api.BATCH)
        return Stretch(list(self.posts(map(to_base36, range(bottom, below)))), bottom)

    def posts(self, ids: Iterable[str]) -> Iterator[list[Json]]:
        return api.info(self.reddit, (fullname(POST, post_id) for post_id in ids))

    def read(self, post: Json, as_of: datetime) -> Parsed | Refused:
        """A post with the score that it has at this age."""
        return parse_submission(
            post,
            source=self.name,
            as_of=as_of,
            unstated=Unstated(as_of, settled=True),
            raw_json=True,
        )

    def subreddits(self, fullnames: Iterable[str]) -> Iterator[list[Json]]:
        return api.info(self.reddit, fullnames)

    def about(self, names: Iterable[str]) -> Iterator[list[Json]]:
        return api.about(self.reddit, names)

    def authors(self, ids: Iterable[str]) -> Iterator[dict[str, Author]]:
        return api.authors(self.reddit, ids)

    def rules(self, names: Sequence[str]) -> Iterator[list[Rules]]:
        """Nothing: it tells of one subreddit a request, and Arctic Shift of all in one."""
        return iter(())


def to_base36(number: int) -> str:
    """A number as Reddit writes its ids."""
    text = ""
    while number:
        number, rest = divmod(number, 36)
        text = _DIGITS[rest] + text
    return text or "0"
