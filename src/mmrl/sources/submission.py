"""Parser of Reddit submissions: one JSON object of any age and tool into rows of the catalog.

It reads the objects of Reddit's API (with `raw_json=1` or without), of Pushshift, of Arctic Shift,
and rows of tables whose columns were given Reddit's names.

A score says little without the post's age at that time, so each observation needs a time:

* Arctic Shift since 2023-11: `_meta.retrieved_2nd_on`, when score and comments were fetched again.
* Arctic Shift before, Pushshift: `retrieved_on` or `retrieved_utc`.
* Otherwise what the caller states for the whole source (see `Unstated`).
"""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from mmrl.catalog.fullnames import ACCOUNT, POST, bare_id, kind_of
from mmrl.catalog.reasons import Reason
from mmrl.sources.fields import Unreadable, count, flag, moment, number, text, unescaped
from mmrl.sources.post import Parsed, Refused, Unstated
from mmrl.sources.still_image import find_media

GONE = ("[deleted]", "[removed]")
_ID = re.compile(r"[0-9a-z]{1,13}")  # base 36; 13 digits hold any 64-bit number
_ANY_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_NAME = re.compile(r"[^\s/\\]{1,64}")
_SKEW = timedelta(days=1)  # clocks of two machines may differ; by more than that, one is wrong
_RETRIEVED = ("retrieved_on", "retrieved_utc", "retrieved_at")


def parse_submission(
    submission: object,
    *,
    source: str,
    as_of: datetime,
    unstated: Unstated,
    raw_json: bool = False,
    any_id: bool = False,
) -> Parsed | Refused:
    """Reads one submission; never raises, whatever it is given.

    Args:
        submission: what was parsed from JSON; a listing's `{"kind": "t3", "data": {...}}` too.
        source: kept in `posts.source`, such as `reddit` or `dump:RS_2023-11.zst`.
        as_of: the present; an observation later than this is refused.
        unstated: what holds for a score whose object does not state when it was observed.
        raw_json: the texts come unescaped, as the API sends them when asked for `raw_json=1`.
        any_id: ids need not be Reddit's (a table may have its own).
    """
    if not isinstance(submission, Mapping):
        return Refused(Reason.NOT_A_POST, f"expected an object, found {_kind(submission)}")
    data = submission.get("data")
    kind = submission.get("kind")
    if isinstance(data, Mapping) and isinstance(kind, str):
        if kind != POST:
            return Refused(Reason.NOT_A_POST, f"kind is {text(kind)!r}, a post's is 't3'")
        submission = data
    try:
        return _parse(dict(submission), source, as_of, unstated, raw_json, any_id)
    except Unreadable as error:
        return Refused(error.reason, error.detail)


def _parse(
    data: dict[str, Any],
    source: str,
    as_of: datetime,
    unstated: Unstated,
    raw_json: bool,
    any_id: bool,
) -> Parsed:
    post_id = _post_id(data, any_id)
    title = text(data.get("title"))
    if title is None:
        raise Unreadable(Reason.NO_TITLE, f"post {post_id} has no title")
    created_at = moment(data.get("created_utc"), "created_utc")
    if created_at is None:
        raise Unreadable(Reason.NO_CREATION_TIME, f"post {post_id} has no created_utc")
    subreddit = _subreddit(data, post_id)
    author = text(data.get("author"))
    url = text(data.get("url"))
    crosspost = text(data.get("crosspost_parent"))
    flair = text(data.get("link_flair_text"))
    media = find_media(data)
    first_seen_at, observed_at, settled = _times(data, created_at, as_of, unstated)
    post = {
        "post_id": post_id,
        "subreddit": subreddit,
        "title": title if raw_json else unescaped(title),
        "author_id": _author_id(data),
        "author_name": None if author in GONE else author,
        "created_at": created_at,
        "url": url if raw_json or url is None else unescaped(url),
        "permalink": text(data.get("permalink")),
        "over_18": flag(data.get("over_18"), "over_18"),
        "spoiler": flag(data.get("spoiler"), "spoiler"),
        "is_gallery": media.gallery_size is not None or data.get("is_gallery") is True,
        "is_video": media.is_video,
        "gallery_size": media.gallery_size,
        "crosspost_parent": bare_id(POST, crosspost) if crosspost else None,
        "flair": flair if raw_json or flair is None else unescaped(flair),
        "domain": text(data.get("domain")),
        "image_url": media.image_url,
        "first_seen_at": first_seen_at,
        "source": source,
    }
    observation = _observation(data, post_id, title, observed_at, settled)
    return Parsed(post, observation, stated=settled is None)


