"""The memo of drafts' contents: what is made once, what is forgotten."""

import pytest

from mmrl.serving.content_memo import ContentMemo


def doubled(keys: list[str]) -> list[str]:
    return [key * 2 for key in keys]


def fails(keys: list[str]) -> list[str]:
    raise ValueError(keys)


def test_a_value_is_made_once_and_those_that_lack_are_made_together() -> None:
    memo = ContentMemo()
    asked: list[list[str]] = []

    def make(keys: list[str]) -> list[str]:
        asked.append(keys)
        return doubled(keys)

    assert memo.of("kind", ["a", "b", "a"], make) == {"a": "aa", "b": "bb"}
    assert memo.of("kind", ["c", "a"], make) == {"c": "cc", "a": "aa"}
    assert asked == [["a", "b"], ["c"]]


def test_kinds_are_apart() -> None:
    memo = ContentMemo()
    memo.of("kind", ["a"], doubled)
    assert memo.of("other", ["a"], lambda keys: [key.upper() for key in keys]) == {"a": "A"}


def test_the_longest_unused_is_forgotten_and_what_is_asked_for_comes_all_the_same() -> None:
    memo = ContentMemo(most=2)
    memo.of("kind", ["a", "b"], doubled)
    memo.of("kind", ["a"], doubled)
    memo.of("kind", ["c"], doubled)
    assert memo.of("kind", ["a", "c"], fails) == {"a": "aa", "c": "cc"}
    assert memo.of("kind", ["d", "e", "f"], doubled) == {"d": "dd", "e": "ee", "f": "ff"}
    assert len(memo) == 2


def test_what_fails_is_not_remembered() -> None:
    memo = ContentMemo()
    with pytest.raises(ValueError, match="a"):
        memo.of("kind", ["a"], fails)
    assert memo.of("kind", ["a"], doubled) == {"a": "aa"}
