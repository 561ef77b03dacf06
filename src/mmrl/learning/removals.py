"""The chance that moderators or filters remove a post, learned from posts whose fate is known.

    logit p = a + b (base(subreddit) + author + sum over marks of (w + w_subreddit) z)

A logistic regression on what a person can change (marks in the title, its length, flair, hour), on
the subreddit's rate and on the author's, as both were known when a post went up. Subreddits have
weights of their own for the marks, drawn to those of all where their posts are few. How strongly is
chosen on later posts, and so are a and b, by which the chances come to mean what they say (Platt
1999). What mmrl can't see, such as a rule about accounts, is in the rates alone.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mmrl.learning.evaluation import bootstrap
from mmrl.learning.evaluation.judge import interval
from mmrl.learning.evaluation.record import Reliability, RemovalResult
from mmrl.samples.removals import MARKS, RemovalHistory, marks_of, times_of

LEAST_POSTS, LEAST_REMOVED = 200, 30  # to learn from; with fewer nothing is said
LEAST_JUDGED = 10  # test posts that were removed, and as many that stayed
_MOST_JUDGED = 20_000  # test posts: resamples of more would take gigabytes
_TEST_SHARE, _VALIDATION_SHARE = 0.2, 0.15  # of the posts, the newest
_PULLS = (0.3, 1.0, 3.0, 10.0, 30.0, 100.0)  # on all weights, in posts; those of a subreddit more
_OWN_PULL = 4.0
_OWN_POSTS = 30  # a subreddit with fewer has no weights of its own
_BINS = 5  # of the reliability plot
_RESAMPLES, _AT_ONCE = 500, 50
TERMS = (*MARKS, "title_length_squared")
_LENGTH = MARKS.index("log_title_chars")
_USUAL_LENGTH = 4.0  # log1p of characters


@dataclass(frozen=True)
class RemovalModel:
    """A fitted regression.

    Attributes:
        mean, spread: of each term, by which they are scaled.
        weights: of each term; `of_subreddits` what subreddits add to them, by name in lower case.
        base, author, intercept: of the subreddit's rate, of the author's, and of all.
        scale, shift: b and a.
        shown: whether it did better than the subreddits' rates on later posts.
    """

    mean: list[float]
    spread: list[float]
    weights: list[float]
    of_subreddits: dict[str, list[float]]
    base: float
    author: float
    intercept: float
    scale: float = 1.0
    shift: float = 0.0
    shown: bool = False

    def chances(self, marks: np.ndarray, facts: "Facts") -> np.ndarray:
        """The chance of each of n posts, (n,).

        Args:
            marks: (n, len(MARKS)), see `marks_of`.
        """
        z = (_terms(marks) - self.mean) / self.spread
        none = np.zeros(len(TERMS))
        own = np.array([none, *map(np.array, self.of_subreddits.values())])
        number = {name: place + 1 for place, name in enumerate(self.of_subreddits)}
        which = np.array([number.get(name.lower(), 0) for name in facts.subreddits], np.int64)
        told = (z * (np.array(self.weights) + own[which])).sum(axis=1)
        raw = self.intercept + self.base * facts.base + self.author * facts.author + told
        return _chance(self.shift + self.scale * raw)

    def as_json(self) -> dict[str, Any]:
        """For `json.dumps`."""
        return asdict(self)

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> Self:
        """What `as_json` made."""
        return cls(**kept)


@dataclass(frozen=True)
class Facts:
    """What else of n posts is read: their subreddits' names, and `RemovalHistory.rates`."""

    subreddits: list[str]
    base: np.ndarray
    author: np.ndarray

    def take(self, rows: np.ndarray) -> "Facts":
        """Some of the posts."""
        names = [self.subreddits[row] for row in rows]
        return Facts(names, self.base[rows], self.author[rows])


@dataclass(frozen=True)
class _Learned:
    """Posts to learn from: in the order that they went up."""

    marks: np.ndarray
    facts: Facts
    removed: np.ndarray
    known: np.ndarray
    created: np.ndarray

    def take(self, rows: np.ndarray) -> "_Learned":
        return _Learned(
            self.marks[rows],
            self.facts.take(rows),
            self.removed[rows],
            self.known[rows],
            self.created[rows],
        )

    @property
    def fewer_of_a_kind(self) -> int:
        """How many were removed, or how many stayed, whichever is less."""
        gone = int(self.removed.sum())
        return min(gone, len(self.removed) - gone)

    def known_before(self, moment: int) -> "_Learned":
        return self.take(np.flatnonzero(self.known < moment))


