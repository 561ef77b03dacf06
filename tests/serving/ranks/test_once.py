"""What takes a while is worked out once, by one thread."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Event

import pytest

from mmrl.serving.ranks.once import Once


def test_of_several_that_ask_at_once_one_works_it_out_and_all_get_it() -> None:
    once, together, made = Once(), Barrier(4), []

    def make() -> object:
        made.append(object())
        Event().wait(0.05)  # so that the others ask before it is there
        return made[-1]

    def ask(_: int) -> object:
        together.wait()
        return once.of("key", make)

    with ThreadPoolExecutor(4) as threads:
        got = list(threads.map(ask, range(4)))
    assert got == made * 4
    assert len(made) == 1


def test_another_key_does_not_wait_and_may_be_asked_for_meanwhile() -> None:
    once = Once()
    assert once.of("a", lambda: 1 + once.of("b", lambda: 1)) == 2
    assert once.of("b", lambda: 5) == 1


def test_what_fails_is_asked_for_again() -> None:
    once = Once()
    with pytest.raises(ZeroDivisionError):
        once.of("key", lambda: 1 // 0)
    assert once.of("key", lambda: 1) == 1
