"""Stores of the registry: a list of versions with their metrics, and their files.

The files of a version lie in the home, under `models/`. The list is MLflow's: the home's own
database, or a server's where MLFLOW_TRACKING_URI is set. A home in an object store, where SQLite
can't live, has a list of its own unless there is a server.
"""

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from mmrl.errors import CatalogError, NotFoundError
from mmrl.learning.evaluation.record import Evaluation, Measure, Measures
from mmrl.learning.registry.database import Kept, Logged, folder_of
from mmrl.runtime.foreign_text import without_userinfo
from mmrl.storage.location import Location
from mmrl.storage.opening import storage_of

MODEL = "mmrl"
CHAMPION = "champion"
RECORD = "version.json"  # beside the model: what the list says of the version
_LIBRARIES = {"mlflow", "sqlalchemy", "alembic", "sqlite3", "pyarrow"}


class Store(ABC):
    """The versions of one home.

    Attributes:
        storage: the home's files.
    """

    def __init__(self, home: Location) -> None:
        self.home = home
        self.storage = storage_of(home)

    @property
    def place(self) -> str:
        """Where the list is kept, in words."""
        return str(self.home)

    @abstractmethod
    def broken(self, why: str) -> CatalogError:
        """The error for a list that can't be read."""

    @abstractmethod
    def add(
        self,
        name: str,
        tags: Mapping[str, str],
        evaluation: Evaluation,
        write: Callable[[Path], None],
    ) -> str:
        """Adds a version: a run with its metrics, and the version's files.

        Args:
            name: the run's.
            write: writes the files into a folder, which it makes.

        Returns:
            the version's number.
        """

    @abstractmethod
    def versions(self) -> Sequence[Kept]:
        """Every version, oldest first; of a home's own list read without MLflow."""

    @abstractmethod
    def champion_number(self) -> str | None:
        """The champion's version number, or None where there is none."""

    @abstractmethod
    def crown(self, number: str | None) -> None:
        """Makes a version the champion; None: there is no champion any more."""

    @abstractmethod
    def logged(self, kept: Kept) -> Logged:
        """What a version reached, and with what."""

    @abstractmethod
    def drop(self, kept: Kept) -> None:
        """Takes a version off the list and deletes its files; its number is not given again."""

    @abstractmethod
    def attach_report(self, kept: Kept, report: Path) -> None:
        """Shows a version's report, a file on this machine, where the list has a page."""

    def version(self, version: str) -> Kept:
        """A version by its number, or by `champion` or `latest`.

        Raises:
            NotFoundError: it does not exist.
        """
        versions = {kept.version: kept for kept in self.versions()}
        if not versions:
            raise NotFoundError(
                f"No model was trained yet in {self.home}: train one with `mmrl train`."
            )
        number: str | None = str(version).removeprefix("v")
        if number == CHAMPION:
            number = self.champion_number()
        elif number == "latest":
            number = list(versions)[-1]
        if number not in versions:
            raise NotFoundError(
                f"There is no model version {version!r}: there are {', '.join(versions)}, "
                f"`{CHAMPION}` and `latest`; `mmrl models list` shows them."
            )
        return versions[number]

    @contextmanager
    def at_hand(self, kept: Kept) -> Iterator[Path]:
        """A folder on this machine with a version's files, to be read within the block.

        Raises:
            CatalogError: they are gone.
        """
        with self.storage.at_hand(folder_of(kept.run_id)) as folder:
            if not folder.is_dir():
                raise CatalogError(
                    f"The files of version {kept.version} are gone from {folder}: promote "
                    "another version, or let `mmrl repair` take this one off the list."
                )
            yield folder

    def read(self, kept: Kept, name: str) -> bytes | None:
        """A file of a version; None where it is not there."""
        return self.storage.read(f"{folder_of(kept.run_id)}/{name}")

    def write(self, kept: Kept, name: str, data: bytes) -> None:
        """Writes a file of a version, whole; nothing of an earlier one stays."""
        folder = folder_of(kept.run_id)
        left = [stored.name for stored in self.storage.walk(folder)]  # of a process that was killed
        self.storage.delete(one for one in left if name in one and one != f"{folder}/{name}")
        self.storage.write(f"{folder}/{name}", data)

    def record(self, run_id: str, number: str, tags: Mapping[str, str]) -> None:
        """Writes beside a version's files what the list says of it, for `mmrl repair`."""
        kept = json.dumps({"version": number, "tags": dict(tags)})
        self.storage.write(f"{folder_of(run_id)}/{RECORD}", kept.encode())

    @contextmanager
    def keeping(self) -> Iterator[None]:
        """Says in one sentence what MLflow, its database or the disk reports on a write."""
        try:
            yield
        except Exception as error:
            if not _is_outside(error):
                raise
            raise CatalogError(
                f"The model could not be kept in {self.place}: {_first(error)}. "
                "Versions kept before are whole; mend that (a full disk?) and run `mmrl train` "
                "again."
            ) from error

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Says in one sentence what MLflow, its database or a version's file reports on a read."""
        try:
            yield
        except Exception as error:
            if not _is_outside(error):
                raise
            raise self.broken(_first(error)) from error


def logged_of(evaluation: Evaluation) -> Logged:
    """An evaluation as parameters, settings of [train] by their names, and metrics."""
    splits, training = evaluation.splits, evaluation.training
    params = {
        "profile": evaluation.profile,
        "train.target": evaluation.target,
        "train.split": splits.kind,
        "train.seed": training.seed,
        **{
            f"train.{name}": "unset" if value is None else value
            for name, value in evaluation.settings.items()
        },
        "epochs": training.epochs,
        "network_weight": round(training.network_weight, 4),
        **{f"posts.{name}": part.posts for name, part in splits.parts.items()},
        "posts.between": splits.between_posts,
        "posts.earlier_tests": splits.judged_posts - splits.test.posts,
        **{f"encoder.{role}": name for role, name in evaluation.encoders.items()},
        **{f"table.{name}": number for name, number in evaluation.table_versions.items()},
    }
    metrics = {
        f"{model}.{name}.{part}": float(value)
        for model, result in evaluation.models.items()
        for name, measure in result.metrics.items()
        if measure is not None
        for part, value in asdict(measure).items()
    }
    return Logged(metrics, {name: str(value) for name, value in params.items()})


def _is_outside(error: Exception) -> bool:
    """Whether it is the word of MLflow, its database or the disk, not a fault of mmrl's own."""
    library = type(error).__module__.partition(".")[0]
    return isinstance(error, OSError) or library in _LIBRARIES


def _first(error: Exception) -> str:
    """The first line of what it says, or its name; without the password of an address in it."""
    lines = without_userinfo(str(error)).strip().splitlines()
    return lines[0].rstrip(".") if lines else type(error).__name__


def measures_of(logged: Logged, model: str) -> Measures:
    """A model's metrics as a run logged them."""
    metrics = logged.metrics
    names = [
        key.split(".")[1]
        for key in metrics
        if key.startswith(f"{model}.") and key.endswith(".value")
    ]
    return {
        name: Measure(*(metrics[f"{model}.{name}.{part}"] for part in ("value", "low", "high")))
        for name in names
    }
