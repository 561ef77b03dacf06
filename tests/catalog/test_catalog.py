"""The catalog: tables and keys, rows read and written, clear errors."""

import os
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmrl.catalog import Catalog, quote, without
from mmrl.catalog.columns import SPACES, key, key_columns
from mmrl.catalog.holds import OfContent, OfNoPost, OfPost
from mmrl.catalog.lance.lancedb_import import import_lancedb
from mmrl.catalog.query import between
from mmrl.catalog.tables import SCHEMAS, TABLES, embeddings, embeddings_table, table_of
from mmrl.errors import CatalogError, ConfigError, NotFoundError
from mmrl.sources.reddit.source import to_base36
from tests.support.catalog_rows import NOON, seen, selection


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
    assert catalog.lookup("selection", "post_id", [], ["rules"]).schema.names == ["rules"]
    with pytest.raises(CatalogError, match="nope"):
        catalog.lookup("selection", "post_id", [], ["nope"])


@pytest.mark.parametrize("indexed", [False, True])
def test_lookup_of_ids_close_together_finds_the_same_rows(
    catalog: Catalog, indexed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = [to_base36(36**5 + number) for number in range(12_000)]
    catalog.upsert("selection", selection([*ids[:11_000], "2", "zz", "IMG_1", "10000x9"], "new"))
    if indexed:
        catalog.compact(["selection"])
    catalog.upsert("selection", selection([*ids[5_000:6_000], *ids[11_000:11_500]], "old"))
    asked = [*ids[4_000:12_000:2], "10000x9"]
    for where in (None, "rules = 'new' OR rules = 'none'"):
        found = catalog.lookup("selection", "post_id", asked[:-1], ["rules", "post_id"], where)
        with monkeypatch.context() as without_spans:
            without_spans.setattr("mmrl.catalog.lookup.between", lambda *_: None)
            one_pass = catalog.lookup("selection", "post_id", asked, ["rules", "post_id"], where)
        both = [rows.sort_by("post_id").to_pylist() for rows in (found, one_pass)]
        assert both[0] == [row for row in both[1] if row["post_id"] != "10000x9"]
        assert len(both[0]) == (3_750 if where is None else 3_000)


def test_ids_far_apart_and_other_texts_are_no_span() -> None:
    close = between("post_id", pa.array(["10a", "110", "10c"]))
    assert close == "post_id >= '10a' AND post_id <= '110'"
    for apart in (["100", "zzz"], ["zz", "100"], ["IMG_1", "IMG_2"], ["it's", "it't"], ["", "1"]):
        assert between("post_id", pa.array(apart)) is None


@given(st.lists(st.text(max_size=8), max_size=20), st.lists(st.text(max_size=8), max_size=20))
def test_without_is_an_anti_join(left: list[str], right: list[str]) -> None:
    rows = pa.table({"key": pa.array(left, pa.string())})
    assert without(rows, "key", right)["key"].to_pylist() == [x for x in left if x not in right]


@given(st.text(max_size=20))
def test_quote_doubles_every_quote(text: str) -> None:
    assert quote(text)[1:-1].replace("''", "'") == text


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


def test_a_column_that_an_older_mmrl_did_not_know_is_added_and_null(tmp_path: Path) -> None:
    Catalog.open(tmp_path, create=True)
    older = pa.schema([field for field in SCHEMAS["captions"] if field.name != "phrases"])
    database = import_lancedb().connect(tmp_path / "catalog")
    table = database.create_table("captions", schema=older)
    row = {"sha256": "a", "captioner": "c", "text": "a cat"}
    table.add(pa.Table.from_pylist([row], schema=older))
    catalog = Catalog.open(tmp_path)
    assert catalog.read("captions").to_pylist() == [{**row, "phrases": None}]
    newer = {"sha256": "b", "captioner": "c", "text": "a dog", "phrases": "[]"}
    catalog.upsert("captions", pa.Table.from_pylist([newer], schema=SCHEMAS["captions"]))
    again = Catalog.open(tmp_path).read("captions").sort_by("sha256")
    assert again.to_pylist() == [{**row, "phrases": None}, newer]


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
