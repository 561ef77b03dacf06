"""Names of subreddits as people hand them over."""

from mmrl.home.archive import named


def test_a_single_text_is_one_name_and_each_name_counts_once() -> None:
    assert named("r/pics") == ["pics"]
    assert named(["r/pics", "aww", "pics"]) == ["pics", "aww"]
    assert named(()) == []
