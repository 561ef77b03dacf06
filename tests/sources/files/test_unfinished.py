"""An import that was killed goes on where it was, and ends as one that was not."""

import gzip
import os
from collections.abc import Callable, Generator
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

import orjson
import pytest
import zstandard

from mmrl.catalog import Catalog
from mmrl.catalog.generation import begin_generation
from mmrl.config import Settings
from mmrl.errors import InputError
from mmrl.purge.files import drop_refused_rows
from mmrl.purge.run import erase
from mmrl.runtime.progress import Silent
from mmrl.sources.files.content import Content, Entry
from mmrl.sources.files.dump import DumpSource
from mmrl.sources.files.importer import ImportReport, import_posts
from mmrl.sources.files.source import START, Batch, Mark
from mmrl.storage.folder import Folder

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
POSTS = 200


def line(number: int) -> bytes:
    if number % 23 == 7:
        return b'{"id": "broken'
    return orjson.dumps(
        {
            "id": f"p{number}",
            "title": f"Post {number}",
            "subreddit": ("aww", "pics")[number % 2],
            "created_utc": 1_700_000_000 + number,
            "score": number,
            "selftext": "x" * (number * 7 % 90),
        }
    )


LINES = [line(number) + b"\n" for number in range(POSTS)]
TEXT = b"".join(LINES)
FRAMES = [b"".join(LINES[at : at + 30]) for at in range(0, POSTS, 30)]
WRITERS: dict[str, Callable[[], bytes]] = {
    "a": lambda: TEXT,
    "a.gz": lambda: gzip.compress(TEXT),
    "one.zst": lambda: zstandard.compress(TEXT),
    "several.zst": lambda: b"".join(map(zstandard.compress, FRAMES)),
}


