"""Importing dumps: streamed, filtered, and robust against what files are like."""

import tracemalloc
from collections.abc import Generator
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

import orjson
import pytest
import zstandard

from mmrl.catalog import Catalog
from mmrl.errors import InputError
from mmrl.pipeline import Silent
from mmrl.sources.files.dump import DumpSource
from mmrl.sources.files.importer import ImportReport, import_posts
from mmrl.sources.files.source import START, Batch, Mark

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
CREATED = 1_700_000_000


def post(number: int, **changes: Any) -> dict[str, Any]:
    return {
        "id": f"p{number}",
        "title": f"Post {number}",
        "subreddit": ("aww", "pics", "food")[number % 3],
        "created_utc": CREATED + number * 60,
        "score": number,
        "url": f"https://i.redd.it/{number}.jpg",
        "retrieved_on": CREATED + number * 60 + 40 * 3600,
        **changes,
    }


def lines(posts: list[Any]) -> bytes:
    return b"".join(orjson.dumps(one) + b"\n" for one in posts)


def write(path: Path, posts: list[Any]) -> Path:
    content = lines(posts)
    path.write_bytes(zstandard.compress(content) if path.suffix == ".zst" else content)
    return path


def read(catalog: Catalog, *paths: Path, **options: Any) -> ImportReport:
    return import_posts(catalog, DumpSource(paths, **options), NOW, Silent())


def ids(catalog: Catalog) -> set[str]:
    return set(catalog.read("posts", ["post_id"])["post_id"].to_pylist())


