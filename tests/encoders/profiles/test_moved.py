"""Profiles that name a class by the path it had before."""

import tomllib
from contextlib import suppress
from importlib import import_module
from importlib.resources import files

import pytest

from mmrl.config import Settings
from mmrl.encoders import profiles
from mmrl.encoders.profiles import ROLES, load_profile
from mmrl.encoders.profiles.moved import MOVED
from mmrl.errors import ConfigError


@pytest.mark.parametrize(("old", "new"), MOVED.items())
def test_each_new_path_leads_to_a_class_and_the_old_one_to_none(old: str, new: str) -> None:
    module, _, name = new.partition(":")
    assert isinstance(getattr(import_module(module), name), type)
    before, _, name = old.partition(":")
    with suppress(ModuleNotFoundError):
        assert not hasattr(import_module(before), name)


def test_a_profile_with_an_old_path_is_an_error_that_names_the_new_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    text = files(profiles).joinpath("packaged.toml").read_text("utf-8")
    own = tomllib.loads(text.replace(".packaged.labels:Tags", ".labels:Tags"))
    monkeypatch.setattr(profiles, "_read", lambda name: own)
    # Settings of its own, so that no profile that another test made is given.
    with pytest.raises(ConfigError) as error:
        load_profile(Settings(profile="earlier"))
    assert "mmrl.encoders.labels:Tags, which has moved" in str(error.value)
    assert 'class = "mmrl.encoders.packaged.labels:Tags"' in str(error.value)


@pytest.mark.parametrize("name", profiles.profile_names())
def test_the_profiles_name_no_old_path(name: str) -> None:
    classes = profiles.profile_classes(name)
    assert set(classes) == set(ROLES)
    assert not set(classes.values()) & set(MOVED)
