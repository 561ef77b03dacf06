"""Numbers in the page's words."""

import pytest

from mmrl.web.pages.wording import record_in


@pytest.mark.parametrize(
    ("learned", "start"),
    [(1_234, "r/pics: learned from 1,234 of its posts; "), (None, "r/pics: ")],
)
def test_a_community_s_record_begins_with_what_was_learned_from(
    learned: int | None, start: str
) -> None:
    assert record_in("pics", None, learned) == (
        f"{start}none of the posts that it was judged on is of this community."
    )
