"""Will it stay: the chance of removal beside a ranking, and what would change it."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from mmrl.catalog import Catalog
from mmrl.learning.removals import TERMS, RemovalModel
from mmrl.serving.inputs.drafts import Drafts, ImageFile
from mmrl.serving.ranks.rank import Predictor
from mmrl.serving.ranks.removal import removal
from tests.support.filled_home import SETTINGS
from tests.support.image_server import image_file
from tests.support.serving_home import NOW, SUBREDDITS

pytestmark = pytest.mark.slow

IMAGE = ImageFile("a.jpg", image_file(70))


def told(**weights: float) -> RemovalModel:
    """A model in which only these terms tell, and those of the second subreddit twice as much."""
    own = [weights.get(name, 0.0) for name in TERMS]
    none, one = [0.0] * len(TERMS), [1.0] * len(TERMS)
    return RemovalModel(none, one, own, {SUBREDDITS[1]: own}, 0.0, 0.0, -2.0, shown=True)


@pytest.fixture
def predictor(serving_home: Path) -> Iterator[Predictor]:
    opened = Predictor.open(Catalog.open(serving_home), SETTINGS, NOW)
    yield opened
    opened.registered.model.removals = None


def test_each_combination_has_the_chance_of_its_title_subreddit_and_hour(
    predictor: Predictor,
) -> None:
    predictor.registered.model.removals = told(title_has_question=1.0, hour_cos=0.5)
    hours = [NOW + timedelta(hours=hours) for hours in (0, 5)]
    titles = ["A lake", "A lake?"]
    for row in predictor.rank(Drafts(titles, SUBREDDITS, [IMAGE], hours)):
        moment = row.posted_at
        angle = 2 * np.pi * (moment.hour + moment.minute / 60) / 24
        raw = ("?" in row.title) + 0.5 * np.cos(angle)
        raw *= 2 if row.subreddit == SUBREDDITS[1] else 1
        assert row.removal == pytest.approx(1 / (1 + np.exp(2 - raw)), abs=1e-6)


def test_what_would_make_a_removal_less_likely_is_named(predictor: Predictor) -> None:
    predictor.registered.model.removals = told(title_has_question=2.0, has_flair=-1.0)
    found = removal(predictor, Drafts(["Is this a lake?"], [SUBREDDITS[0]], [IMAGE], [NOW]))
    assert found.chance == pytest.approx(0.5)
    assert [change.says for change in found.changes] == ["no question mark in the title", "a flair"]
    assert found.changes[0].chance == pytest.approx(1 / (1 + np.exp(2.0)))
    assert found.posts > 0
    assert found.removed == 0
    assert "50%" in found.sentence


def test_nothing_is_said_by_a_model_that_knows_nothing_of_removals_or_no_more_than_rates(
    predictor: Predictor,
) -> None:
    draft = Drafts(["Is this a lake?"], [SUBREDDITS[0]], [IMAGE], [NOW])
    unsure = RemovalModel(**{**vars(told(title_has_question=2.0)), "shown": False})
    for model, why in (
        (None, "has learned nothing of removals"),
        (unsure, "no more than the subreddits' rates"),
    ):
        predictor.registered.model.removals = model
        found = removal(predictor, draft)
        assert found.chance is None
        assert found.changes == ()
        assert found.sentence.startswith("Nothing is said of this draft")
        assert why in found.sentence
        assert predictor.rank(draft)[0].removal is None
