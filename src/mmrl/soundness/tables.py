"""Tables of a home: the files of each are there and readable, as its newest version names them."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mmrl.catalog.columns import key_columns
from mmrl.errors import first_line
from mmrl.soundness.damage import Damage
from mmrl.storage.files import Storage
from mmrl.storage.opening import storage_of

if TYPE_CHECKING:
    import lance

_NEWEST = 1 << 64  # Lance names the file of version n by this less 1 less n
_FETCHED = "their images are fetched again by the next `mmrl run`; imported ones by the same import"
_AGAIN = {  # what brings lost rows of a table back
    "posts": "import the same files again; posts that were collected live are lost",
    "observations": "import the same files again; observations made live are lost",
    "images": _FETCHED,
    "post_images": _FETCHED,
    "predictions": "posts that have not matured are predicted again by the next `mmrl run`",
    "failures": "what failed is tried again",
    "service": "the collector begins anew at the newest posts",
    "gaps": "the collector notices new gaps only",
    "checks": "posts are checked again by the next `mmrl purge`",
    "purged": "counts of earlier purges are lost",
    "purged_models": "counts of earlier purges are lost",
}
_NEVER = ("meta", "purged_marks", "purging", "purge_late")  # without them purged posts come back
_REMADE = "the next `mmrl run` makes them again"


@dataclass(frozen=True)
class _Files:
    """The files of one table; `name` is the table's."""

    storage: Storage
    name: str

    @property
    def folder(self) -> str:
        return f"catalog/{self.name}.lance"

    def address(self, *parts: str) -> str:
        """Where Lance finds it, or something in it."""
        return str(self.storage.location.join(self.folder, *parts))


def check_tables(home: str | Path) -> Iterator[Damage]:
    """What is broken in the tables of a home."""
    storage = storage_of(home)
    for folder in storage.folders("catalog"):
        if folder.endswith(".lance"):
            yield from _check_table(_Files(storage, folder.removesuffix(".lance")))


def _check_table(files: _Files) -> Iterator[Damage]:
    import lance

    name = files.name
    again = _AGAIN.get(name, _REMADE)
    try:
        with _panics():
            dataset = lance.dataset(files.address())
    except Exception as error:
        yield _unopened(files, again, first_line(error))
        return
    lost = [part for part in dataset.get_fragments() if not _whole(dataset, part, files)]
    if not lost:
        return
    rows = sum(part.physical_rows for part in lost)
    broken = f"{len(lost)} of {len(dataset.get_fragments())} files of data can't be read"
    if name in _NEVER:
        yield Damage(f"table {name}", broken, "restore the home from a copy", None)
        return
    numbers = [part.fragment_id for part in lost]
    yield Damage(
        f"table {name}",
        f"{broken} ({rows:,} rows)",
        f"these rows are taken out; {again}",
        lambda: _take_out(files, dataset.version, numbers),
    )


def _unopened(files: _Files, again: str, why: str) -> Damage:
    name = files.name
    earlier = _newest_that_opens(files)
    if earlier is not None:
        return Damage(
            f"table {name}",
            f"its newest version can't be read: {why}",
            f"version {earlier}, the newest that can, is taken; of what was written since, {again}",
            lambda: _go_back(files, earlier),
        )
    if not any(
        files.storage.walk(f"{files.folder}/data")
    ):  # a process was killed as it made the table
        return Damage(
            f"table {name}", "it was never finished", "it is taken away", lambda: _remove(files)
        )
    broken = f"no version of it can be read: {why}"
    if name in _NEVER or name in ("posts", "observations"):
        return Damage(f"table {name}", broken, "restore the home from a copy", None)
    return Damage(
        f"table {name}", broken, f"its rows are taken out; {again}", lambda: _remove(files)
    )


def _whole(dataset: "lance.LanceDataset", part: "lance.LanceFragment", files: _Files) -> bool:
    """Whether a fragment's files are there, end as they should, and give up its keys."""
    from lance.file import LanceFileReader

    keys = key_columns(dataset.schema) or dataset.schema.names[:1]
    try:
        with _panics():
            for file in part.data_files():
                LanceFileReader(files.address("data", file.path)).metadata()
            part.to_table(columns=keys)
    except Exception:  # whatever it is, the file is not readable
        return False
    return True


def _take_out(files: _Files, version: int, fragments: list[int]) -> None:
    import lance

    lance.LanceDataset.commit(
        files.address(), lance.LanceOperation.Delete([], fragments, "false"), read_version=version
    )


def _versions(files: _Files) -> dict[int, str]:
    """The files of a table's versions, newest first."""
    manifests = {}
    for stored in files.storage.walk(f"{files.folder}/_versions"):
        stem, _, ending = stored.name.rpartition("/")[2].rpartition(".")
        if ending == "manifest" and stem.isdigit():
            number = int(stem)
            manifests[number if number < _NEWEST >> 1 else _NEWEST - 1 - number] = stored.name
    return dict(sorted(manifests.items(), reverse=True))


def _newest_that_opens(files: _Files) -> int | None:
    import lance

    for number in _versions(files):
        with contextlib.suppress(Exception), _panics():
            dataset = lance.dataset(files.address(), version=number)
            dataset.count_rows()
            return number
    return None


def _go_back(files: _Files, version: int) -> None:
    later = [name for number, name in _versions(files).items() if number > version]
    files.storage.delete([*later, f"{files.folder}/_versions/latest_version_hint.json"])


def _remove(files: _Files) -> None:
    files.storage.delete_folder(files.folder)


@contextlib.contextmanager
def _panics() -> Iterator[None]:
    """Lance's Rust code that gave up is one more error, and no end of the command."""
    try:
        yield
    except Exception:
        raise
    except BaseException as error:
        if type(error).__name__ != "PanicException":
            raise
        raise RuntimeError(first_line(error)) from error
