"""Versions, joined files and indices, and what is read since a cursor."""

from types import SimpleNamespace

import numpy as np
import pytest
from lance.dataset import DatasetOptimizer

from mmrl.catalog import Catalog
from mmrl.catalog.lance.upkeep import joined_below
from mmrl.catalog.tables import embeddings_table
from tests.support.catalog_rows import selection, vector_rows


def test_versions_grow_with_every_commit(catalog: Catalog) -> None:
    catalog.upsert("selection", selection(["a"]))
    before = catalog.versions()["selection"]
    catalog.upsert("selection", selection(["b"]))
    assert catalog.versions()["selection"] > before


def test_compacting_changes_no_row(catalog: Catalog) -> None:
    for number in range(30):
        catalog.insert("selection", selection([f"p{number}"]))
    catalog.compact()
    assert catalog.opened("selection").stats()["fragment_stats"]["num_fragments"] == 1
    assert sorted(catalog.read("selection")["post_id"].to_pylist()) == sorted(
        f"p{number}" for number in range(30)
    )


def test_a_large_table_gets_an_index_on_its_key_that_finds_old_and_new_rows(
    catalog: Catalog,
) -> None:
    catalog.insert("selection", selection([f"p{number}" for number in range(12_000)]))
    catalog.compact()
    assert [index.columns for index in catalog.opened("selection").list_indices()] == [["post_id"]]
    for start in (12_000, 15_000):
        catalog.insert("selection", selection([f"p{n}" for n in range(start, start + 3_000)]))
        catalog.compact()
    catalog.upsert("selection", selection(["p7", "p17999", "p18000"], "changed"))
    found = catalog.lookup("selection", "post_id", ["p7", "p13000", "p17999", "p18000"])
    rules = {row["post_id"]: row["rules"] for row in found.to_pylist()}
    assert rules == {"p7": "changed", "p13000": "r", "p17999": "changed", "p18000": "changed"}
    assert catalog.count("selection") == 18_001


def test_many_vectors_get_an_index_that_finds_old_and_new_ones_by_likeness(
    catalog: Catalog,
) -> None:
    made = np.random.default_rng(0).normal(size=(10_300, 16)).astype(np.float32)
    table = embeddings_table("title", 16)
    catalog.append(table, vector_rows(made[:10_200]))
    catalog.compact()
    indexed = [index.columns for index in catalog.opened(table).list_indices()]
    assert sorted(indexed) == [["content"], ["vector"]]
    catalog.append(table, vector_rows(made[10_200:], 10_200))
    for row in (17, 5_000, 10_250):
        found = catalog.nearest(table, 3 * made[row], 5, ["content"], "encoder = 'e'")
        assert found["content"][0].as_py() == f"c{row}"
        distances = found["_distance"].to_pylist()
        assert distances[0] == pytest.approx(0, abs=1e-5)
        assert distances == sorted(distances)
        cosine = made @ made[row] / np.linalg.norm(made, axis=1) / np.linalg.norm(made[row])
        assert distances[4] <= 1 - np.sort(cosine)[-10]
    assert catalog.nearest(table, made[0], 5, ["content"], "encoder = 'f'").num_rows == 0
    none = catalog.nearest(embeddings_table("image", 16), made[0], 5, ["content"])
    assert none.num_rows == 0


def test_rows_written_since_a_cursor_come_once_and_joining_files_brings_none_again(
    catalog: Catalog,
) -> None:
    def since(cursor: str) -> tuple[list[str], str]:
        rows, now = catalog.read_since("selection", ["post_id"], cursor)
        return sorted(rows["post_id"].to_pylist()), now

    assert since("") == ([], "")
    first = [f"p{number:02}" for number in range(30)]
    for post in first[:15]:
        catalog.insert("selection", selection([post]))
    half = catalog.last_written("selection")
    for post in first[15:]:
        catalog.insert("selection", selection([post]))
    rows, cursor = since("")
    assert (rows, cursor) == (first, catalog.last_written("selection"))
    assert since(half)[0] == first[15:]
    assert since(cursor) == ([], cursor)
    catalog.compact()
    assert len(catalog.opened("selection").to_lance().get_fragments()) == 1
    assert since(cursor)[0] == []
    assert set(since(half)[0]) >= set(first[15:])
    catalog.upsert("selection", selection(["p03", "new"], "other"))
    assert since(cursor)[0] == since(since(cursor)[1])[0] + ["new", "p03"]


