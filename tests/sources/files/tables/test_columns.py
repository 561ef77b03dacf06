"""Which column holds what, where names alone would mislead."""

from typing import Any

import pytest

from mmrl.sources.files.tables.columns import map_columns

PAGE = "https://www.reddit.com/r/aww/comments/17abc{}/x/"


def sample(count: int = 3, **columns: Any) -> list[dict[str, Any]]:
    fixed = {"title": "t", "score": 1, "created_utc": 1_700_000_000}
    return [
        {**fixed, **{name: values[row] for name, values in columns.items()}} for row in range(count)
    ]


def mapped(rows: list[dict[str, Any]], **named: str) -> dict[str, str]:
    return map_columns(list(rows[0]), named, sample=rows).of


PAGES = [PAGE.format(row) for row in range(3)]
PICTURES = [f"https://i.redd.it/{row}.jpg" for row in range(3)]
NAMES = ["aww"] * 3


@pytest.mark.parametrize("numbers", [["0", "1", "2"], [7, 8, 9]])
def test_row_numbers_are_no_ids_where_something_else_may_be(numbers: list[Any]) -> None:
    rows = sample(id=numbers, postid=["x1a", "x2b", "x9c"], subreddit=NAMES)
    assert mapped(rows)["id"] == "postid"
    assert "id" not in mapped(sample(id=numbers, permalink=PAGES, subreddit=NAMES))
    assert mapped(sample(id=numbers, subreddit=NAMES))["id"] == "id"
    assert mapped(rows, id="id")["id"] == "id"
    ids = ["5", "9", "4"]
    assert mapped(sample(id=ids, postid=["a", "b", "c"], subreddit=NAMES))["id"] == "id"


def test_id_and_subreddit_may_come_from_the_address_of_the_post() -> None:
    columns = mapped(sample(link=PAGES, url=PICTURES))
    assert (columns["permalink"], columns["url"]) == ("link", "url")
    columns = mapped(sample(link=PICTURES, id=["a", "b", "c"], subreddit=NAMES))
    assert columns["url"] == "link"
    assert "permalink" not in columns


@pytest.mark.parametrize("name", ["image_url", "url_overridden_by_dest", "media_url"])
def test_the_picture_is_where_the_post_is_not(name: str) -> None:
    rows = sample(id=["a", "b", "c"], subreddit=NAMES, url=PAGES, **{name: PICTURES})
    columns = mapped(rows)
    assert (columns["permalink"], columns["image_url"]) == ("url", name)
    assert "url" not in columns


@pytest.mark.parametrize("name", ["timestamp", "extract_time", "date"])
def test_a_second_time_is_that_of_the_observation(name: str) -> None:
    later = ["2023-11-15 00:00:00", "2023-11-15 01:00:00", "2023-11-16"]
    rows = sample(id=["a", "b", "c"], subreddit=NAMES, **{name: later})
    assert mapped(rows)["checked_at"] == name


@pytest.mark.parametrize(
    "values", [["2023-11-14 22:13:20"] * 3, ["2023-11-14"] * 3, ["soon", "later", "never"]]
)
def test_a_second_time_that_says_nothing_new_is_not(values: list[str]) -> None:
    rows = sample(id=["a", "b", "c"], subreddit=NAMES, date=values)
    assert "checked_at" not in mapped(rows)
