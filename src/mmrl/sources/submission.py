"""Parser of Reddit submissions: one JSON object of any age and tool into rows of the catalog.

It reads the objects of Reddit's API (with `raw_json=1` or without), of Pushshift, of Arctic Shift,
and rows of tables whose columns were given Reddit's names.

A score says little without the post's age at that time, so each observation needs a time:

* Arctic Shift since 2023-11: `_meta.retrieved_2nd_on`, when score and comments were fetched again;
  files that were merged or brought up to date: `updated_on` or `updated_utc`.
* Arctic Shift before, Pushshift: `retrieved_on` or `retrieved_utc`.
* Otherwise what the caller states for the whole source (see `Unstated`).
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from mmrl.catalog.fullnames import ACCOUNT, POST, bare_id, kind_of
from mmrl.catalog.reasons import Reason
from mmrl.runtime.foreign_text import shown
from mmrl.sources.dates import DayOrder
from mmrl.sources.fields import (
    Unreadable,
    bad,
    count,
    flag,
    line,
    moment,
    needed,
    share,
    text,
    unescaped,
)
from mmrl.sources.permalinks import PostPage, post_page
from mmrl.sources.post import Parsed, Refused, Unstated
from mmrl.sources.still_image import find_media

GONE = ("[deleted]", "[removed]", "DELETED")  # authors that are nobody; BDFR writes the last one
REDDIT_BEGAN = datetime(2005, 6, 1, tzinfo=UTC)  # the site opened on 2005-06-23


class _Form(NamedTuple):
    """The form of a text, and the same in words, as a refusal says it."""

    pattern: re.Pattern[str]
    words: str


# Base 36; 13 digits hold any 64-bit number.
_ID = _Form(re.compile(r"[0-9a-z]{1,13}"), "1 to 13 of a-z and 0-9, such as 102cj7y")
_NAME = _Form(
    re.compile(r"[^\s/\\\x00-\x1f\x7f-\x9f]{1,64}"),
    "a name of 1 to 64 characters, without blanks, control characters, / and \\",
)
# Of other platforms.
_ANY_ID = _Form(
    re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}"),
    "1 to 64 of A-Z, a-z, 0-9, - and _, the first neither - nor _",
)
_ANY_NAME = _Form(
    re.compile(r"[^/\\\x00-\x1f\x7f-\x9f]{1,64}"),
    "a name of 1 to 64 characters, without control characters, / and \\",
)
# Clocks of two machines may differ; by more than that, one is wrong.
CLOCKS_DIFFER = timedelta(days=1)
# When the score was fetched again, and when the post was first retrieved.
_AGAIN = ("updated_on", "updated_utc")
_RETRIEVED = ("retrieved_on", "retrieved_utc", "retrieved_at")
# Characters that texts may have: Reddit's own limits, with room for other platforms' captions.
LONGEST_TITLE, LONGEST_URL, LONGEST_PERMALINK, LONGEST_WORDS = 10_000, 8_000, 2_000, 300
LEAST_SCORE = -10_000_000_000


class Copied(NamedTuple):
    """A column of `posts` that is one value of the submission.

    Attributes:
        column: in `posts`.
        name: of the value in JSON.
        read: its parser, of `mmrl.sources.fields`.
        limits: of the value, as the parser takes them.
    """

    column: str
    name: str
    read: Callable[..., Any]
    limits: tuple[int, ...] = ()


# A further column of this kind is a line here: what reads submissions goes by this list.
COPIED = (
    Copied("url", "url", line, (LONGEST_URL,)),
    Copied("permalink", "permalink", line, (LONGEST_PERMALINK,)),
    Copied("over_18", "over_18", flag),
    Copied("spoiler", "spoiler", flag),
    Copied("flair", "link_flair_text", line, (LONGEST_WORDS,)),
    Copied("domain", "domain", line, (LONGEST_WORDS,)),
)


def parse_submission(
    submission: object,
    *,
    source: str,
    as_of: datetime,
    unstated: Unstated,
    raw_json: bool = False,
    any_id: bool = False,
    day_order: DayOrder | None = None,
) -> Parsed | Refused:
    """Reads one submission; never raises, whatever it is given.

    Args:
        submission: what was parsed from JSON; a listing's `{"kind": "t3", "data": {...}}` too.
        source: kept in `posts.source`, such as `reddit` or `dump:RS_2023-11.zst`.
        as_of: the present; an observation later than this is refused.
        unstated: what holds for a score whose object does not state when it was observed.
        raw_json: the texts come unescaped, as the API sends them when asked for `raw_json=1`.
        any_id: the post need not be Reddit's (a table may hold another platform's): ids of other
            forms, communities with blanks in their names, times before Reddit began.
        day_order: how dates such as 9/8/2022 are meant.
    """
    if not isinstance(submission, Mapping):
        return Refused(Reason.NOT_A_POST, f"expected an object, found {_kind(submission)}")
    data = submission.get("data")
    kind = submission.get("kind")
    if isinstance(data, Mapping) and isinstance(kind, str):
        if kind != POST:
            return Refused(Reason.NOT_A_POST, f"kind is '{shown(kind)}', a post's is 't3'")
        submission = data
    rules = _Rules(source, as_of, unstated, raw_json, any_id, day_order)
    try:
        return _parse(dict(submission), rules)
    except Unreadable as error:
        return Refused(error.reason, error.detail, error.field)


@dataclass
class _Rules:
    """How one submission is read, see `parse_submission`; collects the values it leaves out."""

    source: str
    as_of: datetime
    unstated: Unstated
    raw_json: bool
    any_id: bool
    day_order: DayOrder | None
    dropped: list[str] = field(default_factory=list)

    def or_none(self, parse: Callable[..., Any], value: Any, name: str, *limits: Any) -> Any:
        """The value, or None where it can't be used: no label needs it."""
        if value is None:
            return None
        try:
            return parse(value, name, *limits)
        except Unreadable:
            self.dropped.append(name)
            return None

    def words(self, data: Mapping[str, Any], name: str) -> str | None:
        """A text with Reddit's escapes undone, or None where it has too many characters."""
        words: str | None = self.copied(data, Copied("", name, line, (LONGEST_WORDS,)))
        return words

    def copied(self, data: Mapping[str, Any], column: Copied) -> Any:
        """The value of a column, a text with Reddit's escapes undone; None where it has none."""
        value = self.or_none(column.read, data.get(column.name), column.name, *column.limits)
        return unescaped(value) if isinstance(value, str) and not self.raw_json else value


