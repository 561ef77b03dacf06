"""The catalog: keys, concurrent writers, failures, versions, clear errors."""

import multiprocessing
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import lancedb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lance.dataset import DatasetOptimizer

from mmrl.catalog import Catalog, Failed, Reason, quote, without
from mmrl.catalog.columns import SPACES, key, key_columns
from mmrl.catalog.holds import OfContent, OfNoPost, OfPost
from mmrl.catalog.tables import SCHEMAS, TABLES, embeddings, embeddings_table, table_of
from mmrl.catalog.upkeep import joined_below
from mmrl.errors import CatalogError, ConfigError, NotFoundError

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


def selection(ids: list[str], rules: str = "r", at: datetime = NOON) -> pa.Table:
    rows = [{"post_id": i, "rules": rules, "reason": None, "decided_at": at} for i in ids]
    return pa.Table.from_pylist(rows, schema=SCHEMAS["selection"])


def open_failures(catalog: Catalog, stage: str, as_of: datetime) -> set[str]:
    return set(catalog.open_failures(stage, as_of).to_pylist())


def test_every_table_has_a_key() -> None:
    assert all(key_columns(schema) for schema in SCHEMAS.values())
    assert key_columns(SCHEMAS["observations"]) == ["post_id", "observed_at"]
    assert key_columns(embeddings(4)) == ["content", "encoder"]


def test_every_table_says_what_of_a_post_it_holds_and_no_other_is_made(catalog: Catalog) -> None:
    names = {"post_id": OfPost, "sha256": OfContent, "content": OfContent}
    tables = {**TABLES, "embeddings_title_4": table_of("embeddings_title_4")}
    for name, table in tables.items():
        assert table is not None
        kinds = {names[column] for column in key_columns(table.schema) if column in names}
        if kinds:
            assert type(table.holds) in kinds, name
        columns = [value for value in vars(table.holds).values() if isinstance(value, str)]
        if not isinstance(table.holds, OfNoPost):
            assert set(columns) - set(SPACES) <= set(table.schema.names), name
    for name in ("notes", "embeddings_title", "embeddings_title_04", "embeddings_other_4"):
        assert table_of(name) is None
        rows = pa.table({"post_id": ["a"]}, schema=pa.schema([key("post_id")]))
        with pytest.raises(ValueError, match=r"not declared.*mmrl\.catalog\.tables"):
            catalog.insert(name, rows)


def test_a_table_that_no_run_has_made_reads_as_empty_with_its_columns(catalog: Catalog) -> None:
    assert catalog.read("posts").schema.names == SCHEMAS["posts"].names
    assert catalog.read(embeddings_table("image", 8), ["content"]).num_rows == 0
    assert catalog.count("images") == 0


def test_upsert_replaces_by_key_and_insert_never_changes_a_row(catalog: Catalog) -> None:
    catalog.upsert("selection", selection(["a", "b"], "old"))
    catalog.upsert("selection", selection(["b", "c"], "new"))
    assert catalog.insert("selection", selection(["c", "d"], "late")) == 1
    rules = {row["post_id"]: row["rules"] for row in catalog.read("selection").to_pylist()}
    assert rules == {"a": "old", "b": "new", "c": "new", "d": "late"}


def test_lookup_finds_values_with_quotes_and_ignores_absent_ones(catalog: Catalog) -> None:
    catalog.upsert("selection", selection(["it's", "b'; drop", "c"]))
    found = catalog.lookup("selection", "post_id", ["it's", "b'; drop", "zz"], ["post_id"])
    assert sorted(found["post_id"].to_pylist()) == ["b'; drop", "it's"]


def test_lookup_splits_long_lists(catalog: Catalog) -> None:
    ids = [f"p{i}" for i in range(5_000)]
    catalog.upsert("selection", selection(ids))
    assert catalog.lookup("selection", "post_id", ids, ["post_id"]).num_rows == 5_000


def test_lookup_finds_the_same_rows_whether_it_asks_or_reads_all(catalog: Catalog) -> None:
    catalog.upsert("selection", selection([f"p{i}" for i in range(4_000)], "new"))
    catalog.upsert("selection", selection([f"p{i}" for i in range(0, 4_000, 2)], "old"))
    one_pass = [f"p{i}" for i in range(1_000, 3_500)]  # more than are asked for
    asked = [one_pass[:1_500], pa.array([*one_pass[1_500:], None, "p1001", "p1001"])]
    for columns in (["rules"], ["post_id", "rules"], None):
        rows = catalog.lookup("selection", "post_id", one_pass, columns, "rules = 'new'")
        parts = [
            catalog.lookup("selection", "post_id", ids, columns, "rules = 'new'") for ids in asked
        ]
        assert rows.num_rows == parts[0].num_rows + parts[1].num_rows - 1 == 1_250
        names = columns or SCHEMAS["selection"].names
        assert rows.schema.names == parts[0].schema.names == names
    many = [f"no{i}" for i in range(3_000)]
    assert catalog.lookup("selection", "post_id", many, ["rules"]).num_rows == 0
    assert catalog.lookup("samples", "post_id", many, ["score"]).schema.names == ["score"]


