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
                refused = [problem.detail for problem in form.refused]
                facts = {"texts": form.texts, "files": sizes, "refused": refused}
                return JSONResponse({**facts, "held": memory.held})
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
    ("files", "kept", "told"),
    [
        (
            [("file", (f"{n}.png", b"x")) for n in range(500)],
            MOST_PICTURES,
            f"500 pictures were given; {MOST_PICTURES} at a time",
        ),
        ([("file", ("big.png", b"x" * (MOST_BYTES + 1)))], 0, "images.max_bytes"),
    ],
)
def test_too_many_and_too_large_pictures_are_refused_and_texts_come_through(
    client: TestClient, memory: Memory, files: list[object], kept: int, told: str
) -> None:
    answer = client.post("/", data={"title": "A"}, files=files)  # type: ignore[arg-type]
    assert answer.json()["texts"] == {"title": ["A"]}
    assert len(answer.json()["files"]) == kept
    assert told in answer.json()["refused"][0]
    assert memory.held == 0


@pytest.mark.parametrize(
    ("files", "told"),
    [
        ([("file", (f"{n}.png", b"x")) for n in range(1_001)], "More than 1000 files"),
        ([("file", (f"{n}.png", b"x" * MOST_BYTES)) for n in range(8)], "More than 20 MB"),
    ],
)
def test_a_body_that_is_too_large_in_all_ends_the_request(
    client: TestClient, memory: Memory, files: list[object], told: str
) -> None:
    answer = client.post("/", files=files)  # type: ignore[arg-type]
    assert answer.status_code == 413
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
