"""The page's form, in an address and back."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import QueryParams

from mmrl.errors import InputError
from mmrl.web.form import Asked
from mmrl.web.pictures import Pictures

NOW = datetime(2026, 11, 27, 12, 20, tzinfo=UTC)
LINE = st.text(st.characters(exclude_categories=("Cs",)), min_size=1).map(
    lambda text: " ".join(text.split())
)
NAME = st.text("abcXYZ_019", min_size=3, max_size=20)


@given(
    st.builds(
        Asked,
        pictures=st.lists(NAME, unique=True, max_size=3).map(tuple),
        titles=st.lists(LINE.filter(bool), unique=True, max_size=4).map(tuple),
        communities=st.lists(NAME, unique_by=str.lower, max_size=3).map(tuple),
        when=st.sampled_from(["now", "best"]),
        zone=st.sampled_from(["UTC", "Europe/Berlin"]),
        author=NAME,
        over_18=st.booleans(),
        spoiler=st.booleans(),
    )
)
def test_an_address_says_all_of_the_form(asked: Asked) -> None:
    assert Asked.of_query(QueryParams(asked.query())) == asked


def test_titles_are_lines_and_communities_are_known_by_any_letter_case() -> None:
    asked = Asked.of(
        {
            "title": ["  Lake at dawn \r\n\r\nLake at dawn\nA quiet morning"],
            "community": ["r/Pics", "pics"],
            "other": ["/r/EarthPorn/, aww  PICS"],
            "when": ["whenever"],
            "nobody_knows": ["x"],
        }
    )
    assert asked.titles == ("Lake at dawn", "A quiet morning")
    assert asked.communities == ("Pics", "EarthPorn", "aww")
    assert asked.when == "best"


def test_what_lacks_is_said_once_something_is_there() -> None:
    assert Asked().missing == []
    assert Asked(titles=("A",)).missing == ["Choose at least one community."]
    assert Asked(pictures=("x",)).missing == [
        "Write at least one title.",
        "Choose at least one community.",
    ]


def test_the_best_hour_is_looked_for_in_the_full_hours_of_seven_days() -> None:
    hours = Asked(when="best").hours(NOW)
    assert hours[0] == datetime(2026, 11, 27, 13, tzinfo=UTC)
    assert len(hours) == 168
    assert hours[-1] <= NOW + timedelta(days=7)


def test_an_hour_is_meant_in_the_readers_zone() -> None:
    asked = Asked(
        titles=("A",), communities=("b",), when="at", at="2026-11-28T18:00", zone="Europe/Berlin"
    )
    assert asked.hours(NOW) == [datetime(2026, 11, 28, 17, tzinfo=UTC)]


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"at": "2026-11-26T18:00"}, "past"),
        ({"at": "soon"}, "no hour"),
        ({"zone": "Mars/Olympus"}, "no time zone"),
        ({"titles": tuple(map(str, range(60)))}, "60 titles"),
        ({"communities": tuple(map(str, range(30)))}, "30 communities"),
    ],
)
def test_what_can_not_be_ranked_is_said(changed: dict[str, object], told: str) -> None:
    given: dict[str, object] = {"titles": ("A",), "communities": ("b",), "when": "at"}
    given |= {"at": "2026-11-28T18:00", "zone": "UTC"} | changed
    with pytest.raises(InputError, match=told):
        Asked(**given).drafts([], NOW)  # type: ignore[arg-type]


def test_pictures_that_are_forgotten_are_counted() -> None:
    assert Asked(pictures=("gone",)).find(Pictures()).forgotten == 1
