"""Rows of a file as an import takes them: posts and observations by column, and the refused."""

from bisect import bisect_left
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from mmrl.catalog.tables import SCHEMAS
from mmrl.sources.plain import POST_COLUMNS
from mmrl.sources.post import Parsed, Refused
from mmrl.times import microseconds_of

POSTS, OBSERVATIONS = SCHEMAS["posts"], SCHEMAS["observations"]


@dataclass(frozen=True)
class RefusedRow:
    """A row that is refused.

    Attributes:
        after: how many posts come before it.
        place: in its file.
        refused: why.
    """

    after: int
    place: str
    refused: Refused


@dataclass(frozen=True)
class Rows:
    """Rows in the order of their file: n posts, m observations of them, and what is refused.

    Attributes:
        places: of the posts in their file, such as `posts.csv:17`; in a part of a block its lines,
            such as `17`, and `17.2` for the second post of one.
        posts: (n,) rows of the catalog's `posts`.
        observations: (m,) rows of `observations`; a post has one or none.
        of_post: (m,) which of the posts each is of.
        stated: (m,) whether the post's object says when its score was observed.
        dropped: names of values that were left out, by post; of those that have any.
        extras: extra features by post; of those that have any.
        refused: the other rows.
    """

    places: list[str] = field(default_factory=list)
    posts: pa.Table = field(default_factory=POSTS.empty_table)
    observations: pa.Table = field(default_factory=OBSERVATIONS.empty_table)
    of_post: list[int] = field(default_factory=list)
    stated: list[bool] = field(default_factory=list)
    dropped: dict[int, tuple[str, ...]] = field(default_factory=dict)
    extras: dict[int, Mapping[str, str]] = field(default_factory=dict)
    refused: list[RefusedRow] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.places) + len(self.refused)

    @classmethod
    def of(cls, rows: Iterable[tuple[str, Parsed | Refused]]) -> "Rows":
        """Rows that are parsed one by one, with their places."""
        gathered = Gathered()
        for place, row in rows:
            gathered.add(place, row)
        return gathered.rows()

    @classmethod
    def joined(cls, parts: Sequence["Rows"]) -> "Rows":
        """The rows of several, one after the other."""
        of_post, refused = list[int](), list[RefusedRow]()
        dropped, extras = dict[int, tuple[str, ...]](), dict[int, Mapping[str, str]]()
        before = 0
        for part in parts:
            of_post += [before + post for post in part.of_post]
            refused += [replace(row, after=before + row.after) for row in part.refused]
            dropped |= {before + post: names for post, names in part.dropped.items()}
            extras |= {before + post: values for post, values in part.extras.items()}
            before += len(part.places)
        return cls(
            [place for part in parts for place in part.places],
            pa.concat_tables([POSTS.empty_table(), *(part.posts for part in parts)]),
            pa.concat_tables([OBSERVATIONS.empty_table(), *(part.observations for part in parts)]),
            of_post,
            [stated for part in parts for stated in part.stated],
            dropped,
            extras,
            refused,
        )

    def at(self, name: str, line: int) -> "Rows":
        """The rows of a part of a block with their places in the file.

        Args:
            name: the file's.
            line: lines of the file before the block.
        """
        places = [_placed(name, line, place) for place in self.places]
        refused = [replace(row, place=_placed(name, line, row.place)) for row in self.refused]
        return replace(self, places=places, refused=refused)

    def without(self, refused: Mapping[int, Refused]) -> "Rows":
        """The rows, of which some posts are refused after all."""
        if not refused:
            return self
        kept = [post for post in range(len(self.places)) if post not in refused]
        number = {post: place for place, post in enumerate(kept)}
        seen = [place for place, post in enumerate(self.of_post) if post in number]
        rows = [*self.refused]
        rows += [RefusedRow(post, self.places[post], why) for post, why in refused.items()]
        rows.sort(key=lambda row: row.after)  # stable: what is before a post stays before it
        return Rows(
            [self.places[post] for post in kept],
            self.posts.take(pa.array(kept, pa.int64())),
            self.observations.take(pa.array(seen, pa.int64())),
            [number[self.of_post[place]] for place in seen],
            [self.stated[place] for place in seen],
            {number[post]: names for post, names in self.dropped.items() if post in number},
            {number[post]: values for post, values in self.extras.items() if post in number},
            [replace(row, after=bisect_left(kept, row.after)) for row in rows],
        )

    def extras_by_post(self) -> dict[str, Mapping[str, str]]:
        """Extra features by the posts' ids; where a post is there several times, of its first."""
        if not self.extras:
            return {}
        ids = self.posts["post_id"].to_pylist()
        first = {post_id: post for post, post_id in reversed(list(enumerate(ids)))}
        return {ids[at]: values for at, values in self.extras.items() if first[ids[at]] == at}

    def undated(self) -> pa.Table:
        """The observations of which nothing says when they were made."""
        return self.observations.filter(pc.invert(pa.array(self.stated, pa.bool_())))

    def left_open(self, posts: Collection[str]) -> "Rows":
        """The rows, with the undated scores of some posts not settled."""
        undated = pc.invert(pa.array(self.stated, pa.bool_()))
        of_these = pc.is_in(self.observations["post_id"], value_set=pa.array(posts, pa.string()))
        settled = pc.if_else(pc.and_(of_these, undated), False, self.observations["settled"])
        place = OBSERVATIONS.get_field_index("settled")
        field = OBSERVATIONS.field(place)
        return replace(self, observations=self.observations.set_column(place, field, settled))


