"""The list of models of a home in an object store: an object, changed by conditional puts."""

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

from mmrl.errors import CatalogError
from mmrl.learning.evaluation.record import Evaluation
from mmrl.learning.registry.database import FILES, Kept, Logged, folder_of
from mmrl.learning.registry.store import Store, logged_of
from mmrl.storage.location import Location

FILE = f"{FILES}/list.json"


@dataclass
class _Version:
    """A version; `metrics` are those that lists show: the model's own, and the ceiling's."""

    run_id: str
    tags: dict[str, str]
    metrics: dict[str, float]
    params: dict[str, str]


@dataclass(frozen=True)
class Found:
    """A version as its files tell of it; `number` is None where an earlier mmrl kept it."""

    run_id: str
    number: int | None
    tags: Mapping[str, str]
    evaluation: Evaluation


@dataclass
class _List:
    """What the object holds.

    Attributes:
        versions: by number, oldest first; not those dropped.
        newest: the highest number that was ever given.
        written: a random word, so that no two processes ever write the same.
    """

    versions: dict[str, _Version] = field(default_factory=dict)
    newest: int = 0
    champion: str | None = None
    written: str = ""

    def add(self, version: _Version, number: int = 0) -> None:
        """Adds one by the next number, or a higher one that is given."""
        self.newest = max(self.newest + 1, number)
        self.versions[str(self.newest)] = version


class ListStore(Store):
    """Implements `Store` by the home's own list."""

    def __init__(self, home: Location) -> None:
        super().__init__(home)
        self._known: dict[str, _Version] = {}  # as last read; what a version reached never changes

    def broken(self, why: str) -> CatalogError:
        return CatalogError(
            f"{self.home.join(FILE)}, the list of the home's models, can't be read ({why}): bring "
            "back an earlier version of the object, or delete it and let `mmrl repair` make it "
            "again from the models' files."
        )

    def add(  # as `Store` has it, whose parameters a store repeats
        self,
        name: str,
        tags: Mapping[str, str],
        evaluation: Evaluation,
        write: Callable[[Path], None],
    ) -> str:
        run_id = uuid4().hex
        with self.storage.filled(folder_of(run_id)) as place:
            write(place)
        number = self.enlist(run_id, tags, evaluation)
        self.record(run_id, number, tags)
        return number

    def enlist(self, run_id: str, tags: Mapping[str, str], evaluation: Evaluation) -> str:
        """Adds a version whose files are there, by the next number.

        Returns:
            its number.
        """
        version = _version_of(run_id, tags, evaluation)
        return str(self._change(lambda kept: kept.add(version)).newest)

    def make_again(self, entries: Sequence[Found], broken: bytes | None) -> list[str]:
        """Writes the list, by one put, over one that is broken or gone (None).

        The newest version becomes champion. What another process has listed meanwhile stays.

        Returns:
            the numbers of all versions.
        """
        versions = [_version_of(one.run_id, one.tags, one.evaluation) for one in entries]
        told = {one.run_id: one.number for one in entries}

        def parse(data: bytes | None) -> _List:
            if data != broken:
                with suppress(CatalogError):
                    return self._parse(data)
            return _List()

        def make(kept: _List) -> None:
            listed = {version.run_id for version in kept.versions.values()}
            for version in versions:
                if version.run_id not in listed:
                    kept.add(version, told[version.run_id] or 0)
            kept.champion = kept.champion or next(reversed(kept.versions), None)

        made = self._change(make, parse)
        for number, version in made.versions.items():
            if str(told.get(version.run_id, number)) != number:
                self.record(version.run_id, number, version.tags)
        return list(made.versions)

    def versions(self) -> Sequence[Kept]:
        self._known = self._read().versions
        return [
            Kept(number, one.run_id, str(self.home.join(folder_of(one.run_id))), one.tags)
            for number, one in self._known.items()
        ]

    def champion_number(self) -> str | None:
        return self._read().champion

    def crown(self, number: str | None) -> None:
        def crown(kept: _List) -> None:
            kept.champion = number

        self._change(crown)

    def logged(self, kept: Kept) -> Logged:
        known = self._known[kept.version]
        return Logged(known.metrics, known.params)

    def attach_report(self, kept: Kept, report: Path) -> None:
        pass  # it has no page

    def drop(self, kept: Kept) -> None:
        def drop(known: _List) -> None:
            known.versions.pop(kept.version, None)

        self._change(drop)
        self.storage.delete_folder(f"{FILES}/{kept.run_id}")

    def _read(self) -> _List:
        return self._parse(self.storage.read(FILE))

    def _parse(self, data: bytes | None) -> _List:
        if data is None:
            return _List()
        try:
            kept: dict[str, Any] = json.loads(data)
            kept["versions"] = {n: _Version(**one) for n, one in kept["versions"].items()}
            return _List(**kept)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise self.broken(str(error) or type(error).__name__) from error

    def _change(
        self,
        note: Callable[[_List], None],
        parse: Callable[[bytes | None], _List] | None = None,
    ) -> _List:
        changed: list[_List] = []

        def new(data: bytes | None) -> bytes:
            kept = (parse or self._parse)(data)
            note(kept)
            kept.written = uuid4().hex
            changed.append(kept)
            return json.dumps(asdict(kept)).encode()

        self.storage.change(FILE, new)
        return changed[-1]


def _version_of(run_id: str, tags: Mapping[str, str], evaluation: Evaluation) -> _Version:
    from mmrl.learning.blend import MODEL
    from mmrl.learning.judged_blocks import CEILING

    logged = logged_of(evaluation)
    metrics = {
        metric: value
        for metric, value in logged.metrics.items()
        if metric.partition(".")[0] in (MODEL, CEILING)
    }
    return _Version(run_id, dict(tags), metrics, dict(logged.params))