def test_a_long_import_joins_its_files_and_indexes_its_keys(
    catalog: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mmrl.sources.files.dump.BATCH", 600)
    monkeypatch.setattr("mmrl.sources.files.dumps.block.BATCH", 600)
    monkeypatch.setattr("mmrl.sources.files.importer._COMPACT_EVERY", 24)
    assert read(catalog, write(tmp_path / "RS", [post(n) for n in range(15_000)])).new == 15_000
    for table in ("posts", "observations"):
        dataset = catalog.opened(table).to_lance()
        assert len(dataset.get_fragments()) < 10
        assert dataset.list_indices()
    assert catalog.count("posts") == catalog.count("observations") == 15_000


@pytest.mark.parametrize("name", ["RS_2023-11", "RS_2023-11.ndjson", "RS_2023-11.zst"])
def test_a_dump_is_read_plain_or_packed(catalog: Catalog, tmp_path: Path, name: str) -> None:
    report = read(catalog, write(tmp_path / name, [post(n) for n in range(30)]))
    assert report.new == 30
    assert report.observations == 30
    assert report.subreddits == {"aww": 10, "pics": 10, "food": 10}
    assert report.first == datetime.fromtimestamp(CREATED, tz=UTC)
    assert catalog.count("observations", "settled") == 30
    assert set(catalog.read("posts")["source"].to_pylist()) == {f"dump:{name}"}


def test_a_dump_of_several_frames_with_a_large_window_is_read(
    catalog: Catalog, tmp_path: Path
) -> None:
    window = zstandard.ZstdCompressionParameters(window_log=28, enable_ldm=True)
    packer = zstandard.ZstdCompressor(compression_params=window)
    path = tmp_path / "dump.zst"
    path.write_bytes(
        packer.compress(lines([post(n) for n in range(10)])[:-1])
        + packer.compress(b"\n" + lines([post(n) for n in range(10, 20)]))
    )
    assert read(catalog, path).new == 20


def test_reading_again_doubles_nothing(catalog: Catalog, tmp_path: Path) -> None:
    path = write(tmp_path / "dump.zst", [*[post(n) for n in range(20)], post(3), {"odd": 1}])
    read(catalog, path)
    again = read(catalog, path)
    assert (again.new, again.observations, again.known) == (0, 0, 21)
    assert catalog.count("posts") == catalog.count("observations") == 20
    assert catalog.count("failures") == 1


def test_only_the_subreddits_and_times_asked_for_are_kept(catalog: Catalog, tmp_path: Path) -> None:
    path = write(tmp_path / "dump.zst", [post(n) for n in range(30)])
    report = read(
        catalog,
        path,
        subreddits=["r/AWW", "Food"],
        after=datetime.fromtimestamp(CREATED + 6 * 60, tz=UTC),
        before=datetime.fromtimestamp(CREATED + 12 * 60, tz=UTC),
    )
    assert ids(catalog) == {"p6", "p8", "p9", "p11"}
    assert report.outside == 26


@pytest.mark.parametrize(
    "line",
    [
        {"crosspost_parent_list": [{"subreddit": "pics"}], "subreddit": "aww"},
        {"subreddit_name_prefixed": "r/aww", "subreddit": None},
    ],
)
def test_no_post_is_lost_to_the_quick_observation_at_a_line(
    catalog: Catalog, tmp_path: Path, line: dict[str, Any]
) -> None:
    path = tmp_path / "dump"
    escaped = orjson.dumps(post(1, subreddit="aww")).replace(b'"aww"', b'"\\u0061ww"')
    path.write_bytes(lines([{**post(0), **line}]) + escaped + b"\n" + lines([post(4)]))
    read(catalog, path, subreddits=["aww"])
    assert ids(catalog) == {"p0", "p1"}


def test_a_crosspost_from_a_wanted_subreddit_is_not_of_it(catalog: Catalog, tmp_path: Path) -> None:
    stranger = post(1, crosspost_parent_list=[{"subreddit": "aww"}])  # posted in pics
    read(catalog, write(tmp_path / "dump", [stranger, post(0)]), subreddits=["aww"])
    assert ids(catalog) == {"p0"}


def test_bad_lines_are_counted_by_reason_and_do_not_stop_the_import(
    catalog: Catalog, tmp_path: Path
) -> None:
    path = tmp_path / "dump"
    good = [post(n) for n in range(3)]
    bad = [[1], "text", post(7, score="x"), {**post(8), "created_utc": None}]
    path.write_bytes(lines(good) + b'{"id": "x", \n\n\xff\xfe\n' + lines(bad))
    report = read(catalog, path)
    assert report.new == 3
    assert report.refused == {"not_a_post": 4, "bad_value": 1, "no_creation_time": 1}
    failures = catalog.read("failures").to_pylist()
    assert {row["key"] for row in failures} == {f"dump:{n}" for n in (4, 6, 7, 8, 9, 10)}
    assert {row["stage"] for row in failures} == {"import"}


def test_a_truncated_file_keeps_what_came_before_and_says_how_much(
    catalog: Catalog, tmp_path: Path
) -> None:
    content = lines(
        [post(n, title="".join(chr(97 + n * k % 26) for k in range(200))) for n in range(3000)]
    )
    whole = zstandard.compress(content)
    path = tmp_path / "dump.zst"
    path.write_bytes(whole[: len(whole) * 3 // 4])
    with pytest.raises(InputError, match="ends in the middle") as caught:
        read(catalog, path)
    kept = catalog.count("posts")
    assert 500 < kept < 3000
    assert f"{kept:,} posts read before" in str(caught.value)
    path.write_bytes(whole)
    assert read(catalog, path).new == 3000 - kept
    assert catalog.count("observations") == 3000


def test_a_damaged_file_is_named(catalog: Catalog, tmp_path: Path) -> None:
    whole = bytearray(zstandard.compress(lines([post(n) for n in range(500)])))
    whole[len(whole) // 2 :] = b"\0" * (len(whole) - len(whole) // 2)
    path = tmp_path / "dump.zst"
    path.write_bytes(whole)
    with pytest.raises(InputError, match=r"dump\.zst"):
        read(catalog, path)


def test_a_dump_without_the_subreddit_names_those_it_has(catalog: Catalog, tmp_path: Path) -> None:
    path = write(tmp_path / "dump", [post(n) for n in range(30)])
    with pytest.raises(InputError, match=r"no post of r/nonesuch.*30 posts.*aww \(10\)"):
        read(catalog, path, subreddits=["nonesuch"])
    assert catalog.count("posts") == 0


@pytest.mark.parametrize(
    ("content", "name", "message"),
    [
        (b"", "dump", "No post could be read"),
        (b"not json\n", "dump", "No post could be read"),
        (b"plain", "dump.zst", "not Zstandard"),
        (b"\x1f\x8b\x08rest", "dump.gz", "ends in the middle|damaged"),
        (b"\xff\xd8\xff\xe0rest", "dump.json", "JPEG image"),
        (b"\xff\xfe{\0", "dump.json", "UTF-16"),
        (b"<!DOCTYPE html>", "dump.json", "web page"),
    ],
)
def test_a_file_of_another_kind_is_said_to_be_one(
    catalog: Catalog, tmp_path: Path, content: bytes, name: str, message: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=message):
        read(catalog, tmp_path / name)


def test_a_missing_file_a_folder_and_swapped_times_are_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no file"):
        DumpSource([tmp_path / "nothing.zst"])
    with pytest.raises(InputError, match="folder"):
        DumpSource([tmp_path])
    with pytest.raises(InputError, match="not before"):
        DumpSource([write(tmp_path / "dump", [post(1)])], after=NOW, before=NOW)


def test_scores_of_unknown_age_give_no_label_until_the_user_says_that_they_are_final(
    catalog: Catalog, tmp_path: Path
) -> None:
    path = write(tmp_path / "dump", [{**post(n), "retrieved_on": None} for n in range(5)])
    report = read(catalog, path)
    assert (report.unstated, report.unsettled) == (5, 5)
    assert catalog.count("observations", "settled") == 0
    assert read(catalog, path, settled=True).unsettled == 0
    assert catalog.count("observations", "settled") == catalog.count("observations") == 5
    read(catalog, path)
    assert catalog.count("observations", "settled") == 5


def test_scores_as_of_dates_the_observations(catalog: Catalog, tmp_path: Path) -> None:
    path = write(tmp_path / "dump", [{**post(1), "retrieved_on": None}])
    then = datetime(2024, 1, 1, tzinfo=UTC)
    read(catalog, path, scores_as_of=then)
    assert catalog.read("observations")["observed_at"].to_pylist() == [then]
    assert catalog.count("observations", "settled") == 1


class Interrupted(DumpSource):
    """A source that is killed after some batches."""

    most = 1

    def batches(self, as_of: datetime, begin: Mark = START) -> Generator[Batch, None, None]:
        yield from islice(super().batches(as_of, begin), self.most)
        raise KeyboardInterrupt


def test_a_kill_loses_at_most_a_batch(
    catalog: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mmrl.sources.files.dump.BATCH", 10)
    monkeypatch.setattr("mmrl.sources.files.dumps.block.BATCH", 10)
    path = write(tmp_path / "dump", [post(n) for n in range(25)])
    with pytest.raises(KeyboardInterrupt):
        import_posts(catalog, Interrupted([path]), NOW, Silent())
    assert catalog.count("posts") == 10
    assert read(catalog, path).new == 15
    assert catalog.count("posts") == catalog.count("observations") == 25


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    """70 MB of posts of another subreddit, packed into kilobytes, pass through few megabytes."""
    path = tmp_path / "dump.zst"
    block = lines([post(1, selftext="x" * 2_000) for _ in range(1_000)])
    path.write_bytes(zstandard.compress(block * 30))
    source = DumpSource([path], subreddits=["aww"])
    tracemalloc.start()
    with pytest.raises(InputError, match="no post of r/aww"):
        for _ in source.batches(NOW):
            pass
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 40_000_000


def test_progress_reaches_the_size_of_the_files(tmp_path: Path) -> None:
    paths = [write(tmp_path / name, [post(n) for n in range(50)]) for name in ("a.zst", "b")]
    source = DumpSource(paths)
    assert sum(batch.units for batch in source.batches(NOW)) == source.size


@pytest.mark.shared_data
def test_the_top_posts_of_2013_are_read(catalog: Catalog, shared_data: Path) -> None:
    path = shared_data / "reddit_top_2013" / "posts.ndjson.zst"
    report = read(catalog, path, settled=True)
    assert report.new == 10_999
    assert not report.refused
    assert len(report.subreddits) == 11
    assert report.with_image > 9_000
    assert catalog.count("observations", "settled AND score >= 0") == 10_999
