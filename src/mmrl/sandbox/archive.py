"""Arctic Shift's API over a world at a time: an archive that retrieves each post twice.

A post is retrieved seconds after it is made, with a score of 1, and again about 36 hours later,
when its score, comments and removal are taken anew, once. With faults it is late with either, is
away for hours, times out on large requests, sends posts twice, or sends values in other forms.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Mapping
from random import Random

from mmrl.catalog.fullnames import POST, SUBREDDIT, bare_id
from mmrl.errors import InputError
from mmrl.sandbox.api import Api, Json
from mmrl.sandbox.faults import Faults
from mmrl.sandbox.world import Post
from mmrl.sources.fields import Unreadable, moment

AGAIN_AFTER = 36 * 3_600.0  # seconds until the second retrieval
_PAGE, _AUTO = 100, 1_000
_MOST_IDS, _MOST_NAMES = 500, 1_000
_UPDATED = ("score", "ups", "upvote_ratio", "num_comments", "over_18", "spoiler")
_TIMEOUT = "Timeout. Maybe slow down a bit"


class Refusal(Exception):  # noqa: N818 - an answer, not a fault of the sandbox
    """An answer without data: its status and what it says."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Archive:
    """A world as an archive shows it."""

    def __init__(self, api: Api) -> None:
        self._api = api
        world = api.world
        self._posts: dict[int, list[Post]] = {n: [] for n in range(len(world.subreddits))}
        for post in world.posts:
            self._posts[post.subreddit].append(post)
        self._created = {n: [post.created for post in posts] for n, posts in self._posts.items()}

    def answer(self, path: list[str], query: Mapping[str, str], now: float, luck: "Luck") -> Json:
        """The objects of an answer, as `{"data": [...]}`.

        Args:
            path: what follows `/api/`.

        Raises:
            Refusal: the request is wrong, or too much.
        """
        match path:
            case ["posts", "search"]:
                data = self._search(query, now, luck)
            case ["posts", "ids"]:
                data = self._ids(query, now, luck)
            case ["subreddits", "ids"]:
                data = self._subreddits(query, now)
            case ["subreddits", "search"]:
                numbers = self._api.numbers([query.get("subreddit", "")])
                data = [self._api.about(number, now) for number in numbers]
            case ["subreddits", "rules"]:
                data = self._rules(query, now)
            case _:
                raise Refusal(404, "Not found")
        return {"data": data}

    def shown(self, post: Post, now: float, faults: Faults) -> Json | None:
        """A post as it is archived by now; None where it was not retrieved yet."""
        first, second = retrievals(post, faults)
        if first > now:
            return None
        early = self._api.post(post, first)
        early |= {"retrieved_on": int(first), "score": 1, "ups": 1, "num_comments": 0}
        early |= {"upvote_ratio": 1.0, "archived": False, "all_awardings": []}
        if second <= now:
            later = self._api.post(post, second)
            early |= {name: later[name] for name in _UPDATED}
            early["_meta"] = {"retrieved_2nd_on": int(second)}
            if later["removed_by_category"] and not early["removed_by_category"]:
                removal = {"was_deleted_later": True, "removal_type": "moderator"}
                early["_meta"] |= removal
        if Random(f"{post.id} changed {faults.seed}").random() < faults.changed:
            early |= {name: str(early[name]) for name in ("created_utc", "retrieved_on")}
            early |= {"upvote_ratio": None, "brand_new": {"nested": [1, 2]}, "preview": []}
        return early

    def _search(self, query: Mapping[str, str], now: float, luck: "Luck") -> list[Json]:
        asked = query.get("limit", "25")
        limit = _AUTO if asked == "auto" else int(asked) if asked.isdecimal() else 0
        if asked == "auto":
            limit = min(_AUTO, luck.faults.capacity)
        elif not 1 <= limit <= _PAGE:
            raise Refusal(400, "limit must be between 1 and 100, or auto")
        if luck.times_out(limit):
            raise Refusal(422, _TIMEOUT)
        numbers = self._api.numbers([query.get("subreddit", "").removeprefix("r/")])
        if not numbers:
            return []
        created = self._created[numbers[0]]
        start = 0 if "after" not in query else bisect_right(created, _time(query["after"]))
        end = (
            len(created) if "before" not in query else bisect_left(created, _time(query["before"]))
        )
        newest_first = query.get("sort", "desc") == "desc"
        places = range(end - 1, start - 1, -1) if newest_first else range(start, end)
        page: list[Json] = []
        for place in places:
            post = self._posts[numbers[0]][place]
            shown = self.shown(post, now, luck.faults)
            if shown is not None:
                page += [shown] * (2 if luck.doubles() else 1)
            if len(page) >= limit:
                break
        return page[:limit]

    def _ids(self, query: Mapping[str, str], now: float, luck: "Luck") -> list[Json]:
        ids = [item for item in query.get("ids", "").split(",") if item]
        if not ids or len(ids) > _MOST_IDS:
            raise Refusal(400, f"ids must have between 1 and {_MOST_IDS} items")
        if luck.times_out(len(ids)):
            raise Refusal(422, _TIMEOUT)
        posts = (self._api.find(bare_id(POST, item), now) for item in ids)
        shown = (self.shown(post, now, luck.faults) for post in posts if post is not None)
        return [post for post in shown if post is not None]

    def _subreddits(self, query: Mapping[str, str], now: float) -> list[Json]:
        ids = {bare_id(SUBREDDIT, item) for item in query.get("ids", "").split(",")}
        subreddits = self._api.world.subreddits
        numbers = [n for n, subreddit in enumerate(subreddits) if subreddit.id in ids]
        return [self._api.about(number, now) for number in numbers]

    def _rules(self, query: Mapping[str, str], now: float) -> list[Json]:
        names = query.get("subreddits", "").split(",")[:_MOST_NAMES]
        subreddits = [self._api.world.subreddits[number] for number in self._api.numbers(names)]
        return [
            {"subreddit": subreddit.name, "retrieved_on": int(now), "rules": rules(subreddit.name)}
            for subreddit in subreddits
        ]


