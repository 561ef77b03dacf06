"""Every model ever trained, with its metrics, in MLflow; and which of them is the champion.

By default MLflow keeps its records in `mlflow.db` (SQLite) in the home and its files under
`models/`; with MLFLOW_TRACKING_URI set it is that server instead. Nothing is sent anywhere else:
MLflow's telemetry is off.
"""

import json
import logging
import os
import shutil
import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from mmrl.errors import CatalogError, ConfigError, NotFoundError
from mmrl.learning.evaluation.metrics import Metric
from mmrl.learning.model import TrainedModel
from mmrl.learning.registry.champion import Champion, Decision, decide
from mmrl.learning.train import Trained
from mmrl.runtime.location import Location
from mmrl.times import parse_time

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run
    from mlflow.entities.model_registry import ModelVersion

MODEL = "mmrl"
CHAMPION = "champion"
_LAST = "last_training.json"
_TEST_FILE = "test_predictions.parquet"
_FINGERPRINT, _DECISION, _AS_OF = "mmrl.fingerprint", "mmrl.decision", "mmrl.as_of"
_PROMOTE = "mmrl.promote"


@dataclass(frozen=True)
class Version:
    """A kept model as lists and charts show it.

    Attributes:
        trained_at: the `as_of` it was trained at, ISO 8601.
        metrics: its own on its test posts, as in an evaluation.
        noise_ceiling: the ceiling's, by name, for simulated posts; else empty.
        test_posts: how many those were; versions were judged on different ones.
        decision: why it became champion, or why not.
    """

    version: str
    run_id: str
    trained_at: str
    champion: bool
    metrics: dict[str, Metric]
    noise_ceiling: dict[str, Metric]
    test_posts: int
    decision: str

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


@dataclass(frozen=True)
class Shown(Version):
    """A kept model with its whole evaluation."""

    evaluation: dict[str, Any]

    def summary(self) -> str:
        """Version, date, splits, encoders and decision in a few lines."""
        splits = self.evaluation["splits"]
        parts = ", ".join(
            f"{splits[name]['posts']:,} {name} ({splits[name]['from'][:10]} to "
            f"{splits[name]['to'][:10]})"
            for name in ("train", "validation", "test")
        )
        leaking = " A random split: it leaks the future." if splits["leaking"] else ""
        encoders = "\n".join(
            f"  {role}: {name}" for role, name in self.evaluation["encoders"].items()
        )
        mark = " (champion)" if self.champion else ""
        return (
            f"Version {self.version}{mark}, trained as of {self.trained_at}. {self.decision}\n"
            f"Posts: {parts}.{leaking}\n{self.evaluation['verdict']}\nEncoders:\n{encoders}"
        )


@dataclass(frozen=True)
class Registered:
    """A kept model, ready to predict."""

    version: str
    model: TrainedModel
    folder: Path


