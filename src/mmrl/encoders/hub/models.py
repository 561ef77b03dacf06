"""Models that mmrl takes from the Hugging Face hub: pinned revisions, files, sizes, licences.

The facts stand under `models` in the profiles that use the models. Nothing here touches the
network.
"""

import tomllib
from dataclasses import dataclass
from functools import cache

from mmrl.encoders.profile_files import profile_files
from mmrl.errors import ConfigError


@dataclass(frozen=True)
class HubModel:
    """A repository of the hub at one commit.

    Attributes:
        name: the repository, such as `BAAI/bge-m3`.
        files: the names of what is needed of it.
        weights: the file with the weights among them.
        size_bytes: of those files together, rounded.
        licence: as the model's card names it.
        revision: the commit, 40 hex digits.
        sha256: of the weights file, 64 digits; "" where it is not known. A local folder whose
            weights have it is that commit.
        instead: a file with the same weights that a local folder may hold instead; may be "".
        note: what else a user must know before fetching, such as terms to accept; may be "".
    """

    name: str
    files: tuple[str, ...]
    weights: str
    size_bytes: int
    licence: str
    revision: str
    sha256: str = ""
    instead: str = ""
    note: str = ""

    @property
    def size(self) -> str:
        """The size for people, such as `2.3 GB`."""
        return gigabytes(self.size_bytes)

    @property
    def url(self) -> str:
        """The page of that commit."""
        return f"https://huggingface.co/{self.name}/tree/{self.revision}"


def gigabytes(size_bytes: int) -> str:
    """A size for people: `2.3 GB`, `87 MB`, `12 kB`."""
    for unit, name in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if size_bytes >= unit:
            size = size_bytes / unit
            return f"{size:.1f} {name}" if size < 10 or unit == 1e9 else f"{size:.0f} {name}"
    return f"{size_bytes} bytes"


@cache
def hub_models() -> dict[str, HubModel]:
    """All of them, by name."""
    tables = [
        tomllib.loads(file.read_text("utf-8")).get("models", {})
        for file in profile_files().values()
    ]
    return {
        name: HubModel(name, files=tuple(entry.pop("files")), **entry)
        for table in tables
        for name, entry in table.items()
    }


def hub_model(name: str) -> HubModel:
    """The model of that name.

    Raises:
        ConfigError: mmrl has no facts about it.
    """
    if name not in hub_models():
        raise ConfigError(
            f"There is no model {name!r}; the models are {', '.join(sorted(hub_models()))}."
        )
    return hub_models()[name]