def learn_removals(
    posts: pa.Table, seed: int, most: int | None = None
) -> tuple[RemovalModel | None, RemovalResult | None]:
    """Learns from the older posts, and is judged on the newest.

    Args:
        posts: of `posts_with_fates`; the rates are those of all of them.
        most: learn from, and be judged on, so many of the newest; None for all.

    Returns:
        the model and how it did; None for both where too few posts, or too few removed ones, are
        known.
    """
    newest = posts if most is None else posts.slice(max(0, posts.num_rows - most))
    count, removed = newest.num_rows, pc.sum(newest["removed"]).as_py() or 0
    if count < LEAST_POSTS or removed < LEAST_REMOVED:
        return None, None
    rows = _learned(newest, RemovalHistory(posts))
    first_test = max(int(count * (1 - _TEST_SHARE)), count - _MOST_JUDGED)
    first_validation = int(first_test * (1 - _VALIDATION_SHARE))
    test = rows.take(np.arange(first_test, count))
    older = rows.take(np.arange(first_test)).known_before(int(test.created[0]))
    validation = rows.take(np.arange(first_validation, first_test))
    train = rows.take(np.arange(first_validation)).known_before(int(validation.created[0]))
    validation = validation.known_before(int(test.created[0]))
    least = ((train, 1), (validation, 1), (test, LEAST_JUDGED))
    if any(part.fewer_of_a_kind < needed for part, needed in least):
        return None, None
    pull = min(_PULLS, key=lambda each: _loss(_fit(train, each), validation))
    scale, shift = _platt(_fit(train, pull), validation)
    fitted = _fit(older, pull)
    model = RemovalModel(**{**vars(fitted), "scale": scale, "shift": shift})
    result = _judge(model, older, test, seed)
    return RemovalModel(**{**vars(model), "shown": result.shown}), result


def _learned(posts: pa.Table, history: RemovalHistory) -> _Learned:
    created = times_of(posts)
    rates = history.rates(posts["subreddit"], posts["author"], created)
    facts = Facts(posts["subreddit"].to_pylist(), rates.subreddit, rates.author)
    removed = posts["removed"].to_numpy().astype(np.float64)
    return _Learned(marks_of(posts), facts, removed, posts["known"].to_numpy(), created)


def _terms(marks: np.ndarray) -> np.ndarray:
    length = (marks[:, _LENGTH] - _USUAL_LENGTH) ** 2
    return np.concatenate([marks, length[:, None]], axis=1)


