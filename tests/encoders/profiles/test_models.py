"""The hub's models: each one's facts stand in one profile."""

import tomllib
from importlib.resources import files

from mmrl.encoders import profiles
from mmrl.encoders.hub.models import hub_models
from mmrl.encoders.profiles import profile_models, profile_names


def test_every_model_of_a_profile_has_its_facts_in_one_profile() -> None:
    stated, used = [], set()
    for name in profile_names():
        table = tomllib.loads(files(profiles).joinpath(f"{name}.toml").read_text("utf-8"))
        stated += table.get("models", {})
        used |= {model for models in profile_models(name).values() for model in models}
    assert sorted(stated) == sorted(used) == sorted(hub_models())
