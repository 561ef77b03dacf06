"""Locks in an object store: one holder; a killed one's successor waits for the lease, no longer."""

import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import obstore
import psutil
import pytest
from obstore.exceptions import GenericError
from obstore.store import MemoryStore

from mmrl.errors import Failure
from mmrl.runtime.retry import Retry
from mmrl.storage import bucket as buckets
from mmrl.storage import lease
from mmrl.storage.bucket import Bucket
from mmrl.storage.location import Location
from mmrl.storage.lock import Taken, only_one
from tests.support.command import start_python

BUSY = "process {process} is at it"
HOLDER = """
import sys, time
from mmrl.storage.lock import only_one
with only_one(sys.argv[1], "run", "busy"):
    print("holds", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leases of a second."""
    monkeypatch.setattr(lease, "LEASE", 1.0)
    monkeypatch.setattr(lease, "BEAT", 0.2)


@pytest.fixture
def unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leases so long that no busy machine keeps a holder from its beats."""
    monkeypatch.setattr(lease, "LEASE", 5.0)
    monkeypatch.setattr(lease, "BEAT", 0.2)


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch) -> Bucket:
    """An object store in memory, whose puts are tried again at once."""
    monkeypatch.setattr(buckets, "OBJECTS", Retry(first_wait=0.0, longest_wait=0.0, attempts=2))
    return Bucket(Location("s3://memory/home"), MemoryStore())


@pytest.fixture
def neighbour() -> Iterator[dict[str, Any]]:
    """What a lock says that a living process of this machine holds, and never writes anew."""
    process = start_python("import time; time.sleep(600)")
    here = lease._this_process()
    yield {**here, "process": process.pid, "ticks": lease._ticks(process.pid), "holding": "x"}
    process.kill()
    process.communicate()


def held(
    store: Bucket, name: str = "run", wait: Callable[[str], None] | None = None
) -> AbstractContextManager[None]:
    return lease.leased(store, f"locks/{name}", lambda who: Taken(f"{who} is at it", who), wait)


def reset(*_: object, **__: object) -> None:
    """In the place of a request: it never arrives."""
    raise GenericError("connection reset")


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


@pytest.mark.usefixtures("unhurried")
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


@pytest.mark.usefixtures("unhurried")
def test_a_holder_keeps_its_lock_for_longer_than_a_lease(bucket: str) -> None:
    with only_one(bucket, "run", BUSY):
        time.sleep(6.0)


@pytest.mark.usefixtures("quick")
def test_a_holder_that_finds_its_lock_taken_is_interrupted_and_says_so(bucket: str) -> None:
    def work() -> None:
        with only_one(bucket, "run", BUSY):
            elsewhere(bucket)
            for _ in range(600):  # a signal just before a sleep is noticed after it
                time.sleep(0.1)
            raise AssertionError("nobody told it")

    with pytest.raises(Failure, match=r"lock locks/run .* was lost"):
        work()


@pytest.mark.usefixtures("quick")
def test_a_beat_whose_answer_is_lost_does_not_cost_the_lock(
    memory: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    put, get, cut = obstore.put, obstore.get, ["put", "get"]

    def answers_are_lost(*given: Any, **options: Any) -> Any:
        answer = put(*given, **options)
        if "put" in cut:
            cut.remove("put")
            reset()
        return answer

    def looks_are_lost(*given: Any) -> Any:
        if cut == ["get"]:
            cut.clear()
            reset()
        return get(*given)

    with held(memory):
        monkeypatch.setattr(obstore, "put", answers_are_lost)
        monkeypatch.setattr(obstore, "get", looks_are_lost)
        time.sleep(1.5)
    assert (cut, memory.read("locks/run")) == ([], b"{}")


def test_a_lock_that_the_store_did_not_hear_was_let_go_is_taken_again_at_once(
    memory: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as outage, held(memory):
        outage.setattr(obstore, "put", reset)
    assert memory.read("locks/run") != b"{}"
    with held(memory):
        pass
    assert memory.read("locks/run") == b"{}"


@pytest.mark.usefixtures("quick")
def test_a_lock_that_a_living_neighbour_left_is_waited_for_no_longer_than_a_lease(
    memory: Bucket, neighbour: dict[str, Any]
) -> None:
    memory.write("locks/run", json.dumps(neighbour).encode())
    said: list[str] = []
    with pytest.raises(Taken, match=f"{neighbour['process']} is at it"), held(memory):
        raise AssertionError
    with held(memory, wait=said.append):
        assert said == [str(neighbour["process"])]


def test_a_step_of_the_clock_does_not_make_a_living_holder_look_dead(
    bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = start_python(HOLDER, bucket)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "holds\n"
        monkeypatch.setattr(psutil.Process, "create_time", lambda _: time.time() + 3_600)
        with pytest.raises(Taken), only_one(bucket, "run", BUSY):
            raise AssertionError
    finally:
        process.kill()
        process.communicate()


def test_a_process_that_took_the_number_of_a_dead_holder_is_not_taken_for_it(
    memory: Bucket, neighbour: dict[str, Any]
) -> None:
    earlier = {**neighbour, "ticks": neighbour["ticks"] - 1}
    memory.write("locks/run", json.dumps(earlier).encode())
    with held(memory):
        pass


@pytest.mark.usefixtures("quick")
def test_two_locks_lost_in_one_outage_interrupt_once(
    memory: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupts: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _: interrupts.append(number))

    def work() -> None:
        with held(memory, "collect"):
            time.sleep(0.1)
            with held(memory, "looks"):
                monkeypatch.setattr(obstore, "put", reset)
                time.sleep(2.0)

    try:
        with pytest.raises(Failure, match=r"locks/looks .* was lost"):
            work()
    finally:
        signal.signal(signal.SIGINT, before)
    assert interrupts == [signal.SIGINT]


@pytest.mark.usefixtures("quick")
def test_a_holder_is_interrupted_in_time_though_the_store_leaves_its_beat_unanswered(
    memory: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer, answered = threading.Event(), list[int]()

    def hang(*_: object, **__: object) -> None:
        answer.wait(20)
        answered.append(os.getpid())
        reset()

    def work() -> None:
        with held(memory):
            monkeypatch.setattr(obstore, "put", hang)
            for _ in range(600):  # a signal just before a sleep is noticed after it
                time.sleep(0.1)
            raise AssertionError("nobody told it")

    with pytest.raises(Failure, match=r"lock locks/run .* was lost"):
        work()
    assert answered == []
    answer.set()
