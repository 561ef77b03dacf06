"""A refusal is true: the value breaks what was expected, and one that does not is taken."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmrl.catalog.reasons import Reason
from mmrl.sources.files.rows import Rows
from mmrl.sources.files.table import TableSource
from mmrl.sources.post import Refused, Unstated
from mmrl.sources.submission import parse_submission
from tests.sources.test_submission import CREATED, NOW, submission


def _name_without(banned: str) -> Callable[[str], bool]:
    """The bare name has 1 to 64 characters, none of them banned."""

    def met(value: str) -> bool:
        bare = re.sub("^/?(r/)?", "", value.strip())
        return 1 <= len(bare) <= 64 and not re.search(banned, bare)

    return met


def _year(value: Any) -> int:
    if isinstance(value, str) and re.match(r"\d{4}-", value):
        return int(value[:4])
    number = float(value) if abs(Decimal(value)) < 10**300 else float("inf")
    for unit in (1, 1e3, 1e6, 1e9):
        if 0 <= number / unit < 32503680000:
            return 1970 + int(number / unit / 31_556_952)
    return -1 if number < 0 else 10_000


def _is_number(value: Any) -> bool:
    return not isinstance(value, bool) and bool(re.fullmatch(r"-?[\d.,]+k?", str(value).strip()))


def _is_bounded(value: Any) -> bool:
    """A number of at most ten thousand millions, in size."""
    return _is_number(value) and abs(Decimal(str(value))) <= 10**10


_DAY = r"\d{4}-\d\d?-\d\d?( \d\d:\d\d)?|\d\d? [A-Z][a-z]+ \d{4}|\d+"
# What a refusal says was expected, and whether a value is that, worked out by other means.
EXPECTED: dict[str, Callable[[Any], bool]] = {
    "a text": lambda value: isinstance(value, str),
    "1 to 13 of a-z and 0-9, such as 102cj7y": lambda value: (
        1 <= len(value.strip()) <= 13
        and set(value.strip()) <= set("abcdefghijklmnopqrstuvwxyz0123456789")
    ),
    "1 to 64 of A-Z, a-z, 0-9, - and _, the first neither - nor _": lambda value: bool(
        re.fullmatch("[A-Za-z0-9][-_A-Za-z0-9]*", value.strip()) and len(value.strip()) <= 64
    ),
    "a name of 1 to 64 characters, without blanks, control characters, / and \\": _name_without(
        r"[\s/\\\x00-\x1f\x7f-\x9f]"
    ),
    "a name of 1 to 64 characters, without control characters, / and \\": _name_without(
        r"[/\\\x00-\x1f\x7f-\x9f]"
    ),
    "a time from 1990 to 2199": lambda value: 1990 <= _year(value) <= 2199,
    "a time since Reddit began in June 2005": lambda value: _year(value) > 2005,
    "a time such as 2022-09-08 23:31, 8 September 2022 or epoch seconds": lambda value: bool(
        re.fullmatch(_DAY, str(value))
    ),
    "a time with day, month and year": lambda value: bool(re.search(r"\d.*\d{4}", value)),
    "a time: a spreadsheet has rounded this one": lambda value: "E+" not in value,
    "a date, not a spreadsheet's number of a day: format that column": lambda value: (
        not (20_000 < float(value) < 80_000)
    ),
    "a date that tells day and month apart: say --day-first or --month-first": lambda value: (
        max(map(int, value.split("/")[:2])) > 12
    ),
    "a number": _is_number,
    "a whole number": lambda value: Decimal(str(value).replace(",", ".")) % 1 == 0,
    "a number from -10,000,000,000 to 10,000,000,000": _is_bounded,
    "at most 10,000": lambda value: len(value) <= 10_000,
    "at most 300": lambda value: len(value) <= 300,
}
TRIED: dict[str, list[Any]] = {
    "id": [
        *(
            "abc",
            "A",
            "ABC123",
            "../../etc",
            "-a",
            "_a",
            "a-b",
            "a b",
            "é",
            "t3_",
            "t3_abc",
            "t3_-a",
        ),
        *("T3_ABC", "a" * 13, "a" * 14, "a" * 64, "a" * 65, "a" * 301, 5.5, ["a"], {"a": 1}, True),
    ],
    "title": ["A view", "a" * 10_000, "a" * 10_001, 5, ["A view"], {"a": 1}, False],
    "subreddit": [
        *("two words", "pics", "r/pics", "/r/pics", "r/", "/", "r/ pics", "a/b", "a\\b", "a\tb"),
        *("a\x01", "\x01a", "a\x85b", "a\u2003b", "r/" + "a" * 64, "a" * 64, "a" * 65, "a" * 301),
        *("é", 7, True, ["pics"]),
    ],
    "created_utc": [
        *(CREATED, f"{CREATED}", -5, 12, 1_000_000_000, 1e30, 10**400, "yesterday", True, []),
        *(
            "1950-01-01",
            "2204-01-01",
            "2199-12-31",
            "9/8/2022",
            "1.66E+09",
            "44812",
            44812,
            "2022-05",
        ),
        *("2022-09-08 23:31", "8 September 2022", "8 September", float("nan"), float("inf")),
    ],
    "score": [
        *("many", "12", "12.5k", "1.5", 1.5, True, [], 10**400, 10**11, -(10**11), "1_000"),
        *("9" * 5_000, "  12" + " " * 70, "1" + "0" * 70, float("inf"), 10**10, -(10**10)),
    ],
}


def read(any_id: bool, **changes: Any) -> Any:
    return parse_submission(
        submission(name=None, **changes),
        source="table:x",
        as_of=datetime(2300, 1, 1, tzinfo=UTC),
        unstated=Unstated(datetime(2300, 1, 1, tzinfo=UTC), True),
        any_id=any_id,
    )


def expectation(refused: Refused) -> str:
    return refused.detail.partition(", expected ")[2]


@pytest.mark.parametrize("any_id", [False, True])
@pytest.mark.parametrize(
    ("field", "value"), [(field, value) for field, values in TRIED.items() for value in values]
)
def test_a_refused_value_breaks_what_was_expected(field: str, value: Any, any_id: bool) -> None:
    result = read(any_id, **{field: value})
    if isinstance(result, Refused):
        assert result.detail.startswith(f"{field} ")
        assert not EXPECTED[expectation(result)](value), result.detail


def test_every_expectation_is_tried_by_a_value_that_breaks_it() -> None:
    results = [
        read(any_id, **{field: value})
        for field, values in TRIED.items()
        for value in values
        for any_id in (False, True)
    ]
    assert {expectation(one) for one in results if isinstance(one, Refused)} == set(EXPECTED)


@given(st.text(max_size=70), st.sampled_from(["id", "subreddit"]), st.booleans())
def test_a_name_that_is_as_expected_is_taken(value: str, field: str, any_id: bool) -> None:
    result = read(any_id, **{field: value})
    if isinstance(result, Refused) and result.reason == Reason.BAD_VALUE:
        assert not EXPECTED[expectation(result)](value), result.detail


def test_communities_of_other_platforms_may_have_blanks_in_their_names() -> None:
    assert read(True, subreddit="r/ two words ").post["subreddit"] == "two words"
    assert isinstance(read(False, subreddit="two words"), Refused)


def _texts(*values: bytes) -> pa.Array:
    ends = [0]
    for value in values:
        ends.append(ends[-1] + len(value))
    buffers = [None, pa.array(ends, pa.int32()).buffers()[1], pa.py_buffer(b"".join(values))]
    return pa.Array.from_buffers(pa.string(), len(values), buffers)


def _rows(path: Path, **columns: pa.Array) -> Rows:
    row = {"id": "a", "title": "A view", "subreddit": "pics", "created_utc": CREATED, "score": 1}
    table = pa.Table.from_pylist([row])
    for name, column in columns.items():
        table = table.drop_columns(name) if name in table.column_names else table
        table = table.append_column(name, column)
    pq.write_table(table, path)
    return Rows.joined([batch.rows for batch in TableSource(path).batches(NOW)])


@pytest.mark.parametrize(
    ("field", "column", "detail"),
    [
        (
            "created_utc",
            pa.array([2**62]).cast(pa.timestamp("us"), safe=False),
            "created_utc is a time before the year 1 or after 9999, "
            "expected a time from 1990 to 2199",
        ),
        (
            "title",
            _texts(b"\xff\xfe"),
            "title is bytes that are no UTF-8, expected a text",
        ),
        ("id", _texts(b"\xff\xfe"), "id is bytes that are no UTF-8, expected a text"),
        (
            "id",
            pa.array([2**62]).cast(pa.duration("s")),
            "id is a value of type duration[s] that Python can't hold, expected a text",
        ),
    ],
)
def test_a_value_that_python_cannot_hold_is_called_what_it_is(
    tmp_path: Path, field: str, column: pa.Array, detail: str
) -> None:
    (row,) = _rows(tmp_path / "posts.parquet", **{field: column}).refused
    refused = row.refused
    assert refused.detail == detail
    far = field == "created_utc"
    assert refused.reason == (Reason.OUT_OF_RANGE if far else Reason.BAD_VALUE)


def test_a_value_that_python_cannot_hold_is_no_feature_and_no_picture(tmp_path: Path) -> None:
    broken = _texts(b"\xff\xfe")
    picture = pa.StructArray.from_arrays([pa.array([b"x"]), broken], ["bytes", "path"])
    rows = _rows(tmp_path / "posts.parquet", tags=broken, author=broken, image=picture)
    assert rows.posts["author_name"].to_pylist() == [None]
    assert rows.extras == {}
    assert rows.dropped == {0: ("author",)}


def test_a_time_in_a_zone_that_is_not_known_is_read(tmp_path: Path) -> None:
    zoned = pa.array([CREATED]).cast(pa.timestamp("s", "Nowhere/Far"))
    rows = _rows(tmp_path / "posts.parquet", created_utc=zoned)
    assert rows.posts["created_at"].to_pylist() == [datetime.fromtimestamp(CREATED, tz=UTC)]
