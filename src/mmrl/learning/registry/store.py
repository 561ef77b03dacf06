"""MLflow's records and files of one home: its client, the versions in it, and what a run logs.

By default MLflow keeps its records in `mlflow.db` (SQLite) in the home and its files under
`models/`; with MLFLOW_TRACKING_URI set it is that server instead. Nothing is sent anywhere else:
MLflow's telemetry is off.
"""

import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from mmrl.errors import CatalogError, ConfigError, NotFoundError
from mmrl.learning.evaluation.record import Evaluation, Measure, Measures
from mmrl.runtime.location import Location

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run
    from mlflow.entities.model_registry import ModelVersion

MODEL = "mmrl"
CHAMPION = "champion"


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
    def clear_errors(self) -> Iterator[None]:
        """Says in one sentence what MLflow or its database reports when it can't write."""
        from mlflow.exceptions import MlflowException
        from sqlalchemy.exc import SQLAlchemyError

        try:
            yield
        except (MlflowException, SQLAlchemyError, OSError) as error:
            first = str(error).strip().splitlines()[0]
            raise CatalogError(
                f"The model could not be kept in {self.server or self.home}: {first}. Versions "
                "kept before are whole; mend that (a full disk?) and run `mmrl train` again."
            ) from error

    @cached_property
    def client(self) -> "MlflowClient":
        """MLflow's client, imported when it is first needed."""
        os.environ["DO_NOT_TRACK"] = "true"
        os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
        logging.getLogger("mlflow").setLevel(logging.WARNING)
        logging.getLogger("alembic").setLevel(logging.WARNING)
        from mlflow import MlflowClient

        # Importing MLflow sets its loggers up, so they are quietened once more.
        for name in ("mlflow", "mlflow.store.db.utils", "alembic"):
            logging.getLogger(name).setLevel(logging.WARNING)
        store = self.server or f"sqlite:///{self.home.path.absolute()}/mlflow.db"
        return MlflowClient(tracking_uri=store, registry_uri=store)

    @cached_property
    def experiment(self) -> str:
        """The id of the experiment that runs belong to, made unless it is there."""
        existing = self.client.get_experiment_by_name(MODEL)
        if existing is not None:
            return str(existing.experiment_id)
        place = None if self.server else (self.home.path.absolute() / "models").as_uri()
        return str(self.client.create_experiment(MODEL, artifact_location=place))

    def ensure_model(self) -> None:
        """Makes the registered model that versions belong to, unless it is there."""
        if not self.client.search_registered_models(f"name = '{MODEL}'"):
            self.client.create_registered_model(MODEL)

    def _exists(self) -> bool:
        """False where nothing was ever kept: then no database is made just to look."""
        return bool(self.server) or (self.home.path / "mlflow.db").is_file()

    def versions(self) -> "Sequence[ModelVersion]":
        """Every version, oldest first."""
        if not self._exists():
            return []
        kept = self.client.search_model_versions(f"name = '{MODEL}'")
        return sorted(kept, key=lambda version: int(version.version))

    def champion_number(self) -> str | None:
        """The champion's version number, or None where there is none."""
        if not self._exists():
            return None
        for model in self.client.search_registered_models(f"name = '{MODEL}'"):
            number = model.aliases.get(CHAMPION)
            return None if number is None else str(number)
        return None

    def version(self, version: str) -> "ModelVersion":
        """A version by its number, or by `champion` or `latest`.

        Raises:
            NotFoundError: it does not exist.
        """
        versions = {str(kept.version): kept for kept in self.versions()}
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

    def folder(self, version: "ModelVersion") -> Path:
        """The folder of a version's files, or of a copy of them."""
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


def measures_of(run: "Run", model: str) -> Measures:
    """A model's metrics as a run logged them."""
    logged = run.data.metrics
    names = [
        key.split(".")[1]
        for key in logged
        if key.startswith(f"{model}.") and key.endswith(".value")
    ]
    return {
        name: Measure(*(logged[f"{model}.{name}.{part}"] for part in ("value", "low", "high")))
        for name in names
    }