def _parse(data: dict[str, Any], rules: _Rules) -> Parsed:
    copied = {column.column: rules.copied(data, column) for column in COPIED}
    page = post_page(copied["permalink"])
    post_id = _post_id(data, page, rules.any_id)
    title = needed(data.get("title"), "title", LONGEST_TITLE)
    if title is None:
        raise Unreadable(Reason.NO_TITLE, f"post {post_id} has no title")
    created_at = _created_at(data, post_id, rules)
    author = _author(rules.words(data, "author"))
    crosspost = rules.words(data, "crosspost_parent")
    media = find_media(data)
    first_seen_at, observed_at, settled = _times(data, created_at, rules)
    post = {
        "post_id": post_id,
        "subreddit": _subreddit(data, page, post_id, rules.any_id),
        "title": title if rules.raw_json else unescaped(title),
        "author_id": _author_id(data),
        "author_name": None if author in GONE else author,
        "created_at": created_at,
        "is_gallery": media.gallery_size is not None or data.get("is_gallery") is True,
        "is_video": media.is_video,
        "gallery_size": media.gallery_size,
        "crosspost_parent": bare_id(POST, crosspost) if crosspost else None,
        "image_url": media.image_url,
        "preview_url": media.preview_url,
        "first_seen_at": first_seen_at,
        "source": rules.source,
        "image_known_at": None,
        "flair_known_at": None,
        **copied,
    }
    observation = _observation(data, post_id, title, observed_at, settled, rules)
    return Parsed(post, observation, settled is None, tuple(rules.dropped))


