"""Facts that a post's first answer lacked, and that a later one has."""

from collections.abc import Generator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa

from mmrl.catalog import Catalog
from mmrl.config import Settings
from mmrl.pipeline import Silent, Stage, run_stage
from mmrl.pipeline.stage import Tried
from mmrl.pipeline.stages.filter import FilterStage
from mmrl.sources.files.dump import DumpSource
from mmrl.sources.files.importer import import_posts

CREATED = 1_700_000_000
AT = datetime.fromtimestamp(CREATED, tz=UTC)


def gallery(hours: int, status: str, **changes: Any) -> dict[str, Any]:
    """A gallery as it is answered so many hours after it went up."""
    item = {"status": status, "s": {"u": "https://preview.redd.it/m1.jpg?width=10&s=1"}}
    return {
        "id": "g1",
        "title": "A gallery",
        "subreddit": "aww",
        "created_utc": CREATED,
        "score": hours,
        "retrieved_on": CREATED + hours * 3_600,
        "url": "https://www.reddit.com/gallery/g1",
        "is_gallery": True,
        "gallery_data": {"items": [{"media_id": "m1", "id": 1}]},
        "media_metadata": {"m1": item if status == "valid" else {"status": status}},
        **changes,
    }


def read(catalog: Catalog, path: Path, *posts: dict[str, Any]) -> dict[str, Any]:
    path.write_bytes(b"\n".join(map(orjson.dumps, posts)))
    import_posts(catalog, DumpSource([path]), AT + timedelta(days=9), Silent())
    rows = catalog.read("posts").to_pylist()
    assert len(rows) == 1
    return rows[0]


def decided(catalog: Catalog, at: datetime) -> list[str | None]:
    run_stage(FilterStage(Settings()), catalog, at, Silent())
    return catalog.read("selection", ["reason"])["reason"].to_pylist()


def test_a_gallery_that_was_not_finished_gets_its_image_from_a_later_answer(
    catalog: Catalog, tmp_path: Path
) -> None:
    soon, later = AT + timedelta(hours=1), AT + timedelta(hours=36)
    post = read(catalog, tmp_path / "first", gallery(0, "unprocessed"))
    assert (post["image_url"], post["is_gallery"]) == (None, True)
    assert decided(catalog, soon) == ["gallery_unfinished"]
    post = read(catalog, tmp_path / "second", gallery(36, "valid", link_flair_text="OC"))
    assert post["image_url"] == "https://i.redd.it/m1.jpg"
    assert (post["image_known_at"], post["flair_known_at"]) == (later, later)
    assert post["first_seen_at"] == AT
    before = later - timedelta(hours=1)  # nobody knew of the image yet
    assert decided(catalog, before) == ["gallery_unfinished"]
    assert decided(catalog, later) == [None]
    assert catalog.count("observations") == 2


def test_what_a_post_has_stays(catalog: Catalog, tmp_path: Path) -> None:
    first = read(catalog, tmp_path / "first", gallery(0, "valid", link_flair_text="OC"))
    assert (first["image_known_at"], first["flair_known_at"]) == (None, None)
    other = {"m1": {"status": "valid", "s": {"u": "https://preview.redd.it/other.jpg"}}}
    changed = gallery(36, "valid", link_flair_text="Best of", media_metadata=other)
    assert read(catalog, tmp_path / "second", changed) == first
    assert read(catalog, tmp_path / "third", gallery(40, "unprocessed")) == first


def test_both_answers_may_stand_in_one_file(catalog: Catalog, tmp_path: Path) -> None:
    post = read(catalog, tmp_path / "both", gallery(0, "unprocessed"), gallery(36, "valid"))
    assert post["image_url"] == "https://i.redd.it/m1.jpg"
    assert post["image_known_at"] == AT + timedelta(hours=36)


def test_an_image_that_comes_while_the_filter_decides_is_seen_by_its_next_run(
    catalog: Catalog, tmp_path: Path
) -> None:
    later = AT + timedelta(hours=36)
    read(catalog, tmp_path / "first", gallery(0, "unprocessed"))

    def work(
        stage: Stage, catalog: Catalog, as_of: datetime, pending: pa.Table
    ) -> Generator[Tried, None, None]:
        loaded = stage.load(catalog, pending)
        read(catalog, tmp_path / "second", gallery(36, "valid"))
        yield Tried(set(pending["key"].to_pylist()), stage.worker(as_of)(loaded))

    run_stage(FilterStage(Settings()), catalog, later, Silent(), work)
    assert catalog.read("selection", ["reason"])["reason"].to_pylist() == ["gallery_unfinished"]
    assert decided(catalog, later) == [None]
    assert run_stage(FilterStage(Settings()), catalog, later, Silent()).pending == 0


def test_a_gallery_of_which_only_the_size_came_later_is_decided_once(
    catalog: Catalog, tmp_path: Path
) -> None:
    later = AT + timedelta(hours=36)
    nothing = {"gallery_data": None, "media_metadata": None}
    read(catalog, tmp_path / "first", gallery(0, "unprocessed", **nothing))
    assert decided(catalog, AT) == ["gallery_unfinished"]
    post = read(catalog, tmp_path / "second", gallery(36, "unprocessed"))
    assert (post["image_url"], post["gallery_size"], post["image_known_at"]) == (None, 1, later)
    assert run_stage(FilterStage(Settings()), catalog, later, Silent()).pending == 0