def test_a_table_that_was_made_anew_is_read_from_its_beginning(catalog: Catalog) -> None:
    catalog.insert("selection", selection(["a"]))
    cursor = catalog.last_written("selection")
    catalog.drop("selection")
    for post in ("b", "c", "d"):
        catalog.insert("selection", selection([post]))
    rows, _ = catalog.read_since("selection", ["post_id"], cursor)
    assert sorted(rows["post_id"].to_pylist()) == ["b", "c", "d"]


def test_the_index_of_a_growing_table_keeps_few_parts(catalog: Catalog) -> None:
    catalog.append("selection", selection([f"p{number:06}" for number in range(12_000)]))
    catalog.compact()
    for start in range(12_000, 30_000, 3_000):
        ids = [f"p{number:06}" for number in range(start, start + 3_000)]
        catalog.append("selection", selection(ids))
        catalog.compact()
    dataset = catalog.opened("selection").to_lance()
    parts = dataset.stats.index_stats(dataset.list_indices()[0]["name"])
    assert parts["num_unindexed_rows"] <= 2_000
    assert len(parts["num_indexed_rows_per_delta"]) <= 3
    asked = ["p000007", "p012000", "p029999", "p030000"]
    found = catalog.lookup("selection", "post_id", asked, ["post_id"])
    assert sorted(found["post_id"].to_pylist()) == asked[:3]


def test_rows_that_others_write_while_there_is_nothing_to_join_are_new(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(25):
        catalog.append("selection", selection([f"p{number}"]))
    cursor = catalog.last_written("selection")

    def others(*_: object, **__: object) -> SimpleNamespace:
        catalog.upsert("selection", selection(["p0"], "changed"))
        catalog.append("selection", selection(["new"]))
        return SimpleNamespace(fragments_removed=0, fragments_added=0)

    monkeypatch.setattr(DatasetOptimizer, "compact_files", others)
    catalog.compact(["selection"])
    rows, _ = catalog.read_since("selection", ["post_id"], cursor)
    assert sorted(rows["post_id"].to_pylist()) == ["new", "p0"]


def test_joining_files_of_an_indexed_table_brings_no_row_again(catalog: Catalog) -> None:
    catalog.append("selection", selection([f"p{number:06}" for number in range(12_000)]))
    catalog.compact()
    assert catalog.opened("selection").list_indices()
    for number in range(25):
        catalog.append("selection", selection([f"q{number}"]))
    cursor = catalog.last_written("selection")
    catalog.compact()
    assert len(catalog.opened("selection").to_lance().get_fragments()) < 3
    rows, later = catalog.read_since("selection", ["post_id"], cursor)
    assert rows.num_rows == 0
    catalog.append("selection", selection(["new"]))
    assert catalog.read_since("selection", ["post_id"], later)[0]["post_id"].to_pylist() == ["new"]


def test_joining_few_rows_leaves_a_large_file_as_it_was_and_brings_none_of_its_rows_again(
    catalog: Catalog,
) -> None:
    catalog.append("selection", selection([f"p{number:06}" for number in range(3_000)]))
    cursor = catalog.last_written("selection")
    late = [f"q{number:02}" for number in range(25)]
    for post in late:
        catalog.append("selection", selection([post]))
    catalog.compact()
    assert len(catalog.opened("selection").to_lance().get_fragments()) == 2
    rows, _ = catalog.read_since("selection", ["post_id"], cursor)
    assert sorted(rows["post_id"].to_pylist()) == late


def test_a_table_that_grows_by_small_files_stays_of_few_and_writes_each_row_a_few_times() -> None:
    files: list[int] = []
    written = 0
    for _ in range(2_000):
        files += [7] * 21
        bound = joined_below(files, 131_072)
        small = sum(rows for rows in files if rows < bound)
        assert bound == 131_072 or small <= bound
        files = [rows for rows in files if rows >= bound] + [small]
        written += small
        assert len([rows for rows in files if rows < 131_072]) < 20
    assert written < 15 * sum(files)
    assert max(files) < 3 * 131_072
