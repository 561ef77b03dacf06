"""Foreign text as people are shown it: all of it visible, none of it at work."""

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from mmrl.runtime.foreign_text import cell, shown, without_userinfo


def test_signs_that_steer_a_terminal_become_visible() -> None:
    assert shown("\x1b[31mred\x07") == "\\x1b[31mred\\x07"
    assert shown("one\ntwo\r") == "one\\ntwo\\r"
    assert shown("abc\u202etxt.exe") == "abc\\u202etxt.exe"
    assert shown("Café “0” 日本 👩‍👩‍👧") == "Café “0” 日本 👩‍👩‍👧"


def test_a_cell_begins_no_formula() -> None:
    for text in ('=HYPERLINK("http://a.invalid")', "+1", "-1+2", "@SUM(A1)", "\t=1", "\r=1"):
        assert cell(text) == f"'{text}"
    for text in ("A lake = a mirror", "'quoted'", "", "5 - 10 words"):
        assert cell(text) == text


def test_a_users_name_and_password_are_taken_out_of_addresses() -> None:
    said = "no answer from postgresql://me:p@ss/w:rd@db.example:5432/mlflow (tried http://h/x)"
    plain = "no answer from postgresql://db.example:5432/mlflow (tried http://h/x)"
    assert without_userinfo(said) == plain
    assert without_userinfo(plain) == plain


def test_containers_are_named_and_numbers_bounded() -> None:
    deep: list[object] = []
    for _ in range(5_000):
        deep = [deep]
    assert shown(deep) == "a list"
    assert shown({"a": 1}) == "an object"
    assert shown(10**10_000) == "an enormous number"
    assert shown(None) == "None"


@given(st.text(st.characters(codec=None)) | st.integers() | st.floats(), st.integers(8, 200))
def test_whatever_comes_is_one_printable_line_within_its_bound(value: object, most: int) -> None:
    result = shown(value, most)
    assert len(result) <= most
    hidden = [sign for sign in result if unicodedata.category(sign)[0] == "C"]
    assert set(hidden) <= {"\u200c", "\u200d"}
    result.encode()
