"""Extra features as numbers: flair, tags and columns that people bring.

What kind each one is, its frequent words and its scale are those of the training posts:

    a number      where nearly all values are: scaled, its logarithm where it is skewed
    words         otherwise: which of the frequent ones a post has, how many, and how long they are

Lists are split at commas, semicolons and bars, other values at blanks; a short value counts as a
whole, too. Long texts give no words: their vectors say more.
"""

import re
import string
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any

import numpy as np
import pyarrow as pa

from mmrl.learning.scale import Scale, fit_scale
from mmrl.samples.extras import extras_of
from mmrl.sources.extras import number_of

_NUMBERS = 0.95  # the least share of values that are numbers, for a feature that is one
_LEAST_POSTS = 10  # training posts that have a word, or have it not; or have the feature at all
_MOST_WORDS = 200  # over all features
_PROSE = 12  # words in a value on average; from here on it is a text
_LISTED = 0.1  # the least share of values with a separator, for a feature that is a list
_LISTED_WORDS = 3.0  # in an item of a list, on average, at the most
_CATEGORY = 40  # characters of a value that counts as a whole, at the most
_SKEWED = 1.5  # skewness from which on a number is learned from by its logarithm
_SEPARATORS = re.compile(r"[,;|\n]+")
_OUTER = string.punctuation + "“”‘’«»…"


@dataclass(frozen=True)
class NumberFeature:
    """A feature that is a number."""

    scale: Scale
    logarithm: bool

    def __call__(self, texts: Sequence[str | None]) -> np.ndarray:
        """(n, 2) float32: the scaled number, and a 1 where it is missing."""
        values = self.scale(_level(_numbers(texts), self.logarithm))
        missing = np.isnan(values)
        return np.stack([np.where(missing, 0.0, values), missing], axis=1).astype(np.float32)


@dataclass(frozen=True)
class WordFeature:
    """A feature that is words.

    Attributes:
        listed: its values are lists, split at separators; otherwise at blanks.
        words: the frequent ones, in lower case.
        count, length: the scales of log1p of how many words, and characters, a value has.
    """

    listed: bool
    words: tuple[str, ...]
    count: Scale
    length: Scale

    def __call__(self, texts: Sequence[str | None]) -> np.ndarray:
        """(n, words + 3) float32: a 1 for each word, count, length, and a 1 where it is missing."""
        number = {word: index for index, word in enumerate(self.words)}
        hot = np.zeros((len(texts), len(self.words)), np.float32)
        sizes = np.full((len(texts), 2), np.nan)
        for row, text in enumerate(texts):
            if text is not None:
                words = words_of(text, self.listed)
                hot[row, [number[word] for word in words if word in number]] = 1
                sizes[row] = len(_items(text, self.listed)), len(text)
        missing = np.isnan(sizes[:, :1])
        logs = np.log1p(sizes)
        scaled = np.stack([self.count(logs[:, 0]), self.length(logs[:, 1])], axis=1)
        return np.concatenate([hot, np.where(missing, 0.0, scaled), missing], axis=1).astype(
            np.float32
        )


@dataclass(frozen=True)
class ExtraFeatures:
    """The extra features that a model knows, as JSON can hold them."""

    numbers: dict[str, NumberFeature] = field(default_factory=dict)
    words: dict[str, WordFeature] = field(default_factory=dict)

    @property
    def names(self) -> tuple[str, ...]:
        """All of them, numbers first."""
        return (*self.numbers, *self.words)

    def columns(self) -> dict[str, range]:
        """By feature, which columns of the values are its own."""
        widths = dict.fromkeys(self.numbers, 2)
        widths |= {name: len(feature.words) + 3 for name, feature in self.words.items()}
        ends = dict(zip(widths, accumulate(widths.values()), strict=True))
        return {name: range(end - widths[name], end) for name, end in ends.items()}

    def __call__(self, samples: pa.Table) -> tuple[np.ndarray, np.ndarray]:
        """Of n samples: (n, width) float32, and (n,) 1 where a post has any of the features."""
        extras = extras_of(samples)
        features: dict[str, NumberFeature | WordFeature] = {**self.numbers, **self.words}
        parts = [
            feature([of_post.get(name) for of_post in extras]) for name, feature in features.items()
        ]
        present = [any(name in of_post for name in features) for of_post in extras]
        there = np.array(present, np.float32).reshape(-1)
        values = np.concatenate(parts, axis=1) if parts else np.zeros((len(extras), 0), np.float32)
        return values * there[:, None], there

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "ExtraFeatures":
        """What `dataclasses.asdict` made of it."""
        numbers = {
            name: NumberFeature(Scale(**one["scale"]), one["logarithm"])
            for name, one in stored["numbers"].items()
        }
        words = {
            name: WordFeature(
                one["listed"], tuple(one["words"]), Scale(**one["count"]), Scale(**one["length"])
            )
            for name, one in stored["words"].items()
        }
        return cls(numbers, words)


