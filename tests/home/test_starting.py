"""A start makes nothing that it can't use, and takes up what a kill left of a home."""

from pathlib import Path

import pytest

import mmrl
from mmrl.config import load_settings
from mmrl.errors import ConfigError, InputError
from mmrl.home import starting


def test_days_that_cannot_be_are_refused_before_anything_is_made(tmp_path: Path) -> None:
    home = tmp_path / "home"
    for days in (0, 100_000):
        with pytest.raises(InputError, match="do not end between 1970"):
            mmrl.start(home, ["pics"], days=days, quiet=True)
    assert not home.exists()


@pytest.mark.parametrize("dies", ["init", "load_settings"])
def test_a_start_that_was_killed_while_it_made_its_home_is_taken_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dies: str
) -> None:
    home = tmp_path / "home"

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(starting, dies, killed)
        with pytest.raises(KeyboardInterrupt):
            starting.make_home(home, ["EarthPorn"])
    starting.make_home(home, ["EarthPorn"])
    settings = load_settings(home)
    assert settings.reddit.subreddits == ["EarthPorn"]
    assert settings.source.live == "arctic-shift"
    assert (home / "catalog").is_dir()
    assert (home / "praw.ini").exists()


def test_a_contact_is_written_where_the_doctor_looks_for_it(tmp_path: Path) -> None:
    home = tmp_path / "home"
    starting.make_home(home, ["EarthPorn"], "me@example.org")
    assert load_settings(home).arctic_shift.contact == "me@example.org"
    starting.make_home(home, ["EarthPorn"])
    assert load_settings(home).arctic_shift.contact == "me@example.org"
    starting.make_home(home, ["EarthPorn"], 'https://example.org/"me"')
    settings = load_settings(home)
    assert settings.arctic_shift.contact == 'https://example.org/"me"'
    assert settings.reddit.subreddits == ["EarthPorn"]


def test_a_contact_is_not_written_over_settings_that_have_no_line_for_it(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    text = '[reddit]\nsubreddits = ["EarthPorn"]\n'
    (home / "mmrl.toml").write_text(text)
    with pytest.raises(InputError, match="has no line for the contact"):
        starting.make_home(home, ["EarthPorn"], "me@example.org")
    assert (home / "mmrl.toml").read_text() == text


def test_a_contact_that_cannot_be_sent_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    home = tmp_path / "home"
    for contact in ("caf\u00e9@example.org", "two\nlines", "x" * 201):
        with pytest.raises(ConfigError, match="contact is"):
            mmrl.start(home, ["pics"], contact=contact, quiet=True)
    assert not home.exists()


@pytest.mark.parametrize("contact", [None, "me@example.org"])
def test_a_start_says_before_its_first_request_that_it_carries_no_contact(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    contact: str | None,
) -> None:
    def stopped(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(starting, "connected", stopped)
    with pytest.raises(KeyboardInterrupt):
        mmrl.start(tmp_path / "home", ["pics"], contact=contact)
    lines = [line for line in capsys.readouterr().err.splitlines() if "--contact" in line]
    assert len(lines) == (contact is None)
