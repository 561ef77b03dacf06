"""A home's files do the same on a disk and in an object store; and what is said of a store."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from uuid import uuid4

import pytest

from mmrl.catalog import Catalog
from mmrl.errors import ConfigError, StorageError
from mmrl.storage.bucket import PROBE, Bucket
from mmrl.storage.files import Storage
from mmrl.storage.location import Location
from mmrl.storage.opening import storage_of


@pytest.fixture(params=["folder", "bucket"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    if request.param == "folder":
        return storage_of(tmp_path / "home")
    return storage_of(request.getfixturevalue("bucket"))


def test_files_are_written_read_listed_and_deleted(storage: Storage) -> None:
    assert storage.read("a/b.txt") is None
    assert not storage.exists("a/b.txt")
    storage.write("a/b.txt", b"one")
    storage.write("a/b.txt", b"two")
    storage.write("a/c/d.txt", b"")
    assert storage.read("a/b.txt") == b"two"
    assert storage.exists("a/c/d.txt")
    assert {stored.name for stored in storage.walk("a")} == {"a/b.txt", "a/c/d.txt"}
    assert min(stored.modified for stored in storage.walk("a")) > 1_700_000_000
    assert (storage.folders("a"), storage.folders("none")) == (["c"], [])
    storage.delete(["a/b.txt", "a/never.txt"])
    assert [stored.name for stored in storage.walk("")] == ["a/c/d.txt"]
    storage.delete_folder("a")
    storage.delete_folder("a")
    assert list(storage.walk("")) == []


def test_a_folder_of_files_is_filled_and_is_at_hand_again(storage: Storage) -> None:
    with storage.filled("models/1") as folder:
        (folder / "deep").mkdir(parents=True)
        (folder / "deep" / "weights").write_bytes(b"\0" * 1000)
        (folder / "facts").write_text("{}")
    with storage.at_hand("models/1") as folder:
        assert (folder / "deep" / "weights").read_bytes() == b"\0" * 1000
        assert (folder / "facts").read_text() == "{}"


def test_a_stream_is_a_file_once_it_is_closed(storage: Storage) -> None:
    stream = storage.stream("refused/1.csv")
    for line in (b"a,b\n", b"1,2\n"):
        stream.write(line)
    stream.close()
    assert storage.read("refused/1.csv") == b"a,b\n1,2\n"


def test_changes_at_once_lose_and_double_nothing(storage: Storage) -> None:
    def add() -> None:
        own = storage_of(storage.location)
        for _ in range(20):
            own.change("list", lambda data: (data or b"") + f"{uuid4().hex}\n".encode())

    threads = [threading.Thread(target=add) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    lines = (storage.read("list") or b"").split()
    assert len(lines) == len(set(lines)) == 80


def test_of_several_that_make_an_object_one_does(bucket: str) -> None:
    store = Bucket.of(Location.of(bucket))
    made: list[bool] = []

    def make() -> None:
        made.append(store.create("only", uuid4().hex.encode()) is not None)

    threads = [threading.Thread(target=make) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(made) == [False] * 7 + [True]


def test_a_wrong_key_is_one_sentence_that_shows_no_secret(
    bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "very-secret-and-wrong")
    with pytest.raises(StorageError, match=r"refuses the credentials.*_SECRET_ACCESS_KEY") as no:
        storage_of(bucket).read("a")
    with pytest.raises(StorageError, match="refuses the credentials") as again:
        Catalog.open(bucket, create=True)
    for told in (no, again):
        assert "very-secret" not in str(told.value)
        assert "mmrl-test" not in str(told.value)


def test_a_store_that_does_not_answer_is_one_sentence(
    bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mmrl.storage.bucket._RETRIES", 0)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(StorageError, match=r"does not answer at http://127.0.0.1:9: .*AWS_END"):
        storage_of(bucket).read("a")
    monkeypatch.delenv("AWS_ALLOW_HTTP")
    with pytest.raises(StorageError, match="AWS_ALLOW_HTTP=true"):
        storage_of(f"{bucket}/other").read("a")


@pytest.mark.parametrize("address", ["s3://", "ftp://host/path", "odd://x"])
def test_an_address_of_no_store_is_refused(address: str) -> None:
    with pytest.raises(ConfigError, match="s3://bucket/path"):
        storage_of(address).read("a")


class _Careless(BaseHTTPRequestHandler):
    """A store that takes every put, whatever its conditions."""

    def do_PUT(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("ETag", '"1"')
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def careless() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Careless)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_store_that_takes_a_second_conditional_put_is_refused_before_anything_is_made(
    careless: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {
        "AWS_ACCESS_KEY_ID": "a",
        "AWS_SECRET_ACCESS_KEY": "b",
        "AWS_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": careless,
        "AWS_ALLOW_HTTP": "true",
    }.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError, match="If-None-Match"):
        Catalog.open("s3://careless/home", create=True)


def test_a_store_that_keeps_its_conditions_is_probed_again_and_again(bucket: str) -> None:
    store = Bucket.of(Location.of(bucket))
    for _ in range(3):
        store.require_conditions()
    assert [stored.name for stored in store.walk("")] == [PROBE]
