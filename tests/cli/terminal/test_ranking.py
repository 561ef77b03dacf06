"""Rankings on the terminal: which image is meant can be read."""

from mmrl.cli.terminal.ranking import told_apart


def test_images_are_named_by_their_files_where_these_differ_and_else_by_their_paths() -> None:
    assert told_apart(["a/1.jpg", "b/2.jpg"]) == {"a/1.jpg": "1.jpg", "b/2.jpg": "2.jpg"}
    assert told_apart(["a/1.jpg", "b/1.jpg"]) == {"a/1.jpg": "a/1.jpg", "b/1.jpg": "b/1.jpg"}
    assert told_apart(["1.jpg", "https://i.redd.it/x.png"])["https://i.redd.it/x.png"] == "x.png"
    assert told_apart([]) == {}
    long = [f"{'a folder of a long name/' * 4}{number}/1.jpg" for number in (1, 2)]
    assert told_apart(long) == dict(zip(long, long, strict=True))
