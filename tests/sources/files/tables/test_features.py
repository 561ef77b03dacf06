"""Columns of a table that are features: named by the user, taken, or refused."""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mmrl.catalog import Catalog
from mmrl.errors import InputError
from mmrl.pipeline import Silent
from mmrl.sources.extras import extra_value
from mmrl.sources.files.importer import ImportReport, import_posts
from mmrl.sources.files.table import TableSource
from mmrl.sources.files.tables.columns import map_columns
from mmrl.sources.files.tables.features import Features, choose_features

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
FIELDS = ["id", "title", "score", "created_utc", "subreddit"]
OWN = ["genre", "Keywords", "description", "body", "views", "runtime"]


def choose(asked: Sequence[str] = (), refused: Sequence[str] = ()) -> Features:
    present = [*FIELDS, *OWN]
    return choose_features(present, map_columns(present, {}), asked, refused)


def write(path: Path, **columns: list[Any]) -> Path:
    rows = len(next(iter(columns.values())))
    posts = {
        "id": [f"p{row}" for row in range(rows)],
        "title": ["A view"] * rows,
        "score": [12] * rows,
        "created_utc": [1_700_000_000] * rows,
        "subreddit": ["pics"] * rows,
    }
    pq.write_table(pa.table({**posts, **columns}), path)
    return path


def read(catalog: Catalog, path: Path, **options: Any) -> ImportReport:
    return import_posts(catalog, TableSource(path, **options), NOW, Silent())


def kept(catalog: Catalog) -> dict[tuple[str, str], str]:
    rows = catalog.read("extra_features").to_pylist()
    return {(row["post_id"], row["name"]): row["value"] for row in rows}


def test_tags_descriptions_and_texts_are_taken_and_others_are_asked_for() -> None:
    assert choose().columns == ("Keywords", "description", "body")
    features = choose(["genre", "runtime", "genre"], ["body"])
    assert features.asked == ("genre", "runtime")
    assert features.taken == ("Keywords", "description")
    asked, taken = features.lines()
    assert asked == "features: genre, runtime"
    assert "Keywords, description" in taken
    assert "--no-feature Keywords" in taken
    assert choose(["body"]).asked == ("body",)


@pytest.mark.parametrize(
    ("asked", "refused", "message"),
    [
        (["gnre"], [], "no column 'gnre'; it has id, title"),
        ([], ["gnre"], "--no-feature gnre"),
        (["title"], [], "read as title already"),
        (["views"], [], "known only after posting"),
        (["score"], [], "known only after posting"),
        (["genre"], ["genre"], "give one"),
    ],
)
def test_a_column_that_can_be_no_feature_is_refused(
    asked: list[str], refused: list[str], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        choose(asked, refused)


@pytest.mark.parametrize("name", ["Up Votes", "num_awards", "Downloads", "comms_num", "edited"])
def test_what_is_known_later_is_refused_however_it_is_written(name: str) -> None:
    present = [*FIELDS, name.replace("num_awards", "awards")]
    with pytest.raises(InputError, match="after posting"):
        choose_features(present, map_columns(present, {}), present[-1:], [])


def test_another_column_may_not_take_the_flairs_name() -> None:
    present = [*FIELDS, "link_flair_text", "flair"]
    with pytest.raises(InputError, match="name is that of the posts' flair"):
        choose_features(present, map_columns(present, {}), ["flair"], [])


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, None),
        (float("nan"), None),
        ("  ", None),
        (93, "93"),
        (0.5, "0.5"),
        (True, "true"),
        (["red", None, "blue"], "red | blue"),
        (date(2026, 1, 2), "2026-01-02"),
        ("a\0\ud800 ", "a?"),
        ("x" * 5_000, "x" * 4_000),
    ],
)
def test_values_of_any_kind_become_bounded_texts(value: Any, text: str | None) -> None:
    assert extra_value(value) == text


def test_a_second_import_adds_features_and_changes_none(catalog: Catalog, tmp_path: Path) -> None:
    values = {"genre": ["Drama", None], "runtime": [93, 120], "tags": [["a", "b"], []]}
    path = write(tmp_path / "posts.parquet", **values)
    report = read(catalog, path)
    assert (report.new, report.features) == (2, 1)
    assert "1 new value of features" in report.summary()
    assert kept(catalog) == {("p0", "tags"): "a | b"}
    write(path, **{**values, "tags": [["changed"], ["late"]]})
    report = read(catalog, path, features=["genre", "runtime"])
    assert (report.new, report.known, report.features) == (0, 2, 4)
    assert kept(catalog) == {
        ("p0", "tags"): "a | b",
        ("p1", "tags"): "late",
        ("p0", "genre"): "Drama",
        ("p0", "runtime"): "93",
        ("p1", "runtime"): "120",
    }
    assert read(catalog, path, no_features=["tags"]).features == 0
