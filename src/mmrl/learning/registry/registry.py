"""Registry of the models: every one ever trained, with its metrics; and which is the champion."""

import tempfile
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from mmrl.errors import NotFoundError
from mmrl.learning.blend import MODEL as BLEND
from mmrl.learning.evaluation.record import Evaluation
from mmrl.learning.model import TrainedModel
from mmrl.learning.registry.champion import Champion, Decision, decide
from mmrl.learning.registry.last_training import remember
from mmrl.learning.registry.store import CHAMPION, MODEL, Store, measures_of
from mmrl.learning.registry.version import Comparison, Registered, Shown, Version
from mmrl.learning.train import CEILING, Trained
from mmrl.runtime.location import Location
from mmrl.times import iso, parse_time

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion

_TEST_FILE = "test_predictions.parquet"
_EVALUATION_FILE = "evaluation.json"
_FINGERPRINT, _DECISION, _AS_OF = "mmrl.fingerprint", "mmrl.decision", "mmrl.as_of"
_PROMOTE = "mmrl.promote"


class Registry:
    """The models of one home.

    Raises:
        ConfigError: the home is in an object store and no MLFLOW_TRACKING_URI is set.
    """

    def __init__(self, home: str | Path) -> None:
        self._store = Store(home)

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
        with self._store.clear_errors():
            return self._keep(trained, decision, fingerprint), decision

    def _keep(self, trained: Trained, decision: Decision, fingerprint: str) -> str:
        client = self._store.client
        evaluation, as_of = trained.evaluation, iso(trained.evaluation.as_of)
        tags = {
            _FINGERPRINT: fingerprint,
            _DECISION: decision.reason,
            _PROMOTE: str(decision.promote),
            _AS_OF: as_of,
        }
        run = client.create_run(self._store.experiment, tags=tags, run_name=as_of)
        run_id = run.info.run_id
        self._store.log(run_id, evaluation)
        with tempfile.TemporaryDirectory() as folder:
            self._write(trained, Path(folder))
            client.log_artifacts(run_id, folder, "model")
        client.set_terminated(run_id)
        self._store.ensure_model()
        source = f"{run.info.artifact_uri}/model"
        made = client.create_model_version(MODEL, source, run_id, tags=tags)
        if decision.promote:
            client.set_registered_model_alias(MODEL, CHAMPION, made.version)
        remember(self._store.home, fingerprint, as_of, str(made.version))
        return str(made.version)

    def promote(self, version: str) -> str:
        """Makes a version the champion by hand; `latest` is the newest. Returns its number.

        Raises:
            NotFoundError: it does not exist.
        """
        number = str(self._store.version(version).version)
        self._store.client.set_registered_model_alias(MODEL, CHAMPION, number)
        return number

    # Asking

    def list(self) -> Sequence[Version]:
        """Every version, oldest first; their metrics over time make a chart."""
        champion = self._store.champion_number()
        return [self._describe(kept, champion) for kept in self._store.versions()]

    def show(self, version: str = CHAMPION) -> Shown:
        """One version with its evaluation.

        Raises:
            NotFoundError: it does not exist.
            CatalogError: its evaluation can't be read.
        """
        kept = self._store.version(version)
        described = self._describe(kept, self._store.champion_number())
        text = (self._store.folder(kept) / _EVALUATION_FILE).read_text(encoding="utf-8")
        return Shown(**vars(described), evaluation=Evaluation.from_json(text))

    def compare(self, a: str, b: str) -> Comparison:
        """Two versions side by side.

        Raises:
            NotFoundError: one does not exist.
        """
        champion = self._store.champion_number()
        kept = [self._store.version(version) for version in (a, b)]
        files = [self._store.folder(version) / _TEST_FILE for version in kept]
        ids = [pq.read_table(file, columns=["post_id"])["post_id"].to_pylist() for file in files]
        one, other = (self._describe(version, champion) for version in kept)
        return Comparison.of(one, other, same_test_posts=set(ids[0]) == set(ids[1]))

    def load(self, version: str = CHAMPION) -> Registered:
        """A version's model.

        Raises:
            NotFoundError: it does not exist.
            CatalogError: its files are broken.
        """
        kept = self._store.version(version)
        folder = self._store.folder(kept)
        return Registered(str(kept.version), TrainedModel.load(folder), folder)

    def test_predictions(self, version: str = CHAMPION) -> pa.Table:
        """A version's predictions of its test posts; see `mmrl.learning.evaluation.evaluate`.

        Raises:
            NotFoundError: it does not exist.
        """
        return pq.read_table(self._test_file(version))

    def erase_posts(self, version: str, posts: Collection[str]) -> None:
        """Takes posts out of a version's test predictions; its metrics stay as they were.

        Raises:
            NotFoundError: it does not exist.
        """
        kept = self._store.version(version)
        folder = self._store.folder(kept)
        rows = pq.read_table(folder / _TEST_FILE)
        purged = pc.is_in(rows["post_id"], value_set=pa.array(list(posts), pa.string()))
        for left in folder.glob(f"{_TEST_FILE}.*"):  # of a purge that was killed just here
            left.unlink()
        partial = folder / f"{_TEST_FILE}.part"
        pq.write_table(rows.filter(pc.invert(purged)), partial)
        partial.replace(folder / _TEST_FILE)
        if not _is_local(str(kept.source)):  # what was read is a copy
            run_id, file = str(kept.run_id), str(folder / _TEST_FILE)
            self._store.client.log_artifact(run_id, file, "model")

    def has(self, fingerprint: str) -> bool:
        """Whether some version was trained on exactly that; the quick answer is `last_training`."""
        return any(kept.tags.get(_FINGERPRINT) == fingerprint for kept in self._store.versions())

    def settle(self, fingerprint: str) -> str:
        """Ends what a killed run left undone after keeping its model. Returns the model's version.

        Raises:
            NotFoundError: no version was trained on that.
        """
        versions = self._store.versions()
        for kept in versions:
            if kept.tags.get(_FINGERPRINT) == fingerprint:
                version = str(kept.version)
                if kept is versions[-1] and kept.tags.get(_PROMOTE) == "True":
                    self.promote(version)
                remember(self._store.home, fingerprint, kept.tags.get(_AS_OF, ""), version)
                return version
        raise NotFoundError("No model version was trained on these samples: `mmrl train`.")

    # Inside

    def _champion(self) -> Champion | None:
        number = self._store.champion_number()
        if number is None:
            return None
        trained_at = parse_time(self._store.version(number).tags[_AS_OF])
        return Champion(number, trained_at, self.load(number).model)

    def _describe(self, kept: "ModelVersion", champion: str | None) -> Version:
        run_id = str(kept.run_id)
        run = self._store.client.get_run(run_id)
        return Version(
            version=str(kept.version),
            run_id=run_id,
            trained_at=kept.tags.get(_AS_OF, ""),
            champion=str(kept.version) == champion,
            metrics=measures_of(run, BLEND),
            noise_ceiling=measures_of(run, CEILING),
            test_posts=int(run.data.params["posts.test"]),
            decision=kept.tags.get(_DECISION, ""),
        )

    def _test_file(self, version: str) -> Path:
        return self._store.folder(self._store.version(version)) / _TEST_FILE

    def _write(self, trained: Trained, folder: Path) -> None:
        trained.model.save(folder)
        (folder / _EVALUATION_FILE).write_text(trained.evaluation.to_json(), encoding="utf-8")
        pq.write_table(trained.test_predictions, folder / _TEST_FILE)


def _is_local(uri: str) -> bool:
    return uri.startswith("file:") or Location.of(uri).is_local
