"""Marks of what was purged: one-way hashes, by which it is kept from coming in again.

A mark is a keyed hash of a post's id or an account's name; the key is the home's own. Whoever has
the home can test whether a given id was purged, but can't read the ids off.
"""

import functools
import hashlib
import secrets
from collections.abc import Iterable

import pyarrow as pa
import pyarrow.compute as pc

from mmrl.catalog.fullnames import POST, fullname
from mmrl.catalog.holds import OfPost
from mmrl.catalog.meta import set_once, value_of
from mmrl.catalog.protocol import Tables
from mmrl.catalog.tables import PURGED_MARKS, table_of

TABLE = "purged_marks"
_SALT = "purge salt"


def mark_posts(catalog: Tables, post_ids: Iterable[str]) -> None:
    """Keeps these posts from being written to any table from now on."""
    _mark(catalog, [_post(post_id) for post_id in post_ids])


def mark_author(catalog: Tables, name: str) -> None:
    """Keeps posts of this account from being written from now on."""
    _mark(catalog, [_author(name)])


def not_purged(catalog: Tables, table: str, rows: pa.Table) -> pa.Table:
    """The rows without those of purged posts, and without posts of purged accounts.

    Its cost follows the rows given, not what was purged.
    """
    declared = table_of(table)
    if declared is None or not isinstance(declared.holds, OfPost) or not rows.num_rows:
        return rows
    if catalog.opened(TABLE) is None:
        return rows
    holds, salt = declared.holds, _salt(catalog)
    marks = [_marks(salt, map(_post, rows[holds.column].to_pylist()))]
    if holds.author is not None:
        names = rows[holds.author].to_pylist()
        marks.append(_marks(salt, [_author(name or "") for name in names]))
    every = [mark for column in marks for mark in column]
    known = catalog.lookup(TABLE, "mark", every)["mark"].combine_chunks()
    if not len(known):
        return rows
    purged = [pc.is_in(pa.array(column, pa.string()), value_set=known) for column in marks]
    return rows.filter(pc.invert(functools.reduce(pc.or_, purged)))


def _mark(catalog: Tables, things: list[str]) -> None:
    if things:
        set_once(catalog, _SALT, secrets.token_hex(16))
        marks = sorted(set(_marks(_salt(catalog), things)))
        catalog.insert(TABLE, pa.table({"mark": marks}, schema=PURGED_MARKS))


def _salt(catalog: Tables) -> bytes:
    salt = value_of(catalog, _SALT)
    assert salt is not None  # there are marks, which were made with it
    return bytes.fromhex(salt)


def _marks(salt: bytes, things: Iterable[str]) -> list[str]:
    return [
        hashlib.blake2b(
            thing.encode("utf-8", "surrogatepass"), key=salt, digest_size=16
        ).hexdigest()
        for thing in things
    ]


def _post(post_id: str) -> str:
    return fullname(POST, post_id)


def _author(name: str) -> str:
    return f"u/{name.lower()}"
