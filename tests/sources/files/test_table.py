"""Importing tables: which column is what, where the images lie, which scores count."""

import csv
import io
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from mmrl.catalog import Catalog
from mmrl.errors import InputError
from mmrl.pipeline import Silent
from mmrl.sources.files.importer import ImportReport, import_posts
from mmrl.sources.files.table import TableSource
from mmrl.sources.files.tables.columns import map_columns
from mmrl.sources.files.tables.image_folder import ImageFolder

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
CREATED = 1_700_000_000
HEADER = ["id", "title", "score", "created_utc", "subreddit", "url"]
ROW = ["abc1", "A view", "12", str(float(CREATED)), "EarthPorn", "https://i.redd.it/1.jpg"]


def write(path: Path, *rows: list[str], header: list[str] = HEADER) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *rows])
    return path


def read(catalog: Catalog, path: Path, **options: Any) -> ImportReport:
    return import_posts(catalog, TableSource(path, **options), NOW, Silent())


def only(catalog: Catalog, table: str) -> dict[str, Any]:
    rows = catalog.read(table).to_pylist()
    assert len(rows) == 1
    return rows[0]


def test_columns_are_found_under_their_usual_names() -> None:
    present = ["Post ID", "Title", "Up-Votes", "username", "Timestamp", "SubReddit", "NSFW", "x"]
    columns = map_columns(present, {})
    assert columns.of == {
        "id": "Post ID",
        "title": "Title",
        "score": "Up-Votes",
        "author": "username",
        "created_utc": "Timestamp",
        "subreddit": "SubReddit",
        "over_18": "NSFW",
    }
    assert columns.unmapped == ["x"]
    assert "not read: x" in columns.lines()


def test_a_given_column_replaces_the_guess_and_is_not_taken_twice() -> None:
    columns = map_columns([*HEADER, "score_2023"], {"score": "score_2023"})
    assert columns.of["score"] == "score_2023"
    assert columns.unmapped == ["score"]
    assert "score = score_2023  (given)" in columns.lines()
    assert "url" not in map_columns(HEADER, {"url": ""}).of
    assert map_columns(["id", "title", "a", "time", "sub"], {"score": "a"}).of["score"] == "a"


