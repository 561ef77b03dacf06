"""Separated text as spreadsheets and tools write it."""

import csv
import io
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mmrl.errors import InputError
from mmrl.sources.files.tables.columns import recognised
from mmrl.sources.files.tables.csv_rows import CsvRows
from mmrl.sources.post import Refused

HEADER = ["id", "title", "score", "created_utc", "subreddit"]
ROW = ["a1", "Café “0” – señor, Größe", "5", "1662679876", "memes"]


def table(separator: str = ",", end: str = "\n", rows: int = 3) -> str:
    file = io.StringIO()
    written = [[f"a{number}", *ROW[1:]] for number in range(rows)]
    csv.writer(file, delimiter=separator, lineterminator=end).writerows([HEADER, *written])
    return file.getvalue()


def read(path: Path, content: bytes, **options: Any) -> list[Any]:
    path.write_bytes(content)
    return [record for _, record, _ in CsvRows(path, recognised, **options).rows()]


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp1252"])
def test_encoding_separator_and_line_ends_are_found_out(
    tmp_path: Path, separator: str, end: str, encoding: str
) -> None:
    records = read(tmp_path / "t.csv", table(separator, end).encode(encoding))
    assert [record["title"] for record in records] == [ROW[1]] * 3
    assert [record["id"] for record in records] == ["a0", "a1", "a2"]


def test_encoding_and_separator_may_be_named(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    content = "id~title\na~привет\n".encode("koi8-r")
    assert read(path, content, encoding="koi8-r", separator="~") == [{"id": "a", "title": "привет"}]
    assert read(path, b"id\ttitle\na\tb\n", separator="tab") == [{"id": "a", "title": "b"}]
    with pytest.raises(InputError, match="--encoding nonsense"):
        read(path, content, encoding="nonsense")
    with pytest.raises(InputError, match="--separator"):
        read(path, content, separator="::")


def test_a_stray_quote_costs_its_row(tmp_path: Path) -> None:
    rows = [f"p{number},title {number},1,2,pics" for number in range(3_000)]
    rows[50] = 'p50,"title 50,1,2,pics'
    rows[2_000] = 'p2000,"title 2000,1,2,pics'
    records = read(tmp_path / "t.csv", "\n".join([",".join(HEADER), *rows]).encode())
    refused = [record for record in records if isinstance(record, Refused)]
    kept = [record["id"] for record in records if isinstance(record, dict)]
    assert kept == [f"p{number}" for number in range(3_000) if number not in (50, 2_000)]
    assert len(refused) == 2
    assert "quote" in refused[0].detail


def test_texts_of_many_lines_stay_whole(tmp_path: Path) -> None:
    text = "one, two\nthree\n\nfour,5,6,7,8"
    file = io.StringIO()
    csv.writer(file).writerows([HEADER, ["a", text, *ROW[2:]], ["b", 'a "quote"', *ROW[2:]]])
    records = read(tmp_path / "t.csv", file.getvalue().encode())
    assert [record["title"] for record in records] == [text, 'a "quote"']


def test_a_letter_of_another_encoding_costs_its_row_and_names_the_option(tmp_path: Path) -> None:
    rows = [b"p%d,title,1,2,pics\n" % number for number in range(30_000)]
    rows[29_000] = b"p,caf\xe9,1,2,pics\n"
    records = read(tmp_path / "t.csv", ",".join(HEADER).encode() + b"\n" + b"".join(rows))
    refused = [record for record in records if isinstance(record, Refused)]
    assert len(records) == 30_000
    assert len(refused) == 1
    assert "--encoding" in refused[0].detail


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"info": {}, "annotations": []}', "is JSON, not a table"),
        (b'[{"id": 1}]', "is JSON, not a table"),
        (b"\xff\xd8\xff\xe0" + b"\0" * 100, "JPEG"),
        (bytes(range(1, 32)) * 20, "no text"),
        (b"\n\n", "is empty"),
        (b",".join(b"x" for _ in range(6_000)), "6,000 values"),
    ],
)
def test_what_is_no_table_is_named_and_never_printed(
    tmp_path: Path, content: bytes, message: str
) -> None:
    with pytest.raises(InputError, match=message) as refused:
        read(tmp_path / "t.csv", content)
    assert len(str(refused.value)) < 400


values = st.text(
    st.characters(
        codec="utf-8",
        exclude_characters="\ufeff",
        exclude_categories=["Cs", "Cc"],
        include_characters="\n",
    ),
    max_size=12,
)


@given(st.lists(st.lists(values, min_size=3, max_size=3), min_size=1, max_size=8))
def test_what_a_csv_writer_writes_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, rows: list[list[str]]
) -> None:
    path = tmp_path_factory.getbasetemp() / "round.csv"
    file = io.StringIO()
    csv.writer(file, quoting=csv.QUOTE_ALL).writerows([["id", "title", "score"], *rows])
    records = read(path, file.getvalue().encode(), encoding="utf-8", separator=",")
    lines = [line for row in rows for value in row for line in value.splitlines()]
    if not any(line.count('"') for line in lines):  # quotes beside line breaks look like stray ones
        assert [list(record.values())[::-1] for record in records] == rows


@given(st.binary(max_size=300))
@example(b"\xfe\xff")
def test_whatever_bytes_come_are_rows_or_one_sentence(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.csv"
    try:
        read(path, b"id,title,score\n" + content)
    except InputError as error:
        sentence = str(error)
        assert len(sentence) < 500