def _created_at(data: Mapping[str, Any], post_id: str, rules: _Rules) -> datetime:
    created_at = moment(data.get("created_utc"), "created_utc", rules.day_order)
    if created_at is None:
        raise Unreadable(Reason.NO_CREATION_TIME, f"post {post_id} has no created_utc")
    if created_at < REDDIT_BEGAN and not rules.any_id:
        expected = "a time since Reddit began in June 2005"
        raise bad("created_utc", data.get("created_utc"), expected, Reason.OUT_OF_RANGE)
    return created_at


def _observation(
    data: Mapping[str, Any],
    post_id: str,
    title: str,
    observed_at: datetime,
    settled: bool | None,
    rules: _Rules,
) -> dict[str, Any] | None:
    upvotes = data.get("score") is None and "ups" in data
    score = count(data["ups"] if upvotes else data.get("score"), "score", least=LEAST_SCORE)
    observation = {
        "post_id": post_id,
        "observed_at": observed_at,
        "score": score,
        "settled": True if settled is None else settled,
        "upvote_ratio": rules.or_none(share, data.get("upvote_ratio"), "upvote_ratio"),
        "num_comments": rules.or_none(count, data.get("num_comments"), "num_comments"),
        "subscribers": rules.or_none(
            count, data.get("subreddit_subscribers"), "subreddit_subscribers"
        ),
        "author_comment_karma": None,
        "author_link_karma": None,
        "author_created_at": None,
        "removed_by": removed_by(data, title),
        "source": rules.source,
    }
    return observation if score is not None or observation["removed_by"] else None


def removed_by(data: Mapping[str, Any], title: str | None = None) -> str | None:
    """The remover of the post: Reddit's own word where it states one (`moderator`, `deleted`...).

    `account_deleted` where only the author's account is gone; None for a post that still stands.
    """
    raw = data.get("_meta")
    meta = raw if isinstance(raw, Mapping) else {}
    # Arctic Shift saw it taken away at first and standing at the second retrieval.
    restored = bool(meta.get("was_initially_deleted")) and not meta.get("was_deleted_later")
    stated = text(data.get("removed_by_category")) or text(meta.get("removal_type"))
    if stated and not restored:
        return stated[:LONGEST_WORDS]
    body = text(data.get("selftext"))
    if body == "[removed]" or title == "[removed]":
        return "moderator"
    if body == "[deleted]" or title in ("[deleted]", "[deleted by user]"):
        return "deleted"
    author = _author(text(data.get("author")))
    return "account_deleted" if author in GONE and author != "[removed]" else None


def _times(
    data: Mapping[str, Any], created_at: datetime, rules: _Rules
) -> tuple[datetime, datetime, bool | None]:
    """The times when the post was first seen and its score observed, and whether it is settled.

    The last is None where the object itself states the time of its observation. A stated time that
    can't be right leaves the score without one, and open.
    """
    meta = data.get("_meta")
    again = meta.get("retrieved_2nd_on") if isinstance(meta, Mapping) else None
    stated = {"_meta.retrieved_2nd_on": again}
    stated |= {name: data[name] for name in (*_AGAIN, *_RETRIEVED) if name in data}
    before = len(rules.dropped)
    read = {
        name: rules.or_none(moment, value, name, rules.day_order) for name, value in stated.items()
    }
    known = {name: time for name, time in read.items() if time is not None}
    for name, time in known.items():
        if time > rules.as_of + CLOCKS_DIFFER:
            raise Unreadable(
                Reason.OUT_OF_RANGE,
                f"{name} is {time.isoformat()}, expected a time until {rules.as_of.isoformat()}",
                name,
            )
    early = [name for name, time in known.items() if created_at - time > CLOCKS_DIFFER]
    rules.dropped += early
    if not known or len(rules.dropped) > before:
        at = _after_creation(rules.unstated.at, created_at)
        return at, at, rules.unstated.settled and len(rules.dropped) == before
    observed = next(iter(known.values()))
    first = next((known[name] for name in _RETRIEVED if name in known), observed)
    return (
        _after_creation(min(first, observed), created_at),
        _after_creation(observed, created_at),
        None,
    )


