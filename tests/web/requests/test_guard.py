"""The guard before every route."""

from collections.abc import Iterator

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.testclient import TestClient

from mmrl.web.requests.access import COOKIE, Access
from mmrl.web.requests.guard import Guard

TOKEN = "a token of 24 characters"
PAGE = {"accept": "text/html"}


async def _ok(_: Request) -> Response:
    return JSONResponse("ok")


def browse(access: Access) -> TestClient:
    """A client of a server behind that guard."""
    app = Starlette(routes=[Route("/{path:path}", _ok, methods=["GET", "POST"])])
    return TestClient(Guard(app, access), "http://127.0.0.1:8400", follow_redirects=False)


@pytest.fixture
def own() -> Iterator[TestClient]:
    """A client of a server of this machine alone."""
    with browse(Access.of("127.0.0.1")) as client:
        yield client


@pytest.fixture
def others() -> Iterator[TestClient]:
    """A client of a server that asks for a token."""
    with browse(Access.of("0.0.0.0", token=TOKEN)) as client:
        yield client


def test_a_name_that_was_rebound_to_this_machine_is_refused(own: TestClient) -> None:
    answer = own.get("/", headers={"host": "evil.example:8400"})
    assert answer.status_code == 421
    assert "--name" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"origin": "http://127.0.0.1:8400"}, 200),
        ({"sec-fetch-site": "same-origin"}, 200),
        ({"origin": "http://evil.example"}, 403),
        ({"origin": "http://127.0.0.1:9999"}, 403),
        ({"origin": "null"}, 403),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "same-site"}, 403),
    ],
)
def test_another_sites_page_can_not_post(
    own: TestClient, headers: dict[str, str], status: int
) -> None:
    assert own.post("/", headers=headers).status_code == status


@pytest.mark.parametrize(
    ("site", "mode", "status"),
    [
        ("cross-site", "navigate", 200),
        ("cross-site", "no-cors", 403),
        ("same-site", "cors", 403),
        ("none", "navigate", 200),
    ],
)
def test_another_sites_page_can_link_here_and_not_load_from_here(
    own: TestClient, site: str, mode: str, status: int
) -> None:
    headers = {"sec-fetch-site": site, "sec-fetch-mode": mode}
    assert own.get("/", headers=headers).status_code == status


def test_without_the_token_a_program_gets_a_problem_and_a_person_the_way_to_give_it(
    others: TestClient,
) -> None:
    answer = others.get("/api/v1/models")
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
    answer = others.get("/?title=a&title=b", headers=PAGE)
    assert answer.status_code == 303
    assert answer.headers["location"] == "/login?next=/%3Ftitle%3Da%26title%3Db"


def test_the_token_and_its_cookie_open_all_and_probes_need_none(others: TestClient) -> None:
    assert others.get("/", headers={"authorization": f"Bearer {TOKEN}"}).status_code == 200
    cookie = Access.of("0.0.0.0", token=TOKEN).cookie()
    assert others.get("/", headers={"cookie": f"{COOKIE}={cookie}"}).status_code == 200
    for path in ("/healthz", "/readyz", "/static/app.css", "/login"):
        assert others.get(path).status_code == 200
    for path in ("/metrics", "/", "/loginx/..", "/healthzz"):
        assert others.get(path).status_code == 401


def test_every_answer_forbids_what_is_not_ours(own: TestClient) -> None:
    for answer in (own.get("/"), own.get("/", headers={"host": "evil.example"})):
        assert answer.headers["content-security-policy"].startswith("default-src 'self'; ")
        assert "unsafe" not in answer.headers["content-security-policy"]
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "same-origin"
