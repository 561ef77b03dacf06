"""Submissions whose every value is as Reddit itself writes it: read at a fraction of the cost.

Nearly all of a dump is so. `mmrl.sources.submission` reads any value of any tool, and alone refuses
posts and leaves values out. Here a value's type and form are looked at, and a submission with any
other value is left to it: so whatever is read here is what it would read.
"""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any, NamedTuple

from mmrl.catalog.fullnames import ACCOUNT, POST, fullname
from mmrl.sources.dates import LAST
from mmrl.sources.fields import MOST, count, flag, line, share, unescaped
from mmrl.sources.still_image import find_media
from mmrl.sources.submission import (
    CLOCKS_DIFFER,
    COPIED,
    GONE,
    LEAST_SCORE,
    LONGEST_TITLE,
    LONGEST_WORDS,
    REDDIT_BEGAN,
    removed_by,
)

_BASE_36 = "([0-9a-z]{1,13})"
_BARE = re.compile(_BASE_36).fullmatch
_ACCOUNT = re.compile(fullname(ACCOUNT, _BASE_36)).fullmatch
_POST = re.compile(fullname(POST, _BASE_36)).fullmatch
_SUBREDDIT = re.compile(r"[A-Za-z0-9_-]{1,64}").fullmatch
_SECOND = 1_000_000  # in microseconds
_FIRST_SECOND, _LAST_SECOND = int(REDDIT_BEGAN.timestamp()), int(LAST.timestamp())
_SKEW = CLOCKS_DIFFER // timedelta(seconds=1)


# The columns of `posts` in the order in which a post's values are read here.
POST_COLUMNS = (
    *("post_id", "subreddit", "title", "author_id", "author_name", "created_at", "is_gallery"),
    *("is_video", "gallery_size", "crosspost_parent", "image_url", "preview_url", "first_seen_at"),
    *("source", "image_known_at", "flair_known_at"),
    *(column.column for column in COPIED),
)


class Plain(NamedTuple):
    """A post and its observation, as the values of `POST_COLUMNS` and of `observations`' columns.

    Times are whole microseconds since 1970. `subreddit` and `created` are among the post's.
    """

    subreddit: str
    created: int
    post: tuple[Any, ...]
    observation: tuple[Any, ...]


class _OddError(Exception):
    """A value that is not as Reddit writes it."""


def read_plain(submission: object, source: str, latest: int) -> Plain | None:
    """Reads a submission as `parse_submission` does; None where that has to look at it.

    Args:
        submission: as parsed from JSON by orjson, whose texts are whole.
        source: kept in `posts.source`.
        latest: microseconds since 1970: a later observation is refused.
    """
    if not isinstance(submission, dict):
        return None
    try:
        return _read(submission, source, latest)
    except _OddError:
        return None


def _read(data: dict[str, Any], source: str, latest: int) -> Plain:
    get = data.get
    post_id, subreddit = _names(data)
    title, score = _text(get("title"), LONGEST_TITLE), _count(get("score"), LEAST_SCORE)
    if title is None or score is None:
        raise _OddError
    created = _seconds(get("created_utc"))
    first_seen, observed = _observed(data, created, latest)
    author, media = _author(get("author")), find_media(data)
    post = (
        post_id,
        subreddit,
        unescaped(title),
        _bare(_ACCOUNT, get("author_fullname")),
        None if author in GONE else author,
        created * _SECOND,
        media.gallery_size is not None or get("is_gallery") is True,
        media.is_video,
        media.gallery_size,
        _bare(_POST, get("crosspost_parent")),
        media.image_url,
        media.preview_url,
        first_seen * _SECOND,
        source,
        None,
        None,
        *[read(get(name), *limits) for name, read, limits in _COPIED],
    )
    observation = (
        post_id,
        observed * _SECOND,
        score,
        True,
        _share(get("upvote_ratio")),
        _count(get("num_comments")),
        _count(get("subreddit_subscribers")),
        None,
        None,
        None,
        _removed_by(data, title, author),
        source,
    )
    return Plain(subreddit, created * _SECOND, post, observation)


