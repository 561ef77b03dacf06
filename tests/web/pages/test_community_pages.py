"""Pages of communities, and of how good the model is."""

import csv
import io
import re
from dataclasses import replace
from zoneinfo import ZoneInfo

import pytest
from PIL import Image
from starlette.testclient import TestClient

from mmrl.catalog.removers import REMOVED_BY
from mmrl.web.pages import community_pages
from mmrl.web.service import Service

pytestmark = pytest.mark.slow


def test_every_known_community_has_a_page(client: TestClient, service: Service) -> None:
    listed = client.get("/communities").text
    for one in service.known():
        assert f'href="/communities/{one.name}"' in listed
        page = client.get(f"/communities/{one.name.upper()}").text
        assert f"<h1>r/{one.name}</h1>" in page
        assert f"{one.matured:,} matured posts" in page


def test_a_community_that_is_not_known_is_said(client: TestClient) -> None:
    answer = client.get("/communities/nowhere", headers={"accept": "text/html"})
    assert answer.status_code == 404
    assert "No post of r/nowhere is known" in answer.text


def test_a_community_is_told_as_csv_its_hours_in_a_zone(
    client: TestClient, service: Service
) -> None:
    answer = client.get("/communities/SimPics.csv?zone=Asia/Kolkata")
    assert answer.headers["content-type"].startswith("text/csv")
    told = list(csv.DictReader(io.StringIO(answer.text)))
    kinds = {row["kind"] for row in told}
    assert {"hour", "title_length", "did_well", "watched"} <= kinds
    assert kinds <= {"hour", "subject", "title_length", "did_well", "removed", "watched"}
    reasons = {row["name"] for row in told if row["kind"] == "removed"}
    assert reasons <= set(REMOVED_BY.values())
    watched = sum(int(row["posts"]) for row in told if row["kind"] == "watched")
    assert sum(int(row["posts"]) for row in told if row["kind"] == "removed") <= watched
    rows = [row for row in told if row["kind"] == "hour"]
    assert len(rows) == 7 * 24
    assert {row["time_zone"] for row in rows} == {"Asia/Kolkata"}
    known = {one.name: one for one in service.known()}
    assert sum(int(row["posts"]) for row in rows) == known["SimPics"].matured
    other = csv.DictReader(io.StringIO(client.get("/communities/SimPics.csv").text))
    assert [row["posts"] for row in other][: len(rows)] != [row["posts"] for row in rows]
    assert client.get("/communities/SimPics.csv?zone=Mars").status_code == 422


def test_a_title_is_no_formula_where_the_csv_is_opened(
    client: TestClient, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    facts, found = community_pages._lately(service, "SimPics", ZoneInfo("UTC"))
    well = [replace(post, title="=1+1") for post in found.well[:1]]
    assert well
    monkeypatch.setattr(community_pages, "_lately", lambda *_: (facts, replace(found, well=well)))
    told = csv.DictReader(io.StringIO(client.get("/communities/SimPics.csv").text))
    assert [row["name"] for row in told if row["kind"] == "did_well"] == ["'=1+1"]


def test_a_marked_posts_picture_is_blurred_until_asked(
    client: TestClient, service: Service
) -> None:
    posts = service.catalog.read("posts", ["post_id"], "over_18")["post_id"].to_pylist()
    kept = set(service.catalog.read("samples", ["post_id"])["post_id"].to_pylist())
    (marked, *_) = sorted(kept & set(posts))
    blurred, clear = (
        client.get(f"/posts/{marked}/image{query}").content for query in ("", "?clear=true")
    )
    assert _edges(blurred) < _edges(clear) / 2


def _edges(data: bytes) -> float:
    """The mean difference of neighbouring pixels: small in a blurred picture."""
    import numpy as np

    grey = np.asarray(Image.open(io.BytesIO(data)).convert("L"), np.float64)
    return float(np.abs(np.diff(grey)).mean())


def test_only_pictures_of_kept_posts_are_shown(client: TestClient, service: Service) -> None:
    left_out = service.catalog.read("selection", ["post_id"], "reason IS NOT NULL")["post_id"]
    for post_id in [*left_out.to_pylist(), "nothing", "' OR true --"]:
        assert client.get(f"/posts/{post_id}/image").status_code == 404


def test_the_record_names_its_version_and_what_it_was_judged_on(
    client: TestClient, service: Service
) -> None:
    page = client.get("/model").text
    shown = service.shown()
    assert f"Version {shown.version}" in page
    assert f"judged on {shown.evaluation.splits.judged_on}" in page
    assert "Spearman within subreddit" in page
    here = re.search(
        r"r/SimPics: judged on \d+ posts, \d+% inside their range",
        client.get("/communities/SimPics").text,
    )
    assert here is not None
    small = client.get("/").text
    assert "How good is this?" in small
    assert "Coverage of the 80% interval" in small
