"""Numbers as people and pages write them."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmrl.catalog.reasons import Reason
from mmrl.sources.fields import MOST, Unreadable, count, flag, number, share


@pytest.mark.parametrize(
    ("value", "meant"),
    [
        ("1,204", 1204),
        ("1 204", 1204),
        ("1\u00a0204\u00a0567", 1204567),
        ("1'204", 1204),
        ("12.5k", 12500),
        ("12,5K", 12500),
        ("3M", 3_000_000),
        ("-4", -4),
        ("12 points", 12),
        ("1 point", 1),
        ("1.2k upvotes", 1200),
        ("5.0", 5),
        ("1e3", 1000),
        (Decimal("12.00"), 12),
        (12.0, 12),
        ("", None),
        (None, None),
    ],
)
def test_a_count_is_read_as_people_write_it(value: Any, meant: int | None) -> None:
    assert count(value, "score", least=-100) == meant


@pytest.mark.parametrize(
    "value", ["many", "5.5", "1.204", "0,970", "1_000", "12 apples", "1,20,4", "k", "--3", True, []]
)
def test_a_count_that_is_none_or_doubtful_is_refused(value: Any) -> None:
    with pytest.raises(Unreadable) as refused:
        count(value, "score", least=-100)
    assert refused.value.reason == Reason.BAD_VALUE
    assert refused.value.detail.startswith("score is ")


def test_a_number_out_of_range_is_told_from_one_that_cannot_be_read() -> None:
    for value in (-1, float("inf"), 10**12):
        with pytest.raises(Unreadable) as refused:
            count(value, "num_comments")
        assert refused.value.reason == Reason.OUT_OF_RANGE


@pytest.mark.parametrize(
    ("value", "meant"),
    [("97%", 0.97), ("97 %", 0.97), (97, 0.97), ("0.97", 0.97), ("0,97", 0.97), (1, 1), (0, 0)],
)
def test_a_share_is_read_in_percent_too(value: Any, meant: float) -> None:
    assert share(value, "upvote_ratio") == pytest.approx(meant)


@given(st.integers(-MOST, MOST))
def test_grouped_digits_mean_their_number(value: int) -> None:
    for written in (f"{value:,}", f"{value:,}".replace(",", " "), str(value), f"{value}.0"):
        assert count(written, "score", least=-MOST) == value


@given(st.integers(0, 99_999), st.sampled_from([("k", 1_000), ("M", 1_000_000)]))
def test_short_forms_mean_their_number(tenths: int, unit: tuple[str, int]) -> None:
    written = f"{tenths // 10}.{tenths % 10}{unit[0]}"
    assert number(written, "score", 0, MOST) == pytest.approx(tenths * unit[1] / 10)


@given(st.text() | st.floats() | st.integers() | st.binary() | st.lists(st.none()))
def test_whatever_comes_is_a_number_a_flag_or_refused(value: Any) -> None:
    for parse in (count, flag, share):
        try:
            result = parse(value, "x")
        except Unreadable as error:
            result = error.detail
            assert result.startswith("x is ")
            assert len(result) < 200
        assert result is None or isinstance(result, int | float | str)
