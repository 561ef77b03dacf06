"""The pages, from a form to what it shows."""

import re
import shutil
from datetime import timedelta
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pyarrow as pa
import pytest
from starlette.testclient import TestClient

from mmrl.catalog import Catalog
from mmrl.catalog.tables import SCHEMAS
from mmrl.web.app import make_app
from mmrl.web.champion import Champion
from mmrl.web.requests.access import Access
from mmrl.web.service import Service
from tests.support.served_home import NOW, picture, serve_home

pytestmark = pytest.mark.slow

BROWSER = {"accept": "text/html,application/xhtml+xml"}
HEIC = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(200)
MARKUP = "<img src=x onerror=alert(1)> & <b>bold</b>"
GIVEN = {
    "title": f"Lake at dawn\n{MARKUP}",
    "community": "SimPics",
    "other": "r/simart",
    "when": "now",
    "zone": "Europe/Berlin",
    "author": "ada",
    "over_18": "1",
}
PICTURES = [("file", ("red.jpg", picture("red"))), ("file", ("blue.jpg", picture("blue")))]


def send(client: TestClient, files: Any = PICTURES, **changed: str) -> Any:
    """Sends the page's form."""
    return client.post("/", data=GIVEN | changed, files=files, headers=BROWSER)


def ranked(client: TestClient, **changed: str) -> str:
    """The page that the form leads to."""
    return client.get(send(client, **changed).headers["location"], headers=BROWSER).text


def links(page: str, path: str) -> list[str]:
    """The addresses of a page's links to a path."""
    return [unescape(href) for href in re.findall(rf'href="(/{path}[^"]*)"', page)]


def filled(page: str) -> dict[str, list[str]]:
    """What is filled into a page's form, as an address would say it."""
    checked = re.findall(
        r'name="(\w+)" value="([^"]*)" checked|value="([^"]*)" name="\w+" checked', page
    )
    told: dict[str, list[str]] = {}
    for name, value, _ in checked:
        told.setdefault(name, []).append(unescape(value))
    area = re.search(r'<textarea[^>]*name="title"[^>]*>(.*?)</textarea>', page, re.DOTALL)
    told["title"] = unescape(area[1]).split("\n") if area else []
    author = re.search(r'name="author" value="([^"]*)"', page)
    told["author"] = [author[1]] if author else []
    zone = re.search(r"<option selected>([^<]*)</option>", page)
    told["zone"] = [zone[1]] if zone else []
    return told


def test_the_form_leads_to_an_address_that_says_all_of_it(client: TestClient) -> None:
    answer = send(client)
    assert answer.status_code == 303
    said = parse_qs(urlsplit(answer.headers["location"]).query)
    assert said["title"] == GIVEN["title"].split("\n")
    assert said["community"] == ["SimPics", "simart"]
    assert len(said["picture"]) == 2
    page = client.get(answer.headers["location"], headers=BROWSER)
    assert page.status_code == 200
    told = filled(page.text)
    assert {name: told[name] for name in ("picture", "title", "when", "author", "zone")} == {
        name: said[name] for name in ("picture", "title", "when", "author", "zone")
    }
    assert told["community"] == ["SimPics", "SimArt"]  # as the home spells it
    assert told["over_18"] == ["1"]


def test_every_draft_is_ranked_and_compared_with_the_first(client: TestClient) -> None:
    page = ranked(client)
    assert page.count('<td class="place">') == 2 * 2 * 2
    assert "8 combinations were predicted by version 1." in page
    assert re.search(
        r"better than \d+% of r/(SimPics'|simart's) posts \(\d+ to \d+\)", unescape(page)
    )
    assert "(this one)" in page
    assert re.search(r"\d+: no clear difference|\d+%", page)
    (compare, *_) = [href for href in links(page, r"\?") if "against=" in href]
    again = client.get(compare, headers=BROWSER).text
    assert "Does better than no. 2" in again


def test_a_picture_that_was_posted_before_is_said_with_what_became_of_it(
    client: TestClient, service: Service
) -> None:
    samples = service.samples().to_pylist()
    one = max(samples, key=lambda row: row["score"] or 0)
    images = service.catalog.lookup("post_images", "post_id", [one["post_id"]], ["sha256"])
    (data,) = service.catalog.lookup("images", "sha256", images["sha256"], ["bytes"])["bytes"]
    page = client.get(send(client, [("file", ("again.jpg", data.as_py()))]).headers["location"])
    assert "again.jpg was posted " in page.text
    assert f"in r/{one['subreddit']} on " in page.text
    assert f"score {one['score']:,}" in page.text
    assert "was posted" not in ranked(client)


def test_what_is_markup_is_shown_as_text(client: TestClient) -> None:
    page = ranked(client)
    assert "&lt;img src=x onerror=alert(1)&gt; &amp; &lt;b&gt;bold&lt;/b&gt;" in page
    assert "<img src=x" not in page
    hostile = [("file", ('"><script>alert(1)</script>.jpg', picture("red")))]
    page = client.get(send(client, hostile).headers["location"], headers=BROWSER).text
    assert "<script>alert" not in page
    refused = client.post("/pictures", files=[("file", ("<b>x</b>.txt", b"no picture"))]).text
    assert "&lt;b&gt;x&lt;/b&gt;.txt: " in refused


