"""Posts that come several times in a file, and ids that mean several posts."""

import os
from pathlib import Path
from typing import Any

import pytest

from mmrl.catalog import Catalog
from mmrl.pipeline import Silent
from mmrl.sources.files.importer import ImportReport, NothingUsableError, import_posts
from mmrl.sources.files.table import TableSource
from tests.sources.files.test_table import CREATED, NOW, write

HEADER = ["id", "title", "score", "created_utc", "subreddit", "author"]


def row(key: str, title: str, score: int = 5, created: int = CREATED) -> list[str]:
    return [key, title, str(score), str(created), "aww", "somebody"]


def read(catalog: Catalog, path: Path, *rows: list[str], **options: Any) -> ImportReport:
    write(path, *rows, header=HEADER)
    return import_posts(catalog, TableSource(path, **options), NOW, Silent())


def test_an_id_of_another_post_is_refused_with_both_places(
    catalog: Catalog, tmp_path: Path
) -> None:
    report = read(
        catalog,
        tmp_path / "a.csv",
        row("k1", "One"),
        row("k2", "Two"),
        row("k1", "Another one"),
        row("k2", "Two", created=CREATED + 86_400 * 3),
        row("k2", "Two", created=CREATED + 3_600),  # another tool's zone
        row("k1", "One!"),
    )
    assert (report.new, report.known, report.repeated) == (2, 2, 2)
    assert report.refused == {"other_post": 2}
    assert "a.csv:4 id is 'k1', as of a.csv:2" in report.examples[0]
    with pytest.raises(NothingUsableError) as none:
        read(catalog, tmp_path / "b.csv", row("k1", "Of another file"))
    assert "a post of table:a.csv" in none.value.report.examples[0]
    assert catalog.count("observations") == 2


def test_titles_that_were_cleaned_or_taken_away_are_the_same_post(
    catalog: Catalog, tmp_path: Path
) -> None:
    long = "A title that somebody cut off after some letters"
    read(catalog, tmp_path / "a.csv", row("k1", long), row("k2", "[OC] Gone"), row("k3", "🐈"))
    again = [row("k1", long[:30].upper()), row("k2", "[deleted by user]"), row("k3", "🐕")]
    assert read(catalog, tmp_path / "b.csv", *again).known == 3


def test_several_scores_without_a_time_give_no_label(
    catalog: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mmrl.sources.files.table.BATCH", 3)
    path = tmp_path / "hourly.csv"
    rows = [row(f"k{key}", f"Title {key}", 10 * hour) for hour in (1, 2, 3) for key in (1, 2)]
    write(path, *rows, row("k3", "Title 3"), header=HEADER)
    os.utime(path, (CREATED + 86_400 * 30,) * 2)
    report = import_posts(catalog, TableSource(path), NOW, Silent())
    assert (report.new, report.repeated, report.unclear) == (3, 4, 2)
    settled = catalog.read("observations", ["post_id"], "settled")["post_id"].to_pylist()
    assert settled == ["k3"]
    for again in (TableSource(path), TableSource(path, settled=True)):
        assert import_posts(catalog, again, NOW, Silent()).unclear == 2
        assert catalog.count("observations", "settled") == 1
