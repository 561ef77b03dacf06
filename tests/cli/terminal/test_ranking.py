"""Rankings on the terminal: which image is meant can be read."""

from datetime import UTC, datetime

from rich.console import Console

from mmrl.cli.terminal.ranking import neighbours_table, told_apart
from mmrl.serving.answers.similar import Neighbour


def test_images_are_named_by_their_files_where_these_differ_and_else_by_their_paths() -> None:
    assert told_apart(["a/1.jpg", "b/2.jpg"]) == {"a/1.jpg": "1.jpg", "b/2.jpg": "2.jpg"}
    assert told_apart(["a/1.jpg", "b/1.jpg"]) == {"a/1.jpg": "a/1.jpg", "b/1.jpg": "b/1.jpg"}
    assert told_apart(["1.jpg", "https://i.redd.it/x.png"])["https://i.redd.it/x.png"] == "x.png"
    assert told_apart([]) == {}
    long = [f"{'a folder of a long name/' * 4}{number}/1.jpg" for number in (1, 2)]
    assert told_apart(long) == dict(zip(long, long, strict=True))


def test_a_post_like_a_draft_has_its_page_beneath_its_title_where_one_is_known() -> None:
    at, page = datetime(2026, 8, 1, tzinfo=UTC), "https://www.reddit.com/comments/p4/"
    posts = tuple(
        Neighbour("p4", "aww", "A [bold]cat", at, 12, None, None, link, None, False, 0.5)
        for link in (page, None)
    )
    console = Console(width=100)
    with console.capture() as shown:
        console.print(neighbours_table(posts, "They agree by 0.2."))
    assert shown.get().count("A [bold]cat") == 2
    assert shown.get().count(page) == 1
    assert "They agree by 0.2." in shown.get()
