"""Looking for many values in a pass: few groups of batches, within a bound of bytes."""

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmrl.catalog import lookup


def batch(rows: int) -> pa.RecordBatch:
    return pa.record_batch({"n": pa.array(range(rows), pa.int64())})  # 8 bytes a row


@given(st.lists(st.integers(0, 50), max_size=30), st.integers(1, 200))
def test_batches_are_joined_until_they_have_as_many_rows_as_values_are_looked_for(
    sizes: list[int], values: int
) -> None:
    groups = list(lookup.together(map(batch, sizes), values))
    together = pa.concat_tables(groups) if groups else pa.table({"n": pa.array([], pa.int64())})
    assert together["n"].to_pylist() == [n for size in sizes for n in range(size)]
    assert all(group.num_rows >= values for group in groups[:-1])
    assert all(group.num_rows < values + 50 for group in groups)


def test_no_more_is_held_than_the_bound_of_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lookup, "_HELD_BYTES", 8 * 100)
    groups = list(lookup.together((batch(40) for _ in range(7)), 1_000_000))
    assert [group.num_rows for group in groups] == [120, 120, 40]
