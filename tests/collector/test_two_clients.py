"""The original's two accounts: one client finds posts, the other one looks again."""

import base64
import json
import secrets
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from mmrl.catalog import Catalog
from mmrl.cli import main
from mmrl.home.make import init
from mmrl.sandbox import SandboxServer, praw_settings
from mmrl.sandbox.handler import Handler
from mmrl.soundness.doctor import examine
from mmrl.sources.budget import budget_name
from tests.support.service_trial import START, busy

A_MINUTE = 6  # requests a client may send
SECTIONS = {"bot1": "first-client", "bot2": "second-client"}


@dataclass
class Asked:
    """What clients asked for.

    Attributes:
        paths: how often, by client.
        times: when (simulated epoch seconds), by client.
    """

    paths: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    times: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    def most_in_a_minute(self, *clients: str) -> int:
        times = sorted(time for client in clients for time in self.times[client])
        return max(
            sum(begin <= time < begin + 60 for time in times[first:])
            for first, begin in enumerate(times)
        )


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    """Has the sandbox let every client in, and note who asked for what."""
    found = Asked()

    class Porter(Handler):
        def _token(self) -> None:
            given = self.headers["Authorization"].removeprefix("Basic ")
            client = base64.b64decode(given).decode().partition(":")[0]
            token = f"{client}.{secrets.token_hex(8)}"
            self.server.sandbox.tokens.add(token)
            self._note(client, "token")
            answer = {"access_token": token, "token_type": "bearer", "scope": "*"}
            self.send_json(200, {**answer, "expires_in": 3_600})

        def _route(self, path: list[str]) -> None:
            token = self.headers.get("Authorization", "").partition(" ")[2]
            if token:
                kind = "ids" if "id" in self.query else "names"
                self._note(
                    token.partition(".")[0], f"info by {kind}" if path[-1] == "info" else path[-1]
                )
            super()._route(path)

        def _note(self, client: str, path: str) -> None:
            if path != "access_token":
                found.paths[client][path] += 1
                found.times[client].append(self.server.sandbox.now)

    monkeypatch.setattr("mmrl.sandbox.server.Handler", Porter)
    return found


@pytest.fixture
def server(asked: Asked) -> Iterator[SandboxServer]:
    with SandboxServer(busy(400, 2), requests_a_window=1_000, simulated_limit=True) as running:
        running.now = START.timestamp()
        yield running


@pytest.fixture
def home(tmp_path: Path, server: SandboxServer, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    home = tmp_path / "home"
    init(home)
    write_praw_ini(home, server, *SECTIONS)
    names = json.dumps([subreddit.name for subreddit in server.world.subreddits])
    (home / "mmrl.toml").write_text(
        f'[reddit]\nsubreddits = {names}\nsite = "bot1"\nobserve_site = "bot2"\n'
        f"checkpoints_hours = [0.25, 0.5]\npoll_seconds = [10, 10]\nlook_wait_minutes = 1\n"
        f"requests_per_minute = {A_MINUTE}\n"
    )
    return home


def write_praw_ini(folder: Path, server: SandboxServer, *sites: str) -> None:
    lines = []
    for site in sites:
        given = {**praw_settings(server.url), "client_id": SECTIONS[site]}
        lines += [f"[{site}]", *(f"{name} = {value}" for name, value in given.items())]
    (folder / "praw.ini").write_text("\n".join(lines))


Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, home: Path) -> Run:
    """Runs a command on the home, by the sandbox's clock; what it answered."""

    def ran(*words: str) -> tuple[int, str, str]:
        command = ["mmrl", *words, "--home", str(home), "--sandbox-clock", "jump"]
        monkeypatch.setattr(sys, "argv", command)
        capsys.readouterr()
        code = 0
        try:
            main()
        except SystemExit as stop:
            code = int(stop.code or 0)
        said = capsys.readouterr()
        return code, said.out, said.err

    return ran


