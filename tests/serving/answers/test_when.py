"""The table of hours: each hour of the coming week once, in the reader's time zone."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmrl.catalog import Catalog
from mmrl.errors import InputError
from mmrl.serving.answers.when import when
from mmrl.serving.inputs.drafts import Drafts, ImageFile
from mmrl.serving.inputs.hours import next_seven_days
from mmrl.serving.ranks.rank import Predictor
from tests.support.filled_home import SETTINGS
from tests.support.image_server import image_file
from tests.support.serving_home import NOW

DRAFT = Drafts(["A lake"], ["pics"], [ImageFile("lake.jpg", image_file(5))])


@given(st.integers(0, 10**15))
def test_the_next_seven_days_are_168_full_hours_from_a_moment_on(microseconds: int) -> None:
    moment = datetime(2020, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)
    hours = next_seven_days(moment)
    assert moment <= hours[0] < moment + timedelta(hours=1)
    assert [hour - hours[0] for hour in hours] == [timedelta(hours=n) for n in range(168)]
    assert {(hour.minute, hour.second, hour.microsecond) for hour in hours} == {(0, 0, 0)}


@pytest.mark.slow
def test_every_hour_of_the_week_has_what_is_predicted_for_it_and_the_best_are_named(
    serving_home: Path,
) -> None:
    predictor = Predictor.open(Catalog.open(serving_home), SETTINGS, NOW)
    utc, there = (when(predictor, DRAFT, zone) for zone in ("UTC", "Asia/Kolkata"))
    assert utc.by == "percentile"
    assert not np.isnan(utc.values).any()
    assert np.sort(utc.values.ravel()) == pytest.approx(np.sort(there.values.ravel()))
    best, worst = utc.best[0], utc.worst[0]
    assert utc.values[best.weekday, best.hour] == utc.values.max()
    assert utc.values[worst.weekday, worst.hour] == utc.values.min()
    assert best.draft.posted_at.weekday() == best.weekday
    assert there.best[0].draft.posted_at == best.draft.posted_at
    local = best.draft.posted_at + timedelta(hours=5.5)
    assert (there.best[0].weekday, there.best[0].hour) == (local.weekday(), local.hour)
    assert best.name in utc.sentence
    assert utc.matters == utc.compared.clear == ("hardly matters" not in utc.sentence)
    hours = next_seven_days(NOW)
    ranked = predictor.rank(Drafts(["A lake", "B"], ["pics"], DRAFT.images, hours))
    bests = ranked.with_best_hours()
    assert [row.title for row in bests] == list(dict.fromkeys(row.title for row in ranked))
    (of_lake,) = (row for row in bests if row.title == "A lake")
    assert of_lake.posted_at == best.draft.posted_at
    with pytest.raises(InputError, match="no time zone 'Mars'"):
        when(predictor, DRAFT, "Mars")
