"""`mmrl purge`: posts erased on request, and what was asked for again."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import mmrl
from mmrl.catalog import Catalog
from mmrl.cli.app import app
from mmrl.config import Settings
from mmrl.errors import InputError
from mmrl.home.make import init
from mmrl.purge import run as stage
from mmrl.purge.run import posts_of
from mmrl.sources.reddit import api as api
from tests.support.local_reddit import LocalReddit
from tests.support.purge_home import (
    AS_OF,
    START,
    keep,
    keep_cell,
    make_post,
    observation,
    submission,
    traces,
)

SETTINGS = Settings()
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def run(*arguments: str) -> Any:
    return CliRunner().invoke(app, ["purge", *arguments], env={"XDG_CONFIG_HOME": "/nonexistent"})


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(stage.time, "sleep", lambda seconds: None)
    home = tmp_path / "home"
    init(home)
    (home / "mmrl.toml").write_text("[purge]\nsettle_seconds = 0\n")
    return home


def test_an_account_is_erased_on_request_and_kept_out(home: Path) -> None:
    catalog = Catalog.open(home)
    one = make_post()
    two = make_post(author=one.author.upper(), author_id=one.author_id)
    nameless, other = make_post(author_id=one.author_id), make_post()
    keep(catalog, [one, two, nameless, other])
    assert set(posts_of(catalog, one.author)) == {p.post_id for p in (one, two, nameless)}
    said = run("--home", str(home), "--author", f"u/{one.author}", "--json")
    assert said.exit_code == 0, said.output
    assert json.loads(said.stdout)["erased"] == {"requested": 3}
    for post in (one, two, nameless):
        assert traces(catalog, post) == {}
    keep(catalog, [make_post(author=one.author.lower())])
    assert catalog.count("posts") == 1


def test_posts_are_erased_on_request_by_id_or_address(home: Path) -> None:
    catalog = Catalog.open(home)
    posts = [make_post() for _ in range(3)]
    keep(catalog, posts)
    keep_cell(catalog, posts)
    wanted = [
        posts[0].post_id,
        f"t3_{posts[1].post_id}",
        f"https://www.reddit.com/r/pics/comments/{posts[2].post_id}/of_x/?utm=1",
        "never5een",
    ]
    options = [option for post in wanted for option in ("--post", post)]
    shown = run("--home", str(home), *options, "--dry-run")
    assert "Would erase 3 posts: requested 3." in shown.output
    assert catalog.count("posts") == 3
    said = run("--home", str(home), *options)
    assert "Erased 3 posts and 3 images: requested 3." in said.output
    assert "Experiments' cells that had been judged on some of them: pictures 1." in said.output
    assert "1 of the ids is not kept here" in said.output
    assert catalog.count("posts") == 0
    assert run("--home", str(home), "--post", "two words").exit_code != 0


def test_without_credentials_what_is_known_goes_and_the_rest_is_told(home: Path) -> None:
    catalog = Catalog.open(home)
    posts = [make_post() for _ in range(3)]
    keep(catalog, posts)
    observation(catalog, posts[0].post_id, START + 40 * HOUR, "deleted")
    observation(catalog, posts[1].post_id, START + 40 * HOUR, "moderator")
    said = run("--home", str(home), "--dry-run", "--json")
    assert json.loads(said.stdout)["erased"] == {"deleted": 1, "moderator": 1}
    assert catalog.count("posts") == 3
    said = run("--home", str(home))
    assert said.exit_code == 0, said.output
    assert "Nothing could be re-checked: there are no credentials" in said.output
    assert "Erased 2 posts and 2 images: deleted 1, moderator 1." in said.output
    assert traces(catalog, posts[0]) == traces(catalog, posts[1]) == {}
    assert "Erased 0 posts." in run("--home", str(home)).output


def test_with_credentials_it_re_checks_and_erases_in_one_go(
    home: Path, local_reddit: LocalReddit
) -> None:
    catalog = Catalog.open(home)
    posts = [make_post() for _ in range(3)]
    keep(catalog, posts, source="sandbox")
    credentials = f"client_id = id\nclient_secret = secret\noauth_url = {local_reddit.url}\n"
    (home / "praw.ini").write_text(f"[mmrl]\n{credentials}reddit_url = {local_reddit.url}\n")
    local_reddit.posts = {post.post_id: submission(post) for post in posts}
    local_reddit.posts[posts[0].post_id]["removed_by_category"] = "deleted"
    local_reddit.posts[posts[1].post_id]["removed_by_category"] = "moderator"
    said = run("--home", str(home), "--requests", "5", "--for", "10m")
    assert said.exit_code == 0, said.output
    assert "Re-checked 3 posts in 1 request: 1 stands, gone " in said.output
    assert "Erased 1 post and 1 image: deleted 1." in said.output
    assert "Waiting, as they may come back: moderator 1." in said.output
    assert traces(catalog, posts[0]) == {}
    assert len(local_reddit.requests) == 1

    observation(catalog, posts[2].post_id, AS_OF, "deleted")
    catalog.delete("checks", "true")
    local_reddit.token_status = 401
    refused = run("--home", str(home), "--json")
    assert "refuses the credentials" in json.loads(refused.stdout)["error"]
    assert json.loads(refused.stdout)["erased"] == {"deleted": 1}  # what is known goes all the same
    assert refused.exit_code != 0


def test_from_python_a_round_of_checks_ends_after_so_long_or_so_many_requests(
    home: Path, local_reddit: LocalReddit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", "/nonexistent")
    posts = [make_post() for _ in range(150)]
    keep(Catalog.open(home), posts, source="sandbox")
    credentials = f"client_id = id\nclient_secret = secret\noauth_url = {local_reddit.url}\n"
    (home / "praw.ini").write_text(f"[mmrl]\n{credentials}reddit_url = {local_reddit.url}\n")
    local_reddit.posts = {post.post_id: submission(post) for post in posts}
    opened = mmrl.open(home, quiet=True)
    with pytest.raises(InputError, match="minutes is 0, expected more than 0"):
        opened.purge(minutes=0)
    assert opened.purge(minutes=1e-9)["checks"]["checked"] == 0
    assert opened.purge(requests=1)["checks"]["checked"] == 100
    assert opened.purge()["checks"]["checked"] == 50