@given(st.lists(st.text(max_size=8), max_size=20), st.lists(st.text(max_size=8), max_size=20))
def test_without_is_an_anti_join(left: list[str], right: list[str]) -> None:
    rows = pa.table({"key": pa.array(left, pa.string())})
    assert without(rows, "key", right)["key"].to_pylist() == [x for x in left if x not in right]


@given(st.text(max_size=20))
def test_quote_doubles_every_quote(text: str) -> None:
    assert quote(text)[1:-1].replace("''", "'") == text


def _insert_in_a_process(home: str, worker: int, start: "multiprocessing.synchronize.Barrier"):
    catalog = Catalog.open(home)
    start.wait()
    for batch in range(5):
        ids = [f"p{batch * 100 + i}" for i in range(100)]
        catalog.insert("selection", selection(ids, f"w{worker}"))
    catalog.upsert("selection", selection([f"own{worker}"], "mine"))


@pytest.mark.slow
def test_processes_that_insert_the_same_new_keys_at_once_make_no_duplicates(
    tmp_path: Path,
) -> None:
    home = str(tmp_path / "home")
    Catalog.open(home, create=True)
    spawn = multiprocessing.get_context("spawn")
    barrier = spawn.Barrier(3)
    workers = [
        spawn.Process(target=_insert_in_a_process, args=(home, number, barrier))
        for number in range(3)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0, 0, 0]
    ids = Catalog.open(home).read("selection", ["post_id"])["post_id"].to_pylist()
    assert len(ids) == len(set(ids)) == 503


def _create_in_a_process(
    home: str, worker: int, tables: int, start: "multiprocessing.synchronize.Barrier"
) -> None:
    catalog = Catalog.open(home)
    for dim in range(1, tables + 1):
        rows = pa.table({"content": [f"w{worker}"], "encoder": ["e"], "vector": [[1.0] * dim]})
        start.wait(60)
        catalog.insert(embeddings_table("title", dim), rows.cast(embeddings(dim)))


def test_processes_that_make_the_same_table_at_once_lose_no_row(tmp_path: Path) -> None:
    home = str(tmp_path / "home")
    tables, processes = 30, 3
    catalog = Catalog.open(home, create=True)
    spawn = multiprocessing.get_context("spawn")
    barrier = spawn.Barrier(processes)
    workers = [
        spawn.Process(target=_create_in_a_process, args=(home, number, tables, barrier))
        for number in range(processes)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0] * processes
    counts = [catalog.count(embeddings_table("title", dim)) for dim in range(1, tables + 1)]
    assert counts == [processes] * tables


def _compact_in_a_process(home: str, start: "multiprocessing.synchronize.Barrier") -> None:
    catalog = Catalog.open(home)
    start.wait()
    for _ in range(25):
        catalog.compact()


@pytest.mark.slow
def test_compacting_beside_writers_fails_neither_and_loses_nothing(tmp_path: Path) -> None:
    home = str(tmp_path / "home")
    catalog = Catalog.open(home, create=True)
    for number in range(25):  # enough small files that there is something to join from the start
        catalog.insert("selection", selection([f"early{number}"]))
    spawn = multiprocessing.get_context("spawn")
    barrier = spawn.Barrier(3)
    workers = [
        spawn.Process(target=_insert_in_a_process, args=(home, 0, barrier)),
        spawn.Process(target=_compact_in_a_process, args=(home, barrier)),
        spawn.Process(target=_compact_in_a_process, args=(home, barrier)),
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0, 0, 0]
    ids = catalog.read("selection", ["post_id"])["post_id"].to_pylist()
    assert len(ids) == len(set(ids)) == 25 + 500 + 1


def test_a_failure_waits_twice_as_long_each_time_and_a_permanent_one_for_ever(
    catalog: Catalog,
) -> None:
    catalog.fail("fetch-images", [Failed("gone", Reason.IMAGE_GONE)], NOON)
    busy = Failed("busy", Reason.HTTP_ERROR, "503", transient=True)
    catalog.fail("fetch-images", [busy], NOON)
    assert open_failures(catalog, "fetch-images", NOON) == {"gone", "busy"}
    assert open_failures(catalog, "fetch-images", NOON + timedelta(minutes=11)) == {"gone"}
    later = NOON + timedelta(minutes=11)
    catalog.fail("fetch-images", [busy], later)
    assert open_failures(catalog, "fetch-images", later + timedelta(minutes=19)) >= {"busy"}
    assert open_failures(catalog, "fetch-images", later + timedelta(minutes=21)) == {"gone"}
    row = catalog.read("failures", where="key = 'busy'").to_pylist()[0]
    assert (row["attempts"], row["reason"], row["detail"]) == (2, "http_error", "503")
    catalog.clear_failures("fetch-images", ["busy"])
    assert catalog.count("failures") == 1


