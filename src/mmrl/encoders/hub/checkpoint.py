"""A model's files: where they lie, and which revision they are.

A model of the hub is used from a local folder that the setting `weights` names, or from the hub's
cache, where `mmrl weights fetch` puts it; nothing is downloaded while work is done. The revision
is part of an encoder's id, so it is known from little:

- from the hub's cache it is the pinned commit, whether the files are there or not;
- a folder of the cache itself, `.../snapshots/COMMIT`, says its commit by its name;
- a folder made by `hf download --local-dir` says its commit itself, file by file;
- any other folder is told by the SHA-256 of its weights, worked out once and kept beside them:
  it is the pinned commit if they are the pinned weights, and otherwise the hash is its revision.
"""

import hashlib
import json
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from mmrl.encoders.device.device import Place, choose_place
from mmrl.encoders.hub import cache as hub_cache
from mmrl.encoders.hub.models import HubModel, hub_model
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
        """Twelve digits that tell its weights from others.

        Raises:
            WeightsError: they are told by the files, and those are not there.
        """
        if self.local is not None:
            return _revision(self.local, self.weights(), self.model)[:_DIGITS]
        return self.model.revision[:_DIGITS]

    @property
    def place(self) -> Place:
        """Where it runs, and in which number format."""
        return choose_place(self.device, self.dtype)

    @property
    def expected_at(self) -> Path | None:
        """The folder of its files, present or not; None where the hub's cache has none for them."""
        return self.local or hub_cache.snapshot(self.model)

    def missing(self) -> list[str]:
        """The names of needed files that are not there."""
        folder = self.expected_at
        if folder is None:
            return list(self.model.files)
        others = [name for name in self.model.files if name != self.model.weights]
        return [name for name in (*others, self._weights_name) if not (folder / name).is_file()]

    def folder(self) -> Path:
        """The folder with all its files.

        Raises:
            WeightsError: a file is missing, or only a pointer to it; says how to get it.
        """
        folder, missing = self.expected_at, self.missing()
        if folder is None or missing:
            raise WeightsError(self._absent(folder, missing))
        if _is_pointer(folder / self._weights_name):
            raise WeightsError(
                f"{folder / self._weights_name} is a Git LFS pointer, not the weights of "
                f"{self.name}: run `git lfs pull` in {folder}, or `mmrl weights fetch {self.name}` "
                "and take the folder out of [weights] in mmrl.toml."
            )
        return folder

    def weights(self) -> Path:
        """The file of its weights.

        Raises:
            WeightsError: it is missing.
        """
        return self.folder() / self._weights_name

    @property
    def _weights_name(self) -> str:
        other = self.model.instead
        if other and self.local is not None and (self.local / other).is_file():
            return other
        return self.model.weights

    def config_number(self, *path: str) -> int:
        """A number of its `config.json`, such as `config_number("text_config", "hidden_size")`.

        Raises:
            WeightsError: the file is missing or does not say it.
        """
        file = self.folder() / "config.json"
        try:
            value = json.loads(file.read_text("utf-8"))
            for name in path:
                value = value[name]
            return int(value)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise WeightsError(
                f"{file} does not say `{'.'.join(path)}` ({error}): run `mmrl weights fetch "
                f"{self.name}`, or copy that file anew."
            ) from error

    def width(self, published: int, *path: str) -> int:
        """The number of dimensions of its vectors: as published, but for a local folder that says
        otherwise; see `config_number`.

        Raises:
            WeightsError: a local folder's `config.json` is missing or does not say it.
        """
        return published if self.local is None else self.config_number(*path)

    def check(self) -> None:
        """Looks for its files without loading them.

        Raises:
            WeightsError: one is missing.
        """
        self.folder()

    def _absent(self, folder: Path | None, missing: list[str]) -> str:
        model = self.model
        instead = f" (or {model.instead})" if model.instead else ""
        where = "it is not in the hub's cache"
        if folder is not None:
            kind = "the folder " if self.local is not None else ""
            where = f"{kind}{folder} lacks {', '.join(missing)}"
        return (
            f"The weights of {model.name} ({model.size}, {model.licence}) are not there: {where}. "
            f"Run `mmrl weights fetch {model.name}`, or name a folder that holds "
            f'{", ".join(model.files)}{instead} in mmrl.toml: [weights] "{model.name}" = "/path".'
        )


@cache
def _revision(folder: Path, weights: Path, model: HubModel) -> str:
    """The commit of a local folder where it says one, or the SHA-256 of its weights.

    It is looked at once a process, as the weights are loaded once a process.
    """
    real = folder.resolve()
    if real.parent.name == "snapshots" and hub_cache.is_commit(real.name):
        return real.name
    stated = _stated_commit(folder, weights)
    if stated is not None:
        return stated
    digest = _digest(weights)
    return model.revision if digest == model.sha256 else digest


def _stated_commit(folder: Path, weights: Path) -> str | None:
    """The commit that `hf download --local-dir` noted for a file, if that is how it came.

    The note is three lines: the commit, the file's hash on the hub, and the time of the note
    (epoch seconds). A file that looks younger was changed, or copied without its time: then it
    is the noted one if it has the noted hash.
    """
    notes = folder / ".cache" / "huggingface" / "download"
    try:
        lines = (notes / f"{weights.relative_to(folder)}.metadata").read_text("ascii").splitlines()
        commit, told, written = lines[0].strip(), lines[1].strip(), float(lines[2])
        as_noted = weights.stat().st_mtime - 1 <= written  # huggingface_hub's own measure
    except (OSError, ValueError, IndexError):
        return None
    if not hub_cache.is_commit(commit):
        return None
    return commit if as_noted or _digest(weights) == told else None


def _is_pointer(weights: Path) -> bool:
    """True where a file only says what Git LFS would put in its place."""
    try:
        with weights.open("rb") as file:
            return file.read(23) == b"version https://git-lfs"
    except OSError:
        return False  # whoever loads it says what is wrong


def _digest(weights: Path) -> str:
    """SHA-256 of a file of gigabytes, kept beside it as long as its size and time are the same."""
    stat = weights.stat()
    now = {"size": stat.st_size, "modified_ns": stat.st_mtime_ns}
    kept = weights.with_name(f".{weights.name}.mmrl-sha256.json")
    try:
        note = json.loads(kept.read_text("utf-8"))
        if all(note.get(name) == value for name, value in now.items()):
            return str(note["sha256"])
    except (OSError, ValueError, KeyError, AttributeError):
        pass  # not worked out yet, or not readable: work it out
    try:
        with weights.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise WeightsError(f"{weights} can't be read: {error.strerror}.") from error
    with suppress(OSError):  # a read-only folder: it is worked out again in the next process
        kept.write_text(json.dumps({**now, "sha256": digest}), "utf-8")
    return digest


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
