"""Columns of a table by what they hold: guessed from common names, or named by the user."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mmrl.errors import InputError

# The fields that a table may have, under the names that people give them; the first name found is
# taken. Case, spaces and punctuation do not count (`Post ID` is `post_id`).
SYNONYMS: dict[str, tuple[str, ...]] = {
    "id": ("id", "post_id", "submission_id", "reddit_id", "link_id", "fullname", "name"),
    "title": ("title", "post_title", "submission_title", "headline", "raw_caption"),
    "score": ("score", "post_score", "ups", "upvotes", "num_upvotes", "points", "karma", "likes"),
    "created_utc": (
        *("created_utc", "created_at", "created", "created_time", "created_date", "creation_time"),
        *("timestamp", "datetime", "post_date", "posted_at", "date", "time", "utc"),
    ),
    "subreddit": ("subreddit", "subreddit_name", "subreddit_name_prefixed", "sub"),
    "author": ("author", "author_name", "username", "user_name", "user", "op", "poster"),
    "author_id": ("author_fullname", "author_id", "user_id"),
    "url": ("url", "image_url", "img_url", "media_url", "content_url", "link", "domain_url"),
    "permalink": ("permalink", "full_link", "post_url", "reddit_url"),
    "image": (
        *("image", "image_path", "image_file", "image_filename", "image_name", "img", "img_path"),
        *("filename", "file_name", "file_path", "file", "path", "picture", "photo"),
    ),
    "num_comments": (
        *("num_comments", "number_of_comments", "comment_count", "comments_count", "n_comments"),
        *("comms_num", "comments"),
    ),
    "upvote_ratio": ("upvote_ratio", "ratio"),
    "subscribers": (
        *("subreddit_subscribers", "subscribers", "num_subscribers", "subscriber_count"),
    ),
    "flair": ("link_flair_text", "flair", "post_flair", "flair_text"),
    "over_18": ("over_18", "is_over_18", "nsfw", "is_nsfw"),
    "spoiler": ("spoiler", "is_spoiler"),
    "is_video": ("is_video",),
    "is_self": ("is_self",),
    "domain": ("domain",),
    "selftext": ("selftext", "body", "text"),
    "removed_by": ("removed_by_category", "removed_by", "removed"),
    "checked_at": (
        *("checked_at", "retrieved_on", "retrieved_utc", "retrieved_at", "observed_at"),
        *("scraped_at", "scraped_on", "crawled_at", "collected_at", "fetched_at"),
    ),
}
NEEDED = ("id", "title", "score", "created_utc", "subreddit")


@dataclass(frozen=True)
class Columns:
    """A table's columns by what they hold.

    Attributes:
        of: the column of each field that has one.
        named: fields whose column the user named; the others were guessed.
        unmapped: columns that mmrl does not read.
    """

    of: dict[str, str]
    named: frozenset[str]
    unmapped: list[str]

    def lines(self) -> list[str]:
        """The mapping for people, a field a line, and the columns left over."""
        shown = [
            f"{field} = {column}" + ("  (given)" if field in self.named else "")
            for field, column in self.of.items()
        ]
        if self.unmapped:
            shown.append(f"not read: {', '.join(self.unmapped)}")
        return shown


def map_columns(
    present: Sequence[str], named: Mapping[str, str], *, filled: Sequence[str] = ()
) -> Columns:
    """Finds each field's column.

    Args:
        present: the table's columns.
        named: field to column, as the user says; an empty column means that there is none.
        filled: needed fields that come from elsewhere (`--subreddit`).

    Raises:
        InputError: a given field or column does not exist, or a needed one is missing.
    """
    for field, column in named.items():
        if field not in SYNONYMS:
            raise InputError(
                f"--map {field}={column}: there is no field {field!r}; the fields are "
                f"{', '.join(SYNONYMS)}."
            )
        if column and column not in present:
            raise InputError(
                f"--map {field}={column}: the table has no column {column!r}; it has "
                f"{', '.join(present)}."
            )
    folded: dict[str, str] = {}
    for column in present:
        folded.setdefault(fold(column), column)
    columns: dict[str, str] = {}
    for field, names in SYNONYMS.items():
        if field in named:
            column = named[field]
        else:
            taken = {*columns.values(), *named.values()}
            known = (folded.get(fold(name), "") for name in names)
            column = next((name for name in known if name and name not in taken), "")
        if column:
            columns[field] = column
    missing = [field for field in NEEDED if field not in columns and field not in filled]
    if missing:
        options = " ".join(f"--map {field}=COLUMN" for field in missing)
        also = ", or --subreddit NAME" if "subreddit" in missing else ""
        raise InputError(
            f"The table has no column for {', '.join(missing)}; it has {', '.join(present)}: "
            f"say which one holds it with {options}{also}."
        )
    unmapped = [column for column in present if column not in columns.values()]
    return Columns(columns, frozenset(field for field in named if named[field]), unmapped)


def fold(name: str) -> str:
    """A column's name without case, spaces and punctuation."""
    return "".join(sign for sign in name.lower() if sign.isalnum())
