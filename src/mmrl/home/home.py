"""A home from Python; the command line does its work through it, too."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmrl.errors import MmrlError
from mmrl.home.moments import Moment, moment
from mmrl.home.predicting import Predicting

if TYPE_CHECKING:
    from mmrl.encoders.weights import Listed
    from mmrl.experiments.run import ExperimentReport
    from mmrl.export.run import Exported
    from mmrl.home.samples import Samples
    from mmrl.pipeline.run import RunReport
    from mmrl.pipeline.stages.train import TrainReport
    from mmrl.status import Survey
    from mmrl.storage.location import Location


class Home(Predicting):
    """What mmrl keeps in one folder, and what it does with it; `mmrl.open` gives one.

    Wherever a method takes `as_of`, it works as if it were that UTC time (a datetime, ISO 8601 or
    epoch seconds) and uses nothing later; the present unless given.

    Attributes:
        address: the folder's absolute path, or the address in an object store.
        settings: of the home's `mmrl.toml`, the environment, and what was given to `mmrl.open`.
        quiet: no bars and no notes on standard error.
    """

    def run(self, *stages: str, as_of: Moment = None, check: bool = False) -> "RunReport":
        """Runs the pipeline, or some of its stages, on what is new.

        A run that is killed loses at most the batch in flight; the next one goes on from there.

        Args:
            stages: names of stages or groups, such as `embed`; all unless given.
            check: look at all posts and not only at what is new, and count what that found more
                in each stage's `missed`.

        Raises:
            InputError: there is no such stage.

        Example:
            >>> report = home.run("filter", "fetch-images")
            >>> [stage.name for stage in report.stages]
            ['filter', 'fetch-images']
        """
        from mmrl.pipeline import run as pipeline

        pipeline.expand(stages)
        began, at = moment(None), moment(as_of)
        try:
            with self._bars() as bars:
                report = pipeline.run(self.catalog, self.settings, stages, at, bars, check=check)
        except BaseException as error:
            with suppress(MmrlError, OSError):  # what ended the run is said, not this
                self._note_run(began, error)
            raise
        self._note_run(began, report)
        return report

    def status(self, as_of: Moment = None) -> "Survey":
        """Each stage's work: done, pending, left out and failed, by reason; and the collector's.

        Example:
            >>> {row.stage: row.pending for row in home.status().stages}["filter"]
            0
        """
        from mmrl.status import survey

        return survey(self.catalog, self.settings, moment(as_of))

    def metrics(self, as_of: Moment = None, *, out: str | Path | None = None) -> str:
        """The home's state as Prometheus text: stages, collectors, gaps, budget, champion.

        Args:
            out: a file to write it to as well, whole at once.

        Example:
            >>> "mmrl_champion_version 1.0" in home.metrics(as_of="2026-09-15")
            True
        """
        from mmrl.metrics import prometheus_text

        at = moment(as_of)
        text = prometheus_text(self.catalog, self.status(at), at)
        if out is not None:
            from mmrl.storage.whole_files import write_whole

            write_whole(Path(out), text)
        return text

    def samples(
        self,
        *,
        as_of: Moment = None,
        vectors: bool = False,
        labelled_only: bool = False,
        columns: Sequence[str] | None = None,
    ) -> "Samples":
        """A row a post: features as they were known, and labels where they had settled.

        Args:
            vectors: join the vectors of the profile's encoders: title, caption, image, visual.
            labelled_only: leave out posts without a label.
            columns: which, in that order; all by default.

        Raises:
            InputError: there is no such column.

        Example:
            >>> samples = home.samples(as_of="2026-09-15", columns=["created_at", "log_score"])
            >>> samples.to_pandas().columns.tolist()
            ['created_at', 'log_score']
        """
        from mmrl.home.samples import Samples
        from mmrl.samples.load import load

        at = moment(as_of)
        known = {} if not vectors else self._vectors()
        options: dict[str, Any] = {"labelled_only": labelled_only, "columns": columns}
        return Samples(load(self.catalog, self.settings, at, **known, **options), at)

    def train(self, *, as_of: Moment = None, force: bool = False, **options: Any) -> "TrainReport":
        """Trains a model on all matured samples, judges it against baselines, and keeps it.

        The champion moves only when the new model is not worse on the same test posts. Nothing is
        trained where no sample is new since the last time, or too few have a label; the report's
        `message` says so.

        Args:
            force: train even on nothing new.
            options: settings of `[train]` for this training, such as `target="percentile"` or
                `seed=1`.

        Raises:
            ConfigError: there is no such setting, or its value is wrong.
            InputError: forced, and there are too few samples.

        Example:
            >>> home.train(as_of="2020-01-01", target="percentile", seed=1).message
            'Only 0 of 500 samples have a label and training needs 200: collect more posts...'
        """
        from mmrl.config import load_settings
        from mmrl.pipeline.stages.train import train_if_new

        settings = self.settings
        if options:
            train = {**self._overrides.get("train", {}), **options}
            settings = load_settings(self.address, **{**self._overrides, "train": train})
        with self._bars() as bars:
            return train_if_new(self.catalog, settings, moment(as_of), bars, force=force)

    def report(
        self,
        version: str | int = "champion",
        *,
        as_of: Moment = None,
        out: str | Path | None = None,
    ) -> "Path | Location":
        """Writes a model's report: one HTML file that opens without a network.

        Args:
            out: where to write it; in the home's `reports/` unless given.

        Returns:
            its path; its address where the home is in an object store.

        Raises:
            NotFoundError: the version does not exist.

        Example:
            >>> home.report("champion", as_of="2026-09-15", out="it.html").name
            'it.html'
        """
        from mmrl.images.decode import use_limit
        from mmrl.report.write import write_report

        use_limit(self.settings.images.max_pixels)
        to = None if out is None else Path(out)
        place = write_report(self.catalog, str(version), moment(as_of), to)
        return place.path if place.is_local else place

    def experiment(
        self, file: str | Path, *, out: str | Path | None = None, cell: str | None = None
    ) -> "ExperimentReport":
        """Trains every combination of a plan once, and writes one table of them all.

        Interrupted, it goes on where it was. The models of the home are left alone.

        Args:
            file: the plan, a TOML file; see docs/experiments.md.
            out: the folder of the results; `experiments/NAME` in the home unless given.
            cell: the key of the one to train, again.

        Raises:
            InputError: the plan has an unknown or wrong line.
            NotFoundError: there is no such file or cell.

        Example:
            >>> report = home.experiment("plan.toml", out="results")
            >>> report.trained, [row.learner for row in report.rows]
            (1, ['mmrl', 'subreddit_median'])
        """
        from mmrl.experiments.plan import read_plan
        from mmrl.experiments.run import run_experiment

        plan = read_plan(Path(file))
        folder = self._folder("experiments", plan.name) if out is None else Path(out)
        with self._bars() as bars:
            return run_experiment(
                *(self.catalog, self.settings, plan, Path(file), folder, bars), cell
            )

    def export(
        self,
        what: str,
        to: str | Path,
        *,
        format: str = "parquet",
        model: str | int = "champion",
        as_of: Moment = None,
    ) -> "Exported":
        """Writes samples, vectors, images, predictions or an evaluation as files, with a card.

        Memory is bounded: batches are written as they are read.

        Args:
            what: one of these five.
            to: a folder that is new, empty or an earlier export, which is then replaced.
            format: `parquet`, `csv`, `hf` (for `datasets.load_dataset(to)`) or `webdataset`.
            model: of an evaluation: a version, `champion` or `latest`.

        Raises:
            InputError: no such content or format, or the folder holds something else.
            NotFoundError: the model version does not exist.

        Example:
            >>> home.export("samples", "out", format="csv", as_of="2026-09-15").rows
            500
        """
        from mmrl.export.contents import Exporting
        from mmrl.export.run import export

        home = Exporting(self.catalog, self.settings, moment(as_of), str(model))
        with self._bars() as bars:
            return export(home, what, Path(to).absolute(), format, bars)

    def weights(self, profile: str | None = None) -> "list[Listed]":
        """The models of a profile: what each serves, its licence, size and revision, what is there.

        Args:
            profile: one; all that use the hub unless given.

        Raises:
            ConfigError: there is no such profile.

        Example:
            >>> {model.state for model in home.weights("packaged")}
            {'there'}
        """
        from mmrl.encoders.weights import hub_profiles, list_weights

        return list_weights(self.settings, hub_profiles() if profile is None else [profile])

    def fetch_weights(
        self,
        *models: str,
        profile: str | None = None,
        tell: Callable[[str], None] | None = None,
    ) -> list[str]:
        """Downloads models of the Hugging Face hub at their pinned revisions.

        What is there is left alone, and a download that was stopped goes on from where it was.

        Args:
            models: names on the hub; the profile's unless given.
            profile: the one to fetch for; the setting's unless given.
            tell: is given, line by line, what comes, how much and where to; standard error unless
                given.

        Returns:
            the names of the models that came.

        Raises:
            WeightsError: the hub can't be reached, what came is not what it tells, or the disk is
                too small.

        Example:
            >>> home.fetch_weights(profile="packaged")  # whose weights come in packages
            []
        """
        from mmrl.home.weights import fetch

        bars = partial(self._bars, of_bytes=True)
        return fetch(self.settings, models, profile, bars, tell or self._tell)

    def _vectors(self) -> dict[str, Any]:
        from mmrl.encoders.profiles import load_profile
        from mmrl.samples.load import vectors_of

        return vectors_of(load_profile(self.settings))

    def _note_run(self, began: datetime, ended: "RunReport | BaseException") -> None:
        from mmrl.pipeline.last_run import remember_run

        now = moment(None)
        remember_run(self.catalog.home, now, (now - began).total_seconds(), ended)
