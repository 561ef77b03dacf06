"""Registry of the models: every one ever trained, with its metrics; and which is the champion."""

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
from mmrl.learning.judged_blocks import CEILING
from mmrl.learning.model import TrainedModel
from mmrl.learning.registry.champion import Champion, Decision, Unreadable, decide
from mmrl.learning.registry.database import Kept, folder_of
from mmrl.learning.registry.last_training import FINGERPRINT, remember
from mmrl.learning.registry.store import CHAMPION, measures_of
from mmrl.learning.registry.stores import store_of
from mmrl.learning.registry.version import Comparison, Registered, Shown, Version
from mmrl.learning.train import Trained
from mmrl.times import iso, parse_time

_TEST_FILE = "test_predictions.parquet"
_EVALUATION_FILE = "evaluation.json"
_DECISION, _AS_OF = "mmrl.decision", "mmrl.as_of"
_PROMOTE = "mmrl.promote"
_GONE = "it is gone"
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

    Every method raises CatalogError where the list of models or a version's files can't be read.
    """

    def __init__(self, home: str | Path) -> None:
        self._store = store_of(home)

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
            FINGERPRINT: fingerprint,
            _DECISION: decision.reason,
            _PROMOTE: str(decision.promote),
            _AS_OF: as_of,
        }
        version = self._store.add(
            as_of, tags, trained.evaluation, lambda folder: self._write(trained, folder)
        )
        if decision.promote:
            self._store.crown(version)
        remember(self._store.home, fingerprint, as_of, version)
        return version

    @_reads
    def promote(self, version: str) -> str:
        """Makes a version the champion by hand; `latest` is the newest. Returns its number.

        Raises:
            NotFoundError: it does not exist.
        """
        number = self._store.version(version).version
        self._store.crown(number)
        return number

    def drop(self, version: str) -> str | None:
        """Takes a version off the list and deletes its files, also of one that can't be read.

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
                champion = left[-1].version if left else None
                self._store.crown(champion)
            self._store.drop(kept)
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
        return Shown(**vars(described), evaluation=self._evaluation(kept))

    @_reads
    def compare(self, a: str, b: str) -> Comparison:
        """Two versions side by side.

        Raises:
            NotFoundError: one does not exist.
        """
        champion = self._store.champion_number()
        kept = [self._store.version(version) for version in (a, b)]
        ids = [self._tested(one)["post_id"].to_pylist() for one in kept]
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
        with self._store.at_hand(kept) as folder:
            if not (folder / "model.json").is_file():
                raise self._broken(kept, "model.json", FileNotFoundError(_GONE))
            return Registered(kept.version, TrainedModel.load(folder))

    @_reads
    def test_predictions(self, version: str = CHAMPION) -> pa.Table:
        """A version's predictions of its test posts; see `mmrl.learning.evaluation.evaluate`.

        Raises:
            NotFoundError: it does not exist.
        """
        return self._tested(self._store.version(version))

    @_reads
    def erase_posts(self, version: str, posts: Collection[str]) -> None:
        """Takes posts out of a version's test predictions; its metrics stay as they were.

        Raises:
            NotFoundError: it does not exist.
        """
        kept = self._store.version(version)
        rows = self._tested(kept)
        purged = pc.is_in(rows["post_id"], value_set=pa.array(list(posts), pa.string()))
        left = pa.BufferOutputStream()
        pq.write_table(rows.filter(pc.invert(purged)), left)
        self._store.write(kept, _TEST_FILE, left.getvalue().to_pybytes())

    @_reads
    def file(self, version: str, name: str) -> bytes | None:
        """A file beside a version's model, written by `keep_file`; None where it is not there.

        Raises:
            NotFoundError: the version does not exist.
        """
        return self._store.read(self._store.version(version), name)

    @_reads
    def keep_file(self, version: str, name: str, data: bytes) -> None:
        """Keeps what was found out of a version in a file beside its model.

        Raises:
            NotFoundError: the version does not exist.
        """
        self._store.write(self._store.version(version), name, data)

    def attach_report(self, version: str, report: Path) -> None:
        """Puts a version's report, a file of the home, among its files in MLflow.

        Raises:
            NotFoundError: the version does not exist.
        """
        with self._store.keeping():
            self._store.attach_report(self._store.version(version), report)

    @_reads
    def has(self, fingerprint: str) -> bool:
        """Whether some version was trained on exactly that; the quick answer is `last_training`."""
        return any(kept.tags.get(FINGERPRINT) == fingerprint for kept in self._store.versions())

    @_reads
    def settle(self, fingerprint: str) -> str:
        """Ends what a killed run left undone after keeping its model. Returns the model's version.

        Raises:
            NotFoundError: no version was trained on that.
        """
        versions = self._store.versions()
        for kept in versions:
            if kept.tags.get(FINGERPRINT) == fingerprint:
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
            champion = self._store.champion_number()
            if champion is None:
                return None
            number = champion
            trained_at = parse_time(self._store.version(number).tags[_AS_OF])
            return Champion(number, trained_at, self.load(number).model)
        except KeyError:
            return Unreadable(number, "Its records lack the time that it was trained at.")
        except MmrlError as error:
            return Unreadable(number, str(error))

    def _describe(self, kept: Kept, champion: str | None) -> Version:
        logged = self._store.logged(kept)
        return Version(
            version=kept.version,
            run_id=kept.run_id,
            trained_at=kept.tags.get(_AS_OF, ""),
            champion=kept.version == champion,
            metrics=measures_of(logged, BLEND),
            noise_ceiling=measures_of(logged, CEILING),
            test_posts=sum(
                int(logged.params.get(f"posts.{name}", 0)) for name in ("test", "earlier_tests")
            ),
            decision=kept.tags.get(_DECISION, ""),
        )

    def _tested(self, kept: Kept) -> pa.Table:
        try:
            return pq.read_table(pa.BufferReader(self._present(kept, _TEST_FILE)))
        except (OSError, ValueError, pa.ArrowException) as error:
            raise self._broken(kept, _TEST_FILE, error) from error

    def _evaluation(self, kept: Kept) -> Evaluation:
        try:
            data = self._present(kept, _EVALUATION_FILE)
            return Evaluation.from_json(data.decode(errors="replace"))
        except (OSError, CatalogError) as error:
            raise self._broken(kept, _EVALUATION_FILE, error) from error

    def _present(self, kept: Kept, name: str) -> bytes:
        data = self._store.read(kept, name)
        if data is None:
            raise FileNotFoundError(_GONE)
        return data

    def _broken(self, kept: Kept, name: str, error: Exception) -> CatalogError:
        return CatalogError(
            f"{self._store.home.join(folder_of(kept.run_id), name)}, a file of a model version, "
            f"can't be read ({first_line(error)}): `mmrl doctor` checks the home, and "
            "`mmrl repair` takes the version off the list."
        )

    def _write(self, trained: Trained, folder: Path) -> None:
        trained.model.save(folder)
        (folder / _EVALUATION_FILE).write_text(trained.evaluation.to_json(), encoding="utf-8")
        pq.write_table(trained.test_predictions, folder / _TEST_FILE)
