"""Erases posts from every table: their facts, looks, pictures, captions, vectors and predictions.

A purge first writes what it will erase into the table `purging`, in one commit. Killed at any
instant, the next one reads it there and ends what was begun; every step may be done twice.
Pictures, titles and captions that another kept post shares stay.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import partial

import pyarrow as pa

from mmrl.catalog import Catalog, quote
from mmrl.catalog.tables import SCHEMAS, SPACES
from mmrl.catalog.tombstones import mark_author, mark_posts
from mmrl.purge.files import persist

INTENT, LATE = "purging", "purge_late"
POST_TABLES = (
    *("posts", "selection", "samples", "post_images", "predictions", "observations", "checks"),
)
CROSSPOST_OF_PURGED = "purged"  # posts.crosspost_parent, where the parent was purged
_LISTED = 1_000  # keys in one filter
_LEAST = 5  # characters of an id that is looked for within texts; shorter ones are words, too


@dataclass
class Doomed:
    """What a purge erases.

    Attributes:
        posts: reasons by post id.
        contents: hashes that no kept post shares, by space; `image` also stands for the pictures
            and their captions.
        authors: names that no post is to come in of again.
        notes: what else the purge has to do, by kind; for whoever resumes it.
    """

    posts: dict[str, str] = field(default_factory=dict)
    contents: dict[str, set[str]] = field(default_factory=lambda: {name: set() for name in SPACES})
    authors: set[str] = field(default_factory=set)
    notes: dict[str, dict[str, str]] = field(default_factory=lambda: defaultdict(dict))

    def reasons(self) -> Counter[str]:
        """Posts by reason."""
        return Counter(self.posts.values())


def begin(catalog: Catalog, doomed: Doomed) -> None:
    """Writes down what will be erased; from here on a killed purge is ended by the next one."""
    rows: list[tuple[str, str, str | None]]
    rows = [("post", post, reason) for post, reason in doomed.posts.items()]
    rows += [(f"content/{space}", x, None) for space in SPACES for x in doomed.contents[space]]
    rows += [("author", name, None) for name in doomed.authors]
    rows += [(f"note/{kind}", *x) for kind, said in doomed.notes.items() for x in said.items()]
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
        how many pictures were deleted.
    """
    mark_posts(catalog, doomed.posts)
    for name in doomed.authors:
        mark_author(catalog, name)
    for table in POST_TABLES:
        _delete(catalog, table, "post_id", doomed.posts)
    images = doomed.contents["image"]
    used = catalog.lookup("post_images", "sha256", images, ["sha256"])["sha256"].to_pylist()
    images.difference_update(used)  # a post that has come meanwhile shows the same picture
    pictures = catalog.lookup("images", "sha256", images, ["sha256"]).num_rows
    _delete(catalog, "images", "sha256", images)
    _delete(catalog, "captions", "sha256", images)
    _forget_lost_pictures(catalog, images)
    for table in catalog.table_names():
        space = table.removeprefix("embeddings_").rpartition("_")[0]
        if table.startswith("embeddings_") and space in SPACES:
            _delete(catalog, table, "content", doomed.contents[space])
    _erase_failures(catalog, doomed)
    posts = catalog.opened("posts")
    for part in _parts(doomed.posts):
        where = f"crosspost_parent IN ({part})"
        if posts is not None and catalog.count("posts", where):
            values = {"crosspost_parent": CROSSPOST_OF_PURGED}
            persist(partial(posts.update, where=where, values=values))
    return pictures


def remaining(catalog: Catalog, doomed: Doomed) -> int:
    """Rows of its posts that are still there, written by someone who had begun before."""
    return sum(
        catalog.lookup(table, "post_id", doomed.posts, ["post_id"]).num_rows
        for table in POST_TABLES
    )


def end(catalog: Catalog, doomed: Doomed) -> None:
    """Forgets what was to be erased; only hashes of contents stay until the next purge.

    A stage that was under way may yet write a vector or a picture of them, so that one looks once
    more.
    """
    catalog.drop(LATE)
    rows = [(space, content) for space in SPACES for content in doomed.contents[space]]
    if rows and doomed.posts:
        columns = dict(zip(("kind", "value"), zip(*rows, strict=True), strict=True))
        catalog.upsert(LATE, pa.table(columns, schema=SCHEMAS[LATE]))
    catalog.drop(INTENT)


def holding_tables(catalog: Catalog) -> list[str]:
    """The tables that may hold something of a post."""
    return [
        name
        for name in catalog.table_names()
        if name in (*POST_TABLES, "images", "captions", "failures")
        or name.startswith("embeddings_")
    ]


def purged_of(catalog: Catalog, version: str) -> tuple[int, int]:
    """How many posts that a model version learned from, and was judged on, were purged since."""
    rows = catalog.read("purged_models", ["learned", "judged"], f"model_version = {quote(version)}")
    return sum(rows["learned"].to_pylist()), sum(rows["judged"].to_pylist())


def _forget_lost_pictures(catalog: Catalog, images: set[str]) -> None:
    """Has pictures fetched again that a post came to show just while they were deleted."""
    shown = set(catalog.lookup("post_images", "sha256", images, ["sha256"])["sha256"].to_pylist())
    there = set(catalog.lookup("images", "sha256", shown, ["sha256"])["sha256"].to_pylist())
    _delete(catalog, "post_images", "sha256", shown - there)


def _erase_failures(catalog: Catalog, doomed: Doomed) -> None:
    """Deletes failures of its posts and contents, and those whose detail names a post."""
    _delete(catalog, "failures", "key", set(doomed.posts).union(*doomed.contents.values()))
    ids = {post for post in doomed.posts if len(post) >= _LEAST}
    told = catalog.read("failures", ["key", "detail"], "detail IS NOT NULL").to_pylist()
    naming = {
        row["key"]
        for row in told
        if not ids.isdisjoint(re.findall(r"[0-9A-Za-z_-]+", f"{row['key']} {row['detail']}"))
    }
    _delete(catalog, "failures", "key", naming)


def _delete(catalog: Catalog, table: str, column: str, values: Iterable[str]) -> None:
    for part in _parts(values):
        where = f"{column} IN ({part})"
        if catalog.count(table, where):
            persist(partial(catalog.delete, table, where))


def _parts(values: Iterable[str]) -> Iterable[str]:
    """The values as lists of literals, a thousand at most in each."""
    listed = sorted(values)
    for start in range(0, len(listed), _LISTED):
        yield ", ".join(quote(value) for value in listed[start : start + _LISTED])
