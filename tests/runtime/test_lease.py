"""Locks in an object store: one holder; a killed one's successor waits for the lease, no longer."""

import json
import threading
import time
from collections.abc import Callable

import pytest

from mmrl.errors import Failure
from mmrl.runtime import lease
from mmrl.runtime.bucket import Bucket
from mmrl.runtime.location import Location
from mmrl.runtime.lock import Taken, only_one
from tests.support.command import start_python

BUSY = "process {process} is at it"
HOLDER = """
import sys, time
from mmrl.runtime.lock import only_one
with only_one(sys.argv[1], "run", "busy"):
    print("holds", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leases of a second."""
    monkeypatch.setattr(lease, "LEASE", 1.0)
    monkeypatch.setattr(lease, "BEAT", 0.2)


def elsewhere(bucket: str) -> tuple[Bucket, Callable[[], None]]:
    """A lock that a process of another machine holds; and what it does while it lives."""
    store = Bucket.of(Location.of(bucket))
    says = {"process": 7, "host": "far", "kernel": "other", "holding": "x"}
    store.write("locks/run", json.dumps(says).encode())
    return store, lambda: store.write("locks/run", json.dumps({**says, "t": time.time()}).encode())


def test_a_second_holder_is_refused_and_a_waiting_one_comes_next(bucket: str) -> None:
    said: list[str] = []
    order: list[str] = []

    def second() -> None:
        with only_one(bucket, "run", BUSY, said.append):
            order.append("second")

    with only_one(bucket, "run", BUSY):
        with pytest.raises(Taken, match=r"process \d+ is at it"), only_one(bucket, "run", BUSY):
            raise AssertionError
        with only_one(bucket, "another", BUSY):
            pass
        waiting = threading.Thread(target=second)
        waiting.start()
        while not said:
            time.sleep(0.05)
        order.append("first")
    waiting.join()
    assert order == ["first", "second"]
    with only_one(bucket, "run", BUSY):
        pass


def test_a_holder_killed_on_this_machine_is_followed_at_once(bucket: str) -> None:
    process = start_python(HOLDER, bucket)
    assert process.stdout is not None
    assert process.stdout.readline() == "holds\n"
    with pytest.raises(Taken), only_one(bucket, "run", BUSY):
        raise AssertionError
    process.kill()
    process.communicate()
    with only_one(bucket, "run", BUSY):
        pass


@pytest.mark.usefixtures("quick")
def test_a_holder_of_another_machine_that_stands_still_is_followed_when_its_lease_ends(
    bucket: str,
) -> None:
    elsewhere(bucket)
    began = time.monotonic()
    with only_one(bucket, "run", BUSY):
        assert time.monotonic() - began >= 1.0


@pytest.mark.usefixtures("quick")
def test_a_holder_of_another_machine_that_lives_is_not_followed(bucket: str) -> None:
    _, beat = elsewhere(bucket)
    ended = threading.Event()

    def live() -> None:
        while not ended.wait(0.1):
            beat()

    alive = threading.Thread(target=live)
    alive.start()
    try:
        with pytest.raises(Taken, match="process 7 on far"), only_one(bucket, "run", BUSY):
            raise AssertionError
    finally:
        ended.set()
        alive.join()


@pytest.mark.usefixtures("quick")
def test_a_holder_keeps_its_lock_for_longer_than_a_lease(bucket: str) -> None:
    with only_one(bucket, "run", BUSY):
        time.sleep(2.0)


@pytest.mark.usefixtures("quick")
def test_a_holder_that_finds_its_lock_taken_is_interrupted_and_says_so(bucket: str) -> None:
    def work() -> None:
        with only_one(bucket, "run", BUSY):
            elsewhere(bucket)
            time.sleep(60)
            raise AssertionError("nobody told it")

    with pytest.raises(Failure, match=r"lock locks/run .* was lost"):
        work()
