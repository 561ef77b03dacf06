"""A model's files: where they lie, and which revision they are.

A model of the hub is used from a local folder that the setting `weights` names, or from the hub's
cache, where `mmrl weights fetch` puts it; nothing is downloaded while work is done. The revision
is part of an encoder's id, so it is known from little:

- from the hub's cache it is the pinned commit, whether the files are there or not;
- a folder made by `hf download --local-dir` says its commit itself, file by file;
- any other folder is told by the SHA-256 of its weights, worked out once and kept beside them.
"""

import hashlib
import json
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from mmrl.encoders.hub import HubModel, hub_model
from mmrl.encoders.place import Place, choose_place
from mmrl.errors import ConfigError, WeightsError

_DIGITS = 12  # of a commit or a hash, in an encoder's id


@dataclass(frozen=True)
class Checkpoint:
    """A model, where its files are taken from, and where it is to run.

    Attributes:
        name: the hub's, such as `BAAI/bge-m3`.
        local: a folder to take it from instead of the hub's cache.
        device, dtype: the settings of these names.
    """

    name: str
    local: Path | None = None
    device: str = "auto"
    dtype: str = "auto"

    @property
    def model(self) -> HubModel:
        """What is known of it."""
        return hub_model(self.name)

    @property
    def revision(self) -> str:
        """Twelve digits that tell its weights from others."""
        return self.model.revision[:_DIGITS] if self.local is None else _revision(self)

    @property
    def place(self) -> Place:
        """Where it runs, and in which number format."""
        return choose_place(self.device, self.dtype)

    def folder(self) -> Path:
        """The folder with all its files.

        Raises:
            WeightsError: a file is missing; says how to get it.
        """
        folder = self.local or _in_cache(self.model)
        missing = (
            [name for name in self.model.files if not any(folder.glob(name))]
            if folder is not None and folder.is_dir()
            else list(self.model.files)
        )
        if folder is None or missing:
            raise WeightsError(self._missing(folder, missing))
        return folder

    def weights(self) -> Path:
        """The file of its weights.

        Raises:
            WeightsError: it is missing.
        """
        return self.folder() / self.model.weights

    def check(self) -> None:
        """Looks for its files without loading them.

        Raises:
            WeightsError: one is missing.
        """
        self.folder()

    def _missing(self, folder: Path | None, missing: list[str]) -> str:
        model = self.model
        where = (
            f"the folder {folder} lacks {', '.join(missing)}"
            if self.local is not None
            else "it is not in the hub's cache"
            if folder is None
            else f"{folder} lacks {', '.join(missing)}"
        )
        return (
            f"The weights of {model.name} ({model.size}, {model.licence}) are not there: {where}. "
            f"Run `mmrl weights fetch {model.name}`, or name a folder that holds "
            f'{", ".join(model.files)} in mmrl.toml: [weights] "{model.name}" = "/path".'
        )


def _in_cache(model: HubModel) -> Path | None:
    """The pinned snapshot in the hub's cache, complete or not; None where there is none."""
    from huggingface_hub.constants import HF_HUB_CACHE

    folder = Path(HF_HUB_CACHE) / f"models--{model.name.replace('/', '--')}"
    snapshot = folder / "snapshots" / model.revision
    return snapshot if snapshot.is_dir() else None


@cache
def _revision(checkpoint: Checkpoint) -> str:
    weights = checkpoint.weights()
    return _stated_commit(weights) or _digest(weights)[:_DIGITS]


def _stated_commit(weights: Path) -> str | None:
    """The commit that `hf download --local-dir` noted for a file, if that is how it came."""
    note = weights.parent / ".cache" / "huggingface" / "download" / f"{weights.name}.metadata"
    try:
        commit = note.read_text("ascii").split("\n", 1)[0].strip()
        # The note is written after the file; a file changed since is another one.
        changed = weights.stat().st_mtime > note.stat().st_mtime + 1
    except (OSError, UnicodeDecodeError):
        return None
    is_commit = len(commit) == 40 and all(digit in "0123456789abcdef" for digit in commit)
    return commit[:_DIGITS] if is_commit and not changed else None


def _digest(weights: Path) -> str:
    """SHA-256 of a file of gigabytes, kept beside it as long as its size and time are the same."""
    stat = weights.stat()
    now = {"size": stat.st_size, "modified_ns": stat.st_mtime_ns}
    kept = weights.with_name(f".{weights.name}.mmrl-sha256.json")
    try:
        known = json.loads(kept.read_text("utf-8"))
        if all(known.get(name) == value for name, value in now.items()):
            return str(known["sha256"])
    except (OSError, ValueError, KeyError, AttributeError):
        pass  # not worked out yet, or not readable: work it out
    try:
        with weights.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise WeightsError(f"{weights} can't be read: {error.strerror}.") from error
    with suppress(OSError):  # a read-only folder: it is worked out again in the next process
        kept.write_text(json.dumps({**now, "sha256": found}), "utf-8")
    return found


def checkpoint(name: str, folders: dict[str, str], device: str, dtype: str) -> Checkpoint:
    """The checkpoint of a model under the settings `weights`, `device` and `dtype`.

    Raises:
        ConfigError: no such model, or the setting names no folder.
    """
    hub_model(name)
    if name not in folders:
        return Checkpoint(name, None, device, dtype)
    local = Path(folders[name]).expanduser().absolute()
    if not local.is_dir():
        raise ConfigError(
            f'[weights] "{name}" = "{folders[name]}" is no folder: give the one that holds '
            f"{', '.join(hub_model(name).files)}."
        )
    return Checkpoint(name, local, device, dtype)
