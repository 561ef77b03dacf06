"""A start makes nothing that it can't use, and takes up what a kill left of a home."""

from pathlib import Path

import pytest

import mmrl
from mmrl.config import load_settings
from mmrl.errors import InputError
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
