"""The memo of drafts' contents: what is made once, what is forgotten."""

from dataclasses import dataclass

import numpy as np
import pytest

from mmrl.serving.inputs.content_memo import ContentMemo


@dataclass(frozen=True)
class Record:
    values: np.ndarray


def doubled(keys: list[str]) -> list[str]:
    return [key * 2 for key in keys]


def two_values() -> int:
    memo = ContentMemo()
    memo.of("kind", ["a", "b"], doubled)
    return memo.held


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
    memo = ContentMemo(two_values())
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


def test_values_count_by_their_bytes_and_keys_hardly_at_all() -> None:
    memo = ContentMemo(100_000)
    vectors = {name: np.zeros(5_000, np.float32) for name in "abcdefgh"}  # 20 KB each
    memo.of("vectors", vectors, lambda keys: [vectors[key] for key in keys])
    assert len(memo) == 4
    assert 80_000 < memo.held <= 100_000
    records = {name: Record(np.zeros(10_000, np.float32)) for name in "ijk"}
    memo.of("records", records, lambda keys: [records[key] for key in keys])
    assert len(memo) == 2
    memo = ContentMemo(100_000)
    long = [f"{number}{'x' * 250_000}" for number in range(20)]
    assert memo.of("title", long, lambda keys: [key[:2] for key in keys])[long[7]] == "7x"
    assert len(memo) == 20
    assert sum(len(name) for name in memo._kept) < 1_000
    assert memo.of("title", [*long, (1, "a")], lambda keys: ["pair"])[1, "a"] == "pair"


def test_a_value_larger_than_all_it_may_hold_is_given_and_not_kept() -> None:
    memo = ContentMemo(1_000)
    assert len(memo.of("kind", ["x" * 2_000], doubled)["x" * 2_000]) == 4_000
    assert (len(memo), memo.held) == (0, 0)
