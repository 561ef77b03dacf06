"""One reading of a listing: how far it went, and whether ids count up in it.

Listings are in the order of creation. Whether a post was there at an earlier poll is told by its
time; its id tells only which ids to ask for where a listing ends too early. Reddit's ids have
counted up so far, and may stop: then ids say nothing of what lies between two of them.
"""

from dataclasses import dataclass, field
from itertools import pairwise

_DISORDER = 0.05  # of neighbours in a listing, those whose ids and times contradict each other
_CONTRADICTIONS = 3  # at least: a few posts may have been given another time
_ORDER_AGAIN = 100  # posts made since that are in order


@dataclass(frozen=True)
class Frontier:
    """The place and the time (epoch seconds) up to which subreddits were read.

    Attributes:
        seconds: None in cursors of an earlier mmrl: then the place alone tells.
    """

    place: int
    seconds: int | None

    def is_above(self, place: int, seconds: int) -> bool:
        """Whether a post of that place and time had been there."""
        return place <= self.place if self.seconds is None else seconds <= self.seconds


@dataclass
class Reading:
    """Counts of the pages so far.

    Attributes:
        read: posts in them.
        below: of these, posts that were there at the last poll.
        newest, oldest: the newest place of the first page, and the oldest of all; 0 for none.
        newest_at, oldest_at: the same as times, in epoch seconds.
    """

    frontier: Frontier | None
    read: int = 0
    below: int = 0
    newest: int = 0
    oldest: int = 0
    newest_at: int = 0
    oldest_at: int = 0
    _seen: list[tuple[int, int]] = field(default_factory=list)

    def take(self, posts: list[tuple[int, int]], listed: int) -> None:
        """Counts a page.

        Args:
            posts: time and place of each, in the listing's order.
            listed: how many the page has, also those without a place.
        """
        if self.read == 0:
            self.newest = max((place for _, place in posts), default=0)
            self.newest_at = max((seconds for seconds, _ in posts), default=0)
        self.read += listed
        self.oldest = min((place for _, place in posts), default=self.oldest)
        self.oldest_at = min((seconds for seconds, _ in posts), default=self.oldest_at)
        if self.frontier is None:
            self.below += sum(place <= 0 for _, place in posts)
        else:
            self.below += sum(self.frontier.is_above(place, at) for at, place in posts)
        self._seen += posts

    def in_order(self) -> bool:
        """Whether ids count up with the time of creation, as far as this reading tells."""
        return _in_order(self._seen)

    def in_order_since(self, seconds: int) -> bool:
        """Whether the posts made since a time are many, and their ids count up."""
        since = [post for post in self._seen if post[0] > seconds]
        return len(since) >= _ORDER_AGAIN and _in_order(since)


def _in_order(posts: list[tuple[int, int]]) -> bool:
    apart = [(one, other) for one, other in pairwise(posts) if one[0] != other[0]]
    odd = sum((one[0] > other[0]) != (one[1] > other[1]) for one, other in apart)
    return odd < _CONTRADICTIONS or odd <= _DISORDER * len(apart)
