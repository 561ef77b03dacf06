"""Reasons: what each kind of input adds to a prediction, or takes, against a typical post.

Shapley values (Shapley 1953, "A value for n-person games") over groups of the model's inputs, on
the whole blend that predicts. The worth of a set of groups is the mean prediction of posts that
have the draft's inputs in these groups and, elsewhere, those of each post of a background: recent
matured posts of the draft's subreddit, spread evenly from the lowest score to the highest (of all
subreddits where it has too few). All sets are evaluated, so the values are exact for that
background: they add up to the draft's prediction less the mean prediction of the background.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import factorial
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mmrl.errors import InputError
from mmrl.learning.inputs import Inputs
from mmrl.learning.library_errors import library_errors
from mmrl.samples.known import read_known
from mmrl.samples.load import samples_with_vectors
from mmrl.serving.inputs.drafts import Drafts, single
from mmrl.serving.inputs.groups import GROUPS, grouping_of
from mmrl.serving.ranks.rank import Predictor
from mmrl.serving.ranks.ranking import Columns
from mmrl.times import iso

BACKGROUND = 12  # posts
_AMONG = 400  # the newest of the subreddit's matured posts, of which they are some
_LEAST = 8  # fewer posts are no background; then all subreddits' are
TRUST = (
    "Exact for the model: it says what the model does with these inputs, not what would happen in "
    "the world."
)


@dataclass(frozen=True)
class Contribution:
    """What one group of inputs adds.

    Attributes:
        group: its name for machines, one of `GROUPS`.
        label: for people.
        value: in the model's units; they are logarithms unless the model learned percentiles.
        factor: by what the expected score is multiplied; None for a model of percentiles.
    """

    group: str
    label: str
    value: float
    factor: float | None


@dataclass(frozen=True)
class Word:
    """A word of the title, and what the prediction loses without it, as `Contribution` says it."""

    word: str
    value: float
    factor: float | None


@dataclass(frozen=True)
class Explanation:
    """Reasons of one draft's prediction.

    Attributes:
        subreddit: whose typical post it is compared with; None: of all subreddits'.
        posts: how many posts stand for the typical one.
        typical: the mean prediction of these, in the model's units.
        predicted: the draft's, which is `typical` and the contributions' values together.
        contributions: of each group that the model has, the weightiest first.
        words: of the title, in its order; empty for a title of one word, and where not wanted.
        trust: how far to trust it, for people.
    """

    subreddit: str | None
    posts: int
    typical: float
    predicted: float
    contributions: tuple[Contribution, ...]
    words: tuple[Word, ...]
    trust: str = TRUST

    @property
    def logarithms(self) -> bool:
        """Whether values are logarithms of scores; else they are shares of posts."""
        return any(one.factor is not None for one in self.contributions)

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            **vars(self),
            "contributions": [vars(one) for one in self.contributions],
            "words": [vars(word) for word in self.words],
        }


def explain(predictor: Predictor, drafts: Drafts, *, words: bool = True) -> Explanation:
    """The reasons of one draft's prediction.

    Args:
        drafts: one image at most, one title, one subreddit and one hour; of several hours the first
            counts.
        words: whether the title's words are wanted, too.

    Raises:
        InputError: they are several drafts, or no post is known to compare with.
    """
    one = single(drafts, drafts.hours[:1])
    named = one.titles[0].split() if words else []
    titles = [one.titles[0], *_without_each(named)]
    combined, encoded = predictor.combine([replace(one, titles=titles)])
    inputs = predictor.inputs(combined, encoded)
    whole = np.flatnonzero(combined.title == 0)
    draft = inputs.of(whole)
    asked = combined.subreddits[0][2]
    subreddit, background, names = _background(predictor, asked)
    visual_text = predictor.profile.visual_text
    grouping = grouping_of(predictor.registered.model.encoding.spec, draft, visual_text)
    sets = np.array(list(np.ndindex(*(2,) * len(grouping.names))), bool)
    mixed = grouping.mix(draft, background, sets)
    here = sets[:, grouping.names.index("community")]
    subreddits = pa.chunked_array([[asked] * len(names) if own else names for own in here])
    middle = _middle(predictor, mixed, subreddits)
    worth = middle.reshape(len(sets), len(background)).mean(axis=1)
    values = shapley(sets, worth)
    logarithms = predictor.registered.model.target != "percentile"
    contributions = [
        Contribution(name, GROUPS[name], value, float(np.exp(value)) if logarithms else None)
        for name, value in zip(grouping.names, map(float, values), strict=True)
    ]
    return Explanation(
        subreddit,
        len(background),
        float(worth[0]),
        float(worth[-1]),
        tuple(sorted(contributions, key=lambda one: -abs(one.value))),
        _words(named, predictor.columns(combined, inputs), logarithms) if titles[1:] else (),
    )


def shapley(sets: np.ndarray, worth: np.ndarray) -> np.ndarray:
    """Shapley values of n players from the worth of every set of them, (n,).

    Args:
        sets: (2^n, n) bool, which players each set has.
        worth: (2^n,).
    """
    players = sets.shape[1]
    sizes = sets.sum(axis=1)
    # An array of the worths by membership has a set with a player a step beside it without.
    cube = worth.reshape((2,) * players)
    size = sizes.reshape((2,) * players)
    weight = np.array(
        [factorial(k) * factorial(players - k - 1) / factorial(players) for k in range(players)]
    )
    values = []
    for player in range(players):
        without, having = (cube.take(there, axis=player) for there in (0, 1))
        values.append((weight[size.take(0, axis=player)] * (having - without)).sum())
    return np.array(values)


def _without_each(words: Sequence[str]) -> list[str]:
    """The title without each of its words in turn; none for a title of one word."""
    if len(words) < 2:
        return []
    return [" ".join([*words[:place], *words[place + 1 :]]) for place in range(len(words))]


def _words(words: Sequence[str], columns: Columns, logarithms: bool) -> tuple[Word, ...]:
    """What the prediction loses without each word of the title.

    Words act together, so these do not add up to anything.

    Args:
        columns: of the title, and of it without each word in turn.
    """
    middle = np.empty(len(words) + 1)
    middle[columns.title] = columns.quantiles[:, 1]
    return tuple(
        Word(word, value, float(np.exp(value)) if logarithms else None)
        for word, value in zip(words, map(float, middle[0] - middle[1:]), strict=True)
    )


def _middle(predictor: Predictor, inputs: Inputs, subreddits: pa.ChunkedArray) -> np.ndarray:
    """What the model predicts of each post, (n,), in its units.

    Args:
        subreddits: (n,) their names.
    """
    model = predictor.registered.model
    with library_errors("The explanation"):
        level = model.level_of(inputs.subreddit, subreddits)
        return model.interval(model.parts(inputs), level, np.zeros(len(inputs)))[1]


def _background(predictor: Predictor, subreddit: str) -> tuple[str | None, Inputs, list[str]]:
    """Posts that stand for a typical one of the subreddit, as the model reads them; whose they are,
    None for all subreddits', and the subreddit of each."""

    def read() -> tuple[str | None, Inputs, list[str]]:
        columns = ["subreddit", "created_at", "score"]
        rows = read_known(predictor.catalog, predictor.settings, predictor.as_of, columns)
        rows = rows.filter(pc.is_valid(rows["score"]))
        here = rows.filter(pc.equal(pc.utf8_lower(rows["subreddit"]), subreddit.lower()))
        own = here.num_rows >= _LEAST
        posts = _spread(here if own else rows)
        if not posts:
            raise InputError(
                f"As of {iso(predictor.as_of)} no matured post is known to compare with: "
                "`mmrl run` makes posts known once they matured."
            )
        samples = samples_with_vectors(
            predictor.catalog, predictor.settings, predictor.as_of, predictor.profile, posts=posts
        )
        inputs = predictor.registered.model.encoding(samples)
        return subreddit if own else None, inputs, samples["subreddit"].to_pylist()

    return predictor.memo.of(("background", subreddit.lower()), read)


def _spread(rows: pa.Table) -> list[str]:
    """Some of the newest posts, from the lowest to the highest score."""
    newest = rows.sort_by([("created_at", "descending"), ("post_id", "ascending")]).slice(0, _AMONG)
    count = min(BACKGROUND, newest.num_rows)
    places = ((np.arange(count) + 0.5) / max(count, 1) * newest.num_rows).astype(int)
    by_score = newest.sort_by([("score", "ascending"), ("post_id", "ascending")])
    return [str(post_id) for post_id in by_score["post_id"].take(pa.array(places)).to_pylist()]
