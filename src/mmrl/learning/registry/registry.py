"""Registry of the models: every one ever trained, with its metrics; and which is the champion."""

import shutil
from collections.abc import Callable, Collection, Sequence
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar, cast

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from mmrl.errors import CatalogError, MmrlError, NotFoundError, first_line
from mmrl.learning.blend import MODEL as BLEND
from mmrl.learning.evaluation.paired import Paired, compare_versions
from mmrl.learning.evaluation.record import Evaluation
from mmrl.learning.model import TrainedModel
from mmrl.learning.registry.champion import Champion, Decision, Unreadable, decide
from mmrl.learning.registry.database import Kept, files_of
from mmrl.learning.registry.last_training import remember
from mmrl.learning.registry.store import CHAMPION, MODEL, Store, measures_of
from mmrl.learning.registry.version import Comparison, Registered, Shown, Version
from mmrl.learning.train import CEILING, Trained
from mmrl.runtime.location import Location
from mmrl.times import iso, parse_time

_TEST_FILE = "test_predictions.parquet"
_EVALUATION_FILE = "evaluation.json"
_FINGERPRINT, _DECISION, _AS_OF = "mmrl.fingerprint", "mmrl.decision", "mmrl.as_of"
_PROMOTE = "mmrl.promote"
_RESAMPLES = 1000


_Method = TypeVar("_Method", bound=Callable[..., Any])


def _reads(method: _Method) -> _Method:
    """A method of the registry, with what MLflow, its database or a file reports in a sentence."""

    @wraps(method)
    def told(self: "Registry", *arguments: Any, **named: Any) -> Any:
        with self._store.reading():
            return method(self, *arguments, **named)

    return cast("_Method", told)


