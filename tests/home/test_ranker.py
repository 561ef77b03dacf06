"""Choices as people give them, made ready to rank before a model is loaded."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import mmrl
from mmrl.errors import InputError, NotFoundError
from mmrl.home.ranker import Ranker

NOW = datetime(2026, 9, 16, 9, 30, tzinfo=UTC)  # a Wednesday


@pytest.fixture
def ranker(tmp_path: Path) -> Ranker:
    """Of a home without a model."""
    return mmrl.init(tmp_path / "home", quiet=True).ranker(as_of=NOW)


def test_images_come_as_paths_bytes_and_pictures(ranker: Ranker, tmp_path: Path) -> None:
    picture = Image.fromarray(np.zeros((8, 8, 3), np.uint8))
    picture.save(tmp_path / "black.png")
    data = (tmp_path / "black.png").read_bytes()
    made = ranker.drafts(["A"], ["pics"], [tmp_path / "black.png", data, picture])
    assert made.images[0].name == str(tmp_path / "black.png")
    assert made.images[0].data == made.images[1].data
    assert made.combinations == 3


def test_hours_are_times_or_texts_in_a_zone_or_the_week_s(ranker: Ranker) -> None:
    noon = datetime.fromisoformat("2026-09-20T12:00")
    made = ranker.drafts(["A"], ["pics"], hours=["18:00", noon], zone="Europe/Berlin")
    assert made.hours == [
        datetime(2026, 9, 16, 16, tzinfo=UTC),  # a text is meant in the zone
        noon.replace(tzinfo=UTC),  # a time without a zone in UTC, as everywhere in Python
    ]
    best = ranker.drafts(["A"], ["pics"], hours="best").hours
    assert (len(best), best[0] - NOW) == (168, timedelta(minutes=30))


def test_what_is_wrong_with_drafts_is_said_before_a_model_is_looked_for(
    ranker: Ranker, tmp_path: Path
) -> None:
    with pytest.raises(NotFoundError, match="no image file"):
        ranker.drafts(["A"], ["pics"], [tmp_path / "none.jpg"])
    with pytest.raises(InputError, match="or 'best'"):
        ranker.drafts(["A"], ["pics"], hours="worst")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="no time zone 'Mars'"):
        ranker.drafts(["A"], ["pics"], zone="Mars")
    with pytest.raises(NotFoundError, match="No model was trained yet"):
        ranker.rank(ranker.drafts(["A"], ["pics"]))
