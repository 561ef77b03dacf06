"""MLflow's records and files of one home: its client, the versions in it, and what a run logs.

By default MLflow keeps its records in `mlflow.db` (SQLite) in the home, and the files lie under
`models/`, wherever the home is moved to; with MLFLOW_TRACKING_URI set it is that server instead.
Nothing is sent anywhere else: MLflow's telemetry is off.
"""

import json
import logging
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from mmrl.errors import CatalogError, ConfigError, NotFoundError
from mmrl.learning.evaluation.record import Evaluation, Measure, Measures
from mmrl.learning.registry.database import (
    FILE,
    Kept,
    Logged,
    alias_of,
    broken_database,
    database_of,
    files_of,
    logged_by,
    make_relative,
    versions_of,
)
from mmrl.runtime.lean import allow_pandas
from mmrl.runtime.location import Location

if TYPE_CHECKING:
    from mlflow import MlflowClient

MODEL = "mmrl"
CHAMPION = "champion"
RECORD = "version.json"  # beside the model: what `mlflow.db` says of the version
_LIBRARIES = {"mlflow", "sqlalchemy", "alembic", "sqlite3", "pyarrow"}


class Store:
    """MLflow for one home.

    Raises:
        ConfigError: the home is in an object store and no MLFLOW_TRACKING_URI is set.
    """

    def __init__(self, home: str | Path) -> None:
        self.home = Location.of(home)
        self.server = os.environ.get("MLFLOW_TRACKING_URI")
        if not (self.home.is_local or self.server):
            raise ConfigError(
                f"The home {self.home} is in an object store, where SQLite can't live: set "
                "MLFLOW_TRACKING_URI to an MLflow server."
            )

    @contextmanager
    def keeping(self) -> Iterator[None]:
        """Says in one sentence what MLflow, its database or the disk reports on a write."""
        try:
            yield
        except Exception as error:
            if not _is_outside(error):
                raise
            raise CatalogError(
                f"The model could not be kept in {self.server or self.home}: {_first(error)}. "
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
            if self.server:
                raise CatalogError(
                    f"The models at {self.server} can't be read: {_first(error)}. See that the "
                    "MLflow server of MLFLOW_TRACKING_URI answers, and try again."
                ) from error
            raise broken_database(self.home.path / FILE, _first(error)) from error

    @cached_property
    def client(self) -> "MlflowClient":
        """MLflow's client, imported when it is first needed."""
        os.environ["DO_NOT_TRACK"] = "true"
        os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
        logging.getLogger("mlflow").setLevel(logging.WARNING)
        logging.getLogger("alembic").setLevel(logging.WARNING)
        allow_pandas()
        from mlflow import MlflowClient

        # Importing MLflow sets its loggers up, so they are quietened once more.
        for name in ("mlflow", "mlflow.store.db.utils", "alembic"):
            logging.getLogger(name).setLevel(logging.WARNING)
        # SQLAlchemy takes %20 in a path for a blank. Without the driver's name, MLflow would make
        # a folder of the quoted name.
        path = quote(str(self.home.path.absolute() / FILE))
        store = self.server or f"sqlite+pysqlite:///{path}"
        return MlflowClient(tracking_uri=store, registry_uri=store)

    @cached_property
    def experiment(self) -> str:
        """The id of the experiment that runs belong to, made unless it is there."""
        existing = self.client.get_experiment_by_name(MODEL)
        if existing is not None:
            return str(existing.experiment_id)
        return str(self.client.create_experiment(MODEL))

    def make_relative(self) -> None:
        """Lets the home's database hold addresses that stay true where the home is moved."""
        database = None if self.server else database_of(self.home)
        if database is not None and self.experiment:  # which makes the database
            make_relative(database)

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
        self.make_relative()
        run = self.client.create_run(self.experiment, tags=dict(tags), run_name=name)
        run_id = str(run.info.run_id)
        self.log(run_id, evaluation)
        if self.server:
            with tempfile.TemporaryDirectory() as folder:
                write(Path(folder))
                self.client.log_artifacts(run_id, folder, "model")
        else:
            write(files_of(self.home, run_id))
        self.client.set_terminated(run_id)
        self.ensure_model()
        source = f"{run.info.artifact_uri}/model"
        made = self.client.create_model_version(MODEL, source, run_id, tags=dict(tags))
        if not self.server:
            kept = {"version": str(made.version), "tags": dict(tags)}
            (files_of(self.home, run_id) / RECORD).write_text(json.dumps(kept), encoding="utf-8")
        return str(made.version)

    def ensure_model(self) -> None:
        """Makes the registered model that versions belong to, unless it is there."""
        if not self.client.search_registered_models(f"name = '{MODEL}'"):
            self.client.create_registered_model(MODEL)

    def versions(self) -> Sequence[Kept]:
        """Every version, oldest first; of a home on a disk read without MLflow."""
        if not self.server:
            return versions_of(self.home)
        found = self.client.search_model_versions(f"name = '{MODEL}'")
        kept = [
            Kept(str(one.version), str(one.run_id), str(one.source), dict(one.tags))
            for one in found
        ]
        return sorted(kept, key=lambda version: int(version.version))

    def champion_number(self) -> str | None:
        """The champion's version number, or None where there is none."""
        if not self.server:
            return alias_of(self.home, CHAMPION)
        for model in self.client.search_registered_models(f"name = '{MODEL}'"):
            number = model.aliases.get(CHAMPION)
            return None if number is None else str(number)
        return None

    def logged(self, run_id: str) -> Logged:
        """What a run logged."""
        if not self.server:
            return logged_by(self.home, run_id)
        data = self.client.get_run(run_id).data
        return Logged(dict(data.metrics), dict(data.params))

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

    def folder(self, version: Kept) -> Path:
        """The folder of a version's files, or of a copy of them.

        Raises:
            CatalogError: it is gone.
        """
        if not self.server:
            folder = files_of(self.home, version.run_id)
            if not folder.is_dir():
                raise CatalogError(
                    f"The files of version {version.version} are gone from {folder}: promote "
                    "another version, or let `mmrl repair` take this one off the list."
                )
            return folder
        import mlflow.artifacts

        place = mlflow.artifacts.download_artifacts(
            artifact_uri=version.source, tracking_uri=self.client.tracking_uri
        )
        return Path(place)

    def log(self, run_id: str, evaluation: Evaluation) -> None:
        """Logs an evaluation as the run's parameters and metrics."""
        from mlflow.entities import Metric as Logged
        from mlflow.entities import Param

        splits, training = evaluation.splits, evaluation.training
        params = {
            "target": evaluation.target,
            "profile": evaluation.profile,
            "split": splits.kind,
            "seed": training.seed,
            "epochs": training.epochs,
            "network_weight": round(training.network_weight, 4),
            **{f"posts.{name}": part.posts for name, part in splits.parts.items()},
            **{f"encoder.{role}": name for role, name in evaluation.encoders.items()},
            **{f"table.{name}": number for name, number in evaluation.table_versions.items()},
        }
        values = {
            f"{model}.{name}.{part}": value
            for model, result in evaluation.models.items()
            for name, measure in result.metrics.items()
            if measure is not None
            for part, value in asdict(measure).items()
        }
        losses = [
            Logged(f"training.{name}", value, 0, step)
            for name, curve in (
                ("loss", training.loss),
                ("validation_loss", training.validation_loss),
            )
            for step, value in enumerate(curve)
        ]
        metrics = [Logged(name, float(value), 0, 0) for name, value in values.items()] + losses
        for start in range(0, len(metrics), 900):  # MLflow takes at most 1,000 at once
            self.client.log_batch(run_id, metrics=metrics[start : start + 900])
        self.client.log_batch(run_id, params=[Param(k, str(v)) for k, v in params.items()])


def _is_outside(error: Exception) -> bool:
    """Whether it is the word of MLflow, its database or the disk, not a fault of mmrl's own."""
    library = type(error).__module__.partition(".")[0]
    return isinstance(error, OSError) or library in _LIBRARIES


def _first(error: Exception) -> str:
    """The first line of what it says, or its name."""
    lines = str(error).strip().splitlines()
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