class Registry:
    """The models of one home.

    Every method raises CatalogError where MLflow's records or a version's files can't be read.

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
        decision = decide(trained, test_samples, self._champion_to_beat())
        with self._store.keeping():
            return self._keep(trained, decision, fingerprint), decision

    def _keep(self, trained: Trained, decision: Decision, fingerprint: str) -> str:
        as_of = iso(trained.evaluation.as_of)
        tags = {
            _FINGERPRINT: fingerprint,
            _DECISION: decision.reason,
            _PROMOTE: str(decision.promote),
            _AS_OF: as_of,
        }
        version = self._store.add(
            as_of, tags, trained.evaluation, lambda folder: self._write(trained, folder)
        )
        if decision.promote:
            self._store.client.set_registered_model_alias(MODEL, CHAMPION, version)
        remember(self._store.home, fingerprint, as_of, version)
        return version

    @_reads
    def promote(self, version: str) -> str:
        """Makes a version the champion by hand; `latest` is the newest. Returns its number.

        Raises:
            NotFoundError: it does not exist.
        """
        number = self._store.version(version).version
        self._store.client.set_registered_model_alias(MODEL, CHAMPION, number)
        return number

    def drop(self, version: str) -> str | None:
        """Takes a version off the list and deletes its files, for one that can't be read.

        The newest version that is left becomes champion if this one was.

        Returns:
            the champion's number; None where there is none.

        Raises:
            NotFoundError: it does not exist.
        """
        with self._store.reading():
            kept = self._store.version(version)
            champion = self._store.champion_number()
            left = [one for one in self._store.versions() if one.version != kept.version]
            if champion == kept.version:
                self._store.client.delete_registered_model_alias(MODEL, CHAMPION)
                champion = self.promote(left[-1].version) if left else None
            self._store.client.delete_model_version(MODEL, kept.version)
            if not self._store.server:
                shutil.rmtree(
                    files_of(self._store.home, kept.run_id).parents[1], ignore_errors=True
                )
            return champion

    # Asking

    @_reads
    def champion(self) -> str | None:
        """The champion's version; None where there is none."""
        return self._store.champion_number()

    @_reads
    def list(self) -> Sequence[Version]:
        """Every version, oldest first; their metrics over time make a chart."""
        champion = self._store.champion_number()
        return [self._describe(kept, champion) for kept in self._store.versions()]

    @_reads
    def show(self, version: str = CHAMPION) -> Shown:
        """One version with its evaluation.

        Raises:
            NotFoundError: it does not exist.
            CatalogError: its evaluation can't be read.
        """
        kept = self._store.version(version)
        described = self._describe(kept, self._store.champion_number())
        return Shown(**vars(described), evaluation=_evaluation(self._store.folder(kept)))

    @_reads
    def compare(self, a: str, b: str) -> Comparison:
        """Two versions side by side.

        Raises:
            NotFoundError: one does not exist.
        """
        champion = self._store.champion_number()
        kept = [self._store.version(version) for version in (a, b)]
        files = [self._store.folder(version) / _TEST_FILE for version in kept]
        ids = [_table(file, ["post_id"])["post_id"].to_pylist() for file in files]
        one, other = (self._describe(version, champion) for version in kept)
        return Comparison.of(one, other, same_test_posts=set(ids[0]) == set(ids[1]))

    @_reads
    def paired(self, versions: Sequence[str]) -> Paired:
        """Versions on the test posts that they share, with paired differences from the first.

        Raises:
            NotFoundError: one does not exist.
            InputError: they share fewer than two test posts.
        """
        shown = {one.version: one for one in map(self.show, versions)}
        return compare_versions(
            {number: self.test_predictions(number) for number in shown},
            {number: one.evaluation.target for number, one in shown.items()},
            _RESAMPLES,
            0,
        )

    @_reads
    def load(self, version: str = CHAMPION) -> Registered:
        """A version's model.

        Raises:
            NotFoundError: it does not exist.
            CatalogError: its files are broken.
        """
        kept = self._store.version(version)
        folder = self._store.folder(kept)
        if not (folder / "model.json").is_file():
            raise _broken_file(folder / "model.json", FileNotFoundError("it is gone"))
        return Registered(kept.version, TrainedModel.load(folder), folder)

    @_reads
    def test_predictions(self, version: str = CHAMPION) -> pa.Table:
        """A version's predictions of its test posts; see `mmrl.learning.evaluation.evaluate`.

        Raises:
            NotFoundError: it does not exist.
        """
        return _table(self._test_file(version))

    @_reads
    def erase_posts(self, version: str, posts: Collection[str]) -> None:
        """Takes posts out of a version's test predictions; its metrics stay as they were.

        Raises:
            NotFoundError: it does not exist.
        """
        kept = self._store.version(version)
        folder = self._store.folder(kept)
        rows = _table(folder / _TEST_FILE)
        purged = pc.is_in(rows["post_id"], value_set=pa.array(list(posts), pa.string()))
        for left in folder.glob(f"{_TEST_FILE}.*"):  # of a purge that was killed just here
            left.unlink()
        partial = folder / f"{_TEST_FILE}.part"
        pq.write_table(rows.filter(pc.invert(purged)), partial)
        partial.replace(folder / _TEST_FILE)
        if self._store.server and not _is_local(kept.source):  # what was read is a copy
            file = str(folder / _TEST_FILE)
            self._store.client.log_artifact(kept.run_id, file, "model")

    @_reads
    def has(self, fingerprint: str) -> bool:
        """Whether some version was trained on exactly that; the quick answer is `last_training`."""
        return any(kept.tags.get(_FINGERPRINT) == fingerprint for kept in self._store.versions())

    @_reads
    def settle(self, fingerprint: str) -> str:
        """Ends what a killed run left undone after keeping its model. Returns the model's version.

        Raises:
            NotFoundError: no version was trained on that.
        """
        versions = self._store.versions()
        for kept in versions:
            if kept.tags.get(_FINGERPRINT) == fingerprint:
                version = kept.version
                if kept is versions[-1] and kept.tags.get(_PROMOTE) == "True":
                    self.promote(version)
                remember(self._store.home, fingerprint, kept.tags.get(_AS_OF, ""), version)
                return version
        raise NotFoundError("No model version was trained on these samples: `mmrl train`.")

    # Inside

    def _champion_to_beat(self) -> Champion | Unreadable | None:
        number = "of unknown number"
        try:
            found = self._store.champion_number()
            if found is None:
                return None
            number = found
            trained_at = parse_time(self._store.version(number).tags[_AS_OF])
            return Champion(number, trained_at, self.load(number).model)
        except KeyError:
            return Unreadable(number, "Its records lack the time that it was trained at.")
        except MmrlError as error:
            return Unreadable(number, str(error))

    def _describe(self, kept: Kept, champion: str | None) -> Version:
        logged = self._store.logged(kept.run_id)
        return Version(
            version=kept.version,
            run_id=kept.run_id,
            trained_at=kept.tags.get(_AS_OF, ""),
            champion=kept.version == champion,
            metrics=measures_of(logged, BLEND),
            noise_ceiling=measures_of(logged, CEILING),
            test_posts=int(logged.params.get("posts.test", 0)),
            decision=kept.tags.get(_DECISION, ""),
        )

    def _test_file(self, version: str) -> Path:
        return self._store.folder(self._store.version(version)) / _TEST_FILE

    def _write(self, trained: Trained, folder: Path) -> None:
        trained.model.save(folder)
        (folder / _EVALUATION_FILE).write_text(trained.evaluation.to_json(), encoding="utf-8")
        pq.write_table(trained.test_predictions, folder / _TEST_FILE)


def _evaluation(folder: Path) -> Evaluation:
    file = folder / _EVALUATION_FILE
    try:
        return Evaluation.from_json(file.read_bytes().decode(errors="replace"))
    except (OSError, CatalogError) as error:
        raise _broken_file(file, error) from error


def _table(file: Path, columns: Sequence[str] | None = None) -> pa.Table:
    try:
        return pq.read_table(file, columns=None if columns is None else list(columns))
    except (OSError, ValueError, pa.ArrowException) as error:
        raise _broken_file(file, error) from error


def _broken_file(file: Path, error: Exception) -> CatalogError:
    return CatalogError(
        f"{file}, a file of a model version, can't be read ({first_line(error)}): `mmrl doctor` "
        "checks the home, and `mmrl repair` takes the version off the list."
    )


def _is_local(uri: str) -> bool:
    return uri.startswith("file:") or Location.of(uri).is_local