class Killed(DumpSource):
    """A source that is killed after some batches."""

    most = 0

    def batches(self, as_of: datetime, begin: Mark = START) -> Generator[Batch, None, None]:
        yield from islice(super().batches(as_of, begin), self.most)
        raise KeyboardInterrupt


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of some lines, batches of ten rows, frames that are all kept in mind."""
    monkeypatch.setattr("mmrl.sources.files.dumps.json_content.BLOCK", 700)
    monkeypatch.setattr("mmrl.sources.files.dumps.block.BATCH", 10)
    monkeypatch.setattr("mmrl.sources.files.dump.BATCH", 10)
    monkeypatch.setattr("mmrl.sources.files.content._APART", 1)


def rows(catalog: Catalog) -> dict[str, list[dict[str, Any]]]:
    keys = {"posts": "post_id", "observations": "post_id", "failures": "key"}
    return {table: catalog.read(table).sort_by(key).to_pylist() for table, key in keys.items()}


def read(
    home: Path,
    paths: list[Path],
    told: list[str] | None = None,
    refused: str | None = None,
    **asked: Any,
) -> ImportReport:
    tell = (lambda sentence: None) if told is None else told.append
    catalog = Catalog.open(home, create=True)
    return import_posts(catalog, DumpSource(paths, **asked), NOW, Silent(), refused, tell)


def killed(
    home: Path,
    paths: list[Path],
    batches: int,
    as_of: datetime = NOW,
    refused: str | None = None,
    **asked: Any,
) -> None:
    source = Killed(paths, **asked)
    source.most = batches
    with pytest.raises(KeyboardInterrupt):
        import_posts(Catalog.open(home, create=True), source, as_of, Silent(), refused)


def purge(catalog: Catalog) -> None:
    erase(catalog, Settings(), {"p1": "deleted"}, NOW, Silent(), sleep=lambda seconds: None)


@pytest.mark.slow
@pytest.mark.parametrize("name", WRITERS)
def test_after_kills_rows_and_counts_are_those_of_an_import_without(
    tmp_path: Path, name: str
) -> None:
    paths = [tmp_path / name, tmp_path / "more"]
    paths[0].write_bytes(WRITERS[name]())
    paths[1].write_bytes(b"".join(line(number) + b"\n" for number in range(POSTS, POSTS + 40)))
    whole = read(tmp_path / "whole", paths, subreddits=["aww"])
    home, told = tmp_path / "home", list[str]()
    for batches in (3, 0, 2, 6):
        killed(home, paths, batches, subreddits=["aww"])
    report = read(home, paths, told, subreddits=["aww"])
    assert "goes on" in told[0]
    assert report == whole
    assert report.outside > 50
    assert report.refused.total() > 9
    assert rows(Catalog.open(home)) == rows(Catalog.open(tmp_path / "whole"))
    assert not list((home / "imports").glob("*"))
    assert read(home, paths, told, subreddits=["aww"]).read == whole.read
    assert len(told) == 1


def test_what_was_read_is_not_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "dump"
    path.write_bytes(TEXT)
    killed(tmp_path / "home", [path], 5)
    parsed: list[object] = []
    from mmrl.sources.files.dumps import block

    real = block.parse_submission

    def parse(submission: object, **rules: Any) -> Any:
        parsed.append(submission)
        return real(submission, **rules)

    monkeypatch.setattr(block, "parse_submission", parse)
    read(tmp_path / "home", [path])
    assert len(parsed) < POSTS - 30


def test_another_file_or_another_wish_is_read_from_its_start(tmp_path: Path) -> None:
    path, told = tmp_path / "dump", list[str]()
    path.write_bytes(TEXT)
    home = tmp_path / "home"
    killed(home, [path], 4)
    assert read(home, [path], told, subreddits=["pics"]).read > 50
    path.write_bytes(TEXT.replace(b"Post", b"post"))
    read(home, [path], told)
    assert not told


@pytest.mark.parametrize("since", [drop_refused_rows, begin_generation])
def test_an_import_begins_anew_after_a_purge_and_where_rows_were_taken_out(
    tmp_path: Path, since: Callable[[Catalog], object]
) -> None:
    path, told = tmp_path / "dump", list[str]()
    path.write_bytes(TEXT)
    killed(tmp_path / "home", [path], 4)
    since(Catalog.open(tmp_path / "home"))
    read(tmp_path / "home", [path], told)
    assert not told


class Purged(Killed):
    """A source that is killed after some batches, with a purge before the last but one."""

    def batches(self, as_of: datetime, begin: Mark = START) -> Generator[Batch, None, None]:
        for number, batch in enumerate(islice(DumpSource.batches(self, as_of, begin), self.most)):
            if number == self.most - 2:
                self.purge()
            yield batch
        raise KeyboardInterrupt

    def purge(self) -> None: ...


def test_a_mark_that_is_left_after_a_purge_goes_on_and_shows_no_row_from_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, home, told = tmp_path / "dump", tmp_path / "home", list[str]()
    path.write_bytes(TEXT)
    catalog = Catalog.open(home, create=True)
    source = Purged([path])
    source.most = 6
    monkeypatch.setattr(source, "purge", lambda: purge(catalog))
    with pytest.raises(KeyboardInterrupt):
        import_posts(catalog, source, NOW, Silent())
    (mark,) = (home / "imports").iterdir()
    assert b"broken" not in mark.read_bytes()
    assert b'"examples": []' in mark.read_bytes()
    read(home, [path], told)
    assert len(told) == 1


def test_a_mark_that_is_written_while_a_purge_ends_does_not_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, home = tmp_path / "dump", tmp_path / "home"
    path.write_bytes(TEXT)
    real, marks = Folder.write, list[str]()

    def write(self: Folder, name: str, data: bytes) -> None:
        if name.startswith("imports/"):
            purge(Catalog.open(home))
            marks.append(name)
        real(self, name, data)

    monkeypatch.setattr(Folder, "write", write)
    killed(home, [path], 4)
    assert marks
    assert not list((home / "imports").iterdir())


def test_an_import_of_a_file_from_the_future_goes_on_later_and_not_before(tmp_path: Path) -> None:
    path, told = tmp_path / "dump", list[str]()
    path.write_bytes(TEXT)
    os.utime(path, (NOW.timestamp() + 1e6,) * 2)
    for home, hours in (("later", 1), ("before", -1)):
        killed(tmp_path / home, [path], 4, NOW - timedelta(hours=hours))
        read(tmp_path / home, [path], told)
    assert len(told) == 1


def test_a_file_that_breaks_is_read_anew_the_next_time(tmp_path: Path) -> None:
    path, told = tmp_path / "dump.zst", list[str]()
    path.write_bytes(WRITERS["several.zst"]()[:-40])
    for _ in range(2):
        with pytest.raises(InputError, match="ends in the middle"):
            read(tmp_path / "home", [path], told)
    assert not told


def test_posts_that_another_present_refused_are_read_again(tmp_path: Path) -> None:
    path, home, told = tmp_path / "dump", tmp_path / "home", list[str]()
    path.write_bytes(TEXT.replace(b'"score"', b'"retrieved_on": 1700500000, "score"'))
    given = {"scores_as_of": datetime(2023, 11, 16, tzinfo=UTC)}
    killed(home, [path], 6, datetime(2023, 11, 17, tzinfo=UTC), **given)
    report = read(home, [path], told, **given)
    assert not told
    assert report.new == POSTS - report.refused.total() == Catalog.open(home).count("posts")


def test_an_end_without_any_post_is_not_taken_for_a_file_without_any(tmp_path: Path) -> None:
    path = tmp_path / "dump"
    path.write_bytes(b'{"a comment": 1}\n' * 3)
    source = DumpSource([path], subreddits=["food"])
    with pytest.raises(InputError, match="No post could be read"):
        list(source.batches(NOW))
    with pytest.raises(InputError, match=r"^dump holds no post of r/food: check"):
        list(source.batches(NOW, Mark(0, 1, 17, Entry(), 17)))


def test_rows_refused_since_an_import_went_on_are_all_in_their_file(tmp_path: Path) -> None:
    path, home = tmp_path / "dump", tmp_path / "home"
    path.write_bytes(TEXT)
    killed(home, [path], 8, refused="refused/1.csv")
    report = read(home, [path], refused="refused/2.csv")
    assert report.refused_file is not None
    since = report.refused.total() - report.refused_before
    assert 0 < since < report.refused.total()
    assert len((home / "refused/2.csv").read_text().splitlines()) == since + 1


def test_a_mark_of_another_version_is_left_aside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, told = tmp_path / "dump", list[str]()
    path.write_bytes(TEXT)
    with monkeypatch.context() as earlier:
        earlier.setattr("mmrl.sources.files.dump.__version__", "0.0.1")
        killed(tmp_path / "home", [path], 4)
    read(tmp_path / "home", [path], told)
    assert not told


@pytest.mark.parametrize("name", ["a", "one.zst", "several.zst"])
def test_unpacking_begins_at_any_entry(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(WRITERS[name]())
    entries = set()
    with Content(path) as content:
        read = 0
        for piece in content:
            read += len(piece)
            entries.add(content.entry_before(read))
    assert len(entries) > (1 if name == "several.zst" else 0)
    for entry in entries | {Entry()}:
        with Content(path, entry) as content:
            assert b"".join(content) == TEXT[entry.text :]
