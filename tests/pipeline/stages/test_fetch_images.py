"""The fetch-images stage, with the real catalog and a real server."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from mmrl.catalog import Catalog, Reason
from mmrl.catalog.tables import SCHEMAS
from mmrl.config import Settings
from mmrl.pipeline import Silent, run_stage
from mmrl.pipeline.runner import StageReport
from mmrl.pipeline.stages.fetch_images import FROM_PREVIEW, FetchImagesStage
from tests.support.image_server import ImageServer, answer, image_file

NOW = datetime(2024, 5, 1, tzinfo=UTC)


def post(catalog: Catalog, post_id: str, url: str | None, source: str = "reddit") -> None:
    """A selected post."""
    posts(catalog, {post_id: url}, source)


def posts(catalog: Catalog, urls: dict[str, str | None], source: str) -> None:
    """Selected posts, each with its address."""
    facts = {"subreddit": "pics", "title": "a title", "created_at": NOW, "first_seen_at": NOW}
    rows = [
        {"post_id": post_id, "image_url": url, "source": source, **facts}
        for post_id, url in urls.items()
    ]
    catalog.upsert("posts", pa.Table.from_pylist(rows, schema=SCHEMAS["posts"]))
    select(catalog, list(urls), None)


def select(catalog: Catalog, post_ids: list[str], reason: Reason | None) -> None:
    rows = [
        {"post_id": post_id, "rules": "r", "reason": reason, "decided_at": NOW}
        for post_id in post_ids
    ]
    catalog.upsert("selection", pa.Table.from_pylist(rows, schema=SCHEMAS["selection"]))


def run(
    catalog: Catalog, as_of: datetime = NOW, chunk: int = 256, require_image: bool = True
) -> StageReport:
    images = {"allow_loopback": True, "timeout_seconds": 60, "attempts": 1}
    settings = {"images": images, "filter": {"require_image": require_image}}
    stage = FetchImagesStage(Settings.model_validate(settings))
    stage.chunk = chunk
    return run_stage(stage, catalog, as_of, Silent())


def shown(catalog: Catalog) -> dict[str, str]:
    rows = catalog.read("post_images").to_pylist()
    return {row["post_id"]: row["sha256"] for row in rows}


def test_selected_posts_get_their_images_and_a_second_run_has_nothing_to_do(
    catalog: Catalog, image_host: ImageServer
) -> None:
    for number in range(5):
        post(catalog, f"p{number}", image_host.serve(f"/{number}.jpg", image_file(number)))
    report = run(catalog, chunk=2)
    assert (report.pending, report.done) == (5, 5)
    images = {row["sha256"]: row for row in catalog.read("images").to_pylist()}
    sha256 = shown(catalog)
    assert len(images) == len(set(sha256.values())) == 5
    for number in range(5):
        image = images[sha256[f"p{number}"]]
        assert image["bytes"] == image_file(number)
        assert (image["width"], image["height"], image["format"]) == (96, 64, "JPEG")
    row = catalog.read("post_images", where="post_id = 'p3'").to_pylist()[0]
    assert (row["fetched_at"], row["final_url"]) == (NOW, image_host.url("/3.jpg"))
    versions = catalog.versions()
    assert run(catalog).pending == 0
    assert catalog.versions() == versions
    assert image_host.asked.total() == 5


def test_where_no_image_is_required_addresses_that_are_not_allowed_are_passed_over(
    catalog: Catalog, image_host: ImageServer, tmp_path: Path
) -> None:
    file = tmp_path / "mine.jpg"
    file.write_bytes(image_file(7))
    post(catalog, "ours", image_host.serve("/a.jpg", image_file()))
    post(catalog, "text", None)
    post(catalog, "elsewhere", "https://example.org/a.jpg")
    post(catalog, "file", file.as_uri())
    post(catalog, "imported", file.as_uri(), source="table:posts.csv")
    report = run(catalog, require_image=False)
    assert (report.pending, report.done, report.failed.total()) == (2, 2, 0)
    assert set(shown(catalog)) == {"ours", "imported"}
    assert catalog.count("failures") == 0


def test_posts_that_are_left_out_or_have_no_image_are_not_pending(
    catalog: Catalog, image_host: ImageServer
) -> None:
    post(catalog, "a", image_host.serve("/a.jpg", image_file()))
    select(catalog, ["a"], Reason.REMOVED)
    post(catalog, "b", None)
    assert run(catalog).pending == 0
    assert image_host.asked.total() == 0


def test_a_repost_costs_no_request(catalog: Catalog, image_host: ImageServer) -> None:
    url = image_host.serve("/a.jpg", image_file())
    post(catalog, "first", url)
    run(catalog)
    post(catalog, "second", url)
    assert run(catalog, NOW + timedelta(days=1)).done == 1
    assert image_host.asked.total() == 1
    assert len(set(shown(catalog).values())) == 1
    assert shown(catalog).keys() == {"first", "second"}


@pytest.mark.parametrize("chunk", [1, 10])
def test_an_address_that_several_new_posts_share_is_asked_for_once(
    catalog: Catalog, image_host: ImageServer, chunk: int
) -> None:
    good, gone = image_host.serve("/a.jpg", image_file()), image_host.url("/gone.jpg")
    for name in "abc":
        post(catalog, f"good{name}", good)
        post(catalog, f"gone{name}", gone)
    report = run(catalog, chunk=chunk)
    assert (report.done, report.failed) == (3, {"image_gone": 3})
    assert (image_host.asked["/a.jpg"], image_host.asked["/gone.jpg"]) == (1, 1)
    assert catalog.count("images") == 1


@pytest.mark.parametrize("chunk", [1, 10])
def test_equal_bytes_are_kept_once(catalog: Catalog, image_host: ImageServer, chunk: int) -> None:
    for name in "abc":
        post(catalog, name, image_host.serve(f"/{name}.jpg", image_file()))
    assert run(catalog, chunk=chunk).done == 3
    assert catalog.count("images") == 1
    assert len(shown(catalog)) == 3


def test_a_failure_is_kept_with_its_reason_and_tried_again_in_its_time(
    catalog: Catalog, image_host: ImageServer
) -> None:
    busy = image_host.script(
        "/busy.jpg", lambda h: answer(h, b"", 503), lambda h: answer(h, image_file(1))
    )
    post(catalog, "busy", busy)
    post(catalog, "gone", image_host.url("/gone.jpg"))
    post(catalog, "page", image_host.serve("/page", b"<!doctype html><title>no image</title>"))
    post(catalog, "host", "https://elsewhere.example/a.jpg")
    report = run(catalog)
    assert report.done == 0
    rows = {row["key"]: row for row in catalog.read("failures").to_pylist()}
    assert {key: row["reason"] for key, row in rows.items()} == {
        "busy": "http_error",
        "gone": "image_gone",
        "page": "not_an_image",
        "host": "host_not_allowed",
    }
    assert rows["busy"]["detail"] == "HTTP 503"
    assert {key for key, row in rows.items() if row["retry_after"] is None} == {
        *("gone", "page", "host")
    }
    assert run(catalog, NOW + timedelta(minutes=1)).pending == 0
    later = run(catalog, rows["busy"]["retry_after"])
    assert (later.pending, later.done) == (1, 1)
    assert catalog.count("failures", "key = 'busy'") == 0
    assert shown(catalog).keys() == {"busy"}


def test_bad_images_do_not_stop_the_good_ones(catalog: Catalog, image_host: ImageServer) -> None:
    whole = image_file(1, (600, 400))
    post(catalog, "cut", image_host.serve("/cut.jpg", whole[: len(whole) // 2]))
    post(catalog, "small", image_host.serve("/small.jpg", image_file(1, (8, 8))))
    post(catalog, "good", image_host.serve("/good.jpg", whole))
    report = run(catalog)
    assert (report.done, report.failed) == (1, {"broken_image": 1, "too_small": 1})


def test_a_run_that_breaks_off_between_its_two_tables_is_completed_by_the_next(
    catalog: Catalog, image_host: ImageServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    post(catalog, "a", image_host.serve("/a.jpg", image_file()))
    upsert = Catalog.upsert

    def broken_off(self: Catalog, table: str, rows: pa.Table) -> None:
        if table == "post_images":
            raise KeyboardInterrupt
        upsert(self, table, rows)

    with monkeypatch.context() as patched:
        patched.setattr(Catalog, "upsert", broken_off)
        with pytest.raises(KeyboardInterrupt):
            run(catalog)
    assert (catalog.count("images"), catalog.count("post_images")) == (1, 0)
    assert run(catalog).done == 1
    assert (catalog.count("images"), catalog.count("post_images")) == (1, 1)


def test_files_are_read_for_imported_tables_alone(catalog: Catalog, tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(image_file())
    post(catalog, "table", path.as_uri(), source="table:mine")
    post(catalog, "reddit", path.as_uri(), source="reddit")
    post(catalog, "lost", (tmp_path / "lost.jpg").as_uri(), source="table:mine")
    report = run(catalog)
    assert (report.done, report.failed) == (1, {"host_not_allowed": 1, "file_missing": 1})
    assert shown(catalog).keys() == {"table"}
    post(catalog, "later", path.as_uri(), source="dump:theirs")
    assert run(catalog).failed == {"host_not_allowed": 1}


@pytest.mark.shared_data
def test_real_posts_get_their_real_images(catalog: Catalog, shared_data: Path) -> None:
    files = sorted((shared_data / "earthporn" / "images").resolve().iterdir())[:100]
    posts(catalog, {path.stem: path.as_uri() for path in files}, "table:earthporn")
    report = run(catalog)
    assert (report.done, report.failed) == (100, {})
    assert catalog.count("images") == len({path.read_bytes() for path in files})


def with_preview(catalog: Catalog, post_id: str, url: str, preview: str | None) -> None:
    post(catalog, post_id, url)
    row = catalog.read("posts", where=f"post_id = '{post_id}'")
    place = row.schema.get_field_index("preview_url")
    catalog.upsert("posts", row.set_column(place, row.schema.field(place), [[preview]]))


def test_reddits_preview_is_taken_where_the_image_is_gone_and_that_is_noted(
    catalog: Catalog, image_host: ImageServer
) -> None:
    gone, copy = image_host.url("/gone.jpg"), image_host.serve("/copy.jpg", image_file(3))
    whole = image_host.serve("/whole.jpg", image_file(4))
    broken = image_host.serve("/broken.jpg", image_file(5)[:300])
    with_preview(catalog, "a", gone, copy)
    with_preview(catalog, "b", whole, copy)
    with_preview(catalog, "c", broken, copy)
    with_preview(catalog, "d", image_host.url("/gone-too.jpg"), image_host.url("/no-copy.jpg"))
    with_preview(catalog, "e", image_host.url("/gone-as-well.jpg"), "file:///etc/passwd")
    report = run(catalog)
    rows = {row["post_id"]: row["final_url"] for row in catalog.read("post_images").to_pylist()}
    assert rows == {"a": copy, "b": whole}
    assert report.noted[FROM_PREVIEW] == 1
    assert report.failed == {"broken_image": 1, "image_gone": 2}


def test_posts_whose_images_do_not_fit_into_memory_come_next_in_the_same_run(
    catalog: Catalog, image_host: ImageServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = []
    for number in range(9):
        data = image_file(number) + bytes(70_000)
        post(catalog, f"p{number}", image_host.serve(f"/{number}.jpg", data))
    monkeypatch.setattr("mmrl.images.fetching.fetch.MOST_HELD_BYTES", 1)
    commit = FetchImagesStage.commit

    def counted(self: FetchImagesStage, of: Catalog, done: pa.Table, as_of: datetime) -> None:
        sizes.append(done.num_rows)
        commit(self, of, done, as_of)

    monkeypatch.setattr(FetchImagesStage, "commit", counted)
    images = {"allow_loopback": True, "max_bytes": 80_000, "timeout_seconds": 60}
    stage = FetchImagesStage(Settings.model_validate({"images": images}))
    report = run_stage(stage, catalog, NOW, Silent())
    assert (report.pending, report.done) == (9, 9)
    assert len(shown(catalog)) == 9
    assert len(sizes) > 2


def test_a_chunk_that_comes_late_brings_its_own_bytes_as_the_later_one_is_not_committed_yet(
    catalog: Catalog, image_host: ImageServer
) -> None:
    url = image_host.serve("/a.jpg", image_file())
    posts(catalog, {"a": url, "b": url, "c": url}, "reddit")
    stage = FetchImagesStage(Settings.model_validate({"images": {"allow_loopback": True}}))
    pending, worker = stage.pending(catalog, NOW), stage.worker(NOW)
    brought = [worker(pending.slice(row, 1)).done["bytes"][0].is_valid for row in (1, 0, 1, 2)]
    assert brought == [True, True, False, False]
    assert image_host.asked.total() == 2


def test_an_address_whose_image_is_not_in_the_catalog_is_asked_for(
    catalog: Catalog, image_host: ImageServer
) -> None:
    url = image_host.serve("/a.jpg", image_file())
    post(catalog, "first", url)
    run(catalog)
    catalog.delete("images", "true")
    post(catalog, "second", url)
    assert run(catalog).done == 1
    assert catalog.count("images") == 1
