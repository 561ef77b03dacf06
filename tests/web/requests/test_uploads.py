"""Uploads: in memory alone, and bounded."""

import tempfile
from collections.abc import Iterator

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.testclient import TestClient

from mmrl.web.requests.problems import Problem
from mmrl.web.requests.uploads import MOST_PICTURES, Memory, read_form

MOST_BYTES = 3_000_000


@pytest.fixture
def memory() -> Memory:
    return Memory(20_000_000)


@pytest.fixture
def client(memory: Memory) -> Iterator[TestClient]:
    """A server that tells what it read of a form."""

    async def tell(request: Request) -> Response:
        try:
            async with read_form(request, memory, MOST_BYTES) as form:
                sizes = [(file.name, len(file.data)) for file in form.files]
                return JSONResponse({"texts": form.texts, "files": sizes, "held": memory.held})
        except Problem as problem:
            return problem.answer()

    with TestClient(Starlette(routes=[Route("/", tell, methods=["POST"])])) as client:
        yield client


def test_texts_and_files_come_in_order(client: TestClient, memory: Memory) -> None:
    files = [("file", ("ä.png", b"abc")), ("file", ("b.png", b"defg"))]
    told = client.post("/", data={"title": ["one\ntwo", "three"]}, files=files).json()
    assert told["texts"] == {"title": ["one\ntwo", "three"]}
    assert told["files"] == [["ä.png", 3], ["b.png", 4]]
    assert told["held"] > 7
    assert memory.held == 0


def test_no_upload_touches_the_disk(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a file was made")

    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    monkeypatch.setattr(tempfile, "_TemporaryFileWrapper", refuse)
    told = client.post("/", files={"file": ("big.png", b"x" * MOST_BYTES)}).json()
    assert told["files"] == [["big.png", MOST_BYTES]]


@pytest.mark.parametrize(
    ("files", "status", "told"),
    [
        ([("file", (f"{n}.png", b"x")) for n in range(500)], 413, f"More than {MOST_PICTURES} "),
        ([("file", ("big.png", b"x" * (MOST_BYTES + 1)))], 413, "images.max_bytes"),
        ([("file", (f"{n}.png", b"x" * MOST_BYTES)) for n in range(8)], 413, "More than 20 MB"),
    ],
)
def test_too_many_and_too_large_pictures_are_refused(
    client: TestClient, memory: Memory, files: list[object], status: int, told: str
) -> None:
    answer = client.post("/", files=files)  # type: ignore[arg-type]
    assert answer.status_code == status
    assert told in answer.json()["detail"]
    assert memory.held == 0


def test_bodies_that_do_not_fit_beside_others_are_told_to_come_back(
    client: TestClient, memory: Memory
) -> None:
    memory.held = memory.most - 1_000
    answer = client.post("/", files={"file": ("a.png", b"x" * 10_000)})
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "5")
    assert memory.held == memory.most - 1_000


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"{}", "application/json", 415),
        (b"nonsense", "multipart/form-data; boundary=x", 400),
        (b"nonsense", "multipart/form-data", 400),
    ],
)
def test_what_is_no_form_is_refused(
    client: TestClient, body: bytes, kind: str, status: int
) -> None:
    answer = client.post("/", content=body, headers={"content-type": kind})
    assert answer.status_code == status