class Luck:
    """The faults that one request meets, drawn as it goes."""

    def __init__(self, faults: Faults, dice: Random) -> None:
        self.faults = faults
        self._dice = dice

    def times_out(self, size: int) -> bool:
        """True where a request for so many posts takes too long."""
        return size > self.faults.timeout_over and self._dice.random() < self.faults.timeouts

    def doubles(self) -> bool:
        """True where this post comes twice."""
        return self._dice.random() < self.faults.duplicates


def retrievals(post: Post, faults: Faults) -> tuple[float, float]:
    """When a post is retrieved, and when again, in epoch seconds; the same answer each time."""
    dice = Random(f"{post.id} archived {faults.seed}")
    first = post.created + dice.uniform(1, 20)
    if dice.random() < faults.late:
        first += dice.uniform(0, faults.late_seconds)
    second = post.created + AGAIN_AFTER + dice.uniform(30, 600)
    if dice.random() < faults.second_late:
        second += dice.uniform(0, faults.second_late_seconds)
    away_from, away_until = faults.archive_away_from, faults.archive_away_until
    if away_from is not None and away_until is not None:
        # What was missed meanwhile is made up for within an hour, with the old times of creation.
        first = away_until + dice.uniform(0, 3_600) if away_from <= first < away_until else first
        if away_from <= second < away_until:
            second = away_until + dice.uniform(0, 3_600)
    return first, max(second, first + 3_600)


def rules(subreddit: str) -> list[Json]:
    """The rules of a simulated subreddit, in Reddit's form."""
    names = ("Pictures only", "No screenshots", f"Be kind in r/{subreddit}")
    return [
        {
            "kind": "link",
            "priority": priority,
            "short_name": name,
            "description": f"{name}: posts that are not so are removed.",
            "violation_reason": name,
            "created_utc": 1_700_000_000,
        }
        for priority, name in enumerate(names)
    ]


def _time(text: str) -> float:
    """A time of a query: epoch seconds or milliseconds, or ISO 8601."""
    if text.isdecimal() and len(text) > 11:
        return int(text) / 1_000
    try:
        parsed = moment(int(text) if text.isdecimal() else text, "after")
    except (Unreadable, InputError):
        parsed = None
    if parsed is None:
        raise Refusal(400, "after and before must be times")
    return parsed.timestamp()