def _observation(
    data: dict[str, Any], post_id: str, title: str, observed_at: datetime, settled: bool | None
) -> dict[str, Any] | None:
    score = count(
        data["ups"] if data.get("score") is None and "ups" in data else data.get("score"),
        "score",
        least=-10_000_000_000,
    )
    observation = {
        "post_id": post_id,
        "observed_at": observed_at,
        "score": score,
        "settled": True if settled is None else settled,
        "upvote_ratio": number(data.get("upvote_ratio"), "upvote_ratio", 0, 1),
        "num_comments": count(data.get("num_comments"), "num_comments"),
        "subscribers": count(data.get("subreddit_subscribers"), "subreddit_subscribers"),
        "author_comment_karma": None,
        "author_link_karma": None,
        "author_created_at": None,
        "removed_by": removed_by(data, title),
    }
    return observation if score is not None or observation["removed_by"] else None


def removed_by(data: Mapping[str, Any], title: str | None = None) -> str | None:
    """The remover of the post: Reddit's own word where it states one (`moderator`, `deleted`...).

    `account_deleted` where only the author's account is gone; None for a post that still stands.
    """
    meta = data.get("_meta")
    later = text(meta.get("removal_type")) if isinstance(meta, Mapping) else None
    stated = text(data.get("removed_by_category")) or later
    if stated:
        return stated
    body = text(data.get("selftext"))
    if body == "[removed]" or title == "[removed]":
        return "moderator"
    if body == "[deleted]" or title in ("[deleted]", "[deleted by user]"):
        return "deleted"
    return "account_deleted" if text(data.get("author")) == "[deleted]" else None


def _times(
    data: dict[str, Any], created_at: datetime, as_of: datetime, unstated: Unstated
) -> tuple[datetime, datetime, bool | None]:
    """The times when the post was first seen and its score observed, and whether it is settled.

    The last is None where the object itself states the time of its observation.
    """
    meta = data.get("_meta")
    again = meta.get("retrieved_2nd_on") if isinstance(meta, Mapping) else None
    second = moment(again, "_meta.retrieved_2nd_on")
    retrieved = (moment(data.get(name), name) for name in _RETRIEVED)
    first = next((time for time in retrieved if time is not None), None)
    if first is None and second is None:
        at = _after_creation(unstated.at, created_at)
        return at, at, unstated.settled
    observed = second or first
    assert observed is not None
    if observed > as_of + _SKEW:
        raise Unreadable(
            Reason.BAD_VALUE, f"its score was observed in the future, {observed.isoformat()}"
        )
    observed = _after_creation(observed, created_at)
    return _after_creation(min(first or observed, observed), created_at), observed, None


def _after_creation(observed: datetime, created_at: datetime) -> datetime:
    if created_at - observed > _SKEW:
        raise Unreadable(
            Reason.BAD_VALUE,
            f"created {created_at.isoformat()}, after its score was observed "
            f"({observed.isoformat()})",
        )
    return max(observed, created_at)


def _post_id(data: dict[str, Any], any_id: bool) -> str:
    fullname = text(data.get("name"))
    if fullname and kind_of(fullname) not in (None, POST):
        raise Unreadable(Reason.NOT_A_POST, f"its name is {fullname[:40]!r}, a post's begins t3_")
    if "link_id" in data and "title" not in data:
        raise Unreadable(Reason.NOT_A_POST, "it has a link_id and no title: a comment")
    stated = data.get("id")
    if any_id and isinstance(stated, int) and abs(stated) < 10**18:
        stated = str(stated)
    post_id = text(stated) or fullname
    if post_id is None:
        if any(name in data for name in ("title", "url", "selftext", "score")):
            raise Unreadable(Reason.NO_ID, "has no id")
        raise Unreadable(Reason.NOT_A_POST, "has no id, title, url, text or score")
    bare = bare_id(POST, post_id)
    if not (_ANY_ID if any_id else _ID).fullmatch(bare):
        expected = "letters, digits, - and _" if any_id else "base 36, such as 102cj7y"
        raise Unreadable(Reason.BAD_VALUE, f"id is {post_id[:40]!r}, expected {expected}")
    return bare


def _subreddit(data: dict[str, Any], post_id: str) -> str:
    name = text(data.get("subreddit")) or text(data.get("subreddit_name_prefixed"))
    if name is None:
        raise Unreadable(Reason.NO_SUBREDDIT, f"post {post_id} names no subreddit")
    bare = name.removeprefix("/").removeprefix("r/")
    if bare.startswith("u/"):
        bare = "u_" + bare[2:]  # a user's own page is a subreddit of that name
    if not _NAME.fullmatch(bare):
        raise Unreadable(Reason.BAD_VALUE, f"subreddit is {name[:60]!r}, expected a name")
    return bare


def _author_id(data: dict[str, Any]) -> str | None:
    bare = bare_id(ACCOUNT, text(data.get("author_fullname")) or "")
    return bare if _ID.fullmatch(bare) else None


def _kind(value: object) -> str:
    names = {list: "a list", str: "a text", type(None): "null", bool: "true or false"}
    return names.get(type(value), "a number")
