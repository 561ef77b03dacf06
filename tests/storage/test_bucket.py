"""Puts to an object store whose answers are lost: done once, done again, or told."""

from collections.abc import Callable
from typing import Any

import obstore
import pytest
from obstore.exceptions import GenericError
from obstore.store import MemoryStore

from mmrl.errors import StorageError
from mmrl.runtime.retry import Retry
from mmrl.storage import bucket
from mmrl.storage.bucket import Bucket
from mmrl.storage.location import Location

Put = Callable[..., Any]


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Bucket:
    """An object store in memory, whose puts are tried again at once."""
    monkeypatch.setattr(bucket, "OBJECTS", Retry(first_wait=0.0, longest_wait=0.0, attempts=3))
    return Bucket(Location("s3://memory/home"), MemoryStore())


def losing(
    monkeypatch: pytest.MonkeyPatch, count: int, before: Callable[[Put], None] | None = None
) -> list[bytes]:
    """The next answers to puts are lost.

    Args:
        before: takes the place of the puts that are lost; they are done for None.

    Returns:
        what was put, as it goes on.
    """
    put, puts = obstore.put, list[bytes]()

    def lost(*given: Any, **options: Any) -> Any:
        puts.append(given[2])
        if len(puts) > count:
            return put(*given, **options)
        if before is None:
            put(*given, **options)
        else:
            before(put)
        raise GenericError("connection reset")

    monkeypatch.setattr(obstore, "put", lost)
    return puts


def test_a_conditional_put_that_was_done_and_whose_answer_is_lost_counts(
    store: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    puts = losing(monkeypatch, 1)
    version = store.create("lock", b"one")
    assert version is not None
    puts.clear()
    assert store.replace("lock", b"two", version) is not None
    puts.clear()
    store.change("list", lambda data: (data or b"") + b"x")
    assert (store.read("lock"), store.read("list"), len(puts)) == (b"two", b"x", 1)


def test_a_conditional_put_that_never_arrived_is_put_again_a_few_times(
    store: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    puts = losing(monkeypatch, 2, lambda put: None)
    version = store.create("lock", b"one")
    assert version is not None
    puts.clear()
    assert store.replace("lock", b"two", version) is not None
    assert (store.read("lock"), len(puts)) == (b"two", 3)
    losing(monkeypatch, 9, lambda put: None)
    with pytest.raises(StorageError, match="s3://memory/home"):
        store.create("other", b"one")


def test_a_lost_answer_after_which_others_have_written_is_an_error_and_no_second_put(
    store: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = store.create("list", b"one")
    assert version is not None
    puts = losing(monkeypatch, 1, lambda put: put(store._store, "list", b"theirs"))
    with pytest.raises(StorageError):
        store.replace("list", b"two", version)
    assert (store.read("list"), puts) == (b"theirs", [b"two"])


def test_a_stream_is_sent_from_its_file_and_never_held_whole(
    store: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    puts = losing(monkeypatch, 0)
    stream = store.stream("refused/1.csv")
    for number in range(7):
        stream.write(bytes([number]) * 1_000_000)
    stream.close()
    assert len(store.read("refused/1.csv") or b"") == 7_000_000
    with store.filled("models/1") as folder:
        folder.joinpath("weights").write_bytes(b"12")
        folder.joinpath("empty").write_bytes(b"")
    assert (store.read("models/1/weights"), store.read("models/1/empty")) == (b"12", b"")
    assert not any(isinstance(put, bytes) for put in puts)


def test_the_password_in_a_stores_address_is_not_shown(
    store: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "https://me:se@cret/@store.example")
    losing(monkeypatch, 9, lambda put: None)
    with pytest.raises(StorageError, match=r"https://store\.example") as told:
        store.create("lock", b"one")
    assert "cret" not in str(told.value)