def test_what_fails_for_a_month_is_given_up(catalog: Catalog) -> None:
    busy = Failed("busy", Reason.HTTP_ERROR, "503", transient=True)
    time, tries = NOON, 0
    while "busy" not in open_failures(catalog, "fetch-images", time):
        catalog.fail("fetch-images", [busy], time)
        time, tries = time + timedelta(days=1), tries + 1
        assert tries < 100
    assert tries == 40
    (row,) = catalog.read("failures").to_pylist()
    assert (row["attempts"], row["retry_after"]) == (40, None)


def test_what_a_budget_left_out_is_never_given_up(catalog: Catalog) -> None:
    time = NOON
    for _ in range(50):
        assert open_failures(catalog, "caption", time) == set()
        catalog.fail("caption", [Failed("x", Reason.CAPTION_BUDGET_SPENT, None, True)], time)
        time += timedelta(hours=1)
    (row,) = catalog.read("failures").to_pylist()
    assert row["attempts"] == 0


def test_the_same_key_may_fail_in_two_stages(catalog: Catalog) -> None:
    catalog.fail("caption", [Failed("x", Reason.BROKEN_IMAGE)], NOON)
    catalog.fail("embed-image", [Failed("x", Reason.BROKEN_IMAGE)], NOON)
    assert catalog.count("failures") == 2


def test_every_reason_has_its_sentence() -> None:
    assert all(reason.sentence for reason in Reason)


def test_a_missing_home_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="mmrl init"):
        Catalog.open(tmp_path / "nowhere")


def test_a_home_written_by_a_newer_mmrl_is_refused(tmp_path: Path) -> None:
    catalog = Catalog.open(tmp_path, create=True)
    catalog.upsert("meta", pa.table({"name": ["format"], "value": ["99"]}))
    with pytest.raises(ConfigError, match="newer mmrl"):
        Catalog.open(tmp_path)


@pytest.mark.skipif(os.name != "posix" or not Path("/dev/shm").is_dir(), reason="needs tmpfs")
def test_a_full_disk_is_said_clearly_and_loses_nothing_kept(tmp_path: Path) -> None:
    import subprocess

    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)], capture_output=True
    )
    if mounted.returncode:
        pytest.skip("may not mount a small disk here")
    try:
        catalog = Catalog.open(disk / "home", create=True)
        catalog.upsert("selection", selection(["kept"]))
        too_much = selection([os.urandom(16).hex() for _ in range(100_000)])
        with pytest.raises(CatalogError, match="full"):
            catalog.upsert("selection", too_much)
        assert catalog.count("selection", "post_id = 'kept'") == 1
    finally:
        subprocess.run(["umount", str(disk)], check=False)


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


def vector_rows(vectors: np.ndarray, start: int = 0) -> pa.Table:
    """Rows of an embedding table; contents are numbered from `start`."""
    columns = {
        "content": [f"c{start + row}" for row in range(len(vectors))],
        "encoder": ["e"] * len(vectors),
        "vector": pa.FixedSizeListArray.from_arrays(vectors.ravel(), vectors.shape[1]),
    }
    return pa.table(columns).cast(embeddings(vectors.shape[1]))


def test_a_column_that_an_older_mmrl_did_not_know_is_added_and_null(tmp_path: Path) -> None:
    Catalog.open(tmp_path, create=True)
    older = pa.schema([field for field in SCHEMAS["captions"] if field.name != "phrases"])
    database = lancedb.connect(tmp_path / "catalog")
    table = database.create_table("captions", schema=older)
    row = {"sha256": "a", "captioner": "c", "text": "a cat"}
    table.add(pa.Table.from_pylist([row], schema=older))
    catalog = Catalog.open(tmp_path)
    assert catalog.read("captions").to_pylist() == [{**row, "phrases": None}]
    newer = {"sha256": "b", "captioner": "c", "text": "a dog", "phrases": "[]"}
    catalog.upsert("captions", pa.Table.from_pylist([newer], schema=SCHEMAS["captions"]))
    again = Catalog.open(tmp_path).read("captions").sort_by("sha256")
    assert again.to_pylist() == [{**row, "phrases": None}, newer]


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