@pytest.mark.parametrize(
    ("files", "status", "told"),
    [
        ([("file", ("a.txt", b"hello there"))], 422, "a.txt: "),
        ([("file", ("a.heic", HEIC))], 422, "Save it as JPEG or PNG."),
        ([("file", ("large.jpg", bytes(31_000_000)))], 413, "'large.jpg' has 31,000,000 bytes"),
        ([("file", (f"{n}.jpg", b"x")) for n in range(500)], 413, "501 pictures were given; 20"),
    ],
)
def test_a_picture_that_is_none_is_said_and_the_rest_of_the_form_stays(
    client: TestClient, files: Any, status: int, told: str
) -> None:
    answer = send(client, [PICTURES[0], *files])
    assert answer.status_code == status
    assert told in unescape(answer.text)
    form = filled(answer.text)
    assert form["title"] == GIVEN["title"].split("\n")
    assert form["community"] == ["SimPics", "SimArt"]
    assert form["author"] == ["ada"]
    assert len(form["picture"]) == 1


def test_pictures_that_do_not_fit_into_memory_are_said_where_pictures_are(
    client: TestClient, service: Service
) -> None:
    held, service.memory.held = service.memory.held, service.memory.most
    try:
        answer = client.post("/pictures", files=PICTURES, headers={"hx-request": "true"})
    finally:
        service.memory.held = held
    assert answer.status_code == 429
    assert answer.headers["retry-after"] == "5"
    assert answer.text.strip().startswith('<p id="picture-said"')
    assert "try again in a few seconds" in answer.text


def test_a_picture_that_is_too_large_does_not_cost_the_ones_beside_it(client: TestClient) -> None:
    files = [*PICTURES, ("file", ("large.jpg", bytes(31_000_000)))]
    added = client.post("/pictures", files=files)
    assert added.text.count("<li>") == 2
    assert "2 pictures were added. 'large.jpg' has 31,000,000 bytes" in unescape(added.text)


@pytest.mark.parametrize(
    ("query", "status", "told"),
    [
        ("title=A", 200, "Choose at least one community."),
        ("community=SimPics", 200, "Write at least one title."),
        ("title=A&community=SimPics&when=now", 422, "learned only from posts with an image"),
        ("title=A&community=b&when=at&at=2020-01-01T00:00", 422, "is past"),
        ("title=A&community=b&when=now&zone=Mars", 422, "learned only"),
        ("title=A&community=b&picture=gone", 422, "no longer in memory"),
    ],
)
def test_what_lacks_is_said_where_a_person_looks_and_the_form_stays(
    client: TestClient, query: str, status: int, told: str
) -> None:
    answer = client.get(f"/?{query}", headers=BROWSER)
    assert answer.status_code == status
    assert told in unescape(answer.text)
    if "title" in query:
        assert filled(answer.text)["title"] == ["A"]


def test_pictures_are_shown_small_and_only_to_whoever_knows_their_name(client: TestClient) -> None:
    added = client.post("/pictures", files=PICTURES).text
    assert added.count("<li>") == 2
    assert "2 pictures were added." in added
    (first, *_) = re.findall(r'src="(/pictures/\w+)"', added)
    shown = client.get(first)
    assert shown.headers["content-type"] == "image/jpeg"
    assert shown.content[:2] == b"\xff\xd8"
    assert shown.headers["cache-control"] == "no-store"
    assert client.get("/pictures/0123").status_code == 404


def test_a_full_queue_is_said_on_the_page_with_when_to_come_back(
    client: TestClient, service: Service
) -> None:
    location = send(client).headers["location"]
    service.gate.inside = 17
    answer = client.get(location, headers=BROWSER)
    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) > 0
    assert "try again in" in answer.text
    assert filled(answer.text)["title"] == GIVEN["title"].split("\n")


def test_a_draft_is_told_why_and_when(client: TestClient) -> None:
    page = ranked(client)
    why, when = (links(page, path)[0] for path in ("why", "when"))
    told = client.get(why, headers=BROWSER).text
    assert "<html" in told
    assert "hour and day" in told
    assert "word by word" in told
    part = client.get(when, headers={**BROWSER, "hx-request": "true"}).text
    assert "<html" not in part
    assert part.count("<td class=") == 7 * 24
    assert "in Europe/Berlin" in part


