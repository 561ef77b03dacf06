"""Settings: file, environment, flags; each mistake is named."""

import subprocess
from pathlib import Path

import pytest

from mmrl.config import Settings, load_settings
from mmrl.errors import ConfigError
from mmrl.home.make import commented_toml, init


def test_defaults_hold_without_any_file(tmp_path: Path) -> None:
    assert load_settings(tmp_path).label.mature_after_hours == 36


def test_flags_win_over_the_environment_and_that_over_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mmrl.toml").write_text("[train]\nseed = 1\nbootstrap = 200\nmin_samples = 60\n")
    monkeypatch.setenv("MMRL_TRAIN__SEED", "2")
    monkeypatch.setenv("MMRL_TRAIN__BOOTSTRAP", "300")
    settings = load_settings(tmp_path, train={"seed": 3})
    train = settings.train
    assert (train.seed, train.bootstrap, train.min_samples) == (3, 300, 60)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[train]\nsed = 1", "train.sed"),
        ("[images]\nmax_bytes = -1", "images.max_bytes"),
        ("profle = 'x'", "profle"),
        ("[label\n", "not valid TOML"),
        (
            "[train]\nmax_posts = 200\nmin_samples = 300",
            "train: max_posts is less than min_samples",
        ),
    ],
)
def test_a_wrong_setting_is_named(tmp_path: Path, text: str, named: str) -> None:
    (tmp_path / "mmrl.toml").write_text(text)
    with pytest.raises(ConfigError, match=named):
        load_settings(tmp_path)


def test_every_line_of_the_template_is_a_setting_with_its_default(tmp_path: Path) -> None:
    lines = commented_toml().splitlines()
    kept = []
    for line in lines:
        bare = line.removeprefix("# ")
        if line.startswith("[") or (" = " in bare and "unset" not in bare and line != bare):
            kept.append(bare if " = " in bare else line)
    (tmp_path / "mmrl.toml").write_text("\n".join(kept[:]))
    assert load_settings(tmp_path) == Settings()


def test_init_writes_templates_once_and_hides_the_credentials(tmp_path: Path) -> None:
    made = {path.name for path in init(tmp_path / "home")}
    assert made == {"catalog", "mmrl.toml", "praw.ini", ".gitignore"}
    (tmp_path / "home" / "mmrl.toml").write_text("profile = 'packaged'\n")
    assert init(tmp_path / "home") == []
    assert (tmp_path / "home" / "mmrl.toml").read_text() == "profile = 'packaged'\n"
    assert (tmp_path / "home" / "praw.ini").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("[train]\nsed = 1", "did you mean train.seed?"),
        ("profle = 'x'", "did you mean profile?"),
        ("min_side = 9", "did you mean images.min_side?"),
        ("[reddit]\nclient_secret = 'x'", "mmrl.toml lists them all"),
    ],
)
def test_an_unknown_setting_gets_the_nearest_known_one(
    tmp_path: Path, text: str, hint: str
) -> None:
    (tmp_path / "mmrl.toml").write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_settings(tmp_path)
    assert hint in str(caught.value)


SECRET = "sk-a-secret-that-stands-in-the-wrong-place"


@pytest.mark.parametrize(
    "text",
    [
        f"api_key = '{SECRET}'",
        f"[caption_server]\nkey = '{SECRET}'",
        f"[caption_server]\nmax_tokens = '{SECRET}'",
        f"[caption_server]\nmodel = ['{SECRET}']",
        f"caption_server = '{SECRET}'",
        f"dtype = '{SECRET}'",
        f"[weights]\nx = ['{SECRET}']",
        f"[reddit]\nsubreddits = {{a = '{SECRET}'}}",
    ],
)
def test_a_wrong_settings_value_is_never_printed(tmp_path: Path, text: str) -> None:
    (tmp_path / "mmrl.toml").write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_settings(tmp_path)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("name", ["MMRL_REDDIT", "MMRL_CAPTION_SERVER__KEY", "MMRL_THREADS"])
def test_a_wrong_variables_value_is_never_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, SECRET)
    with pytest.raises(ConfigError) as caught:
        load_settings(tmp_path)
    assert SECRET not in str(caught.value)
    assert "TOML" not in str(caught.value)


def test_every_unset_line_of_the_template_may_stand_as_it_is(tmp_path: Path) -> None:
    lines = [line.partition("  # unset")[0] for line in commented_toml().splitlines()]
    bare = [line.removeprefix("# ") if " = " in line else line for line in lines]
    (tmp_path / "mmrl.toml").write_text("\n".join(bare))
    assert load_settings(tmp_path) == Settings()


def test_a_home_under_git_keeps_credentials_and_posts_out(tmp_path: Path) -> None:
    init(tmp_path / "home")
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    listed = subprocess.run(
        ["git", "-C", str(tmp_path), "ls-files", "--others", "--exclude-standard"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split()
    assert sorted(listed) == ["home/.gitignore", "home/mmrl.toml"]
