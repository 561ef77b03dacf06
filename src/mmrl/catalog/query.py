"""Filters of Lance's SQL, and the anti-join that finds pending work."""

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.compute as pc

_VALUES_A_FILTER = 2_000  # longer lists are split; Lance plans a longer filter out of proportion
_CLOSE = 16  # ids in a span for each that is asked for; Reddit gives a post every third or so
_BASE36 = re.compile(r"[0-9a-z]{1,13}").fullmatch


def quote(text: str) -> str:
    """A text as a literal of a Lance SQL filter."""
    return "'" + text.replace("'", "''") + "'"


def moment(time: datetime) -> str:
    """A UTC time as a literal of a Lance SQL filter."""
    return f"timestamp '{time.astimezone(UTC).strftime('%Y-%m-%d %H:%M:%S.%f')}'"


def among(column: str, values: Iterable[str]) -> Iterator[str]:
    """Filters that together select the rows whose `column` is among the values, none twice."""
    distinct = sorted(set(values))
    for start in range(0, len(distinct), _VALUES_A_FILTER):
        listed = ", ".join(quote(value) for value in distinct[start : start + _VALUES_A_FILTER])
        yield f"{column} IN ({listed})"


def between(column: str, values: pa.Array) -> str | None:
    """A filter of one span for values that are ids close together, as those of a dump's next posts.

    Args:
        values: without null ones, at least one.

    Returns:
        None where there may be many others between the first and the last of them.
    """
    first, last = pc.min_max(values).values()
    low, high = first.as_py(), last.as_py()
    if len(low) != len(high) or not (_BASE36(low) and _BASE36(high)):
        return None
    if int(high, 36) - int(low, 36) > _CLOSE * len(values):
        return None
    return f"{column} >= {quote(low)} AND {column} <= {quote(high)}"


def distinct_values(values: Iterable[str] | pa.Array | pa.ChunkedArray) -> pa.Array:
    """Values once each, without null ones."""
    if not isinstance(values, pa.Array | pa.ChunkedArray):
        values = pa.array(sorted(set(values)), pa.string())
    return pc.drop_null(pc.unique(values))


def without(
    rows: pa.Table, column: str, values: Iterable[str] | pa.Array | pa.ChunkedArray
) -> pa.Table:
    """The rows whose `column` is not among `values`: the anti-join that finds pending work."""
    if isinstance(values, pa.ChunkedArray):
        known = values.combine_chunks()
    elif isinstance(values, pa.Array):
        known = values
    else:
        known = pa.array(list(values), pa.string())
    return rows.filter(pc.invert(pc.is_in(rows[column], value_set=known)))
