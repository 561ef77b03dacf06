"""Processes and threads that write one table at once."""

import multiprocessing
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from mmrl.catalog import Catalog
from mmrl.catalog.tables import embeddings, embeddings_table
from tests.support.catalog_rows import seen, selection


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
