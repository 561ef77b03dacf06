"""The commands that ask Arctic Shift, on the sandbox's archive."""

import json
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from mmrl.catalog import Catalog
from mmrl.cli import INTERRUPTED, main
from mmrl.config import load_settings
from mmrl.errors import InputError
from mmrl.home.home import Home
from mmrl.home.make import init
from mmrl.home.starting import make_home
from mmrl.sandbox import Faults, SandboxServer, praw_settings
from tests.support.command import call
from tests.support.service_trial import START, busy

Run = Callable[..., tuple[str, str]]


@pytest.fixture
def server() -> Iterator[SandboxServer]:
    with SandboxServer(busy(60, 5), simulated_limit=True) as running:
        running.now = START.timestamp() + 60 * 3_600
        yield running


@pytest.fixture
def run(
    server: SandboxServer,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Run:
    """Runs a command on a home that follows the sandbox's subreddits; its output and errors."""
    home = tmp_path / "home"
    init(home)
    (home / "mmrl.toml").write_text(
        '[source]\nlive = "arctic-shift"\n'
        '[reddit]\nsubreddits = ["SimPics", "SimScenes", "SimTown"]\n'
        f'[arctic_shift]\nbase_url = "{server.url}"\n'
    )

    def ran(*command: str) -> tuple[str, str]:
        monkeypatch.setattr(sys, "argv", ["mmrl", *command, "--home", str(home)])
        capsys.readouterr()
        with suppress(SystemExit):
            main()
        said = capsys.readouterr()
        return said.out, said.err

    return ran


def test_backfill_says_what_it_takes_and_collect_goes_on(run: Run, server: SandboxServer) -> None:
    out, err = run("backfill", "--after", "2026-06-01", "--sandbox-clock", "jump")
    assert "60 posts, 60 of them new." in out
    assert "Nothing is left to bring." in err  # the first page of each subreddit held all
    out, _ = run("collect", "--once", "--sandbox-clock", "jump", "--json")
    status = json.loads(out)
    assert (status["kept"], status["state"], status["gaps_timed"]) == (0, "stopped", True)
    out, _ = run("observe", "--sandbox-clock", "jump", "--json")
    assert json.loads(out)["due"] == 0
    out, _ = run("status", "--json")
    (state,) = json.loads(out)["other_sources"].values()
    assert state["gaps"]["filled"] == 3
    archive = server.stats()["archive"]
    assert archive["most_in_a_second"] <= 2


def test_a_repeated_backfill_says_that_nothing_is_left(run: Run) -> None:
    command = ("backfill", "--after", "2026-06-01", "--sandbox-clock", "jump")
    run(*command)
    _, err = run(*command)
    assert "Nothing is left to bring." in err
    assert "About 0" not in err


def test_a_backfill_of_two_beginnings_is_refused(run: Run, server: SandboxServer) -> None:
    _, err = run("backfill", "--after", "2026-06-01", "--days", "5")
    assert "`after` and `days` both say where the past begins: give one of them." in err
    assert server.stats()["archive"]["requests"] == 0


def test_an_empty_backfill_names_what_has_no_posts(run: Run) -> None:
    _, err = run(
        *("backfill", "--subreddit", "NeverWas", "--after", "2026-06-01"),
        *("--sandbox-clock", "jump"),
    )
    assert "r/neverwas: no post of that time is archived; check its name." in err


def test_another_source_than_there_is_is_named(run: Run) -> None:
    _, err = run("collect", "--from", "pushshift", "--once")
    assert "--from is 'pushshift', expected one of: reddit, arctic-shift." in err


def test_purge_asks_the_homes_own_source(run: Run, server: SandboxServer) -> None:
    run("backfill", "--after", "2026-06-01", "--sandbox-clock", "jump")
    out, _ = run("purge", "--sandbox-clock", "jump", "--json")
    assert json.loads(out)["checks"]["due"] == 0  # its second retrieval was a check
    server.now += 40 * 86_400
    out, _ = run("purge", "--sandbox-clock", "jump", "--json")
    checks = json.loads(out)["checks"]
    assert (checks["checked"], checks["requests"]) == (60, 1)


def test_purge_says_what_the_source_cannot_tell(run: Run, server: SandboxServer) -> None:
    run("backfill", "--after", "2026-06-01", "--sandbox-clock", "jump")
    for options in ((), ("--dry-run",)):
        out, _ = run("purge", *options, "--sandbox-clock", "jump")
        words = " ".join(out.split())
        assert "Arctic Shift does not tell deletions later than 36 hours after a post" in words
        assert "`--from reddit`" in words
    out, _ = run("purge", "--dry-run", "--from", "reddit")
    assert "does not tell" not in out


def test_a_dry_purge_counts_what_a_real_one_would_ask_for(run: Run, server: SandboxServer) -> None:
    run("backfill", "--after", "2026-06-01", "--sandbox-clock", "jump")

    def due(*options: str) -> int:
        out, _ = run("purge", *options, "--sandbox-clock", "jump", "--json")
        outcome = json.loads(out)
        return int(outcome["due"] if "--dry-run" in options else outcome["checks"]["due"])

    server.now += 10 * 86_400  # Reddit would be asked again by now, Arctic Shift would not
    asked = server.stats()["archive"]["requests"]
    assert due("--dry-run") == due() == 0
    server.now += 30 * 86_400
    assert due("--dry-run") == due("--dry-run", "--from", "arctic-shift") == 60
    assert server.stats()["archive"]["requests"] == asked
    out, _ = run("purge", "--dry-run", "--from", "pushshift")
    assert out == ""
    assert due() == 60


def test_doctor_compares_an_answer_and_names_what_is_unlike(
    run: Run, server: SandboxServer
) -> None:
    out, _ = run("doctor", "--json")
    assert server.stats()["archive"]["requests"] == 0
    findings = {finding["what"]: finding for finding in json.loads(out)}
    assert findings["arctic-shift"]["state"] == "missing"
    assert "arctic_shift.contact" in findings["arctic-shift"]["mend"]
    out, _ = run("doctor", "--live", "--json")
    findings = {finding["what"]: finding for finding in json.loads(out)}
    assert findings["arctic-shift, asked for r/SimPics"]["detail"].startswith("20 posts")
    server.misfortune.set(Faults(changed=1))
    out, _ = run("doctor", "--live", "--json")
    asked = {f["what"]: f for f in json.loads(out)}["arctic-shift, asked for r/SimPics"]
    assert asked["state"] == "wrong"
    assert "created_utc is not a number in 20 of 20 posts" in asked["detail"]
    assert server.stats()["archive"]["requests"] == 2


def test_doctor_asks_each_source_once_and_says_which_lacks_credentials(
    run: Run, server: SandboxServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also of a home that collects from Reddit."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.chdir(tmp_path)
    home = tmp_path / "home"
    toml = (home / "mmrl.toml").read_text().replace('live = "arctic-shift"', 'live = "reddit"')
    (home / "mmrl.toml").write_text(toml)

    def asked() -> dict[str, dict[str, str]]:
        out, _ = run("doctor", "--live", "--json")
        return {finding["what"]: finding for finding in json.loads(out)}

    findings = asked()
    assert findings["arctic-shift, asked for r/SimPics"]["state"] == "ok"
    assert findings["reddit, not asked"]["state"] == "missing"
    assert "no credentials" in findings["reddit, not asked"]["detail"]
    assert server.stats()["archive"]["requests"] == 1

    lines = [f"{name} = {value}" for name, value in praw_settings(server.url).items()]
    (home / "praw.ini").write_text("\n".join(["[mmrl]", *lines]))
    before = server.stats()["requests"]
    findings = asked()
    assert findings["reddit, asked for r/SimPics"]["state"] == "ok"
    assert findings["arctic-shift, asked for r/SimPics"]["state"] == "ok"
    assert server.stats()["archive"]["requests"] == 2
    new = Counter(server.stats()["requests"]) - Counter(before)
    assert sum(count for name, count in new.items() if "archive" not in name) <= 2  # and a token

    server.misfortune.set(Faults(changed=1))
    assert asked()["arctic-shift, asked for r/SimPics"]["state"] == "missing"  # not its own source


def test_a_home_made_by_start_follows_its_communities_from_arctic_shift(tmp_path: Path) -> None:
    home = tmp_path / "new"
    make_home(home, ["EarthPorn", "pics"])
    settings = load_settings(home)
    assert settings.source.live == "arctic-shift"
    assert settings.reddit.subreddits == ["EarthPorn", "pics"]
    make_home(home, ["earthporn"])
    assert load_settings(home) == settings
    with pytest.raises(InputError, match="does not follow r/aww: add them"):
        make_home(home, ["aww"])


def test_a_home_of_an_earlier_version_has_no_rules_and_reads_so(tmp_path: Path) -> None:
    from mmrl.collector.rules import newest_rules

    assert newest_rules(Catalog.open(tmp_path / "home", create=True)) == {}


@pytest.mark.slow
def test_a_start_that_was_interrupted_goes_on_and_ends_by_offering_the_page(
    server: SandboxServer,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    home = tmp_path / "home"
    monkeypatch.setenv("MMRL_ARCTIC_SHIFT__BASE_URL", server.url)
    monkeypatch.setenv("MMRL_IMAGES__ALLOW_LOOPBACK", "true")
    names = ("SimPics", "SimScenes", "SimTown")
    command = ("start", *names, "--days", "7", "--home", home, "--sandbox-clock", "jump")

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Home, "run", interrupted)
        stopped = call(capsys, *command)
    assert stopped.code == INTERRUPTED
    assert "Stopped: the same command goes on from here." in stopped.out
    assert Catalog.open(home).count("posts") == 60
    first = server.stats()["archive"]["requests"]
    again = call(capsys, *command)
    assert again.code == 0, again.err
    assert "60 posts, 0 of them new" in again.out
    assert server.stats()["archive"]["requests"] - first <= first
    assert f"Next: mmrl serve --home {home}" in again.out
    assert server.stats()["archive"]["most_in_a_second"] <= 2