def seen(ids: list[str], at: datetime = NOON) -> pa.Table:
    rows = [{"post_id": post, "observed_at": at} for post in ids]
    return pa.Table.from_pylist(rows, schema=SCHEMAS["observations"])


def test_keys_of_two_columns_are_inserted_and_replaced_as_those_of_one(catalog: Catalog) -> None:
    later = NOON + timedelta(hours=1)
    assert catalog.insert("observations", seen(["a", "b"])) == 2
    assert catalog.insert("observations", seen(["b", "c"])) == 1
    assert catalog.insert("observations", seen(["b"], later)) == 1
    assert catalog.insert("observations", seen(["a", "b", "c"])) == 0
    scored = seen(["c", "d"]).set_column(2, "score", pa.array([5, 6], pa.int64()))
    catalog.upsert("observations", scored)
    catalog.upsert("observations", seen(["e"]))
    rows = catalog.read("observations", ["post_id", "observed_at", "score"]).to_pylist()
    assert sorted((row["post_id"], row["observed_at"] == NOON, row["score"]) for row in rows) == [
        *[("a", True, None), ("b", False, None), ("b", True, None)],
        *[("c", True, 5), ("d", True, 6), ("e", True, None)],
    ]


def test_threads_that_insert_the_same_observations_at_once_make_no_duplicates(
    tmp_path: Path,
) -> None:
    Catalog.open(tmp_path, create=True).insert("observations", seen(["first"]))
    inserted = at_once(tmp_path, 4, lambda catalog, ids: catalog.insert("observations", seen(ids)))
    assert sum(inserted) == 200
    ids = Catalog.open(tmp_path).read("observations", ["post_id"])["post_id"].to_pylist()
    assert len(ids) == len(set(ids)) == 201


def at_once(
    home: Path, batches: int, write: Callable[[Catalog, list[str]], int | None]
) -> list[int]:
    """Three threads write the same 50 new keys a batch; what each says that it did, summed."""
    together = threading.Barrier(3)

    def work(_: int) -> int:
        catalog, done = Catalog.open(home), 0
        for batch in range(batches):
            together.wait(60)
            done += write(catalog, [f"p{batch * 50 + number:05}" for number in range(50)]) or 0
        return done

    with ThreadPoolExecutor(3) as threads:
        return list(threads.map(work, range(3)))


def test_threads_that_write_the_same_new_keys_of_an_indexed_table_make_no_duplicates(
    tmp_path: Path,
) -> None:
    catalog = Catalog.open(tmp_path, create=True)
    catalog.append("selection", selection([f"old{number:05}" for number in range(12_000)]))
    catalog.compact()
    assert catalog.opened("selection").list_indices()

    def write(catalog: Catalog, ids: list[str]) -> int:
        known = f"old{int(ids[0][1:]):05}"  # some are there, some not
        catalog.upsert("selection", selection([known, *ids[:25]], "new"))
        return catalog.insert("selection", selection(ids, "late"))

    assert 4 * 25 <= sum(at_once(tmp_path, 4, write)) <= 4 * 50
    rows = catalog.read("selection", ["post_id", "rules"])
    ids = rows["post_id"].to_pylist()
    assert len(ids) == len(set(ids)) == 12_200
    changed = rows.filter(pc.equal(rows["rules"], "new"))["post_id"].to_pylist()
    assert {post for post in changed if post.startswith("old")} == {
        *("old00000", "old00050", "old00100", "old00150")
    }


def test_the_first_rows_of_a_table_are_written_once_by_all_at_once(tmp_path: Path) -> None:
    catalog = Catalog.open(tmp_path, create=True)
    catalog.insert("selection", selection(["gone"]))
    catalog.delete("selection", "true")
    cursor = catalog.last_written("selection")
    inserted = at_once(tmp_path, 1, lambda of, ids: of.insert("selection", selection(ids)))
    assert sorted(inserted) == [0, 0, 50]
    rows, _ = catalog.read_since("selection", ["post_id"], cursor)
    assert rows.num_rows == catalog.count("selection") == 50


def test_a_table_that_another_process_dropped_reads_as_empty_and_is_made_anew(
    tmp_path: Path,
) -> None:
    catalog, other = Catalog.open(tmp_path, create=True), Catalog.open(tmp_path)
    for ids in (["a", "b"], ["c"], ["d"]):
        catalog.upsert("selection", selection(ids))
    catalog.upsert("selection", selection(["a"], "changed"))
    other.drop("selection")
    assert catalog.opened("selection") is None
    assert catalog.count("selection") == 0
    assert catalog.insert("selection", selection(["e"])) == 1
    catalog.upsert("selection", selection(["e"], "changed"))
    assert other.read("selection", ["rules"])["rules"].to_pylist() == ["changed"]


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
