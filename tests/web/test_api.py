"""The HTTP API, from a request to its answer."""

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

import mmrl
from mmrl.learning.evaluation.prospective import Scored, Scores
from mmrl.times import parse_time
from mmrl.web.service import Service
from tests.support.command import printed_by
from tests.support.earlier_home import AS_OF
from tests.support.served_home import NOW, picture

pytestmark = pytest.mark.slow

ASKED: dict[str, Any] = {"titles": ["Lake at dawn", "A quiet morning"], "communities": ["SimPics"]}
PICTURES = [("picture", ("red.jpg", picture("red"))), ("picture", ("blue.jpg", picture("blue")))]


def rank(client: TestClient, files: Any = PICTURES, **changed: Any) -> Any:
    """Asks for a ranking; `files` may be empty, and the body is a form all the same."""
    body = ("request", (None, json.dumps({**ASKED, **changed})))
    return client.post("/api/v1/rank", files=[body, *files])


def test_every_combination_is_ranked_the_best_first(client: TestClient) -> None:
    answer = rank(client, communities=["simpics", "r/SimArt"], hours="now").json()
    assert answer["combinations"] == 2 * 2 * 2
    assert answer["model_version"] == "1"
    rows = answer["ranking"]
    assert [row["place"] for row in rows] == list(range(1, 9))
    assert {(row["picture"], row["title"], row["community"]) for row in rows} == {
        (number, title, name)
        for number in (0, 1)
        for title in ASKED["titles"]
        for name in ("simpics", "SimArt")
    }
    middles = [row["percentile"]["middle"] for row in rows]
    assert middles == sorted(middles, reverse=True)
    for row in rows:
        assert row["percentile"]["low"] <= row["percentile"]["middle"] <= row["percentile"]["high"]
        assert row["score"]["low"] <= row["score"]["middle"] <= row["score"]["high"]
        assert 0 <= row["top_tenth"] <= 1


def test_the_api_the_command_and_python_rank_alike(
    client: TestClient, served_home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = rank(client, hours="now").json()["ranking"]
    asked = [(row["picture"], row["title"], row["percentile"]["middle"]) for row in rows]
    files = [tmp_path / name for name in ("red.jpg", "blue.jpg")]
    for file, (_, (_, data)) in zip(files, PICTURES, strict=True):
        file.write_bytes(data)
    titles = [word for title in ASKED["titles"] for word in ("--title", title)]
    words = [*files, *titles, "--subreddit", "SimPics", "--home", served_home, "--as-of", AS_OF]
    said = json.loads(printed_by(capsys, "predict", *words, "--json"))["ranked"]
    ranking = mmrl.open(served_home).rank(ASKED["titles"], ["SimPics"], files, as_of=NOW)
    for found in (said, [row.as_dict() for row in ranking]):
        told = [(row["image_number"], row["title"], row["percentile"]["middle"]) for row in found]
        assert told == [(*name, pytest.approx(middle)) for *name, middle in asked]


def test_the_best_hours_are_those_of_the_next_seven_days(client: TestClient) -> None:
    answer = rank(client, PICTURES[:1], titles=["A"], most=3).json()
    assert answer["combinations"] == 168
    assert len(answer["ranking"]) == 3
    hours = [parse_time(row["posted_at"]) for row in answer["ranking"]]
    assert all(0 < (hour - NOW).total_seconds() <= 7 * 24 * 3600 for hour in hours)


def test_a_post_without_a_picture_is_refused_by_a_model_that_learned_from_none_such(
    client: TestClient,
) -> None:
    answer = rank(client, [], hours="now")
    assert answer.status_code == 422
    assert "only from posts with an image" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("changed", "files", "status", "told"),
    [
        ({"titles": [" "]}, PICTURES, 422, "neither may be empty"),
        ({"titles": []}, PICTURES, 422, "titles: List should have at least 1 item"),
        ({"communities": []}, PICTURES, 422, "communities"),
        ({"title": "x"}, PICTURES, 422, "title: Extra inputs are not permitted"),
        ({"hours": ["2020-01-01T00:00:00Z"]}, PICTURES, 422, "is past"),
        ({"hours": ["2030-01-01T00:00:00"]}, PICTURES, 422, "timezone"),
        ({"features": {"colour": "red"}}, PICTURES, 422, "knows no feature 'colour'"),
        ({}, [("picture", ("a.txt", b"hello there"))], 422, "a.txt: "),
        (
            {},
            [("picture", (f"{n}.jpg", b"x")) for n in range(500)],
            413,
            "500 pictures were given; 20",
        ),
    ],
)
def test_a_bad_request_is_a_problem_in_sentences(
    client: TestClient, changed: dict[str, Any], files: Any, status: int, told: str
) -> None:
    answer = rank(client, files, **changed)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert set(problem) == {"type", "title", "status", "detail"}
    assert problem["status"] == status
    assert told in problem["detail"]


def test_a_form_without_a_request_says_what_is_expected(client: TestClient) -> None:
    answer = client.post("/api/v1/rank", files=PICTURES)
    assert answer.status_code == 422
    assert '"titles"' in answer.json()["detail"]


def test_communities_are_told_with_what_is_known_of_them(
    client: TestClient, service: Service
) -> None:
    rows = client.get("/api/v1/communities").json()
    assert {row["name"] for row in rows} >= {"SimPics", "SimArt"}
    assert sum(row["posts"] for row in rows) == service.catalog.count("samples")
    assert [row["matured"] for row in rows] == sorted((r["matured"] for r in rows), reverse=True)
    assert all(row["median_score"] > 0 for row in rows)


def test_models_are_told_with_their_metrics(client: TestClient) -> None:
    versions = client.get("/api/v1/models").json()
    assert [(row["version"], row["champion"]) for row in versions] == [("1", True)]
    assert "spearman" in versions[0]["metrics"]


def test_scores_tell_how_published_predictions_came_out(
    client: TestClient, service: Service
) -> None:
    assert client.get("/api/v1/scores").json()["days"] == []
    week = Scored(date(2026, 8, 9), 60, ("1",), 0.5, 0.75, 0.9, 0.8)
    service.scores = lambda: Scores("log_score", (week,), week, 7, 2, 0)
    told = client.get("/api/v1/scores").json()
    assert (told["week"]["coverage"], told["waiting"], told["late"]) == (0.75, 7, 2)
    assert told["days"][0]["day"] == "2026-08-09"
    page = client.get("/model").text
    assert "2 posts were first predicted after the fact" in page
    for path in ("/", "/model"):
        assert "train anew" in client.get(path).text
    assert "mmrl_week_coverage 0.75" in client.get("/metrics").text


def test_the_openapi_document_names_every_type_that_it_refers_to(client: TestClient) -> None:
    document = client.get("/openapi.json").json()
    named = set(document["components"]["schemas"])
    parts = json.dumps(document).split("#/components/schemas/")[1:]
    referred = {part.split('"')[0] for part in parts}
    assert referred <= named
    assert "/api/v1/rank" in document["paths"]
    assert set(document["paths"]["/api/v1/rank"]["post"]["responses"]) >= {"200", "422", "429"}


def test_the_reference_is_a_page_of_our_own(client: TestClient) -> None:
    page = client.get("/docs").text
    assert "RankRequest" in page
    assert "http://testserver/api/v1/rank" in page
    assert page.count("://") == page.count("http://testserver")


def test_a_path_that_is_not_there_is_a_problem(client: TestClient) -> None:
    answer = client.get("/api/v1/nothing")
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")