@pytest.mark.slow
def test_observations_go_through_the_second_client_and_discovery_through_the_first(
    run: Run, home: Path, asked: Asked
) -> None:
    code, said, complaint = run("collect", "--for", "40m", "--json")
    assert code == 0, complaint
    assert json.loads(said)["observations"] > 50
    first, second = (asked.paths[client] for client in SECTIONS.values())
    assert first["new"] > 100
    assert second["new"] == 0
    assert second["info by ids"] > 5  # posts, to look at them again
    assert first["info by ids"] == 0
    assert first["user_data_by_account_ids"]  # of the first observations
    assert second["user_data_by_account_ids"] == second["info by ids"]


@pytest.mark.slow
def test_each_client_stays_within_a_budget_of_its_own(run: Run, home: Path, asked: Asked) -> None:
    assert run("collect", "--for", "40m")[0] == 0
    for client in SECTIONS.values():
        assert (home / budget_name(client)).is_file()
        assert asked.most_in_a_minute(client) <= A_MINUTE
    # Together they send more than one may: neither waits for the other.
    assert asked.most_in_a_minute(*SECTIONS.values()) > A_MINUTE


def test_observe_asks_through_the_second_client_alone(
    run: Run, home: Path, server: SandboxServer, asked: Asked
) -> None:
    server.now += 600
    assert run("collect", "--once", "--no-looks")[0] == 0
    assert set(asked.paths) == {SECTIONS["bot1"]}
    before = asked.paths[SECTIONS["bot1"]].total()
    server.now += 3_600
    code, said, _ = run("observe", "--json")
    assert code == 0
    assert json.loads(said)["written"] == Catalog.open(home).count("posts") > 20
    assert asked.paths[SECTIONS["bot1"]].total() == before
    assert asked.paths[SECTIONS["bot2"]]["info by ids"] >= 1


def test_doctor_looks_for_both(home: Path, server: SandboxServer) -> None:
    def found() -> list[str]:
        answers = [finding for finding in examine(str(home)) if "Reddit" in finding.what]
        return [f"{finding.state}: {finding.detail}" for finding in answers]

    assert found() == [f"ok: [{site}] in {home / 'praw.ini'}" for site in SECTIONS]
    write_praw_ini(home, server, "bot1")
    assert [said[:12] for said in found()] == ["ok: [bot1] i", "missing: no "]


@pytest.mark.parametrize("command", ["collect", "observe"])
def test_a_section_that_is_missing_is_named_before_anything_is_asked(
    run: Run, home: Path, server: SandboxServer, asked: Asked, command: str
) -> None:
    write_praw_ini(home, server, "bot1")
    code, _, complaint = run(command)
    assert code == 2
    assert "no section [bot2] (it has bot1)" in complaint
    assert "reddit.observe_site" in complaint
    assert not asked.paths


def test_credentials_beside_an_empty_template_are_found(
    run: Run, home: Path, server: SandboxServer, asked: Asked, tmp_path: Path
) -> None:
    """As in a container, whose praw.ini is mounted into the user's configuration."""
    (home / "praw.ini").unlink()
    init(home)
    assert "[mmrl]" in (home / "praw.ini").read_text()
    (tmp_path / "config").mkdir()
    write_praw_ini(tmp_path / "config", server, *SECTIONS)
    code, _, complaint = run("collect", "--once")
    assert code == 0, complaint
    assert asked.paths[SECTIONS["bot1"]]["new"]


@pytest.mark.parametrize("command", ["collect", "observe", "purge"])
def test_a_praw_ini_that_may_not_be_read_is_no_lack_of_credentials(
    run: Run, home: Path, asked: Asked, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    read = Path.read_text

    def refuse(path: Path, **options: str) -> str:
        if path.name == "praw.ini":
            raise PermissionError(13, "Permission denied", str(path))
        return read(path, **options)

    monkeypatch.setattr(Path, "read_text", refuse)
    code, _, complaint = run(command)
    assert code == 2
    assert f"{home / 'praw.ini'} can't be read (Permission denied)" in complaint
    assert not asked.paths