def _after_creation(observed: datetime, created_at: datetime) -> datetime:
    if created_at - observed > CLOCKS_DIFFER:
        raise Unreadable(
            Reason.OUT_OF_RANGE,
            f"created_utc is {created_at.isoformat()}, expected a time until its score was "
            f"observed ({observed.isoformat()})",
            "created_utc",
        )
    return max(observed, created_at)


def _post_id(data: Mapping[str, Any], page: PostPage | None, any_id: bool) -> str:
    fullname = line(data.get("name"), "name", LONGEST_WORDS)
    if fullname and kind_of(fullname.lower()) not in (None, POST):
        raise Unreadable(Reason.NOT_A_POST, f"its name is '{shown(fullname)}', a post's begins t3_")
    if "link_id" in data and "title" not in data:
        raise Unreadable(Reason.NOT_A_POST, "it has a link_id and no title: a comment")
    stated = data.get("id")
    if any_id and isinstance(stated, int) and abs(stated) < 10**18:
        stated = str(stated)
    post_id = line(stated, "id", LONGEST_WORDS) or fullname or (page.post_id if page else None)
    if not post_id:
        if any(name in data for name in ("title", "url", "selftext", "score")):
            needed(stated, "id", LONGEST_WORDS)
            raise Unreadable(Reason.NO_ID, "has no id")
        raise Unreadable(Reason.NOT_A_POST, "has no id, title, url, text or score")
    bare = bare_id(POST, post_id[:3].lower() + post_id[3:])
    if bare == post_id[:3].lower() + post_id[3:]:
        bare = post_id
    form = _ANY_ID if any_id else _ID
    for read in (bare, post_id):  # elsewhere an id may begin with t3_
        if form.pattern.fullmatch(read):
            return read
    raise bad("id", post_id, form.words)


def _subreddit(data: Mapping[str, Any], page: PostPage | None, post_id: str, any_id: bool) -> str:
    stated = data.get("subreddit")
    if isinstance(stated, Mapping):  # as some tools write PRAW's objects
        stated = stated.get("display_name")
    name = line(stated, "subreddit", LONGEST_WORDS) or text(data.get("subreddit_name_prefixed"))
    name = name or (page.subreddit if page else None)
    if not name:
        needed(stated, "subreddit", LONGEST_WORDS)
        raise Unreadable(Reason.NO_SUBREDDIT, f"post {post_id} names no subreddit")
    bare = name.removeprefix("/").removeprefix("r/").strip()
    if bare.startswith("u/"):
        bare = "u_" + bare[2:]  # a user's own page is a subreddit of that name
    form = _ANY_NAME if any_id else _NAME
    if not form.pattern.fullmatch(bare):
        raise bad("subreddit", name, form.words)
    return bare


def _author(name: str | None) -> str | None:
    """An author's name without the u/ in front."""
    if name is None:
        return None
    bare = name.removeprefix("/")
    return bare[2:] if bare[:2].lower() == "u/" else name


def _author_id(data: Mapping[str, Any]) -> str | None:
    bare = bare_id(ACCOUNT, text(data.get("author_fullname")) or "")
    return bare if _ID.pattern.fullmatch(bare) else None


def _kind(value: object) -> str:
    names = {list: "a list", str: "a text", type(None): "null", bool: "true or false"}
    return names.get(type(value), "a number")
