"""Extra features as numbers: kinds, frequent words and scales, from the training posts alone."""

import json
from dataclasses import asdict

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmrl.learning.extras import ExtraFeatures, fit_extras, words_of
from mmrl.samples.extras import EXTRA, extras_column

WORDS = st.dictionaries(
    st.sampled_from(["flair", "tags", "genre", "runtime"]),
    st.one_of(st.text(max_size=30), st.integers(0, 300).map(str), st.just("red, blue")),
)


def table(*extras: dict[str, str]) -> pa.Table:
    return pa.table({EXTRA: extras_column(extras)})


def repeated(name: str, *values: str, times: int = 10) -> pa.Table:
    return table(*({name: value} for value in values for _ in range(times)))


def test_numbers_are_scaled_and_missing_ones_marked() -> None:
    train = repeated("runtime", "90", "110.0", "100")
    extras = fit_extras(train)
    assert extras.names == ("runtime",)
    values, present = extras(table({"runtime": "100"}, {"runtime": "unknown"}, {}))
    np.testing.assert_allclose(values, [[0, 0], [0, 1], [0, 0]], atol=1e-6)
    assert present.tolist() == [1, 1, 0]
    high = extras(table({"runtime": "110"}))[0][0, 0]
    assert high == pytest.approx(10 / np.std([90, 110, 100]), rel=1e-5)


def test_a_skewed_number_is_learned_from_by_its_logarithm() -> None:
    numbers = [str(10**power) for power in range(1, 7)]
    extras = fit_extras(repeated("budget", *numbers))
    assert extras.numbers["budget"].logarithm
    values, _ = extras(table(*({"budget": number} for number in numbers)))
    assert np.diff(values[:, 0]) == pytest.approx(np.diff(values[:, 0]).mean(), rel=0.1)
    assert not fit_extras(repeated("budget", "-9", "1", "3")).numbers["budget"].logarithm


def test_lists_are_split_at_their_separators_and_other_values_at_blanks() -> None:
    genres = fit_extras(repeated("genre", "Drama, Science Fiction", "Drama | Crime", "Crime"))
    assert genres.words["genre"].listed
    assert set(genres.words["genre"].words) >= {"drama", "science fiction", "crime"}
    flair = fit_extras(repeated("flair", "Official Poster", "Fan Art")).words["flair"]
    assert not flair.listed
    assert set(flair.words) == {"official", "poster", "official poster", "fan", "art", "fan art"}


@pytest.mark.parametrize(
    ("text", "listed", "words"),
    [
        ("Official  Poster!", False, ["official", "poster", "official poster!"]),
        ("OC", False, ["oc"]),
        ("🔥 hot", False, ["🔥", "hot", "🔥 hot"]),
        ("a, b;A", True, ["a", "b", "a, b;a"]),
        ("word " * 9, False, ["word"]),
    ],
)
def test_a_value_has_its_words_and_itself_where_it_is_short(
    text: str, listed: bool, words: list[str]
) -> None:
    assert words_of(text, listed) == words


def test_words_of_posts_are_marked_counted_and_measured() -> None:
    extras = fit_extras(repeated("tags", "red blue", "red green", "", "blue"))
    words = extras.words["tags"].words
    values, present = extras(table({"tags": "Blue RED mauve"}, {}))
    marked = {word for word, mark in zip(words, values[0], strict=False) if mark}
    assert marked == {"red", "blue"}
    assert values[0, -1] == 0
    assert values[0, -3] > 0  # three words are more than most values have
    assert present.tolist() == [1, 0]
    assert not values[1].any()


def test_rare_words_and_words_of_nearly_all_posts_are_left_out() -> None:
    values = [*["both rare"] * 9, *["both first"] * 10, *["both second"] * 11]
    extras = fit_extras(table(*({"tags": value} for value in values)))
    assert set(extras.words["tags"].words) == {"first", "both first", "second", "both second"}
    assert fit_extras(repeated("tags", "x", times=9)).names == ()


def test_long_texts_give_no_words_and_two_hundred_words_are_shared_out() -> None:
    text = " ".join(f"word{number}" for number in range(30))
    assert fit_extras(repeated("body", text, "none")).words["body"].words == ()
    many = repeated("first", *(f"a{number}" for number in range(300)))
    few = ["b0", "b1", "b2"]
    second = [few[row % 3] for row in range(many.num_rows)]
    both = [
        {**dict(first), "second": value}
        for first, value in zip(many[EXTRA].to_pylist(), second, strict=True)
    ]
    words = fit_extras(table(*both)).words
    assert sorted(words["second"].words) == few
    assert len(words["first"].words) == 197


@given(st.lists(WORDS, min_size=1, max_size=40), st.lists(WORDS, max_size=5))
def test_any_features_become_finite_numbers_and_are_the_same_after_json(
    train: list[dict[str, str]], later: list[dict[str, str]]
) -> None:
    extras = fit_extras(table(*train * 5))
    read = ExtraFeatures.from_json(json.loads(json.dumps(asdict(extras))))
    assert read == extras
    values, present = extras(table(*later))
    assert values.shape[0] == len(present) == len(later)
    assert values.dtype == np.float32
    assert np.isfinite(values).all()
    np.testing.assert_array_equal(values, read(table(*later))[0])
