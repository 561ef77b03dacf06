"""MLflow's records of one home: its own `mlflow.db` (SQLite), or an MLflow server's.

Nothing is sent anywhere else: MLflow's telemetry is off.
"""

import logging
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from mmrl.errors import CatalogError
from mmrl.learning.evaluation.record import Evaluation
from mmrl.learning.registry.database import (
    FILE,
    FILES,
    Kept,
    Logged,
    alias_of,
    broken_database,
    database_of,
    folder_of,
    logged_by,
    make_relative,
    versions_of,
)
from mmrl.learning.registry.flavour import write_flavour
from mmrl.learning.registry.store import CHAMPION, MODEL, Store, logged_of
from mmrl.runtime.foreign_text import without_userinfo
from mmrl.runtime.lean import allow_pandas
from mmrl.storage.location import Location

if TYPE_CHECKING:
    from mlflow import MlflowClient

NOTE = "mlflow.note.content"  # the tag that MLflow shows as a run's description
REPORT = "report.html"  # among a run's files


class MlflowStore(Store):
    """Implements `Store` by MLflow.

    Args:
        server: an MLflow server's address, or its database's; None for the home's own.
    """

    def __init__(self, home: Location, server: str | None) -> None:
        super().__init__(home)
        self.server = server
        # A server looks after the files, too, unless the home is where several machines see them.
        self._uploads = server is not None and home.is_local

    @property
    def place(self) -> str:
        return without_userinfo(self.server) if self.server else str(self.home)

    def broken(self, why: str) -> CatalogError:
        if self.server:
            return CatalogError(
                f"The models at {self.place} can't be read: {why}. See that the MLflow server of "
                "MLFLOW_TRACKING_URI answers, and try again."
            )
        return broken_database(self.home.path / FILE, why)

    @cached_property
    def client(self) -> "MlflowClient":
        """MLflow's client, imported when it is first needed."""
        os.environ["DO_NOT_TRACK"] = "true"
        os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
        os.environ["MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR"] = "false"
        os.environ["MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT"] = "true"
        logging.getLogger("mlflow").setLevel(logging.WARNING)
        logging.getLogger("alembic").setLevel(logging.WARNING)
        allow_pandas()
        from mlflow import MlflowClient

        # Importing MLflow sets its loggers up, so they are quietened once more.
        for name in ("mlflow", "mlflow.store.db.utils", "alembic"):
            logging.getLogger(name).setLevel(logging.WARNING)
        store = self.server
        if store is None:
            # SQLAlchemy takes %20 in a path for a blank. Without the driver's name, MLflow would
            # make a folder of the quoted name.
            path = quote(str(self.home.path.absolute() / FILE))
            store = f"sqlite+pysqlite:///{path}"
        return MlflowClient(tracking_uri=store, registry_uri=store)

    @cached_property
    def experiment(self) -> str:
        """The id of the experiment that runs belong to, made unless it is there."""
        existing = self.client.get_experiment_by_name(MODEL)
        if existing is not None:
            return str(existing.experiment_id)
        files = None if self.home.is_local else str(self.home.join(FILES))
        return str(self.client.create_experiment(MODEL, artifact_location=files))

    def make_relative(self) -> None:
        """Lets the home's database hold addresses that stay true where the home is moved."""
        database = None if self.server else database_of(self.home)
        if database is not None and self.experiment:  # which makes the database
            make_relative(database)

    def add(  # as `Store` has it, whose parameters a store repeats
        self,
        name: str,
        tags: Mapping[str, str],
        evaluation: Evaluation,
        write: Callable[[Path], None],
    ) -> str:
        self.make_relative()
        about = {NOTE: evaluation.verdict, **tags}
        run = self.client.create_run(self.experiment, tags=about, run_name=name)
        run_id = str(run.info.run_id)
        self._log(run_id, evaluation)
        source = f"{run.info.artifact_uri}/model"
        if self._uploads:
            with tempfile.TemporaryDirectory() as folder:
                write(Path(folder))
                write_flavour(Path(folder), run_id)
                self.client.log_artifacts(run_id, folder, "model")
        else:
            with self.storage.filled(folder_of(run_id)) as place:
                write(place)
                write_flavour(place, run_id)
            if not self.home.is_local:
                source = str(self.home.join(folder_of(run_id)))
        self.client.set_terminated(run_id)
        self.ensure_model()
        made = self.client.create_model_version(
            MODEL, source, run_id, tags=dict(tags), description=evaluation.verdict
        )
        if not self._uploads:
            self.record(run_id, str(made.version), tags)
        return str(made.version)

    def attach_report(self, kept: Kept, report: Path) -> None:
        if self._uploads:
            text = report.read_text(encoding="utf-8")
            self.client.log_text(kept.run_id, text, REPORT)
        elif self.home.is_local:  # a link: what a purge takes out of the report is gone here
            link = self.home.path.absolute() / FILES / kept.run_id / "artifacts" / REPORT
            link.unlink(missing_ok=True)
            link.symlink_to(os.path.relpath(report.absolute(), link.parent))

    def ensure_model(self) -> None:
        """Makes the registered model that versions belong to, unless it is there."""
        if not self.client.search_registered_models(f"name = '{MODEL}'"):
            self.client.create_registered_model(MODEL)

    def versions(self) -> Sequence[Kept]:
        if not self.server:
            return versions_of(self.home)
        registered = self.client.search_model_versions(f"name = '{MODEL}'")
        kept = [
            Kept(str(one.version), str(one.run_id), str(one.source), dict(one.tags))
            for one in registered
        ]
        return sorted(kept, key=lambda version: int(version.version))

    def champion_number(self) -> str | None:
        if not self.server:
            return alias_of(self.home, CHAMPION)
        for model in self.client.search_registered_models(f"name = '{MODEL}'"):
            number = model.aliases.get(CHAMPION)
            return None if number is None else str(number)
        return None

    def crown(self, number: str | None) -> None:
        if number is None:
            self.client.delete_registered_model_alias(MODEL, CHAMPION)
        else:
            self.client.set_registered_model_alias(MODEL, CHAMPION, number)

    def logged(self, kept: Kept) -> Logged:
        if not self.server:
            return logged_by(self.home, kept.run_id)
        data = self.client.get_run(kept.run_id).data
        return Logged(dict(data.metrics), dict(data.params))

    def drop(self, kept: Kept) -> None:
        self.client.delete_model_version(MODEL, kept.version)
        if not self._uploads:
            self.storage.delete_folder(f"{FILES}/{kept.run_id}")

    @contextmanager
    def at_hand(self, kept: Kept) -> Iterator[Path]:
        if not self._uploads:
            with super().at_hand(kept) as folder:
                yield folder
            return
        with tempfile.TemporaryDirectory(prefix="mmrl-") as place:
            yield Path(self._download(kept.source, place))

    def read(self, kept: Kept, name: str) -> bytes | None:
        if not self._uploads:
            return super().read(kept, name)
        there = {file.path for file in self.client.list_artifacts(kept.run_id, "model")}
        if f"model/{name}" not in there:
            return None
        with tempfile.TemporaryDirectory(prefix="mmrl-") as place:
            return Path(self._download(f"{kept.source}/{name}", place)).read_bytes()

    def write(self, kept: Kept, name: str, data: bytes) -> None:
        if not self._uploads:
            super().write(kept, name, data)
            return
        with tempfile.TemporaryDirectory(prefix="mmrl-") as place:
            file = Path(place) / name
            file.write_bytes(data)
            self.client.log_artifact(kept.run_id, str(file), "model")

    def _download(self, uri: str, place: str) -> str:
        import mlflow.artifacts

        return str(
            mlflow.artifacts.download_artifacts(
                artifact_uri=uri, tracking_uri=self.client.tracking_uri, dst_path=place
            )
        )

    def _log(self, run_id: str, evaluation: Evaluation) -> None:
        """Logs an evaluation as the run's parameters and metrics."""
        from mlflow.entities import Metric, Param

        training = evaluation.training
        logged = logged_of(evaluation)
        losses = [
            Metric(f"training.{name}", value, 0, step)
            for name, curve in (
                ("loss", training.loss),
                ("validation_loss", training.validation_loss),
            )
            for step, value in enumerate(curve)
        ]
        metrics = [Metric(name, value, 0, 0) for name, value in logged.metrics.items()]
        metrics += losses
        for start in range(0, len(metrics), 900):  # MLflow takes at most 1,000 at once
            self.client.log_batch(run_id, metrics=metrics[start : start + 900])
        self.client.log_batch(run_id, params=[Param(*one) for one in logged.params.items()])
