"""Real posts, replayed by the sandbox from a table or a dump."""

import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
import zstandard
from PIL import Image
from typer.testing import CliRunner

from mmrl.catalog import Catalog
from mmrl.cli.app import app
from mmrl.collector.once import sweep
from mmrl.errors import InputError
from mmrl.sandbox import SandboxServer, praw_settings
from mmrl.sandbox.api import Api
from mmrl.sandbox.replay import Replay, replay
from mmrl.sources.reddit.api import connect
from mmrl.sources.reddit.source import RedditSource
from mmrl.times import from_epoch

NOW = datetime(2026, 1, 1, tzinfo=UTC)
DAY = 86_400.0
HEADER = "id,title,subreddit,score,created_utc,author,image\n"


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Four usable rows, of which three name a file, and two of the files exist; and four others."""
    (tmp_path / "images").mkdir()
    Image.new("RGB", (80, 60), (10, 90, 40)).save(tmp_path / "images" / "b2.jpg")
    Image.new("RGB", (80, 60), (90, 10, 40)).save(tmp_path / "images" / "a1.png")
    file = tmp_path / "posts.csv"
    file.write_text(
        HEADER
        + "b2,The second,aww,20,1500000600,ann,b2.jpg\n"
        + "a1,The first,pics,10,1500000000,ben,a1.png\n"
        + "c3,The third,pics,30,1500001200,ann,lost.jpg\n"
        + "d4,The fourth,pics,40,1500001800,,\n"
        + "a1,The first again,pics,10,1500000000,ben,a1.png\n"
        + "e5,No score,pics,,1500000000,ben,a1.png\n"
        + "f6,No time,pics,5,,ben,a1.png\n"
        + "g7,,pics,5,1500000000,ben,a1.png\n"
    )
    return file


def test_a_table_with_images_becomes_a_world_and_tells_what_was_left_out(table: Path) -> None:
    found = replay(table, NOW, table.parent / "images")
    assert [post.id for post in found.world] == ["a1", "b2", "c3", "d4"]
    assert [post.score for post in found.world] == [10, 20, 30, 40]
    assert found.with_image == 2
    assert found.left_out == {"double": 1, "no_score": 1, "no_creation_time": 1, "no_title": 1}
    names = [None if p.author is None else found.world.authors[p.author].name for p in found.world]
    assert names == ["ben", "ann", "ann", None]


def test_replayed_images_are_served_as_the_files_they_are(table: Path) -> None:
    images = table.parent / "images"
    found = replay(table, NOW, images)
    with SandboxServer(found.world) as server:
        server.now = found.world.end.timestamp() + 3 * DAY
        with urlopen(f"{server.url}/img/a1.jpg") as answer:
            assert answer.headers["Content-Type"] == "image/png"
            assert answer.read() == (images / "a1.png").read_bytes()
        with pytest.raises(HTTPError, match="404"):
            urlopen(f"{server.url}/img/c3.jpg")


def test_without_a_folder_posts_are_shown_as_links(table: Path) -> None:
    found = replay(table, NOW)
    api = Api(found.world, "http://127.0.0.1:1")
    now = found.world.end.timestamp() + DAY
    assert found.with_image == 0
    assert {api.post(post, now)["domain"] for post in found.world} == {"news.example"}


def test_a_dump_is_replayed_as_it_is_imported(tmp_path: Path) -> None:
    posts = [
        {
            "id": f"x{n}",
            "title": f"Post {n}",
            "subreddit": ("aww", "pics")[n % 2],
            "created_utc": 1_500_000_000 + n,
            "score": n,
            "author": f"u{n}",
        }
        for n in range(6)
    ]
    file = tmp_path / "posts.ndjson.zst"
    lines = "\n".join([*map(json.dumps, posts), "no JSON", ""])
    file.write_bytes(zstandard.compress(lines.encode()))
    found = replay(file, NOW)
    assert [post.title for post in found.world] == [post["title"] for post in posts]
    assert found.left_out == {"not_a_post": 1}
    assert len(replay(file, NOW, subreddit="aww").world.posts) == 3


def test_what_cannot_be_replayed_is_said_in_one_sentence(table: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--images goes with a table"):
        replay(table.rename(tmp_path / "posts.ndjson"), NOW, tmp_path)
    empty = tmp_path / "empty.csv"
    empty.write_text(HEADER + "a1,t,pics,,1500000000,,\n")
    with pytest.raises(InputError, match="no post to replay \\(no_score 1\\)"):
        replay(empty, NOW)
    refused = CliRunner().invoke(app, ["sandbox", "--images", str(tmp_path)])
    assert isinstance(refused.exception, InputError)


@pytest.mark.slow
def test_the_command_replays_a_file_and_tells_no_law_of_it(table: Path) -> None:
    command = [sys.executable, "-m", "mmrl", "sandbox", "--port", "0", "--json"]
    command += ["--replay", str(table), "--images", str(table.parent / "images")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = json.loads(process.stdout.readline())["url"]
        with urlopen(f"{url}/sandbox/clock") as answer:
            assert json.load(answer)["posts"] == 4
        with pytest.raises(HTTPError) as refused:
            urlopen(f"{url}/sandbox/truth")
        process.terminate()
    assert refused.value.code == 400
    assert b"nobody knows the law" in refused.value.read()


@pytest.mark.shared_data
def test_real_posts_are_collected_from_their_replay(
    shared_data: Path, tmp_path: Path, catalog: Catalog
) -> None:
    lines = (shared_data / "earthporn" / "posts.csv").read_text().splitlines()[:21]
    file = tmp_path / "some.csv"
    file.write_text("\n".join(lines) + "\n")
    found: Replay = replay(file, NOW, shared_data / "earthporn" / "images")
    assert found.with_image == len(found.world.posts) == 20 - found.left_out.total() > 10
    with SandboxServer(found.world) as server:
        server.now = found.world.end.timestamp() + 3 * DAY
        reddit = connect(**praw_settings(server.url))
        report = sweep(RedditSource(reddit), catalog, ["EarthPorn"], from_epoch(server.now))
    assert (report.new, dict(report.refused)) == (found.with_image, {})
    scores = {post.id: post.score for post in found.world}
    observations = catalog.read("observations").to_pylist()
    assert {observation["post_id"]: observation["score"] for observation in observations} == scores
    titles = {row["post_id"]: row["title"] for row in catalog.read("posts").to_pylist()}
    assert titles == {post.id: post.title for post in found.world}