def _names(data: dict[str, Any]) -> tuple[str, str]:
    """The post's id, and its subreddit."""
    post_id, subreddit = data.get("id"), data.get("subreddit")
    if (
        post_id.__class__ is str
        and subreddit.__class__ is str
        and _BARE(post_id)
        and _SUBREDDIT(subreddit)
        and ((name := data.get("name")) is None or name == fullname(POST, post_id))
        and "data" not in data  # a post in a wrapping
    ):
        return post_id, subreddit
    raise _OddError


def _text(value: Any, most: int) -> str | None:
    if value is None:
        return None
    if value.__class__ is not str or len(value) > most or "\0" in value:
        raise _OddError
    return value.strip() or None


def _words(value: Any, most: int) -> str | None:
    """A text like `_text`, with Reddit's escapes undone."""
    text = _text(value, most)
    return unescaped(text) if text is not None and "&" in text else text


def _bare(form: Any, value: Any) -> str | None:
    """The id in a fullname of a certain form."""
    if value is None:
        return None
    name = form(value) if value.__class__ is str else None
    if name is None:
        raise _OddError
    return str(name[1])


def _author(value: Any) -> str | None:
    author = _words(value, LONGEST_WORDS)
    if author is not None and "/" in author:  # such as u/NAME
        raise _OddError
    return author


def _flag(value: Any) -> bool | None:
    if value is None or value is True or value is False:
        return value
    raise _OddError


def _count(value: Any, least: int = 0, most: int = MOST) -> int | None:
    if value is None:
        return None
    if value.__class__ is int and least <= value <= most:
        return int(value)
    raise _OddError


def _share(value: Any) -> float | None:
    if value is None:
        return None
    if value.__class__ in (float, int) and 0 <= value <= 1:
        return float(value)
    raise _OddError


# What the parsers of `mmrl.sources.fields` are here, and with them the columns that are copied.
_READ: dict[Callable[..., Any], Callable[..., Any]] = {
    line: _words,
    flag: _flag,
    count: _count,
    share: _share,
}
_COPIED = [(column.name, _READ[column.read], column.limits) for column in COPIED]


def _seconds(value: Any) -> int:
    """A time in whole seconds since 1970."""
    if (value.__class__ is float and value.is_integer()) or (
        value.__class__ is str and len(value) == 10 and value.isascii() and value.isdigit()
    ):
        value = int(value)
    if value.__class__ is int and _FIRST_SECOND <= value < _LAST_SECOND:
        return int(value)
    raise _OddError


def _observed(data: dict[str, Any], created: int, latest: int) -> tuple[int, int]:
    """When the post was first seen and its score observed, in seconds; the object states both."""
    get = data.get
    meta, retrieved = get("_meta"), get("retrieved_on")
    if retrieved is None:
        retrieved = get("retrieved_utc")
    if retrieved is None:
        retrieved = get("retrieved_at")
    stated = (
        meta.get("retrieved_2nd_on") if meta.__class__ is dict else None,
        get("updated_on"),
        get("updated_utc"),
        retrieved,
        get("retrieved_utc"),
        get("retrieved_at"),
    )
    known = [
        time if time.__class__ is int else _seconds(time) for time in stated if time is not None
    ]
    if not known or created - min(known) > _SKEW:
        raise _OddError
    last = max(known)
    if not last < _LAST_SECOND or last * _SECOND > latest:
        raise _OddError
    observed = known[0] if known[0] > created else created
    if retrieved is None:
        return observed, observed
    first = _seconds(retrieved)
    if first > observed:
        first = observed
    return first if first > created else created, observed


def _removed_by(data: dict[str, Any], title: str, author: str | None) -> str | None:
    """As `removed_by`, which is asked where anything may tell of a removal."""
    meta, body = data.get("_meta"), data.get("selftext")
    stands = (
        data.get("removed_by_category") is None
        and (meta is None or (meta.__class__ is dict and meta.get("removal_type") is None))
        and (not body or (body.__class__ is str and body[0].isalnum()))
        and title[0] != "["
        and author not in GONE
    )
    return None if stands else removed_by(data, title)
