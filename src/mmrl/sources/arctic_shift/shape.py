"""The shape of Arctic Shift's posts that mmrl counts on, compared with an answer."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from mmrl.sources.live import Json

_NUMBER = (int, float)
# Fields that every post has in the schemas that the archive's project publishes by month.
FIELDS: dict[str, tuple[type, ...]] = {
    "id": (str,),
    "title": (str,),
    "subreddit": (str,),
    "author": (str,),
    "created_utc": _NUMBER,
    "retrieved_on": _NUMBER,
    "score": _NUMBER,
    "num_comments": _NUMBER,
    "upvote_ratio": _NUMBER,
    "subreddit_subscribers": _NUMBER,
    "over_18": (bool,),
    "url": (str,),
}
_SETTLED_BY = timedelta(hours=48)  # by this age a post was retrieved again, unless it is late


def differences(posts: Sequence[Json], as_of: datetime) -> list[str]:
    """The ways in which posts differ from what is expected, a few words each; none where they fit.

    Args:
        posts: of one answer, not empty.
        as_of: the present.
    """
    unlike = []
    for name, types in FIELDS.items():
        values = [post.get(name) for post in posts]
        wrong = [value for value in values if not _is(value, types)]
        if wrong:
            expected = "a number" if types == _NUMBER else "a text" if types == (str,) else "a flag"
            unlike.append(f"{name} is not {expected} in {len(wrong)} of {len(posts)} posts")
    old = [post for post in posts if _age(post, as_of) > _SETTLED_BY]
    again = [post for post in old if _is(_meta(post).get("retrieved_2nd_on"), _NUMBER)]
    if old and not again:
        unlike.append(f"_meta.retrieved_2nd_on is in none of {len(old)} posts of over 48 hours")
    return unlike


def _is(value: Any, types: tuple[type, ...]) -> bool:
    return isinstance(value, types) and (bool in types or not isinstance(value, bool))


def _meta(post: Json) -> dict[str, Any]:
    meta = post.get("_meta")
    return meta if isinstance(meta, dict) else {}


def _age(post: Json, as_of: datetime) -> timedelta:
    created = post.get("created_utc")
    if not _is(created, _NUMBER):
        return timedelta(0)
    return timedelta(seconds=as_of.timestamp() - float(created or 0))
