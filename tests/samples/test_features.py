"""A post's own features."""

import math
from typing import Any

import pyarrow as pa
import pytest

from mmrl.samples.features import INPUTS, KARMA_WITHIN_HOURS, post_features
from tests.support.samples_catalog import at


def features(**known: Any) -> dict[str, float | None]:
    """The features of one post; what is not given is not known."""
    row = {"title": "Title", "created_at": at(0), **known}
    table = pa.Table.from_pylist([row], INPUTS)
    return {name: column[0].as_py() for name, column in post_features(table).items()}


def test_a_title_is_counted_in_characters_words_and_marks() -> None:
    found = features(title="Why ÄB [OC] 3?")
    assert found["log_title_chars"] == pytest.approx(math.log1p(14))
    assert found["log_title_words"] == pytest.approx(math.log1p(4))
    assert found["title_upper_share"] == pytest.approx(5 / 7)
    marks = ("question", "digit", "brackets", "exclamation")
    assert [found[f"title_has_{mark}"] for mark in marks] == [1, 1, 1, 0]


def test_a_title_without_letters_has_no_share_of_capitals() -> None:
    assert features(title="1234 !")["title_upper_share"] is None


def test_hours_and_weekdays_stand_on_a_circle() -> None:
    monday_six = features(created_at=at(6))
    assert monday_six["hour_sin"] == pytest.approx(1)
    assert monday_six["hour_cos"] == pytest.approx(0, abs=1e-6)
    assert features(created_at=at(0))["weekday_cos"] == pytest.approx(1)
    assert features(created_at=at(3.5 * 24))["weekday_cos"] == pytest.approx(-1)


def test_a_square_image_has_aspect_zero_and_a_tall_one_is_the_opposite_of_a_wide_one() -> None:
    assert features(width=10, height=10)["log_image_aspect"] == 0
    wide = features(width=30, height=10)["log_image_aspect"]
    tall = features(width=10, height=30)["log_image_aspect"]
    assert wide == pytest.approx(-tall)


def test_what_is_not_known_is_null_and_not_zero() -> None:
    found = features()
    derived_from_nothing = {name for name, value in found.items() if value is None}
    assert derived_from_nothing == {
        *("log_subscribers", "over_18", "spoiler", "is_gallery", "log_gallery_size"),
        *("log_image_pixels", "log_image_aspect", "log_image_bytes", "log_first_look_hours"),
        *("log_author_link_karma", "log_author_comment_karma", "log_author_age_days"),
    }


def test_karma_counts_only_from_an_observation_too_early_to_hold_the_posts_own_votes() -> None:
    karma = {"author_link_karma": 100, "author_comment_karma": 7}
    soon = features(observed_age_hours=KARMA_WITHIN_HOURS, **karma)
    assert soon["log_author_link_karma"] == pytest.approx(math.log1p(100))
    assert soon["log_author_comment_karma"] == pytest.approx(math.log1p(7))
    for age in (KARMA_WITHIN_HOURS + 0.01, 40_000.0, None):
        late = features(observed_age_hours=age, **karma)
        assert late["log_author_link_karma"] is None
        assert late["log_author_comment_karma"] is None


def test_subscribers_count_from_an_observation_within_a_week() -> None:
    known = features(observed_age_hours=7 * 24.0, subscribers=50)
    assert known["log_subscribers"] == pytest.approx(math.log1p(50))
    assert features(observed_age_hours=7 * 24.1, subscribers=50)["log_subscribers"] is None


def test_the_age_of_an_imports_observation_says_nothing_of_the_post() -> None:
    assert features(observed_age_hours=1.0)["log_first_look_hours"] == pytest.approx(math.log(2))
    assert features(observed_age_hours=9_000.0)["log_first_look_hours"] is None


def test_an_accounts_age_is_that_at_the_post_whenever_it_was_learned() -> None:
    found = features(author_created_at=at(-240), observed_age_hours=9_000.0)
    assert found["log_author_age_days"] == pytest.approx(math.log1p(10))


def test_negative_karma_counts_as_none() -> None:
    found = features(author_link_karma=-50, observed_age_hours=1.0)
    assert found["log_author_link_karma"] == 0
