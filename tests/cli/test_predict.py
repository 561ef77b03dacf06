"""`mmrl predict` with several drafts: ranked, explained, from a file and to a file."""

import csv
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from mmrl.cli.app import app
from tests.support.image_server import ImageServer, image_file
from tests.support.serving_home import NOW

pytestmark = pytest.mark.slow


@pytest.fixture
def images(tmp_path: Path) -> list[str]:
    paths = [tmp_path / f"{number}.jpg" for number in (1, 2)]
    for path in paths:
        path.write_bytes(image_file(int(path.stem)))
    return [str(path) for path in paths]


def predict(home: Path, *words: object) -> Result:
    given = ["predict", *map(str, words), "--home", str(home), "--as-of", NOW.isoformat()]
    return CliRunner().invoke(app, given, env={"COLUMNS": "160"})


def test_drafts_are_ranked_and_the_best_is_explained(
    serving_home: Path, images: list[str], tmp_path: Path
) -> None:
    choices = [*images, "--title", "=A lake", "--title", "A [bold]cat[/]", "--subreddit", "aww"]
    choices += ["--subreddit", "r/pics", "--hours", "best", "--top", "3"]
    asked = ["--why", "--when", "--similar", "2", "--out", tmp_path / "ranked.csv"]
    said = predict(serving_home, *choices, *asked)
    assert said.exit_code == 0, said.output
    for expected in (
        *("3 of 8 drafts, by version 1", "better than", "The first against the second:"),
        *("A [bold]cat[/]", "Mon", "Why: against a typical post of r/", "Like it:", "Best"),
    ):
        assert expected in said.output, expected
    with (tmp_path / "ranked.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["place"] for row in rows] == [str(place) for place in range(1, 9)]
    assert {row["title"] for row in rows} == {"'=A lake", "A [bold]cat[/]"}  # no formula
    shares = [float(row["percentile_middle"]) for row in rows]
    assert shares == sorted(shares, reverse=True)
    found = json.loads(predict(serving_home, *choices, *asked, "--json").output)
    assert found["drafts"] == 8
    assert [row["place"] for row in found["ranked"]] == [1, 2, 3]
    assert found["ranked"][0]["percentile"]["middle"] == pytest.approx(shares[0], abs=1e-4)
    assert len(found["when"]["values"]) == 7
    assert len(found["similar"]) == 2
    added = sum(one["value"] for one in found["why"]["contributions"])
    assert found["why"]["typical"] + added == pytest.approx(found["why"]["predicted"])
    alone = json.loads(predict(serving_home, *choices, "--json").output)
    assert not {"why", "when", "similar"} & set(alone)


def test_drafts_come_from_a_file_with_images_beside_it(
    serving_home: Path, images: list[str], tmp_path: Path
) -> None:
    file = tmp_path / "drafts.csv"
    file.write_text(
        "image,title,subreddit,at,author,over_18\n"
        "1.jpg,A lake,pics,tomorrow 18:00,Author1,\n"
        "2.jpg,A lake,aww,,,true\n",
        encoding="utf-8",
    )
    said = predict(serving_home, "--drafts", file, "--json")
    assert said.exit_code == 0, said.output
    ranked = {row["subreddit"]: row for row in json.loads(said.output)["ranked"]}
    assert ranked["pics"]["posted_at"] == "2026-09-17T18:00:00Z"
    assert ranked["aww"]["image"].endswith("2.jpg")
    words = [images[1], "--title", "A lake", "--subreddit", "aww", "--over-18", "--json"]
    alone = json.loads(predict(serving_home, *words).output)
    assert alone["score"]["middle"] == pytest.approx(ranked["aww"]["score"]["middle"], rel=1e-4)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("image,title\n1.jpg,A\n", "it needs title and subreddit"),
        ("title,subreddit,tags\nA,pics,red\n", "columns title, subreddit, tags"),
        ("title,subreddit,image\nA,pics,none.jpg\n", "draft in line 2: There is no image file"),
        ("title,subreddit,spoiler\nA,pics,maybe\n", "line 2: spoiler is 'maybe'"),
        ("title,subreddit,at\nA,pics,yesterday\n", "line 2: 'yesterday' is no hour"),
        ("title,subreddit\nA\n", "line 2: it has more or fewer values than the header"),
        ("title,subreddit\n", "has no draft"),
    ],
)
def test_a_file_of_drafts_that_can_not_be_read_is_refused_by_its_line(
    serving_home: Path, tmp_path: Path, text: str, message: str
) -> None:
    file = tmp_path / "drafts.csv"
    file.write_text(text, encoding="utf-8")
    assert message in str(predict(serving_home, "--drafts", file).exception)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "Give a --title and a --subreddit"),
        (("--title", "A", "--subreddit", "b", "--hours", "worst"), "only `best`"),
        (("--drafts", "x.csv", "--title", "A"), "--drafts names images, titles"),
        (("--title", "A", "--subreddit", "b", "--tz", "Mars"), "no time zone 'Mars'"),
    ],
)
def test_what_can_not_be_asked_is_refused(
    serving_home: Path, words: tuple[str, ...], message: str
) -> None:
    assert message in str(predict(serving_home, *words).exception)


def test_an_address_that_is_no_public_one_gives_no_image(
    serving_home: Path, image_host: ImageServer
) -> None:
    url = image_host.serve("/lake.jpg", image_file(3))
    found = predict(serving_home, url, "--title", "A", "--subreddit", "aww")
    assert f"No image came from {url}" in str(found.exception)
    assert not image_host.asked