def fit_extras(train: pa.Table) -> ExtraFeatures:
    """The features that at least ten training posts have, and what they are."""
    named: dict[str, list[str]] = {}
    for of_post in extras_of(train):
        for name, value in of_post.items():
            named.setdefault(name, []).append(value)
    known = {name: values for name, values in sorted(named.items()) if len(values) >= _LEAST_POSTS}
    fitted = {name: _fit_number(values) for name, values in known.items()}
    numbers = {name: feature for name, feature in fitted.items() if feature is not None}
    texts = {name: values for name, values in known.items() if name not in numbers}
    listed = {name: _is_listed(values) for name, values in texts.items()}
    chosen = _frequent(texts, listed, train.num_rows)
    words = {name: _fit_words(values, listed[name], chosen[name]) for name, values in texts.items()}
    return ExtraFeatures(numbers, words)


def words_of(text: str, listed: bool) -> list[str]:
    """The distinct words of a value in lower case, and the value as a whole where it is short."""
    whole = " ".join(text.lower().split())
    items = _items(text, listed)
    return list(dict.fromkeys([*items, *([whole] if len(whole) <= _CATEGORY else [])]))


def _items(text: str, listed: bool) -> list[str]:
    if listed:
        items = [" ".join(part.split()) for part in _SEPARATORS.split(text.lower())]
    else:
        items = [part.strip(_OUTER) for part in text.lower().split()]
    return [item for item in items if item]


def _is_listed(values: Sequence[str]) -> bool:
    separated = [value for value in values if _SEPARATORS.search(value)]
    if len(separated) < _LISTED * len(values):
        return False
    items = [item for value in separated for item in _items(value, listed=True)]
    return sum(len(item.split()) for item in items) <= _LISTED_WORDS * len(items)


def _frequent(
    texts: Mapping[str, Sequence[str]], listed: Mapping[str, bool], posts: int
) -> dict[str, tuple[str, ...]]:
    """Each feature's frequent words, chosen turn by turn where there are too many over all."""
    ranked: list[tuple[int, str, str]] = []
    for name, values in texts.items():
        sizes = [len(_items(value, listed[name])) for value in values]
        if sum(sizes) > _PROSE * len(values):
            continue
        counts = Counter(word for value in values for word in words_of(value, listed[name]))
        telling = [
            (word, count)
            for word, count in counts.items()
            if _LEAST_POSTS <= count <= posts - _LEAST_POSTS
        ]
        telling.sort(key=lambda item: (-item[1], item[0]))
        ranked += [(rank, name, word) for rank, (word, _) in enumerate(telling)]
    chosen: dict[str, list[str]] = {name: [] for name in texts}
    for _, name, word in sorted(ranked)[:_MOST_WORDS]:
        chosen[name].append(word)
    return {name: tuple(words) for name, words in chosen.items()}


def _fit_number(values: Sequence[str]) -> NumberFeature | None:
    """The number that a feature is; None where its values are no numbers."""
    numbers = _numbers(values)
    known = numbers[~np.isnan(numbers)]
    if len(known) < max(_NUMBERS * len(values), _LEAST_POSTS):
        return None
    spread = known.std()
    skewness = np.mean((known - known.mean()) ** 3) / spread**3 if spread > 0 else 0.0
    logarithm = bool(known.min() >= 0 and skewness > _SKEWED)
    return NumberFeature(fit_scale(_level(known, logarithm)), logarithm)


def _fit_words(values: Sequence[str], listed: bool, words: tuple[str, ...]) -> WordFeature:
    sizes = [[float(len(_items(value, listed))), float(len(value))] for value in values]
    count, length = (fit_scale(each) for each in np.log1p(sizes).T)
    return WordFeature(listed, words, count, length)


def _numbers(texts: Sequence[str | None]) -> np.ndarray:
    """(n,) float64, NaN where a text is missing or no number."""
    values = (None if text is None else number_of(text) for text in texts)
    return np.array([np.nan if value is None else value for value in values], np.float64)


def _level(values: np.ndarray, logarithm: bool) -> np.ndarray:
    """The values, or log1p of them; no training post has a negative one there."""
    return np.log1p(np.maximum(values, 0.0)) if logarithm else values
