"""Purges: what was deleted on Reddit leaves every table, version, report and file."""

import multiprocessing
import os
import signal
import sys
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from lance.optimize import Compaction

from mmrl.catalog import Catalog, quote
from mmrl.catalog.columns import key
from mmrl.catalog.holds import OfContent, OfPost
from mmrl.catalog.keys import image_content, text_content
from mmrl.catalog.tables import SCHEMAS, TABLES, Table, embeddings, embeddings_table
from mmrl.config import Settings
from mmrl.errors import CatalogError
from mmrl.pipeline import Silent
from mmrl.purge import files as purge_files
from mmrl.purge import rows as purge_rows
from mmrl.purge.run import erase
from mmrl.sources.reddit import api as api
from tests.support.command import python
from tests.support.paths import ROOT
from tests.support.purge_home import (
    AS_OF,
    DIM,
    START,
    Post,
    keep,
    keep_cell,
    make_post,
    purge,
    traces,
    where,
)

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
SETTINGS = Settings()


def post_tables() -> list[str]:
    return [name for name, table in TABLES.items() if isinstance(table.holds, OfPost)]


def contents(catalog: Catalog, without: Post | None = None) -> dict[str, list[Any]]:
    """All rows of tables that hold posts, sorted, those of one post left out."""
    rows = {}
    for name in purge_rows.holding_tables(catalog):
        listed = sorted(map(repr, catalog.read(name).to_pylist()))
        rows[name] = [row for row in listed if without is None or without.post_id not in row]
    return rows


# Gone from the disk


def test_every_byte_of_a_purged_post_is_gone_and_the_others_are_whole(catalog: Catalog) -> None:
    doomed, others = make_post(), [make_post() for _ in range(4)]
    keep(catalog, others[:2])
    keep(catalog, [doomed], hours=1)
    keep(catalog, others[2:], hours=2)
    many = [{"post_id": f"m{n:05d}", "rules": "r", "decided_at": START} for n in range(10_001)]
    catalog.insert("selection", pa.Table.from_pylist(many, schema=SCHEMAS["selection"]))
    catalog.compact()  # keys of the large table are indexed now: a copy of them
    kept = catalog.read("samples", where=f"post_id = {quote(doomed.post_id)}")
    catalog.upsert("samples", kept)  # the row as it was is in an older version
    cell = keep_cell(catalog, [doomed, *others])
    before = traces(catalog, doomed)
    assert before.keys() == doomed.traces.keys()
    assert any("_indices" in file for file in before["id"])
    assert str(cell.relative_to(catalog.home)) in before["id"]

    rows = contents(catalog)
    report = purge(catalog, doomed)
    assert traces(catalog, doomed) == {}
    assert dict(report.erased) == {"deleted": 1}
    assert (report.images, report.versions_left) == (1, {})
    for post in others:
        assert traces(catalog, post).keys() == post.traces.keys()
    after = contents(catalog)
    assert all(set(after[name]) < set(rows[name]) for name in after)
    assert len(after["posts"]) == 4
    for table in ("images", "image_statistics", "image_texts", "captions", "embeddings_visual_16"):
        assert len(after[table]) == 4
    assert catalog.read("purged").to_pylist() == [
        {"day": "2026-03-22", "reason": "deleted", "posts": 1}
    ]


def test_a_table_that_a_purge_empties_names_nothing_any_more(catalog: Catalog) -> None:
    doomed = make_post()
    keep(catalog, [doomed])
    purge(catalog, doomed)
    assert traces(catalog, doomed) == {}
    assert catalog.count("posts") == catalog.count("images") == 0


def test_the_vector_of_a_text_in_an_image_goes_with_its_post(catalog: Catalog) -> None:
    doomed, other = make_post(), make_post()
    keep(catalog, [doomed, other])
    rows = [
        {"content": text_content(post.shown), "encoder": "e", "vector": np.ones(DIM, np.float32)}
        for post in (doomed, other)
    ]
    table = embeddings_table("text", DIM)
    catalog.insert(table, pa.Table.from_pylist(rows, schema=embeddings(DIM)))
    purge(catalog, doomed)
    left = catalog.read(table, ["content"])["content"].to_pylist()
    assert text_content(other.shown) in left
    assert text_content(doomed.shown) not in left


