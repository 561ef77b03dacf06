"""Posts that a file has several times: observed again, or other posts under the same id."""

from bisect import bisect_left
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pyarrow as pa

from mmrl.catalog import Catalog
from mmrl.catalog.reasons import Reason
from mmrl.runtime.foreign_text import shown
from mmrl.sources.files.rows import Rows
from mmrl.sources.later_facts import FACTS, tells_more
from mmrl.sources.post import Refused

_REMEMBERED = 200_000  # posts of this import whose places are told
_SAME_TIME = timedelta(hours=36)  # files round times to days, and leave out the zone
_ENOUGH = 20  # letters and digits that a title which was cut off has at least
_GONE = frozenset({"removed", "deleted", "deletedbyuser", "removedbyreddit"})
_COMPARED = ("post_id", "title", "created_at", "source", *FACTS)
Post = dict[str, Any]


class Duplicates:
    """Tells, batch by batch, which rows repeat a post, and which are of another with its id.

    Attributes:
        repeated: rows of posts that this import had before; as far as it remembers.
        later: posts of the last batch with a fact that was lacking, and the time of each.
    """

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._places: dict[str, str] = {}
        self.repeated = 0
        self.later: list[tuple[Post, datetime]] = []

    def sift(self, rows: Rows) -> Rows:
        """The rows; refused where a post of the catalog, or an earlier row, with that id is
        another: it has another title, or was created on another day."""
        ids = rows.posts["post_id"]
        stored = self._catalog.lookup("posts", "post_id", ids, _COMPARED).to_pylist()
        first: dict[str, int | Post] = {post["post_id"]: post for post in stored}  # or its row
        names = ids.to_pylist()
        again = {
            row: first[name] for row, name in enumerate(names) if first.setdefault(name, row) != row
        }
        posts = _some(
            rows.posts.select(_COMPARED),
            [*again, *(row for row in again.values() if isinstance(row, int))],
        )
        refused: dict[int, Refused] = {}
        self.later = []
        for row, (name, place) in enumerate(zip(names, rows.places, strict=True)):
            if row in again:
                before = again[row]
                before = posts[before] if isinstance(before, int) else before
                if _differ(before, posts[row]):
                    refused[row] = self._refusal(posts[row], before)
                    continue
                if tells_more(before, posts[row]):
                    self.later.append((posts[row], _told_at(rows, row)))
            self.repeated += name in self._places
            if len(self._places) < _REMEMBERED:
                self._places.setdefault(name, place)
        return rows.without(refused)

    def _refusal(self, post: Post, before: Post) -> Refused:
        where = self._places.get(post["post_id"]) or f"a post of {shown(before['source'])}"
        return Refused(
            Reason.OTHER_POST,
            f"id is '{shown(post['post_id'])}', as of {where}, expected the same title and time: "
            f"'{shown(post['title'], 30)}' of {post['created_at']:%Y-%m-%d}, not "
            f"'{shown(before['title'], 30)}' of {before['created_at']:%Y-%m-%d}",
            "id",
        )


def leave_open(catalog: Catalog, rows: Rows) -> tuple[Rows, set[str]]:
    """Marks scores as not settled where a post has several and nothing says when each was.

    Returns:
        the rows so marked, and the ids of those posts.
    """
    undated = rows.undated()
    settled = undated.filter(undated["settled"])
    if not settled.num_rows:
        return rows, set()
    scores: dict[tuple[str, Any], set[int | None]] = {}
    columns = ["post_id", "observed_at", "score"]
    known = catalog.lookup("observations", "post_id", settled["post_id"], columns)
    for row in [*known.to_pylist(), *undated.select(columns).to_pylist()]:
        scores.setdefault((row["post_id"], row["observed_at"]), set()).add(row["score"])
    own = set(zip(settled["post_id"].to_pylist(), settled["observed_at"].to_pylist(), strict=True))
    unclear = {key[0] for key, values in scores.items() if len(values) > 1 and key in own}
    return (rows.left_open(unclear) if unclear else rows), unclear


def _some(posts: pa.Table, rows: Sequence[int]) -> dict[int, Post]:
    """Some rows of posts by their numbers."""
    return dict(zip(rows, posts.take(pa.array(rows, pa.int64())).to_pylist(), strict=True))


def _told_at(rows: Rows, post: int) -> datetime:
    """When a row tells of its post: at its observation, or when the post was first seen."""
    place = bisect_left(rows.of_post, post)
    seen = place < len(rows.of_post) and rows.of_post[place] == post
    times = rows.observations["observed_at"] if seen else rows.posts["first_seen_at"]
    return times[place if seen else post].as_py()


def _differ(before: dict[str, Any], post: dict[str, Any]) -> bool:
    if abs(before["created_at"] - post["created_at"]) > _SAME_TIME:
        return True
    if before["title"] == post["title"]:
        return False
    titles = [_folded(row["title"]) for row in (before, post)]
    if not all(titles) or _GONE & set(titles):
        return False
    short, long = sorted(titles, key=len)
    return short != long and not (len(short) >= _ENOUGH and long.startswith(short))


def _folded(title: str) -> str:
    """A title's letters and digits: what is left of it in whatever way it was cleaned."""
    return "".join(sign for sign in title.casefold() if sign.isalnum())
