"""Pictures of drafts in memory."""

import pytest

from mmrl.images.image import ImageFacts
from mmrl.web import pictures
from mmrl.web.pictures import Pictures

FACTS = ImageFacts("0" * 64, 10, 10, "PNG", 4, "0" * 16)


def test_the_same_content_has_one_id_that_another_server_does_not_give() -> None:
    one, other = Pictures(), Pictures()
    first = one.add("a.png", b"same", FACTS)
    assert one.add("b.png", b"same", FACTS).id == first.id
    assert one.add("c.png", b"else", FACTS).id != first.id
    assert other.add("a.png", b"same", FACTS).id != first.id


def test_the_longest_unused_are_forgotten_first() -> None:
    kept = Pictures(most_bytes=10)
    ids = [kept.add(name, name.encode() * 4, FACTS).id for name in "ab"]
    assert kept.get(ids[0]) is not None  # used: now b is the older
    newest = kept.add("c", b"cccc", FACTS).id
    assert [kept.get(id) is not None for id in [*ids, newest]] == [True, False, True]


def test_a_picture_is_forgotten_after_a_while_unused() -> None:
    now = 0.0
    kept = Pictures(clock=lambda: now)
    id = kept.add("a", b"aaaa", FACTS).id
    now += pictures.MOST_SECONDS - 1
    assert kept.get(id) is not None
    now += pictures.MOST_SECONDS + 1
    assert kept.get(id) is None


@pytest.mark.parametrize("id", ["", "0" * 24, "../../etc/passwd"])
def test_what_was_never_given_is_not_found(id: str) -> None:
    assert Pictures().get(id) is None
