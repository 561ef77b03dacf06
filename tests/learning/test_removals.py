"""Chances of removal: learned from later looks, right in time, judged against subreddits' rates."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest

from mmrl.learning import removals
from mmrl.learning.evaluation import bootstrap
from mmrl.learning.removals import Facts, RemovalModel, learn_removals
from mmrl.samples.removals import MARKS, RemovalHistory, marks_of, times_of

START = datetime(2026, 1, 1, tzinfo=UTC)
SUBREDDITS = ("strict", "mild")


def posts(count: int, seed: int, tells: bool = True) -> pa.Table:
    """Posts of two subreddits; questions are removed in the first, if anything tells."""
    rng = np.random.default_rng(seed)
    question, which = rng.random(count) < 0.4, rng.integers(0, 2, count)
    chance = np.where(question & (which == 0), 0.5, 0.04) if tells else np.full(count, 0.12)
    created = [START + timedelta(hours=number / 4) for number in range(count)]
    known = [int((at + timedelta(hours=40)).timestamp() * 1e6) for at in created]
    return pa.table(
        {
            "post_id": [f"p{number}" for number in range(count)],
            "subreddit": [SUBREDDITS[number] for number in which],
            "author": pa.array([f"a{number}" for number in rng.integers(0, count // 4, count)]),
            "created_at": pa.array(created, pa.timestamp("us", "UTC")),
            "title": [f"A lake {n}{'?' if asks else ''}" for n, asks in enumerate(question)],
            "over_18": rng.random(count) < 0.1,
            "spoiler": [False] * count,
            "flair": pa.nulls(count, pa.string()),
            "removed": rng.random(count) < chance,
            "known": known,
        }
    )


def with_removed(table: pa.Table, removed: list[bool]) -> pa.Table:
    at = table.schema.get_field_index("removed")
    return table.set_column(at, "removed", pa.array(removed))


def chances(model: RemovalModel, title: str, subreddit: str, rates: float = -2.0) -> float:
    asked = pa.table({"title": [title], "created_at": pa.array([START])})
    facts = Facts([subreddit], np.array([rates]), np.zeros(1))
    return float(model.chances(marks_of(asked), facts)[0])


def test_a_rule_of_one_subreddit_is_found_there_and_chances_mean_what_they_say() -> None:
    model, result = learn_removals(posts(2_000, 0), 0)
    assert model is not None
    assert result is not None
    assert model.shown
    assert result.shown
    assert result.difference.high < 0 < result.brier.value < result.brier_of_rate.value
    assert result.auc.low > result.auc_of_rate.value
    for part in result.reliability:
        assert abs(part.said - part.came) < 0.12
    asking = [chances(model, "A lake 7?", name) for name in SUBREDDITS]
    telling = [chances(model, "A lake 7", name) for name in SUBREDDITS]
    assert asking[0] > 3 * telling[0]
    assert abs(asking[1] - telling[1]) < 0.1
    kept = RemovalModel.from_json(model.as_json())
    assert chances(kept, "A lake 7?", "STRICT") == asking[0]


def test_where_nothing_tells_a_removal_nothing_is_shown() -> None:
    model, result = learn_removals(posts(1_500, 1, tells=False), 0)
    assert model is not None
    assert result is not None
    assert not model.shown
    assert result.auc.low < 0.5 or result.difference.high >= 0


def test_of_too_few_posts_or_removed_ones_nothing_is_learned() -> None:
    assert learn_removals(posts(150, 0), 0) == (None, None)
    stayed = with_removed(posts(600, 0), [False] * 590 + [True] * 10)
    assert learn_removals(stayed, 0) == (None, None)


@pytest.mark.parametrize("stayed", [0, 9])
def test_where_hardly_any_of_the_newest_posts_stayed_nothing_is_learned(stayed: int) -> None:
    told = posts(1_000, 0)
    newest = [True] * (200 - stayed) + [False] * stayed
    told = with_removed(told, [*told["removed"].to_pylist()[:800], *newest])
    assert learn_removals(told, 0) == (None, None)


def test_of_more_posts_than_may_be_used_the_newest_are_and_the_rates_are_those_of_all() -> None:
    told = posts(3_000, 0)
    model, result = learn_removals(told, 0, 1_600)
    _, alone = learn_removals(told.slice(1_400), 0)
    assert model is not None
    assert result is not None
    assert alone is not None
    assert result.test_posts == alone.test_posts == 320
    assert result.posts == alone.posts < 1_280
    assert result.brier_of_rate.value != alone.brier_of_rate.value  # of 1,400 posts more


def test_at_most_so_many_posts_are_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(removals, "_MOST_JUDGED", 250)
    drawn: list[int] = []
    draw = bootstrap.draw
    monkeypatch.setattr(bootstrap, "draw", lambda n, *rest: drawn.append(n) or draw(n, *rest))
    _, result = learn_removals(posts(1_500, 0), 0)
    assert result is not None
    assert (result.test_posts, drawn) == (250, [250])
    assert result.posts > 1_000  # the others are learned from


def test_rates_are_those_that_were_known_when_a_post_went_up() -> None:
    told = posts(1_000, 0)
    history = RemovalHistory(told)
    names, authors = told["subreddit"], told["author"]
    created = times_of(told)
    before = history.rates(names, authors, created)
    later = told.slice(0, 500)
    alone = RemovalHistory(later).rates(names.slice(0, 500), authors.slice(0, 500), created[:500])
    np.testing.assert_allclose(before.subreddit[:500], alone.subreddit)
    np.testing.assert_allclose(before.author[:500], alone.author)
    assert (before.author[:100] == 0).all()  # nothing was known of anybody yet
    counts, gone = history.counts(["strict", "nowhere"], int(created[-1]))
    assert counts[1] == gone[1] == 0
    assert 0 < gone[0] < counts[0] < 1_000
    none, _ = RemovalHistory(told.slice(0, 0)).counts(["strict"], int(created[-1]))
    assert none.tolist() == [0]
    assert marks_of(told).shape == (1_000, len(MARKS))
