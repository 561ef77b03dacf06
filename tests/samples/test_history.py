"""History and percentiles, against their definitions written out one post at a time."""

from datetime import timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmrl.catalog.columns import TIME
from mmrl.samples.history import MIN_RANKED, History, Matured, log_scores
from mmrl.samples.ranks import Events, Ordered
from tests.support.samples_catalog import at

MATURE = timedelta(hours=36)


def history_of(posts: pa.Table, since: int | None = None) -> History:
    return History(Matured.of(posts, MATURE), since)


SCHEMA = pa.schema(
    [
        ("subreddit", pa.string()),
        ("author_id", pa.string()),
        ("created_at", TIME),
        ("first_look_at", TIME),
        ("label_observed_at", TIME),
        ("score", pa.int64()),
    ]
)


@given(
    st.lists(st.integers(0, 40), max_size=60),
    st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60), st.integers(0, 41)), max_size=20),
)
def test_count_below_counts_what_a_loop_counts(
    values: list[int], questions: list[tuple[int, int, int]]
) -> None:
    size, top = len(values), max(values, default=0) + 1
    asked = [(min(a, b, size), min(max(a, b), size), min(limit, top)) for a, b, limit in questions]
    expected = [sum(v < limit for v in values[a:b]) for a, b, limit in asked]
    start, stop, limit = np.array(asked, dtype=np.int64).reshape(-1, 3).T
    for bits in (top.bit_length(), 7):
        ordered = Ordered(np.array(values, np.int64), bits)
        assert ordered.count_below(start, stop, limit).tolist() == expected


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(-5, 5)), max_size=30),
    st.lists(st.tuples(st.integers(0, 4), st.integers(-7, 7), st.booleans()), max_size=20),
)
def test_events_until_a_time_are_those_of_the_group_up_to_it(
    events: list[tuple[int, int]], questions: list[tuple[int, int, bool]]
) -> None:
    groups, times = np.array(events, dtype=np.int64).reshape(-1, 2).T
    ordered = Events(groups, times)
    for group, time, inclusive in questions:
        asked = np.array([group]), np.array([time])
        found = ordered.order[ordered.start(asked[0])[0] : ordered.until(*asked, inclusive)[0]]
        expected = [
            i
            for i, (g, t) in enumerate(events)
            if g == group and (t <= time if inclusive else t < time)
        ]
        assert sorted(found.tolist()) == expected


matured_post = st.fixed_dictionaries(
    {
        "subreddit": st.sampled_from(["pics", "Pics", "aww"]),
        "author_id": st.sampled_from(["a", "b", None]),
        "hours": st.integers(0, 400) | st.integers(0, 4_000),
        "late": st.integers(0, 200),
        "imported": st.booleans(),
        "score": st.integers(-2, 6),
    }
)
matured_posts = st.lists(matured_post, max_size=40)


def known_hours(post: dict[str, Any]) -> int:
    return int(post["hours"] + 36 + (0 if post["imported"] else post["late"]))


def as_table(posts: list[dict[str, Any]]) -> pa.Table:
    rows = []
    for post in posts:
        observed = at(post["hours"] + 36 + post["late"])
        first = observed if post["imported"] else at(post["hours"] + 1)
        rows.append(
            {
                "subreddit": post["subreddit"],
                "author_id": post["author_id"],
                "created_at": at(post["hours"]),
                "first_look_at": first,
                "label_observed_at": observed,
                "score": post["score"],
            }
        )
    return pa.Table.from_pylist(rows, SCHEMA)


def log_score(post: dict[str, Any]) -> float:
    return float(np.log1p(max(post["score"], 0)))


def earlier(posts: list[dict[str, Any]], post: dict[str, Any], key: str) -> list[dict[str, Any]]:
    """Posts of the same author or subreddit that had matured when the post went up."""
    return [
        other
        for other in posts
        if post[key] is not None
        and other[key] is not None
        and other[key].lower() == post[key].lower()
        and known_hours(other) <= post["hours"]
    ]


def mean(values: list[float]) -> float:
    return float(np.mean(values)) if values else float("nan")


def spread(posts: list[dict[str, Any]]) -> float:
    return float(np.std([log_score(post) for post in posts])) if posts else float("nan")


