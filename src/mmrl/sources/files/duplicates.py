"""Posts that a file has several times: observed again, or other posts under the same id."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from mmrl.catalog import Catalog
from mmrl.catalog.reasons import Reason
from mmrl.runtime.foreign_text import shown
from mmrl.sources.later_facts import FACTS, tells_more
from mmrl.sources.post import Parsed, Refused

Rows = list[tuple[str, Parsed | Refused]]
_REMEMBERED = 200_000  # posts of this import whose places are told
_SAME_TIME = timedelta(hours=36)  # files round times to days, and leave out the zone
_ENOUGH = 20  # letters and digits that a title which was cut off has at least
_GONE = frozenset({"removed", "deleted", "deletedbyuser", "removedbyreddit"})


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
        self.later: list[tuple[dict[str, Any], datetime]] = []

    def sift(self, rows: Sequence[tuple[str, Parsed | Refused]]) -> Rows:
        """The rows; refused where a post of the catalog, or an earlier row, with that id is
        another: it has another title, or was created on another day."""
        ids = [row.post["post_id"] for _, row in rows if isinstance(row, Parsed)]
        columns = ["post_id", "title", "created_at", "source", *FACTS]
        found = self._catalog.lookup("posts", "post_id", ids, columns).to_pylist()
        known: dict[str, dict[str, Any]] = {post["post_id"]: post for post in found}
        sifted: Rows = []
        self.later = []
        for place, row in rows:
            if isinstance(row, Parsed):
                post_id = row.post["post_id"]
                before = known.setdefault(post_id, row.post)
                again = before is not row.post
                if again and _differ(before, row.post):
                    sifted.append((place, self._refusal(row.post, before)))
                    continue
                if again and tells_more(before, row.post):
                    observation = row.observation or {"observed_at": row.post["first_seen_at"]}
                    self.later.append((row.post, observation["observed_at"]))
                self.repeated += post_id in self._places
                if len(self._places) < _REMEMBERED:
                    self._places.setdefault(post_id, place)
            sifted.append((place, row))
        return sifted

    def _refusal(self, post: dict[str, Any], before: dict[str, Any]) -> Refused:
        where = self._places.get(post["post_id"]) or f"a post of {shown(before['source'])}"
        return Refused(
            Reason.OTHER_POST,
            f"id is '{shown(post['post_id'])}', as of {where}, expected the same title and time: "
            f"'{shown(post['title'], 30)}' of {post['created_at']:%Y-%m-%d}, not "
            f"'{shown(before['title'], 30)}' of {before['created_at']:%Y-%m-%d}",
            "id",
        )


def leave_open(catalog: Catalog, parsed: Sequence[Parsed]) -> set[str]:
    """Marks scores as not settled where a post has several and nothing says when each was.

    Returns:
        the ids of those posts.
    """
    undated = [row.observation for row in parsed if row.observation and not row.stated]
    settled = [observation for observation in undated if observation["settled"]]
    if not settled:
        return set()
    scores: dict[tuple[str, Any], set[int | None]] = {}
    ids = [observation["post_id"] for observation in settled]
    columns = ["post_id", "observed_at", "score"]
    for row in catalog.lookup("observations", "post_id", ids, columns).to_pylist():
        scores.setdefault((row["post_id"], row["observed_at"]), set()).add(row["score"])
    for observation in undated:
        key = observation["post_id"], observation["observed_at"]
        scores.setdefault(key, set()).add(observation["score"])
    own = {(observation["post_id"], observation["observed_at"]) for observation in settled}
    unclear = {key[0] for key, values in scores.items() if len(values) > 1 and key in own}
    for observation in undated:
        if observation["post_id"] in unclear:
            observation["settled"] = False
    return unclear


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
