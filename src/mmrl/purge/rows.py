"""Rows of posts, erased from every table that holds any: see `mmrl.catalog.tables.Table.holds`.

A purge first writes what it will erase into the table `purging`, in one commit. Killed at any
instant, the next one reads it there and ends what was begun; every step may be done twice.
Images, titles and captions that another kept post shares stay.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

import pyarrow as pa

from mmrl.catalog import Catalog, among, quote
from mmrl.catalog.columns import EMBEDDED
from mmrl.catalog.holds import Holds, OfAnyKey, OfContent, OfNoPost, OfPost
from mmrl.catalog.tables import SCHEMAS, table_of
from mmrl.catalog.tombstones import mark_author, mark_posts
from mmrl.errors import CatalogError
from mmrl.purge.files import persist

INTENT, LATE = "purging", "purge_late"
Kind = TypeVar("Kind", OfPost, OfContent, OfAnyKey)
PURGED = "purged"  # stands where a column named a post that was purged
_LEAST = 5  # characters of an id that is looked for within texts; shorter ones are words, too


@dataclass
class Doomed:
    """What a purge erases.

    Attributes:
        posts: reasons by post id.
        contents: hashes that no kept post shares, by space; `image` also stands for the image
            files and their captions.
        authors: names that no post is to come in of again.
        notes: what else the purge has to do, by kind; for whoever resumes it.
    """

    posts: dict[str, str] = field(default_factory=dict)
    contents: dict[str, set[str]] = field(
        default_factory=lambda: {name: set() for name in EMBEDDED}
    )
    authors: set[str] = field(default_factory=set)
    notes: dict[str, dict[str, str]] = field(default_factory=lambda: defaultdict(dict))

    def reasons(self) -> Counter[str]:
        """Posts by reason."""
        return Counter(self.posts.values())


def begin(catalog: Catalog, doomed: Doomed) -> None:
    """Writes down what will be erased; from here on a killed purge is ended by the next one."""
    rows: list[tuple[str, str, str | None]]
    rows = [("post", post, reason) for post, reason in doomed.posts.items()]
    rows += [(f"content/{space}", x, None) for space in EMBEDDED for x in doomed.contents[space]]
    rows += [("author", name, None) for name in doomed.authors]
    rows += [(f"note/{kind}", *x) for kind, notes in doomed.notes.items() for x in notes.items()]
    columns = dict(zip(("kind", "value", "said"), zip(*rows, strict=True), strict=True))
    catalog.upsert(INTENT, pa.table(columns, schema=SCHEMAS[INTENT]))


def unfinished(catalog: Catalog) -> Doomed | None:
    """What a killed purge had begun to erase."""
    rows = catalog.read(INTENT).to_pylist()
    if not rows:
        return None
    doomed = Doomed()
    for row in rows:
        kind, _, what = row["kind"].partition("/")
        if kind == "post":
            doomed.posts[row["value"]] = row["said"]
        elif kind == "content":
            doomed.contents[what].add(row["value"])
        elif kind == "author":
            doomed.authors.add(row["value"])
        else:
            doomed.notes[what][row["value"]] = row["said"]
    return doomed


def erase_rows(catalog: Catalog, doomed: Doomed) -> int:
    """Deletes all rows of it, and keeps its posts from being written again.

    Returns:
        how many images were deleted.
    """
    mark_posts(catalog, doomed.posts)
    for name in doomed.authors:
        mark_author(catalog, name)
    for table, holds in _tables(catalog, OfPost):
        _delete(catalog, table, holds.column, doomed.posts)
    images = doomed.contents["image"]
    used = catalog.lookup("post_images", "sha256", images, ["sha256"])["sha256"].to_pylist()
    images.difference_update(used)  # a post that has come meanwhile shows the same image
    erased_images = catalog.lookup("images", "sha256", images, ["sha256"]).num_rows
    for table, content in _tables(catalog, OfContent):
        _delete(catalog, table, content.column, doomed.contents[content.space])
    _forget_lost_images(catalog, images)
    for table, any_key in _tables(catalog, OfAnyKey):
        _erase_named(catalog, table, any_key, doomed)
    for table, holds in _tables(catalog, OfPost):
        for column in holds.mentions:
            _unname(catalog, table, column, doomed)
    return erased_images


def remaining(catalog: Catalog, doomed: Doomed) -> int:
    """Rows of its posts that are still there, written by someone who had begun before."""
    return sum(
        catalog.lookup(table, holds.column, doomed.posts, [holds.column]).num_rows
        for table, holds in _tables(catalog, OfPost)
    )


def end(catalog: Catalog, doomed: Doomed) -> None:
    """Forgets what was to be erased; only hashes of contents stay until the next purge.

    A stage that was under way may yet write a vector or an image of them, so the next purge erases
    them once more.
    """
    catalog.drop(LATE)
    rows = [(space, content) for space in EMBEDDED for content in doomed.contents[space]]
    if rows and doomed.posts:
        columns = dict(zip(("kind", "value"), zip(*rows, strict=True), strict=True))
        catalog.upsert(LATE, pa.table(columns, schema=SCHEMAS[LATE]))
    catalog.drop(INTENT)


def holding_tables(catalog: Catalog) -> list[str]:
    """The tables that may hold something of a post.

    Raises:
        CatalogError: a table of which nothing is declared; a purge could not know what it holds.
    """
    return [
        name for name in catalog.table_names() if not isinstance(_holds(catalog, name), OfNoPost)
    ]


def purged_of(catalog: Catalog, version: str) -> tuple[int, int]:
    """How many posts that a model version learned from, and was judged on, were purged since."""
    rows = catalog.read("purged_models", ["learned", "judged"], f"model_version = {quote(version)}")
    return sum(rows["learned"].to_pylist()), sum(rows["judged"].to_pylist())


def _holds(catalog: Catalog, name: str) -> Holds:
    table = table_of(name)
    if table is None:
        raise CatalogError(
            f"The catalog at {catalog.home} has a table {name!r} that this mmrl does not know, so "
            "it can't tell what of a post is in it: purge with the mmrl that made it, or drop it."
        )
    return table.holds


def _tables(catalog: Catalog, kind: type[Kind]) -> list[tuple[str, Kind]]:
    """The tables made so far that hold posts' data in this way."""
    held = ((name, _holds(catalog, name)) for name in catalog.table_names())
    return [(name, holds) for name, holds in held if isinstance(holds, kind)]


