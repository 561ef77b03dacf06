"""Kinds of rows, by what they hold of a post; a purge erases by it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class OfPost:
    """Each row is of one post.

    Attributes:
        column: holds the post's id.
        author: holds the name of the post's account, where a purged account is kept out by it.
        mentions: columns that may hold the id of another post; a purge of that one rewrites them.
    """

    column: str = "post_id"
    author: str | None = None
    mentions: tuple[str, ...] = ()


@dataclass(frozen=True)
class OfContent:
    """Each row is of a content that several posts may share.

    Attributes:
        space: of the content, one of `EMBEDDED`; `image` also stands for image files.
        column: holds the content's hash.
    """

    space: str
    column: str


@dataclass(frozen=True)
class OfAnyKey:
    """Each row is of a post, a content or something else, and may name posts in words.

    Attributes:
        key: holds a post's id, a content's hash or another key.
        words: holds text in which ids of posts may stand.
    """

    key: str
    words: str


@dataclass(frozen=True)
class OfNoPost:
    """No row tells anything of a post that may be purged, for the reason given."""

    reason: str


Holds = OfPost | OfContent | OfAnyKey | OfNoPost