class Registry:
    """The models of one home.

    Raises:
        ConfigError: the home is in an object store and no MLFLOW_TRACKING_URI is set.
    """

    def __init__(self, home: str | Path) -> None:
        self._home = Location.of(home)
        self._server = os.environ.get("MLFLOW_TRACKING_URI")
        if not (self._home.is_local or self._server):
            raise ConfigError(
                f"The home {self._home} is in an object store, where SQLite can't live: set "
                "MLFLOW_TRACKING_URI to an MLflow server."
            )

    # Keeping

    def register(
        self, trained: Trained, test_samples: pa.Table, *, fingerprint: str
    ) -> tuple[str, Decision]:
        """Keeps a model as the next version, and moves the champion if it is not worse.

        Args:
            test_samples: its test posts, for the champion to be judged on as well.
            fingerprint: of what it was trained on; see `last_training`.

        Returns:
            the version, and what became of the champion.
        """
        decision = decide(trained, test_samples, self._champion())
        with self._clear_errors():
            return self._keep(trained, decision, fingerprint), decision

    def _keep(self, trained: Trained, decision: Decision, fingerprint: str) -> str:
        client, experiment = self._client, self._experiment
        evaluation = trained.evaluation
        tags = {
            _FINGERPRINT: fingerprint,
            _DECISION: decision.reason,
            _PROMOTE: str(decision.promote),
            _AS_OF: evaluation["as_of"],
        }
        run = client.create_run(experiment, tags=tags, run_name=evaluation["as_of"])
        run_id = run.info.run_id
        self._log(run_id, evaluation)
        with tempfile.TemporaryDirectory() as folder:
            self._write(trained, Path(folder))
            client.log_artifacts(run_id, folder, "model")
        client.set_terminated(run_id)
        self._ensure_model()
        source = f"{run.info.artifact_uri}/model"
        made = client.create_model_version(MODEL, source, run_id, tags=tags)
        if decision.promote:
            client.set_registered_model_alias(MODEL, CHAMPION, made.version)
        self._remember(fingerprint, evaluation["as_of"], str(made.version))
        return str(made.version)

    @contextmanager
    def _clear_errors(self) -> Iterator[None]:
        """Says in one sentence what MLflow or its database reports when it can't write."""
        from mlflow.exceptions import MlflowException
        from sqlalchemy.exc import SQLAlchemyError

        try:
            yield
        except (MlflowException, SQLAlchemyError, OSError) as error:
            first = str(error).strip().splitlines()[0]
            raise CatalogError(
                f"The model could not be kept in {self._server or self._home}: {first}. Versions "
                "kept before are whole; mend that (a full disk?) and run `mmrl train` again."
            ) from error

    def promote(self, version: str) -> str:
        """Makes a version the champion by hand; `latest` is the newest. Returns its number.

        Raises:
            NotFoundError: it does not exist.
        """
        found = str(self._version(version).version)
        self._client.set_registered_model_alias(MODEL, CHAMPION, found)
        return found

    # Asking

    def list(self) -> Sequence[Version]:
        """Every version, oldest first; their metrics over time make a chart."""
        champion = self._champion_number()
        return [self._describe(found, champion) for found in self._versions()]

    def show(self, version: str = CHAMPION) -> Shown:
        """One version with its evaluation.

        Raises:
            NotFoundError: it does not exist.
        """
        found = self._version(version)
        described = self._describe(found, self._champion_number())
        text = (self._folder(found) / "evaluation.json").read_text(encoding="utf-8")
        return Shown(**vars(described), evaluation=json.loads(text))

    def compare(self, a: str, b: str) -> dict[str, Any]:
        """Two versions side by side: `{"a": ..., "b": ..., "metrics": {name: {"a", "b",
        "difference"}}, "same_test_posts": bool}`; a difference is b's value minus a's.

        Raises:
            NotFoundError: one does not exist.
        """
        one, other = self.show(a), self.show(b)
        ids = [
            set(pq.read_table(self._test_file(v), columns=["post_id"])["post_id"].to_pylist())
            for v in (one.version, other.version)
        ]
        metrics = {}
        for name in dict.fromkeys([*one.metrics, *other.metrics]):
            left, right = one.metrics.get(name), other.metrics.get(name)
            both = left is not None and right is not None
            metrics[name] = {
                "a": left,
                "b": right,
                "difference": right["value"] - left["value"] if left and right and both else None,
            }
        return {
            "a": Version(**{k: v for k, v in vars(one).items() if k != "evaluation"}).as_dict(),
            "b": Version(**{k: v for k, v in vars(other).items() if k != "evaluation"}).as_dict(),
            "metrics": metrics,
            "same_test_posts": ids[0] == ids[1],
        }

    def load(self, version: str = CHAMPION) -> Registered:
        """A version's model.

        Raises:
            NotFoundError: it does not exist.
            CatalogError: its files are broken.
        """
        found = self._version(version)
        folder = self._folder(found)
        return Registered(str(found.version), TrainedModel.load(folder), folder)

    def test_predictions(self, version: str = CHAMPION) -> pa.Table:
        """What a version said of its test posts; see `mmrl.learning.evaluation.evaluate`.

        Raises:
            NotFoundError: it does not exist.
        """
        return pq.read_table(self._test_file(version))

    def erase_posts(self, version: str, posts: Collection[str]) -> None:
        """Takes posts out of a version's test predictions; its metrics stay as they were.

        Raises:
            NotFoundError: it does not exist.
        """
        found = self._version(version)
        folder = self._folder(found)
        kept = pq.read_table(folder / _TEST_FILE)
        purged = pc.is_in(kept["post_id"], value_set=pa.array(list(posts), pa.string()))
        for left in folder.glob(f"{_TEST_FILE}.*"):  # of a purge that was killed just here
            left.unlink()
        partial = folder / f"{_TEST_FILE}.part"
        pq.write_table(kept.filter(pc.invert(purged)), partial)
        partial.replace(folder / _TEST_FILE)
        if not _is_local(str(found.source)):  # what was read is a copy
            run_id, file = str(found.run_id), str(folder / _TEST_FILE)
            self._client.log_artifact(run_id, file, "model")

    def has(self, fingerprint: str) -> bool:
        """Whether some version was trained on exactly that; the quick answer is `last_training`."""
        return any(found.tags.get(_FINGERPRINT) == fingerprint for found in self._versions())

    def settle(self, fingerprint: str) -> str:
        """Ends what a killed run left undone after keeping its model. Returns the model's version.

        Raises:
            NotFoundError: no version was trained on that.
        """
        versions = self._versions()
        for found in versions:
            if found.tags.get(_FINGERPRINT) == fingerprint:
                version = str(found.version)
                if found is versions[-1] and found.tags.get(_PROMOTE) == "True":
                    self.promote(version)
                self._remember(fingerprint, found.tags.get(_AS_OF, ""), version)
                return version
        raise NotFoundError("No model version was trained on these samples: `mmrl train`.")

    # Inside

    @cached_property
    def _client(self) -> "MlflowClient":
        os.environ["DO_NOT_TRACK"] = "true"
        os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
        logging.getLogger("mlflow").setLevel(logging.WARNING)
        logging.getLogger("alembic").setLevel(logging.WARNING)
        from mlflow import MlflowClient

        # Importing MLflow sets its loggers up, so they are quietened once more.
        for name in ("mlflow", "mlflow.store.db.utils", "alembic"):
            logging.getLogger(name).setLevel(logging.WARNING)
        store = self._server or f"sqlite:///{self._home.path.absolute()}/mlflow.db"
        return MlflowClient(tracking_uri=store, registry_uri=store)

    @cached_property
    def _experiment(self) -> str:
        found = self._client.get_experiment_by_name(MODEL)
        if found is not None:
            return str(found.experiment_id)
        place = None if self._server else (self._home.path.absolute() / "models").as_uri()
        return str(self._client.create_experiment(MODEL, artifact_location=place))

    def _ensure_model(self) -> None:
        if not self._client.search_registered_models(f"name = '{MODEL}'"):
            self._client.create_registered_model(MODEL)

    def _exists(self) -> bool:
        """False where nothing was ever kept: then no database is made just to look."""
        return bool(self._server) or (self._home.path / "mlflow.db").is_file()

    def _versions(self) -> "Sequence[ModelVersion]":
        if not self._exists():
            return []
        found = self._client.search_model_versions(f"name = '{MODEL}'")
        return sorted(found, key=lambda version: int(version.version))

    def _champion_number(self) -> str | None:
        if not self._exists():
            return None
        for model in self._client.search_registered_models(f"name = '{MODEL}'"):
            number = model.aliases.get(CHAMPION)
            return None if number is None else str(number)
        return None

    def _champion(self) -> Champion | None:
        number = self._champion_number()
        if number is None:
            return None
        trained_at = parse_time(self._version(number).tags[_AS_OF])
        return Champion(number, trained_at, self.load(number).model)

    def _version(self, version: str) -> "ModelVersion":
        versions = {str(found.version): found for found in self._versions()}
        if not versions:
            raise NotFoundError(
                f"No model was trained yet in {self._home}: train one with `mmrl train`."
            )
        wanted: str | None = str(version).removeprefix("v")
        if wanted == CHAMPION:
            wanted = self._champion_number()
        elif wanted == "latest":
            wanted = list(versions)[-1]
        if wanted not in versions:
            raise NotFoundError(
                f"There is no model version {version!r}: there are {', '.join(versions)}, "
                f"`{CHAMPION}` and `latest`; `mmrl models list` shows them."
            )
        return versions[wanted]

    def _describe(self, found: "ModelVersion", champion: str | None) -> Version:
        run_id = str(found.run_id)
        run = self._client.get_run(run_id)
        return Version(
            version=str(found.version),
            run_id=run_id,
            trained_at=found.tags.get(_AS_OF, ""),
            champion=str(found.version) == champion,
            metrics=_metrics(run, "mmrl"),
            noise_ceiling=_metrics(run, "noise_ceiling"),
            test_posts=int(run.data.params["posts.test"]),
            decision=found.tags.get(_DECISION, ""),
        )

    def _folder(self, found: "ModelVersion") -> Path:
        import mlflow.artifacts

        place = mlflow.artifacts.download_artifacts(
            artifact_uri=found.source, tracking_uri=self._client.tracking_uri
        )
        return Path(place)

    def _test_file(self, version: str) -> Path:
        return self._folder(self._version(version)) / _TEST_FILE

    def _write(self, trained: Trained, folder: Path) -> None:
        trained.model.save(folder)
        (folder / "evaluation.json").write_text(
            json.dumps(trained.evaluation, indent=1, allow_nan=False), encoding="utf-8"
        )
        pq.write_table(trained.test_predictions, folder / _TEST_FILE)

    def _log(self, run_id: str, evaluation: Mapping[str, Any]) -> None:
        from mlflow.entities import Metric as Logged
        from mlflow.entities import Param

        splits = evaluation["splits"]
        params = {
            "target": evaluation["target"],
            "profile": evaluation["profile"],
            "split": splits["kind"],
            "seed": evaluation["training"]["seed"],
            "epochs": evaluation["training"]["epochs"],
            "network_weight": round(evaluation["training"]["network_weight"], 4),
            **{f"posts.{part}": splits[part]["posts"] for part in ("train", "validation", "test")},
            **{f"encoder.{role}": name for role, name in evaluation["encoders"].items()},
            **{f"table.{name}": number for name, number in evaluation["table_versions"].items()},
        }
        values = {
            f"{model}.{name}.{part}": metric[part]
            for model, judged in evaluation["models"].items()
            for name, metric in judged["metrics"].items()
            if metric is not None
            for part in ("value", "low", "high")
        }
        losses = [
            Logged(f"training.{name}", value, 0, step)
            for name in ("loss", "validation_loss")
            for step, value in enumerate(evaluation["training"][name])
        ]
        metrics = [Logged(name, float(value), 0, 0) for name, value in values.items()] + losses
        for start in range(0, len(metrics), 900):  # MLflow takes at most 1,000 at once
            self._client.log_batch(run_id, metrics=metrics[start : start + 900])
        self._client.log_batch(run_id, params=[Param(k, str(v)) for k, v in params.items()])

    def _remember(self, fingerprint: str, as_of: str, version: str) -> None:
        folder = self._home.file("models")
        if folder is None:
            return
        folder.mkdir(exist_ok=True)
        kept = {"fingerprint": fingerprint, "as_of": as_of, "version": version}
        partial = folder / f"{_LAST}.part"
        partial.write_text(json.dumps(kept), encoding="utf-8")
        shutil.move(partial, folder / _LAST)


def last_training(home: str | Path) -> dict[str, str] | None:
    """`fingerprint`, `as_of` and `version` of the last training, read from one small file.

    None where there was none, or where the home is in an object store (ask `Registry.has`).
    """
    path = Location.of(home).file("models", _LAST)
    if path is None or not path.is_file():
        return None
    found: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
    return found


def _is_local(uri: str) -> bool:
    return uri.startswith("file:") or Location.of(uri).is_local


def _metrics(run: "Run", model: str) -> dict[str, Metric]:
    logged = run.data.metrics
    names = [
        key.split(".")[1]
        for key in logged
        if key.startswith(f"{model}.") and key.endswith(".value")
    ]
    return {
        name: {part: logged[f"{model}.{name}.{part}"] for part in ("value", "low", "high")}
        for name in names
    }