@pytest.mark.parametrize(
    ("present", "given", "message"),
    [
        (["id", "title", "score", "created_utc"], {}, r"no column for subreddit.*--subreddit NAME"),
        (["id", "score"], {}, r"title, created_utc.*it has id, score.*--map title=COLUMN"),
        (HEADER, {"score": "votes"}, r"no column 'votes'; it has id, title"),
        (HEADER, {"sccore": "score"}, r"no field 'sccore'; the fields are id, title"),
    ],
)
def test_a_missing_column_is_named_with_the_way_out(
    present: list[str], given: dict[str, str], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        map_columns(present, given)


@given(st.lists(st.text(max_size=12)), st.booleans())
def test_no_column_holds_two_fields(names: list[str], all_needed: bool) -> None:
    present = [*names, *(HEADER if all_needed else [])]
    try:
        columns = map_columns(present, {})
    except InputError:
        assert not all_needed
    else:
        assert len(set(columns.of.values())) == len(columns.of)
        assert set(columns.of.values()).isdisjoint(columns.unmapped)


@pytest.mark.parametrize("kind", ["posts.csv", "posts.csv.zst", "posts.tsv", "posts.parquet"])
def test_every_kind_of_table_gives_the_same_post(
    catalog: Catalog, tmp_path: Path, kind: str
) -> None:
    path = tmp_path / kind
    if kind.endswith(".parquet"):
        moment = datetime.fromtimestamp(CREATED, tz=UTC)
        values = ["abc1", "A view", 12.0, moment, "EarthPorn", ROW[5]]
        row = dict(zip(HEADER, values, strict=True))
        pq.write_table(pa.Table.from_pylist([row, {**row, "id": "x", "score": float("nan")}]), path)
    else:
        content = "\r\n".join(
            ",".join(row) for row in (HEADER, ROW, ["x", *ROW[1:2], "NaN", *ROW[3:]])
        )
        content = content.replace(",", "\t") if ".tsv" in kind else content
        encoded = b"\xef\xbb\xbf" + content.encode()
        path.write_bytes(zstandard.compress(encoded) if kind.endswith(".zst") else encoded)
    report = read(catalog, path)
    assert (report.new, report.observations) == (2, 1)
    post = catalog.read("posts", where="post_id = 'abc1'").to_pylist()[0]
    assert post["title"] == "A view"
    assert post["created_at"] == datetime.fromtimestamp(CREATED, tz=UTC)
    assert post["image_url"] == "https://i.redd.it/1.jpg"
    assert post["source"] == f"table:{kind}"
    assert only(catalog, "observations")["score"] == 12


def test_texts_with_line_breaks_and_quotes_survive(catalog: Catalog, tmp_path: Path) -> None:
    title = 'One "view",\nof None'
    read(catalog, write(tmp_path / "t.csv", ["a", title, *ROW[2:]], ["b", "NA", *ROW[2:]]))
    assert set(catalog.read("posts")["title"].to_pylist()) == {title, "NA"}


def test_bad_rows_are_counted_and_do_not_stop_the_import(catalog: Catalog, tmp_path: Path) -> None:
    rows = [
        ROW,
        ["b", "x", "many", *ROW[3:]],
        ["c", "x", "1", "", *ROW[4:]],
        ["d", "x", "1", "soon", *ROW[4:]],
        ["", *ROW[1:]],
        ["e", "", *ROW[2:]],
        ["f", "x", "inf", *ROW[3:]],
        ["g", "short row"],
        ["../h", *ROW[1:]],
        ["i", *ROW[1:]],
    ]
    report = read(catalog, write(tmp_path / "t.csv", *rows))
    assert report.new == 2
    assert report.refused == {
        "bad_value": 4,
        "out_of_range": 1,
        "no_creation_time": 1,
        "no_id": 1,
        "no_title": 1,
    }
    keys = catalog.read("failures")["key"].to_pylist()
    assert {"t.csv:3", "t.csv:10"} <= set(keys)
    assert read(catalog, tmp_path / "t.csv").new == 0
    assert catalog.count("failures") == 8


def test_the_subreddit_may_come_from_the_command(catalog: Catalog, tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", [*ROW[:4], ROW[5]], header=[*HEADER[:4], "url"])
    read(catalog, path, subreddit="EarthPorn")
    assert only(catalog, "posts")["subreddit"] == "EarthPorn"


def test_images_are_found_by_path_and_by_id_and_the_missing_counted(
    catalog: Catalog, tmp_path: Path
) -> None:
    folder = tmp_path / "images"
    (folder / "deep").mkdir(parents=True)
    for name in ("a.jpg", "b.PNG", "deep/c.jpg", "d.webp"):
        (folder / name).write_bytes(b"x")
    stated = {"a": "images/a.jpg", "b": "b.PNG", "c": "deep/c.jpg", "d": "", "e": "e.jpg"}
    rows = [[key, *ROW[1:], image] for key, image in stated.items()]
    source = TableSource(write(tmp_path / "t.csv", *rows, header=[*HEADER, "image"]), images=folder)
    import_posts(catalog, source, NOW, Silent())
    found = dict(
        zip(*catalog.read("posts", ["post_id", "image_url"]).to_pydict().values(), strict=True)
    )
    assert found == {
        "a": (folder / "a.jpg").as_uri(),
        "b": (folder / "b.PNG").as_uri(),
        "c": (folder / "deep" / "c.jpg").as_uri(),
        "d": (folder / "d.webp").as_uri(),
        "e": ROW[5],  # the folder has none: its web address serves
    }
    assert (source.images_found, source.images_missing) == (4, 1)


@given(
    st.text(max_size=30) | st.sampled_from(["../secret.jpg", "/etc/passwd", "link.jpg", "..\\x"])
)
def test_no_path_in_a_table_leads_out_of_the_folder(
    tmp_path_factory: pytest.TempPathFactory, path: str
) -> None:
    base = tmp_path_factory.getbasetemp() / "walls"
    folder = base / "images"
    folder.mkdir(parents=True, exist_ok=True)
    (base / "secret.jpg").write_bytes(b"x")
    if not (folder / "link.jpg").is_symlink():
        (folder / "link.jpg").symlink_to(base / "secret.jpg")
    assert ImageFolder(folder).find("nothing", path) is None


def test_an_unusable_image_folder_is_named(tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", ROW)
    with pytest.raises(InputError, match="does not exist"):
        TableSource(path, images=tmp_path / "none")
    with pytest.raises(InputError, match="is a file"):
        TableSource(path, images=path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every folder")
def test_a_locked_image_folder_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "locked"
    folder.mkdir(mode=0)
    with pytest.raises(InputError, match="can't be read"):
        TableSource(write(tmp_path / "t.csv", ROW), images=folder)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("t.csv", b"", "is empty"),
        ("t.parquet", b"no parquet", "not a readable Parquet file"),
        ("t.csv.zst", b"id,title", "not Zstandard"),
        ("t.csv", b"PK\x03\x04", "zip"),
    ],
)
def test_a_file_of_another_kind_is_said_to_be_one(
    tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=message):
        TableSource(tmp_path / name)


def test_a_truncated_table_keeps_what_came_before(catalog: Catalog, tmp_path: Path) -> None:
    rows = "".join(f"p{n},title {n**5},{n},{CREATED},aww,x\n" for n in range(20_000))
    packed = zstandard.compress((",".join(HEADER) + "\n" + rows).encode())
    (tmp_path / "t.csv.zst").write_bytes(packed[: len(packed) // 2])
    with pytest.raises(InputError, match=r"ends in the middle.*posts read before that are kept"):
        read(catalog, tmp_path / "t.csv.zst")
    assert 500 < catalog.count("posts") < 20_000


def test_a_table_that_tells_no_time_of_observation_counts_as_taken_at_the_end(
    catalog: Catalog, tmp_path: Path
) -> None:
    path = write(tmp_path / "t.csv", ROW)
    os.utime(path, (CREATED + 86_400 * 30,) * 2)
    source = TableSource(path)
    assert "No column says when" in source.scores_rule()
    assert "--not-settled" in source.scores_rule()
    import_posts(catalog, source, NOW, Silent())
    observation = only(catalog, "observations")
    assert observation["settled"] is True
    assert observation["observed_at"] == datetime.fromtimestamp(CREATED, tz=UTC) + timedelta(
        days=30
    )


def test_the_user_may_say_that_scores_are_not_final_or_when_they_were_taken(
    tmp_path: Path,
) -> None:
    path = write(tmp_path / "t.csv", ROW)
    catalogs = [Catalog.open(tmp_path / name, create=True) for name in ("a", "b")]
    then = datetime(2024, 2, 1, tzinfo=UTC)
    read(catalogs[0], path, settled=False)
    read(catalogs[1], path, scores_as_of=then)
    assert only(catalogs[0], "observations")["settled"] is False
    assert only(catalogs[1], "observations")["settled"] is True
    assert only(catalogs[1], "observations")["observed_at"] == then
    assert "2024-02-01" in TableSource(path, scores_as_of=then).scores_rule()


def test_a_stated_time_of_observation_counts_and_an_empty_one_gives_no_label_unasked(
    catalog: Catalog, tmp_path: Path
) -> None:
    header = [*HEADER, "checked_at"]
    rows = [["a", *ROW[1:], str(CREATED + 60)], ["b", *ROW[1:], ""]]
    path = write(tmp_path / "t.csv", *rows, header=header)
    source = TableSource(path)
    assert "checked_at says when" in source.scores_rule()
    assert "--settled" in source.scores_rule()
    assert import_posts(catalog, source, NOW, Silent()).unsettled == 1
    observations = {row["post_id"]: row for row in catalog.read("observations").to_pylist()}
    assert observations["a"]["observed_at"] == datetime.fromtimestamp(CREATED + 60, tz=UTC)
    assert (observations["a"]["settled"], observations["b"]["settled"]) == (True, False)
    assert read(catalog, path, settled=True).unsettled == 0
    assert catalog.count("observations", "settled") == catalog.count("observations") == 2


@pytest.mark.shared_data
def test_real_posts_are_read_with_their_images(catalog: Catalog, shared_data: Path) -> None:
    folder = shared_data / "earthporn"
    source = TableSource(
        folder / "posts.csv", images=folder / "images", columns={"score": "score_2023"}
    )
    report = import_posts(catalog, source, NOW, Silent())
    assert report.refused == {"no_creation_time": 13}  # the file lacks it for 13 of its 991 posts
    assert report.new == source.images_found == 978
    assert source.images_missing == 0
    assert read(catalog, folder / "posts.csv", images=folder / "images").new == 0


@pytest.mark.shared_data
def test_scores_seen_seconds_after_posting_do_not_pass_for_final(
    catalog: Catalog, shared_data: Path
) -> None:
    path = shared_data / "earth_pics" / "posts.csv.zst"
    report = read(catalog, path, settled=True)
    assert (report.new, report.observations) == (7_948, 8_348)  # 400 posts are in the file twice
    with path.open("rb") as packed:
        text = io.TextIOWrapper(zstandard.ZstdDecompressor().stream_reader(packed), "utf-8")
        rows = list(csv.DictReader(text))
    early = [
        row["checked_at"] and float(row["checked_at"]) - float(row["created_utc"]) < 36 * 3600
        for row in rows
    ]
    created = dict(
        zip(*catalog.read("posts", ["post_id", "created_at"]).to_pydict().values(), strict=True)
    )
    observations = catalog.read("observations").to_pylist()
    ages = [row["observed_at"] - created[row["post_id"]] for row in observations]
    assert sum(map(bool, early)) == sum(age < timedelta(hours=36) for age in ages) > 1_000