def test_an_index_of_vectors_is_made_anew_without_the_purged_ones(catalog: Catalog) -> None:
    doomed = make_post()
    keep(catalog, [doomed])
    table = embeddings_table("title", DIM)
    vectors = np.random.default_rng(0).normal(size=(10_001, DIM)).astype(np.float32)
    rows = [
        {"content": f"c{row}", "encoder": "e", "vector": vector}
        for row, vector in enumerate(vectors)
    ]
    catalog.append(table, pa.Table.from_pylist(rows, schema=embeddings(DIM)))
    catalog.compact()
    indices = Path(catalog.home) / "catalog" / f"{table}.lance" / "_indices"
    before = {folder.name for folder in indices.iterdir()}
    purge(catalog, doomed)
    after = {folder.name for folder in indices.iterdir() if list(folder.iterdir())}
    assert len(before) == len(after) == 2
    assert not before & after
    found = catalog.nearest(table, vectors[7], 3, ["content"])
    assert found["content"][0].as_py() == "c7"


def test_what_a_killed_writer_left_on_the_disk_goes_once_it_is_old(catalog: Catalog) -> None:
    doomed, other = make_post(), make_post()
    keep(catalog, [doomed, other])
    data = Path(catalog.home) / "catalog" / "posts.lance" / "data"
    old, young = data / "0101.lance", data / "0102.lance"
    for path in (old, young):
        path.write_bytes(doomed.title.encode())
    os.utime(old, (0, 0))
    purge(catalog, doomed)
    assert not old.exists()
    assert young.exists()  # may be a write that is under way
    assert catalog.count("posts") == 1


def test_what_another_post_shares_stays(catalog: Catalog) -> None:
    doomed = make_post()
    same_image = make_post(image=doomed.image, caption=doomed.caption)
    same_title = make_post(title=doomed.title)
    same_both = make_post(image=doomed.image, title=doomed.title, caption=doomed.caption)
    keep(catalog, [doomed])
    same_tags = make_post(tags=doomed.tags)
    keep(catalog, [same_image, same_title, same_both, same_tags])
    purge(catalog, doomed)
    left = traces(catalog, doomed)
    assert {"id", "author's name", "author's id"}.isdisjoint(left)
    assert {"title", "image", "caption", "title vector", "visual vector"} <= left.keys()
    purge(catalog, same_both)
    assert {"title", "image"} <= traces(catalog, doomed).keys()
    assert "visual vector" not in traces(catalog, doomed)
    assert {"tags", "text vector"} <= left.keys()
    purge(catalog, same_image, same_title, same_tags)
    assert traces(catalog, doomed) == {}


def test_a_crosspost_stays_a_crosspost_but_names_its_parent_no_more(catalog: Catalog) -> None:
    parent, child = make_post(), make_post()
    keep(catalog, [parent, child])
    row = catalog.read("posts", where=f"post_id = {quote(child.post_id)}").to_pylist()[0]
    row["crosspost_parent"] = parent.post_id
    catalog.upsert("posts", pa.Table.from_pylist([row], schema=SCHEMAS["posts"]))
    purge(catalog, parent)
    assert traces(catalog, parent) == {}
    assert catalog.read("posts", ["crosspost_parent"]).to_pylist() == [
        {"crosspost_parent": "purged"}
    ]