class Gathered:
    """Rows as they come."""

    def __init__(self) -> None:
        self._places: list[str] = []
        self._posts: list[tuple[Any, ...]] = []
        self._observations: list[tuple[Any, ...]] = []
        self._of_post: list[int] = []
        self._stated: list[bool] = []
        self._dropped: dict[int, tuple[str, ...]] = {}
        self._extras: dict[int, Mapping[str, str]] = {}
        self._refused: list[RefusedRow] = []

    def __len__(self) -> int:
        return len(self._places) + len(self._refused)

    def add(self, place: str, row: Parsed | Refused) -> None:
        """Takes a row that is parsed, or refused."""
        post = len(self._places)
        if isinstance(row, Refused):
            self._refused.append(RefusedRow(post, place, row))
            return
        if row.observation is not None:
            observation = _values(row.observation, OBSERVATIONS.names)
            self.add_values(place, _values(row.post, POST_COLUMNS), observation, stated=row.stated)
        else:
            self._places.append(place)
            self._posts.append(_values(row.post, POST_COLUMNS))
        if row.dropped:
            self._dropped[post] = row.dropped
        if row.extras:
            self._extras[post] = row.extras

    def add_values(
        self, place: str, post: tuple[Any, ...], observation: tuple[Any, ...], *, stated: bool
    ) -> None:
        """Takes a post and its observation, values in the order of `Plain`'s.

        Times are whole microseconds since 1970.
        """
        self._of_post.append(len(self._places))
        self._places.append(place)
        self._posts.append(post)
        self._observations.append(observation)
        self._stated.append(stated)

    def rows(self) -> Rows:
        """The rows so far."""
        return Rows(
            self._places,
            _table(self._posts, POST_COLUMNS, POSTS),
            _table(self._observations, OBSERVATIONS.names, OBSERVATIONS),
            self._of_post,
            self._stated,
            self._dropped,
            self._extras,
            self._refused,
        )


def _values(row: Mapping[str, Any], names: Sequence[str]) -> tuple[Any, ...]:
    values = (row[name] for name in names)
    return tuple(microseconds_of(v) if isinstance(v, datetime) else v for v in values)


def _table(rows: list[tuple[Any, ...]], names: Sequence[str], schema: pa.Schema) -> pa.Table:
    if not rows:
        return schema.empty_table()
    columns = dict(zip(names, zip(*rows, strict=True), strict=True))
    arrays = [pa.array(columns[one.name], one.type) for one in schema]
    return pa.Table.from_arrays(arrays, schema=schema)


def _placed(name: str, line: int, place: str) -> str:
    number, dot, one = place.partition(".")
    return f"{name}:{line + int(number)}{dot}{one}"