def in_order(posts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Those that became known last come last."""
    return sorted(posts, key=known_hours)


def newest(posts: list[dict[str, Any]], most: int) -> float:
    """The mean of those that became known last."""
    return mean([log_score(post) for post in in_order(posts)[-most:]])


def here(posts: list[dict[str, Any]], post: dict[str, Any]) -> list[dict[str, Any]]:
    return [p for p in posts if p["subreddit"].lower() == post["subreddit"].lower()]


def test_the_newest_posts_of_a_subreddit_lead_its_level() -> None:
    posts = [
        {"subreddit": "pics", "author_id": None, "hours": 100 * n, "late": 0, "imported": True}
        | {"score": 10 if n < 60 else 1_000}
        for n in range(121)
    ]
    table = as_table(posts)
    created = np.array(table["created_at"].cast(pa.int64()))
    found = history_of(table).features(table["subreddit"], table["author_id"], created)
    assert found["subreddit_last_50_mean"][-1] == pytest.approx(np.log1p(1_000))
    assert np.log1p(10) < found["subreddit_last_200_mean"][-1] < np.log1p(1_000)
    assert found["subreddit_last_200_spread"][-1] == pytest.approx(
        (np.log1p(1_000) - np.log1p(10)) / 2
    )


@given(matured_posts)
@settings(max_examples=60)
def test_history_is_what_had_matured_before_each_post(posts: list[dict[str, Any]]) -> None:
    table = as_table(posts)
    created = np.array(table["created_at"].cast(pa.int64()))
    found = history_of(table).features(table["subreddit"], table["author_id"], created)

    def lift(post: dict[str, Any]) -> float:
        return log_score(post) - mean([log_score(p) for p in earlier(posts, post, "subreddit")])

    for row, post in enumerate(posts):
        subreddit, author = earlier(posts, post, "subreddit"), earlier(posts, post, "author_id")
        unknown = post["author_id"] is None
        lifts = [lift(p) for p in author if not np.isnan(lift(p))]
        lately = [p for p in subreddit if p["hours"] >= post["hours"] - 90 * 24]
        expected = {
            "log_subreddit_posts": np.log1p(len(subreddit)),
            "subreddit_mean_log_score": mean([log_score(p) for p in subreddit]),
            "log_author_posts": np.nan if unknown else np.log1p(len(author)),
            "author_seen_before": np.nan if unknown else float(bool(author)),
            "author_mean_log_score": mean([log_score(p) for p in author]),
            "author_mean_lift": mean(lifts),
            "author_last_log_score": newest(author, 1),
            "author_last_3_mean": newest(author, 3),
            "author_best_log_score": max(map(log_score, author), default=np.nan),
            "author_spread": spread(author),
            "log_author_days_since_last": np.log1p(
                (post["hours"] - in_order(author)[-1]["hours"]) / 24 if author else np.nan
            ),
            "log_author_posts_a_week": np.log1p(
                len(author) / max(1, (post["hours"] - in_order(author)[0]["hours"]) / 168)
                if author
                else np.nan
            ),
            "log_author_posts_here": np.nan if unknown else np.log1p(len(here(author, post))),
            "author_mean_log_score_here": mean([log_score(p) for p in here(author, post)]),
            "subreddit_last_20_mean": newest(subreddit, 20),
            "subreddit_last_50_mean": newest(subreddit, 50),
            "subreddit_last_200_mean": newest(subreddit, 200),
            "subreddit_last_200_spread": spread(subreddit),
            "subreddit_90_days_mean": mean([log_score(p) for p in lately]),
            "subreddit_90_days_spread": spread(lately),
            "days_since_2005": (created[row] / 8.64e10) - 12_784,  # days from 1970 to 2005
        }
        for name, value in expected.items():
            exact = 1e-4 if name.endswith("spread") else 1e-6  # a root of a difference of sums
            assert found[name][row] == pytest.approx(value, abs=exact, nan_ok=True), name
        assert set(found) == set(expected)


@given(matured_posts, st.integers(0, 4_200))
def test_a_history_since_a_moment_tells_the_same_of_all_moments_from_then_on(
    posts: list[dict[str, Any]], since: int
) -> None:
    table = as_table(posts)
    created = np.array(table["created_at"].cast(pa.int64()))
    moment = int(pa.scalar(at(since), TIME).cast(pa.int64()).as_py())
    asked = np.maximum(created, moment)
    names = table["subreddit"], table["author_id"]
    whole = history_of(table).features(*names, asked)
    later = history_of(table, moment).features(*names, asked)
    for name, values in whole.items():
        np.testing.assert_array_equal(later[name], values, err_msg=name)


@given(st.lists(matured_post, min_size=25, max_size=60), st.integers(1, 17))
@settings(max_examples=60)
def test_percentiles_and_levels_are_those_among_matured_posts_of_the_window(
    posts: list[dict[str, Any]], days: int
) -> None:
    table = as_table(posts)
    created = np.array(table["created_at"].cast(pa.int64()))
    scores = np.array([log_score(post) for post in posts])
    standings = history_of(table).standings(timedelta(days=days))
    found = standings.percentiles(table["subreddit"], created, scores)
    levels = {share: standings.level(table["subreddit"], created, share) for share in (0, 0.5, 0.9)}
    for row, post in enumerate(posts):
        among = [
            log_score(other)
            for other in earlier(posts, post, "subreddit")
            if other["hours"] >= post["hours"] - 24 * days
        ]
        below = sum(s < scores[row] for s in among)
        equal = sum(s == scores[row] for s in among)
        enough = len(among) >= MIN_RANKED
        expected = (below + equal / 2) / len(among) if enough else np.nan
        assert found[row] == pytest.approx(expected, nan_ok=True)
        for share, level in levels.items():
            at_rank = sorted(among)[int(share * len(among))] if enough else np.nan
            assert level[row] == pytest.approx(at_rank, nan_ok=True)


def test_an_import_has_a_history_though_it_was_looked_at_years_later() -> None:
    years = 20_000
    posts = [
        {"subreddit": "pics", "author_id": "a", "hours": h, "late": years, "imported": True}
        | {"score": 3}
        for h in (0, 100)
    ]
    table = as_table(posts)
    created = np.array(table["created_at"].cast(pa.int64()))
    history = history_of(table)
    found = history.features(table["subreddit"], table["author_id"], created)
    assert found["author_seen_before"].tolist() == [0, 1]
    watched = as_table([post | {"imported": False} for post in posts])
    found = history_of(watched).features(table["subreddit"], table["author_id"], created)
    assert found["author_seen_before"].tolist() == [0, 0]


def test_a_score_of_any_size_is_taken() -> None:
    scores = pa.chunked_array([[2**62 + 1, 0, -5, None]], pa.int64())
    assert np.allclose(log_scores(scores), [62 * np.log(2), 0.0, 0.0, np.nan], equal_nan=True)