def _fit(posts: _Learned, pull: float) -> RemovalModel:
    """The weights that make the posts' fates likeliest, drawn to 0 (and to 1 for the rate's)."""
    from scipy.optimize import minimize

    terms = _terms(posts.marks)
    mean, spread = terms.mean(axis=0), np.maximum(terms.std(axis=0), 1e-6)
    z = (terms - mean) / spread
    names = [name.lower() for name in posts.facts.subreddits]
    own = sorted(name for name, count in Counter(names).items() if count >= _OWN_POSTS)
    number = {name: place for place, name in enumerate(own)}
    which = np.array([number.get(name, -1) for name in names], np.int64)
    order = np.argsort(which, kind="stable")
    starts = np.searchsorted(which[order], np.arange(len(own)))
    width, there = z.shape[1], which >= 0

    def split(values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        return values[:3], values[3 : 3 + width], values[3 + width :].reshape(len(own), width)

    def loss(values: np.ndarray) -> tuple[float, np.ndarray]:
        (intercept, base, author), weights, added = split(values)
        raw = intercept + base * posts.facts.base + author * posts.facts.author + z @ weights
        raw[there] += (z[there] * added[which[there]]).sum(axis=1)
        wrong = _chance(raw) - posts.removed
        total = (np.logaddexp(0, raw) - posts.removed * raw).sum()
        total += 0.5 * pull * ((weights**2).sum() + _OWN_PULL * (added**2).sum() + (base - 1) ** 2)
        by_term = z * wrong[:, None]
        slope = np.array(
            [
                wrong.sum(),
                wrong @ posts.facts.base + pull * (base - 1),
                wrong @ posts.facts.author,
            ]
        )
        of_own = np.zeros_like(added)
        if own:
            of_own = np.add.reduceat(by_term[order], starts, axis=0) + _OWN_PULL * pull * added
        gradient = [slope, by_term.sum(axis=0) + pull * weights, of_own.ravel()]
        return float(total), np.concatenate(gradient)

    start = np.zeros(3 + width + len(own) * width)
    start[1] = 1.0
    minimum = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": 300})
    (intercept, base, author), weights, added = split(minimum.x)
    return RemovalModel(
        mean.tolist(),
        spread.tolist(),
        weights.tolist(),
        {name: added[place].tolist() for name, place in number.items()},
        float(base),
        float(author),
        float(intercept),
    )


def _platt(model: RemovalModel, posts: _Learned) -> tuple[float, float]:
    """Scale and shift of the logits that make the posts' fates likeliest, drawn to 1 and 0."""
    from scipy.optimize import minimize

    chance = np.clip(model.chances(posts.marks, posts.facts), 1e-9, 1 - 1e-9)
    raw = np.log(chance / (1 - chance))

    def loss(values: np.ndarray) -> float:
        moved = values[0] * raw + values[1]
        told = (np.logaddexp(0, moved) - posts.removed * moved).sum()
        return float(told + 5.0 * ((values[0] - 1) ** 2 + values[1] ** 2))

    scale, shift = minimize(loss, np.array([1.0, 0.0]), method="Nelder-Mead").x
    return float(max(scale, 0.0)), float(shift)


def _loss(model: RemovalModel, posts: _Learned) -> float:
    chance = np.clip(model.chances(posts.marks, posts.facts), 1e-9, 1 - 1e-9)
    return float(-np.where(posts.removed > 0, np.log(chance), np.log(1 - chance)).mean())


def _judge(model: RemovalModel, older: _Learned, test: _Learned, seed: int) -> RemovalResult:
    """Brier score and AUC on the test posts, beside the subreddits' rates as they were known."""
    chance, rate = model.chances(test.marks, test.facts), _chance(test.facts.base)
    squares, of_rate = (chance - test.removed) ** 2, (rate - test.removed) ** 2
    counts = bootstrap.draw(len(chance), _RESAMPLES, seed)
    brier, brier_of_rate, better = (
        interval(float(values.mean()), bootstrap.mean(values, counts))
        for values in (squares, of_rate, squares - of_rate)
    )
    once = np.ones((1, len(chance)), np.float32)
    auc, auc_of_rate = (
        interval(float(_auc(values, test.removed, once)[0]), _auc(values, test.removed, counts))
        for values in (chance, rate)
    )
    return RemovalResult(
        posts=len(older.removed),
        removed=int(older.removed.sum()),
        test_posts=len(test.removed),
        test_removed=int(test.removed.sum()),
        brier=brier,
        brier_of_rate=brier_of_rate,
        difference=better,
        auc=auc,
        auc_of_rate=auc_of_rate,
        reliability=_reliability(chance, test.removed),
        shown=better.high < 0 and auc.low > 0.5,
    )


def _auc(values: np.ndarray, removed: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """(B,) the chance that a removed post has a larger value than one that stayed."""
    parts = (counts[start : start + _AT_ONCE] for start in range(0, len(counts), _AT_ONCE))
    return np.concatenate([_auc_of_some(values, removed, part) for part in parts])


def _auc_of_some(values: np.ndarray, removed: np.ndarray, counts: np.ndarray) -> np.ndarray:
    ranked = bootstrap.ranks(values, counts)
    positive = counts * removed
    gone = positive.sum(axis=1, dtype=np.float64)
    left = counts.sum(axis=1, dtype=np.float64) - gone
    above = (positive * ranked).sum(axis=1) - gone * (gone + 1) / 2
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(above / (gone * left))


def _reliability(chance: np.ndarray, removed: np.ndarray) -> list[Reliability]:
    """Posts in as many parts of like chances: what was said, and what came."""
    parts = np.array_split(np.argsort(chance, kind="stable"), _BINS)
    return [
        Reliability(float(chance[part].mean()), float(removed[part].mean()), len(part))
        for part in parts
        if len(part)
    ]


def _chance(raw: np.ndarray) -> np.ndarray:
    from scipy.special import expit

    return np.asarray(expit(raw))