def _forget_lost_images(catalog: Catalog, images: set[str]) -> None:
    """Has images fetched again that a post came to show just while they were deleted."""
    shown = set(catalog.lookup("post_images", "sha256", images, ["sha256"])["sha256"].to_pylist())
    there = set(catalog.lookup("images", "sha256", shown, ["sha256"])["sha256"].to_pylist())
    _delete(catalog, "post_images", "sha256", shown - there)


def _erase_named(catalog: Catalog, table: str, holds: OfAnyKey, doomed: Doomed) -> None:
    """Deletes rows under its posts and contents, and those whose words name a post."""
    _delete(catalog, table, holds.key, set(doomed.posts).union(*doomed.contents.values()))
    ids = {post for post in doomed.posts if len(post) >= _LEAST}
    worded = catalog.read(table, [holds.key, holds.words], f"{holds.words} IS NOT NULL").to_pylist()
    naming = {
        row[holds.key]
        for row in worded
        if not ids.isdisjoint(re.findall(r"[0-9A-Za-z_-]+", f"{row[holds.key]} {row[holds.words]}"))
    }
    _delete(catalog, table, holds.key, naming)


def _unname(catalog: Catalog, table: str, column: str, doomed: Doomed) -> None:
    """Writes `purged` where a column of another post's row names one of its posts."""
    opened = catalog.opened(table)
    for where in among(column, doomed.posts):
        if catalog.count(table, where):
            persist(partial(opened.update, where=where, values={column: PURGED}))


def _delete(catalog: Catalog, table: str, column: str, values: Iterable[str]) -> None:
    for where in among(column, values):
        if catalog.count(table, where):
            persist(partial(catalog.delete, table, where))
