"""Files of the profiles: mmrl's own, and those that other packages offer."""

from importlib.resources import files
from importlib.resources.abc import Traversable

from mmrl.runtime.extensions import offered

_ENDING = ".toml"


def profile_files() -> dict[str, Traversable]:
    """The file of each profile, by the profile's name; mmrl's own come first."""
    own = [
        entry for entry in files("mmrl.encoders.profiles").iterdir() if entry.name.endswith(_ENDING)
    ]
    by_name = {entry.name.removesuffix(_ENDING): entry for entry in own}
    for point in offered("profiles"):
        by_name.setdefault(point.name, files(point.value).joinpath(f"{point.name}{_ENDING}"))
    return dict(sorted(by_name.items()))
