"""Arctic Shift as a live source: an archive of Reddit that is asked without credentials.

It retrieves every public post when it is made, and again after 36 hours, once. An object that was
retrieved again has the later score in place of the first one, and says when that was
(`_meta.retrieved_2nd_on`). So each object gives what was known at the first retrieval, and, where
there was a second one, the settled score. Posts of before November 2023 were retrieved once; where
they were 36 hours old then, that score is settled, too.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from mmrl.catalog.fullnames import SUBREDDIT, bare_id
from mmrl.runtime.loopback import is_loopback
from mmrl.sources.arctic_shift.api import MOST_IDS, ArcticShift
from mmrl.sources.fields import Unreadable, moment
from mmrl.sources.kinds import ARCTIC_SHIFT, SANDBOX_ARCTIC_SHIFT
from mmrl.sources.live import Author, Json, Rules, Stretch, Traits, read_rules
from mmrl.sources.post import Parsed, Refused, Unstated
from mmrl.sources.submission import parse_submission

_SETTLED = timedelta(hours=36)


class ArcticShiftSource:
    """See `LiveSource`. A post's place is the second of its creation.

    Posts of one second may be cut apart by a page's edge. So each page begins with the last second
    of the page before, and posts that come twice count once.
    """

    traits = Traits(
        label="Arctic Shift",
        mark="arctic-shift/",
        batch=MOST_IDS,
        together=1,
        timed=True,
        reach=1_000,
        late=timedelta(days=1),
        check_every=timedelta(days=1),
        settles_after=_SETTLED + timedelta(minutes=15),  # a little for its work
        tells_closed=False,
        tells_rules=True,
        recheck_after=timedelta(days=30),
        unknown=(
            "authors' karma and age",
            "scores between a post's first hour and 36 hours",
            "deletions later than 36 hours",
        ),
    )

    def __init__(self, api: ArcticShift) -> None:
        self.api = api

    @property
    def name(self) -> str:
        host = urlsplit(self.url).hostname or ""
        return (SANDBOX_ARCTIC_SHIFT if is_loopback(host) else ARCTIC_SHIFT).name

    @property
    def url(self) -> str:
        return self.api.base_url

    def place(self, post: Json) -> int | None:
        try:
            created = moment(post.get("created_utc"), "created_utc")
        except Unreadable:
            return None
        return None if created is None else int(created.timestamp())

    def newest(
        self, subreddits: Sequence[str], after: str | None = None, floor: int | None = None
    ) -> tuple[list[Json], str | None]:
        (name,) = subreddits
        before = None if after is None else int(after)
        page = self.api.search(name, before=before, after=None if floor is None else floor - 1)
        return page.posts, None if page.last else str(self._edge(page.posts, before))

    def stretch(self, subreddits: Sequence[str], above: int, below: int) -> Stretch:
        (name,) = subreddits
        page = self.api.search(name, before=below, after=above, many=True)
        return Stretch([page.posts], above + 1 if page.last else self._edge(page.posts, below))

    def posts(self, ids: Iterable[str]) -> Iterator[list[Json]]:
        return self.api.posts(ids)

    def read(self, post: Json, as_of: datetime) -> Parsed | Refused:
        """A post with its settled score, or as it was first retrieved, which gives no label."""
        parsed = parse_submission(
            post, source=self.name, as_of=as_of, unstated=Unstated(as_of, settled=False)
        )
        if isinstance(parsed, Refused) or parsed.observation is None:
            return parsed
        observation = parsed.observation
        age = observation["observed_at"] - parsed.post["created_at"]
        if not (_again(post) or (parsed.stated and age >= _SETTLED)):
            return replace(parsed, observation={**observation, "settled": False})
        if observation["observed_at"] <= parsed.post["first_seen_at"]:
            return parsed
        first = {
            **dict.fromkeys(observation),
            "post_id": observation["post_id"],
            "observed_at": parsed.post["first_seen_at"],
            "settled": False,
            "subscribers": observation["subscribers"],  # which is not retrieved again
            "source": observation["source"],
        }
        return replace(parsed, first=first)

    def subreddits(self, fullnames: Iterable[str]) -> Iterator[list[Json]]:
        return self.api.subreddits(bare_id(SUBREDDIT, name) for name in fullnames)

    def about(self, names: Iterable[str]) -> Iterator[list[Json]]:
        """Nothing: it tells of subreddits by name one at a time only."""
        return iter(())

    def authors(self, ids: Iterable[str]) -> Iterator[dict[str, Author]]:
        """Nothing: what it sums up of accounts is of today, not of the time of a post."""
        return iter(())

    def rules(self, names: Sequence[str]) -> Iterator[list[Rules]]:
        for answer in self.api.rules(names):
            yield [read_rules(str(item.get("subreddit")), item.get("rules")) for item in answer]

    def _edge(self, posts: list[Json], before: int | None) -> int:
        """Where the next page begins: after the last second of this one, or one second earlier."""
        places = [place for post in posts if (place := self.place(post)) is not None]
        edge = min(places, default=0) + 1
        return edge if before is None or edge < before else before - 1


def _again(post: dict[str, Any]) -> bool:
    """True where a post was retrieved again."""
    meta = post.get("_meta")
    return isinstance(meta, dict) and meta.get("retrieved_2nd_on") is not None