def test_the_rules_of_a_community_stand_beside_the_chance_of_removal(
    client: TestClient, served_home: Path, champion: Champion, tmp_path: Path
) -> None:
    place = links(ranked(client), "stay")[0]
    assert "as its moderators wrote them" not in client.get(place, headers=BROWSER).text
    unread = client.get("/communities/SimPics").text
    assert "<code>mmrl collect --from arctic-shift</code> reads them" in unread

    home = tmp_path / "home"
    shutil.copytree(served_home, home)
    lines = [f"Only lakes: {MARKUP}", "long " * 200, *(f"rule {n}" for n in range(60))]
    read_at = NOW - timedelta(days=1)
    facts = {"subreddit": "simpics", "text": "\n".join(lines), "source": "sandbox-arctic-shift"}
    rows = pa.Table.from_pylist([{**facts, "read_at": read_at}], schema=SCHEMAS["community_rules"])
    Catalog.open(home).upsert("community_rules", rows)
    with TestClient(make_app(serve_home(home, champion)), follow_redirects=False) as other:
        for page in (links(ranked(other), "stay")[0], "/communities/SimPics"):
            text = other.get(page, headers=BROWSER).text
            rules = re.findall(r'<li dir="auto">(.*?)</li>', text)
            assert len(rules) == 30
            assert unescape(rules[0]).endswith(MARKUP)
            assert "<img src=x" not in text
            assert len(rules[1]) <= 300
        part = other.get(links(ranked(other), "stay")[0], headers=BROWSER).text
        assert "<details><summary>Rules of r/SimPics" in part


def test_covered_squares_of_a_picture_are_drawn_over_it(client: TestClient) -> None:
    why = links(ranked(client), "why")[0]
    part = client.get(why.replace("/why", "/squares"), headers={"hx-request": "true"}).text
    assert part.count("<rect") == 6 * 6
    assert re.search(r'src="/pictures/\w+"', part)


def test_posts_like_a_draft_are_shown_with_what_became_of_them(
    client: TestClient, service: Service
) -> None:
    like = links(ranked(client), "like")[0]
    here = client.get(like, headers={"hx-request": "true"}).text
    ids = re.findall(r'src="/posts/(\w+)/image"', here)
    assert len(ids) == 8
    names = service.catalog.lookup("posts", "post_id", ids, ["subreddit"])["subreddit"]
    assert len({name.lower() for name in names.to_pylist()}) == 1
    assert "Do such posts tell anything?" in here
    everywhere = client.get(f"{like}&by=title&everywhere=true", headers={"hx-request": "true"})
    ids = re.findall(r'src="/posts/(\w+)/image"', everywhere.text)
    names = service.catalog.lookup("posts", "post_id", ids, ["subreddit"])["subreddit"]
    assert len(set(names.to_pylist())) > 1


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("title=A&title=B&community=c", "This tells of one draft"),
        ("title=A&community=c&picture=gone", "choose it again"),
    ],
)
def test_what_is_no_single_draft_is_refused(client: TestClient, query: str, told: str) -> None:
    answer = client.get(f"/why?{query}", headers={**BROWSER, "hx-request": "true"})
    assert answer.status_code in (404, 422)
    assert told in answer.text
    assert "<html" not in answer.text


def test_communities_are_searched_by_name_and_the_chosen_ones_stay(client: TestClient) -> None:
    found = client.get("/communities/search?q=art&community=SimPics").text
    assert re.findall(r'value="(\w+)"( checked)?', found) == [
        ("SimPics", " checked"),
        ("SimArt", ""),
    ]
    assert "matured posts" in found
    assert "No community of that name" in client.get("/communities/search?q=zzz").text


def test_whoever_gives_the_token_is_let_in(service: Service) -> None:
    service.access = Access.of("127.0.0.1", ("testserver",), "a token of 24 characters")
    with TestClient(make_app(service), follow_redirects=False) as client:
        there = client.get("/communities?x=1", headers=BROWSER).headers["location"]
        asked = client.get(there).text
        assert 'value="/communities?x=1"' in asked
        wrong = client.post("/login", data={"token": "no", "next": "/communities?x=1"})
        assert wrong.status_code == 401
        right = {"token": "a token of 24 characters", "next": "/communities?x=1"}
        answer = client.post("/login", data=right)
        assert answer.headers["location"] == "/communities?x=1"
        cookie = answer.headers["set-cookie"].lower()
        assert "httponly" in cookie
        assert "samesite=strict" in cookie
        assert client.get("/communities", headers=BROWSER).status_code == 200
        for elsewhere in ("//evil.example", "https://evil.example", "/\\evil.example"):
            answer = client.post("/login", data=right | {"next": elsewhere})
            assert answer.headers["location"] == "/"


def test_the_server_tells_that_it_is_alive_ready_and_how_it_does(client: TestClient) -> None:
    assert client.get("/healthz").json() == {"status": "ok"}
    assert client.get("/readyz").json() == {"status": "ready", "model_version": "1"}
    ranked(client)
    measures = client.get("/metrics").text
    assert 'mmrl_requests_total{route="/",status="200"} 1.0' in measures
    assert 'mmrl_model_info{version="1"} 1.0' in measures
    assert 'mmrl_pending{stage="caption"} 0.0' in measures
    assert "Lake" not in measures


def test_an_unready_server_says_why(
    client: TestClient, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: str) -> int:
        raise OSError("the disk is gone")

    monkeypatch.setattr(service.catalog, "count", broken)
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()["status"]) == (503, 503)
