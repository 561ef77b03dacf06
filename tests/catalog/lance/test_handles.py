"""Handles of tables: what is told of a table that another process makes or breaks."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import lance
import pyarrow as pa
import pytest

from mmrl.catalog import Catalog
from mmrl.catalog.tables import SCHEMAS


def test_a_table_made_since_lance_looked_for_it_is_not_taken_for_a_damaged_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Catalog.open(tmp_path, create=True)
    other, late = Catalog.open(tmp_path), Catalog.open(tmp_path)
    chosen = {"post_id": "a", "rules": "r", "decided_at": datetime(2026, 6, 1, tzinfo=UTC)}
    rows = pa.Table.from_pylist([chosen], schema=SCHEMAS["selection"])
    looks = lance.dataset

    def looks_first(*args: Any, **options: Any) -> Any:
        try:
            return looks(*args, **options)
        except ValueError as error:
            if "selection.lance" not in str(error):
                raise
            monkeypatch.setattr(lance, "dataset", looks)
            other.insert("selection", rows)
            raise

    monkeypatch.setattr(lance, "dataset", looks_first)
    late.insert("selection", rows.set_column(0, rows.schema.field("post_id"), [["b"]]))
    assert Catalog.open(tmp_path).count("selection") == 2
