"""Columns of a table by what they hold: told by names and values, or named by the user."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mmrl.errors import InputError
from mmrl.runtime.foreign_text import shown
from mmrl.sources.dates import UnreadDateError, read_time
from mmrl.sources.permalinks import post_page

# The fields that a table may have, under the names that people give them; the first name found is
# taken, if its values don't speak against it. Case, spaces and punctuation do not count (`Post ID`
# is `post_id`).
SYNONYMS: dict[str, tuple[str, ...]] = {
    "id": (
        *("id", "post_id", "submission_id", "reddit_id", "link_id", "fullname", "name"),
        *("image_id", "pin_id", "photo_id", "media_id", "shortcode"),
    ),
    "title": ("title", "post_title", "submission_title", "headline", "raw_caption", "caption"),
    "score": ("score", "post_score", "ups", "upvotes", "num_upvotes", "points", "karma", "likes"),
    "created_utc": (
        *("created_utc", "created_at", "created", "created_time", "created_date", "creation_time"),
        *("timestamp", "datetime", "post_date", "posted_at", "date", "time", "utc"),
    ),
    "subreddit": (
        *("subreddit", "subreddit_name", "subreddit_name_prefixed", "sub", "community", "group"),
    ),
    "author": ("author", "author_name", "username", "user_name", "user", "op", "poster"),
    "author_id": ("author_fullname", "author_id", "user_id"),
    "permalink": (
        *("permalink", "full_link", "post_url", "reddit_url", "post_link", "comments_url"),
        *("link", "url"),
    ),
    "url": ("url", "content_url", "link", "domain_url", "post_url"),
    "image_url": (
        *("url_overridden_by_dest", "image_url", "img_url", "media_url", "picture_url"),
        *("photo_url", "display_url"),
    ),
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
        *("extract_time", "extracted_at", "snapshot_time", "snapshot_at", "updated_on"),
        *("timestamp", "datetime", "date", "time"),  # beside another time of creation
    ),
}
NEEDED = ("id", "title", "score", "created_utc", "subreddit")
_PAGES = ("permalink", "full_link", "post_url", "reddit_url", "post_link", "comments_url")
_ANY_TIME = ("timestamp", "datetime", "date", "time")  # of creation, or of the observation
_SHOWN = 30  # columns named at most
Sample = Sequence[Mapping[str, Any]]


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
        lines = [
            f"{field} = {shown(column)}" + ("  (given)" if field in self.named else "")
            for field, column in self.of.items()
        ]
        if "id" not in self.of:
            lines.insert(0, f"id and subreddit: from {shown(self.of['permalink'])}")
        if self.unmapped:
            lines.append(f"not read: {listed(self.unmapped)}")
        return lines


def map_columns(
    present: Sequence[str],
    named: Mapping[str, str],
    *,
    filled: Sequence[str] = (),
    sample: Sample = (),
) -> Columns:
    """Finds each field's column.

    Args:
        present: the table's columns.
        named: field to column, as the user says; an empty column means that there is none.
        filled: needed fields that come from elsewhere (`--subreddit`).
        sample: some rows, whose values may speak against a column.

    Raises:
        InputError: a given field or column does not exist, or a needed one is missing.
    """
    _check(present, named)
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
            free = [name for name in dict.fromkeys(known) if name and name not in taken]
            column = _first_that_fits(field, free, columns, sample)
        if column:
            columns[field] = column
    if "permalink" in columns:
        filled = [*filled, "id", "subreddit"]
    missing = [field for field in NEEDED if field not in columns and field not in filled]
    if missing:
        options = " ".join(f"--map {field}=COLUMN" for field in missing)
        also = ", or --subreddit NAME" if "subreddit" in missing else ""
        raise InputError(
            f"The table has no column for {', '.join(missing)}; it has {listed(present)}: "
            f"say which one holds it with {options}{also}."
        )
    unmapped = [column for column in present if column not in columns.values()]
    return Columns(columns, frozenset(field for field in named if named[field]), unmapped)


def recognised(present: Sequence[str]) -> int:
    """How many of some names are among those that people give to columns."""
    known = {fold(name) for names in SYNONYMS.values() for name in names}
    return len(known & {fold(name) for name in present})


def _check(present: Sequence[str], named: Mapping[str, str]) -> None:
    for field, column in named.items():
        if field not in SYNONYMS:
            raise InputError(
                f"--map {shown(field)}={shown(column)}: there is no field '{shown(field)}'; the "
                f"fields are {', '.join(SYNONYMS)}."
            )
        if column and column not in present:
            raise InputError(
                f"--map {field}={shown(column)}: the table has no column '{shown(column)}'; it has "
                f"{listed(present)}."
            )


def _first_that_fits(
    field: str, free: Sequence[str], columns: Mapping[str, str], sample: Sample
) -> str:
    """The first of the columns whose values don't speak against it; "" for none."""
    if field == "id":
        others = [column for column in free if not _are_row_numbers(column, sample)]
        free = others if others or _some_page(sample) else free
    if field == "permalink":
        free = [column for column in free if _may_be_permalink(column, sample)]
    if field == "checked_at":
        free = [column for column in free if _may_be_later(column, columns, sample)]
    return free[0] if free else ""


def _values(column: str, sample: Sample) -> list[Any]:
    values = (row.get(column) for row in sample)
    return [value for value in values if value is not None and str(value).strip()]


def _are_row_numbers(column: str, sample: Sample) -> bool:
    """True where a column counts the rows: 0, 1, 2... Ids of posts never do."""
    values = _values(column, sample)
    if len(values) < 2 or not all(str(value).strip().isdecimal() for value in values):
        return False
    first = int(str(values[0]).strip()[:18])
    return [str(value).strip() for value in values] == [
        str(first + place) for place in range(len(values))
    ]


def _some_page(sample: Sample) -> bool:
    """True where the first row holds the address of a post's page."""
    return any(
        isinstance(value, str) and post_page(value) is not None
        for row in sample[:1]
        for value in row.values()
    )


def _may_be_permalink(column: str, sample: Sample) -> bool:
    values = _values(column, sample)
    if not values:
        return fold(column) in {fold(name) for name in _PAGES}
    return all(post_page(str(value)) is not None for value in values)


def _may_be_later(column: str, columns: Mapping[str, str], sample: Sample) -> bool:
    """True where a column may say when scores were observed: times after the post's creation.

    A name such as `timestamp` says that only where its values do.
    """
    if fold(column) not in _ANY_TIME:
        return True
    created = columns.get("created_utc")
    ages = []
    for row in sample:
        try:
            ages.append(read_time(row.get(column)) - read_time(row.get(created or "")))
        except UnreadDateError:
            return False
    return bool(ages) and all(age.total_seconds() >= 0 for age in ages) and len(set(ages)) > 1


def listed(names: Sequence[str]) -> str:
    """Names of columns for people; of many, the first ones."""
    more = len(names) - _SHOWN
    named = ", ".join(shown(name) or "(without a name)" for name in names[:_SHOWN])
    return named + (f" and {more:,} more" if more > 0 else "")


def fold(name: str) -> str:
    """A column's name without case, spaces and punctuation."""
    return "".join(sign for sign in name.lower() if sign.isalnum())