def test_a_table_that_is_added_is_purged_by_its_declaration(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    notes = pa.schema([key("post"), ("words", pa.string()), ("answers", pa.string())])
    colours = pa.schema([key("file"), ("colour", pa.string())])
    monkeypatch.setitem(TABLES, "notes", Table(notes, OfPost("post", mentions=("answers",))))
    monkeypatch.setitem(TABLES, "colours", Table(colours, OfContent("image", "file")))
    doomed, other = make_post(), make_post()
    keep(catalog, [doomed, other])
    ids, files = [doomed.post_id, other.post_id], [image_content(doomed.image), "f" * 64]
    words = pa.table({"post": ids, "words": ["it is red", "so it is"], "answers": [None, ids[0]]})
    catalog.insert("notes", words.cast(notes))
    catalog.insert("colours", pa.table({"file": files, "colour": ["red", "blue"]}).cast(colours))
    purge(catalog, doomed)
    assert catalog.read("notes").to_pylist() == [
        {"post": other.post_id, "words": "so it is", "answers": "purged"}
    ]
    assert catalog.read("colours").to_pylist() == [{"file": "f" * 64, "colour": "blue"}]
    assert traces(catalog, doomed) == {}
    assert where(Path(catalog.home), b"it is red") == []
    catalog.insert("notes", words.cast(notes))
    assert catalog.read("notes", ["post"])["post"].to_pylist() == [other.post_id]


def test_a_table_of_which_nothing_is_declared_stops_a_purge(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    doomed = make_post()
    keep(catalog, [doomed])
    with monkeypatch.context() as later:
        notes = pa.schema([key("post")])
        later.setitem(TABLES, "notes", Table(notes, OfPost("post")))
        catalog.insert("notes", pa.table({"post": [doomed.post_id]}).cast(notes))
    with pytest.raises(CatalogError, match="'notes'"):
        purge(catalog, doomed)


def test_a_purged_post_does_not_come_in_again(catalog: Catalog) -> None:
    doomed, other = make_post(), make_post()
    keep(catalog, [doomed])
    purge(catalog, doomed)
    keep(catalog, [doomed, other])
    for table in post_tables():
        assert catalog.read(table, ["post_id"])["post_id"].to_pylist() == [other.post_id]


def test_what_a_stage_wrote_late_goes_with_the_next_purge(catalog: Catalog) -> None:
    doomed, other = make_post(), make_post()
    keep(catalog, [doomed])
    purge(catalog, doomed)
    keep(catalog, [doomed])  # its rows are kept out, its image and vectors name no post
    late = traces(catalog, doomed)
    assert {"image", "title vector", "caption"} <= late.keys()
    assert not {"title", "author's name", "author's id"} & late.keys()
    catalog.delete("failures", f"key LIKE '%{doomed.post_id}%'")
    keep(catalog, [other])
    purge(catalog, other)
    assert traces(catalog, doomed) == {}


def test_a_tag_that_holds_an_old_version_is_told(catalog: Catalog) -> None:
    doomed = make_post()
    keep(catalog, [doomed, make_post()])
    catalog.opened("posts").to_lance().tags.create("mine")
    assert purge(catalog, doomed).versions_left == {"posts": 1}


# Killed, and beside others


PATHS = os.pathsep.join([str(ROOT), *sys.path])
_KILLED = """
import os, signal, sys
from tests.support.purge_home import traces, AS_OF
from mmrl.catalog import Catalog
from mmrl.config import Settings
from mmrl.pipeline import Silent
import mmrl.purge.rows as rows, mmrl.purge.run as stage
home, post, place, nth = sys.argv[1:]
module, name = place.split(".")
owner = {"rows": rows, "stage": stage}[module]
real, calls = getattr(owner, name), []
def deadly(*args, **options):
    calls.append(1)
    if len(calls) == int(nth):
        os.kill(os.getpid(), signal.SIGKILL)
    return real(*args, **options)
setattr(owner, name, deadly)
stage.erase(Catalog.open(home), Settings(), {post: "deleted"}, AS_OF, Silent(), sleep=lambda s: 0)
"""


@pytest.mark.parametrize(
    ("place", "nth"),
    [("rows.persist", 6), ("stage.rewrite", 5), ("stage.drop_before", 4)],
)
@pytest.mark.slow
def test_killed_at_any_step_the_next_purge_ends_it_and_others_lose_nothing(
    catalog: Catalog, place: str, nth: int
) -> None:
    doomed, others = make_post(), [make_post() for _ in range(3)]
    keep(catalog, [doomed, *others])
    cell = keep_cell(catalog, [doomed, *others])
    expected = contents(catalog, without=doomed)
    killed = python(_KILLED, catalog.home, doomed.post_id, place, nth, PYTHONPATH=PATHS)
    assert killed.code == -signal.SIGKILL, killed.err
    assert purge_rows.unfinished(catalog) is not None

    report = erase(catalog, SETTINGS, {}, AS_OF, Silent(), sleep=lambda seconds: None)
    assert report.resumed
    assert dict(report.erased) == {"deleted": 1}
    assert report.experiments == {"pictures": 1}
    assert traces(catalog, doomed) == {}
    assert pq.read_table(cell)["post_id"].to_pylist() == [post.post_id for post in others]
    after = contents(catalog)
    assert all(len(after[name]) == 2 * 3 if name == "failures" else 3 for name in after)
    assert {name: after[name] for name in ("posts", "samples", "observations", "checks")} == {
        name: expected[name] for name in ("posts", "samples", "observations", "checks")
    }
    assert catalog.read("purged")["posts"].to_pylist() == [1]
    assert purge_rows.unfinished(catalog) is None


def _write_on(home: str, start: Any, stop: Any, ids: Any) -> None:
    catalog = Catalog.open(home)
    start.wait()
    while not stop.is_set():
        post = make_post()
        keep(catalog, [post])
        row = catalog.read("samples", where=f"post_id = {quote(post.post_id)}")
        catalog.upsert("samples", row)
        ids.put(post.post_id)


@pytest.mark.slow
def test_beside_a_busy_writer_nothing_of_his_is_lost(tmp_path: Path) -> None:
    home = str(tmp_path / "home")
    catalog = Catalog.open(home, create=True)
    doomed = [make_post() for _ in range(6)]
    keep(catalog, doomed)
    spawn = multiprocessing.get_context("spawn")
    start, stop, ids = spawn.Barrier(2), spawn.Event(), spawn.Queue()
    writer = spawn.Process(target=_write_on, args=(home, start, stop, ids))
    writer.start()
    start.wait()
    settings = Settings(purge={"settle_seconds": 1.5})
    for post in doomed[:2], doomed[2:]:
        erase(catalog, settings, {p.post_id: "deleted" for p in post}, AS_OF, Silent())
    stop.set()
    written = set()
    while writer.is_alive() or not ids.empty():
        if not ids.empty():
            written.add(ids.get())
        writer.join(0.01)
    assert writer.exitcode == 0
    assert len(written) > 2
    for table in post_tables():
        found = catalog.read(table, ["post_id"])["post_id"].to_pylist()
        assert sorted(found) == sorted(written)
    assert catalog.count("images") == catalog.count("embeddings_image_16") == len(written)
    for post in doomed:
        assert traces(catalog, post) == {}


def test_what_was_rewritten_while_another_process_wrote_is_not_left_behind(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    posts = [make_post() for _ in range(3)]
    keep(catalog, posts)
    before = data_files(catalog, "selection")
    catalog.delete("selection", f"post_id = {quote(posts[0].post_id)}")
    tries = []

    def commit(*given: Any) -> Any:
        tries.append(given)
        if len(tries) == 1:
            raise OSError("Retryable commit conflict")
        return Compaction.commit(*given)

    monkeypatch.setattr(
        "lance.optimize.Compaction", SimpleNamespace(plan=Compaction.plan, commit=commit)
    )
    purge_files.rewrite(catalog, "selection")
    assert len(tries) == 2
    (fragment,) = catalog.opened("selection").to_lance().get_fragments()
    assert data_files(catalog, "selection") == before | {fragment.data_files()[0].path}


def data_files(catalog: Catalog, table: str) -> set[str]:
    folder = Path(catalog.home) / "catalog" / f"{table}.lance" / "data"
    return {file.name for file in folder.iterdir()}
