"""Contents of files, plain and packed, and their lines."""

import bz2
import gzip
import lzma
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from mmrl.errors import InputError
from mmrl.sources.files.content import BrokenOffError, Content
from mmrl.sources.files.dumps.json_content import json_blocks, json_lines, submissions
from mmrl.sources.files.lines import lines
from mmrl.sources.post import Refused

TEXT = b"".join(b'{"id": "%d"}\n' % number for number in range(5_000))
SKIPPABLE = b"\x50\x2a\x4d\x18" + (3_000).to_bytes(4, "little") + b"x" * 3_000
PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "gz": lambda data: gzip.compress(data[:9_000]) + gzip.compress(data[9_000:]),
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "zst": zstandard.compress,
    "skippable": lambda data: SKIPPABLE + zstandard.compress(data) + SKIPPABLE,
}


@pytest.mark.parametrize("packer", PACKERS)
def test_a_packed_file_is_read_whole_and_a_cut_one_is_said_to_be_cut(
    tmp_path: Path, packer: str
) -> None:
    path = tmp_path / "dump"
    packed = PACKERS[packer](TEXT)
    path.write_bytes(packed)
    with Content(path) as content:
        assert content.peek(100).startswith(TEXT[:100])
        assert b"".join(content) == TEXT
        assert content.position == len(packed)
    if packer != "skippable":
        path.write_bytes(packed[: len(packed) * 2 // 3])
        broken = pytest.raises(BrokenOffError, match=r"ends in the middle|damaged")
        with broken, Content(path) as cut:
            b"".join(cut)


@pytest.mark.parametrize(
    ("start", "what"),
    [
        (b"PK\x03\x04", "Excel workbook"),
        (b"\xff\xd8\xff\xe1", "JPEG"),
        (b"RIFF\0\0\0\0WEBP", "WebP"),
        (b"PAR1", "mmrl import table"),
        (b"<html>", "web page"),
        (b"SQLite format 3\0", "SQLite"),
    ],
)
def test_what_is_no_text_is_named(tmp_path: Path, start: bytes, what: str) -> None:
    (tmp_path / "posts").write_bytes(start + b"\0" * 3_000)
    with pytest.raises(InputError, match=what), Content(tmp_path / "posts") as content:
        content.peek(10)


@given(
    st.lists(st.sampled_from([b"a", b"bb", b"\n", b"\r\n", b"\n\n\n", b"ccc\n"])),
    st.integers(1, 6),
)
def test_lines_are_the_same_however_the_content_is_cut(parts: list[bytes], step: int) -> None:
    content = b"".join(parts)
    pieces = [content[at : at + step] for at in range(0, len(content), step)]
    whole = [line.removesuffix(b"\r") for line in content.split(b"\n")]
    expected = [(number, line) for number, line in enumerate(whole, start=1) if line]
    assert list(lines(pieces)) == expected
    last = [] if content.endswith(b"\n") or not content else whole[-1:]
    blank = whole[:-1] + last
    assert [line for _, line in lines(pieces, blank=True)] == blank


@given(st.lists(st.integers(0, 30), min_size=1), st.integers(1, 9))
def test_a_line_that_is_too_long_costs_itself(sizes: list[int], step: int) -> None:
    content = b"".join(b"x" * size + b"\n" for size in sizes)
    pieces = [content[at : at + step] for at in range(0, len(content), step)]
    found = [None if line is None else len(line) for _, line in lines(pieces, 10, blank=True)]
    assert found == [None if size > 10 else size for size in sizes]


def test_billions_of_blank_lines_cost_neither_time_nor_memory() -> None:
    block = b"\n" * (1 << 20)
    assert list(lines(block if at < 500 else b"{}\n" for at in range(501))) == [
        (500 * (1 << 20) + 1, b"{}")
    ]


def read(tmp_path: Path, data: bytes) -> list[object]:
    (tmp_path / "posts.json").write_bytes(data)
    with Content(tmp_path / "posts.json") as content:
        return [
            line
            for number, block in enumerate(json_blocks(content))
            for _, line in json_lines(block, first=not number)[1]
        ]


def test_json_is_read_an_object_a_line_or_as_one_document(tmp_path: Path) -> None:
    indented = b'{\n  "id": "a",\n  "title": "b"\n}\n'
    assert read(tmp_path, indented) == [indented]
    assert read(tmp_path, b"[\n{},\n{}\n]") == [b"[\n{},\n{}\n]"]
    assert read(tmp_path, b'\xef\xbb\xbf{"id": 1}\n{"id": 2}\n') == [b'{"id": 1}', b'{"id": 2}']
    assert read(tmp_path, b'{"id": 1}\r{"id": 2}\r') == [b'{"id": 1}', b'{"id": 2}']
    assert read(tmp_path, b'{"id": 1, }\n{"id": 2}\n') == [b'{"id": 1, }', b'{"id": 2}']
    long, short = read(tmp_path, b'{"a": 1}\n"' + b"x" * (1 << 24) + b'"\n{"id": 2}\n')[1:]
    assert isinstance(long, Refused)
    assert short == b'{"id": 2}'


def test_posts_are_found_in_listings_answers_and_lists() -> None:
    post = {"id": "a", "title": "t"}
    child = {"kind": "t3", "data": post}
    comment = {"kind": "t1", "data": {"id": "c", "body": "b"}}
    listing = {"kind": "Listing", "data": {"children": [child, child]}}
    comments = {"kind": "Listing", "data": {"children": [comment]}}
    assert submissions(post) == [post]
    assert submissions(child) == [child]
    assert submissions(listing) == [child, child]
    assert submissions([listing, comments]) == [child, child]
    assert submissions(comments) == [comment]
    assert submissions({"data": [post, post]}) == [post, post]
    assert submissions([[2, post], [3, "https://i.redd.it/a.jpg", post]]) == [post, post]
    assert submissions([1]) == [1]
    assert submissions([]) == [[]]


@pytest.mark.parametrize("length", range(1008, 1026))
def test_a_frame_to_skip_may_begin_anywhere_in_what_is_read_at_once(
    tmp_path: Path, length: int
) -> None:
    def skipped(size: int) -> bytes:
        return b"\x50\x2a\x4d\x18" + (size - 8).to_bytes(4, "little") + bytes(size - 8)

    path = tmp_path / "dump.zst"
    path.write_bytes(skipped(length) + skipped(20) + zstandard.compress(b"text"))
    with Content(path) as content:
        assert b"".join(content) == b"text"
