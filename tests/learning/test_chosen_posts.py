"""Posts that a training uses where there are more than it may."""

from collections import Counter

import numpy as np
import pyarrow as pa
import pytest

from mmrl.config import TrainSettings
from mmrl.errors import InputError
from mmrl.learning.chosen_posts import choose_posts
from mmrl.learning.splits import split_by_time
from tests.support.learning_samples import make_samples

EVERY = np.ones(600, bool)


def options(**given: float | int | None) -> TrainSettings:
    return TrainSettings.model_validate({"max_posts": None, "min_samples": 50, **given})


def test_all_labelled_posts_are_used_where_they_are_few() -> None:
    usable = np.arange(600) % 3 > 0
    chosen = choose_posts(make_samples(), usable, options(max_posts=400))
    assert chosen.rows.tolist() == np.flatnonzero(usable).tolist()
    assert (chosen.too_old, chosen.thinned_out) == (0, 0)


def test_a_window_counts_back_from_the_newest_labelled_post() -> None:
    samples = make_samples(days=60)
    usable = np.arange(600) < 500
    chosen = choose_posts(samples, usable, options(window_days=10))
    created = samples["created_at"].to_pylist()
    days = [(created[499] - at).total_seconds() / 86_400 for at in created[:500]]
    assert chosen.rows.tolist() == [row for row, age in enumerate(days) if age <= 10]
    assert chosen.too_old == 500 - len(chosen.rows)


def test_a_window_that_leaves_too_few_posts_is_named() -> None:
    with pytest.raises(InputError, match=r"train\.window_days leaves \d+ of 600 .* needs 200"):
        choose_posts(make_samples(days=60), EVERY, options(window_days=10, min_samples=200))


def test_the_newest_half_is_kept_and_older_posts_are_drawn_evenly() -> None:
    samples = make_samples(days=100)
    chosen = choose_posts(samples, EVERY, options(max_posts=400))
    assert chosen.thinned_out == 200
    assert sorted([*chosen.rows, *chosen.left_out]) == list(range(600))
    assert set(range(400, 600)) <= set(chosen.rows.tolist())
    names, created = samples["subreddit"].to_pylist(), samples["created_at"].to_pylist()
    strata = [(names[row], created[row].month) for row in range(400)]
    there, drawn = Counter(strata), Counter(strata[row] for row in chosen.rows if row < 400)
    assert all(abs(drawn[stratum] - count / 2) <= 1 for stratum, count in there.items())


def test_posts_that_come_fast_are_drawn_from_weeks_so_that_they_can_be_split() -> None:
    samples = make_samples(4_000)
    few = options(max_posts=200)  # the newest 100 are of a day and a half
    chosen = choose_posts(samples, np.ones(4_000, bool), few)
    assert len(chosen.rows) == 200
    split = split_by_time(
        samples.take(pa.array(chosen.rows)),
        np.ones(200, bool),
        validation_share=few.validation_share,
        test_share=few.test_share,
        mature_after_hours=36,
    )
    assert min(map(len, (split.train, split.validation, split.test))) > 0
    created = samples["created_at"].to_pylist()
    ages = np.array([(created[-1] - created[row]).days for row in chosen.rows])
    assert (ages < 28).sum() == 100
    assert 15 < (ages < 7).sum() < 35  # a quarter of these, not the newest alone


def test_of_older_posts_no_more_is_copied_than_the_draw_needs() -> None:
    class Watched:
        def __init__(self, table: pa.Table) -> None:
            self.table, self.num_rows = table, table.num_rows

        def __getitem__(self, name: str) -> pa.ChunkedArray:
            return self.table[name]

        def select(self, names: list[str]) -> pa.Table:
            return self.table.select(names)

    samples = make_samples(days=90)
    few = choose_posts(Watched(samples), EVERY, options(max_posts=400))  # it can't be copied whole
    assert few.rows.tolist() == choose_posts(samples, EVERY, options(max_posts=400)).rows.tolist()


def test_a_draw_is_the_seeds_and_stays_when_posts_come() -> None:
    samples = make_samples()

    def drawn(posts: int, seed: int = 0) -> set[str]:
        part = samples.slice(0, posts)
        rows = choose_posts(part, EVERY[:posts], options(max_posts=200, seed=seed)).rows
        return set(part["post_id"].take(pa.array(rows[rows < 400])).to_pylist())

    assert drawn(600) == drawn(600)
    assert drawn(600) != drawn(600, seed=1)
    assert len(drawn(600) & drawn(590)) > 0.9 * len(drawn(600))
