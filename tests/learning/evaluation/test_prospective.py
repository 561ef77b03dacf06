"""Prospective scoring: the earliest prediction of a post, written before the outcome was known."""

import json
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest
from typer.testing import CliRunner

from mmrl.catalog import Catalog
from mmrl.catalog.tables import SCHEMAS
from mmrl.cli.app import app
from mmrl.config import Settings
from mmrl.learning.evaluation.prospective import Scores, prospective
from tests.support.samples_catalog import at, merge, observation, post, write

SETTINGS = Settings()
DAYS, EACH = 12, 8  # days of posts, and posts a day
END = at(24 * DAYS + 11)  # those of the last day have not matured


def log_score(number: int) -> float:
    """What a post reaches: 3, but for a part that goes up and down."""
    return 3 + np.sin(number)


@pytest.fixture
def published(catalog: Catalog) -> Catalog:
    """Posts of twelve days, each observed until it matured or the end came."""
    posts = [
        post(f"p{day:02}-{place}", 24 * day + place, author_id=None)
        for day in range(DAYS)
        for place in range(EACH)
    ]
    seen = []
    for number, one in enumerate(posts):
        seen.append(observation(one, 0.5, score=1, settled=True))
        if one["created_at"] + timedelta(hours=36) <= END:
            score = round(np.expm1(log_score(number)))
            seen.append(observation(one, 36, score=score, settled=True))
    write(catalog, posts, seen)
    merge(catalog, END)
    return catalog


def publish(
    catalog: Catalog, age: float, off: float, version: str = "1", posts: slice = slice(None)
) -> None:
    """Keeps predictions that are off by so much, written when the posts had that age."""
    samples = catalog.read("samples", ["post_id", "created_at"]).sort_by("created_at")
    rows = list(enumerate(samples.to_pylist()))[posts]
    predictions = [
        {
            "post_id": row["post_id"],
            "model_version": version,
            "predicted_at": row["created_at"] + timedelta(hours=age),
            "age_hours": age,
            "q10": log_score(number) + off - 0.2,
            "q50": log_score(number) + off,
            "q90": log_score(number) + off + 0.2,
            "unit": "log_score",
        }
        for number, row in rows
    ]
    schema = SCHEMAS["predictions"]
    catalog.insert("predictions", pa.Table.from_pylist(predictions, schema=schema))


def scored(catalog: Catalog, when: datetime = END) -> Scores:
    return prospective(catalog, SETTINGS, when)


def test_predictions_are_scored_by_the_day_their_posts_went_up_once_these_matured(
    published: Catalog,
) -> None:
    publish(published, 2, 0.1)
    found = scored(published)
    assert [day.day for day in found.days] == [at(24 * day).date() for day in range(DAYS - 1)]
    assert found.waiting == EACH
    for day in found.days:
        assert (day.posts, day.versions, day.coverage) == (EACH, ("1",), 1.0)
        assert day.spearman == pytest.approx(1, abs=0.1)
        assert day.error == pytest.approx(0.1, abs=0.05)  # scores are whole numbers
    assert found.days[0].baseline_error is None
    assert found.days[-1].baseline_error == pytest.approx(0.63, abs=0.15)
    assert found.week is not None
    assert (found.week.posts, found.week.day) == (7 * EACH, found.days[-1].day)
    assert found.warning is None


def test_a_posts_earliest_prediction_counts_and_none_after_the_fact(published: Catalog) -> None:
    publish(published, 20, 3.0, "2")
    assert scored(published).days[0].error == pytest.approx(3.0, abs=0.05)
    publish(published, 2, 0.1, "1", slice(0, 4 * EACH))
    publish(published, 40, 0.0, "0", slice(0, EACH))
    found = scored(published)
    assert [day.versions for day in found.days] == [("1",)] * 4 + [("2",)] * (DAYS - 5)
    late = scored(published, at(24 * DAYS))
    assert late.late == 0
    published.delete("predictions", "model_version != '0'")
    found = scored(published)
    assert (found.days, found.late, found.waiting, found.week) == ((), EACH, 0, None)


def test_nothing_is_scored_by_what_came_later(published: Catalog) -> None:
    publish(published, 2, 0.1)
    early = scored(published, at(48))  # posts of the first twelve hours have matured
    assert [day.day for day in early.days] == [at(0).date()]
    assert early.waiting == EACH
    assert early.days[0] == scored(published).days[0]


def test_a_week_that_is_worse_than_recent_means_is_warned_of(
    published: Catalog,
) -> None:
    publish(published, 2, 1.5)
    warning = scored(published).warning
    assert warning is not None
    assert "off by 1.5" in warning
    published.delete("predictions", "true")
    publish(published, 2, 1.5, posts=slice(-5 * EACH, None))  # too few to say
    assert scored(published).warning is None


def test_the_command_shows_days_and_the_week_and_what_waits(published: Catalog) -> None:
    words = ["scores", "--home", published.home, "--as-of", END.astimezone(UTC).isoformat()]
    assert "No published prediction has an outcome yet" in CliRunner().invoke(app, words).output
    publish(published, 2, 1.5)
    said = CliRunner().invoke(app, words)
    assert said.exit_code == 0, said.output
    assert "last week" in said.output
    assert f"{EACH} predicted posts wait" in said.output
    assert "train anew" in said.output
    few = CliRunner().invoke(app, [*words, "--days", "4", "--json"])
    assert [day["day"] for day in json.loads(few.output)["days"]] == ["2026-03-11", "2026-03-12"]
    status = CliRunner().invoke(app, ["status", *words[1:]])
    assert "The published predictions of the week" in status.output
