"""The models of a home as people hold them: a leaderboard, and each version by its number."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from mmrl.runtime.counted import counted
from mmrl.runtime.html_tables import html_table

if TYPE_CHECKING:
    import pandas

    from mmrl.learning.evaluation.paired import Paired
    from mmrl.learning.registry.registry import Registry
    from mmrl.learning.registry.version import Comparison, Shown, Version


class Models:
    """Every model that was kept, oldest first; `home.models`.

    `models["champion"]`, `models["latest"]` and `models[3]` give one with its evaluation. Errors:
    NotFoundError where there is no such version, CatalogError where its files can't be read.

    Example:
        >>> home.models["champion"].evaluation.splits.test.posts > 0
        True
    """

    def __init__(self, home: str) -> None:
        self._home = home

    @property
    def _registry(self) -> "Registry":
        from mmrl.learning.registry.registry import Registry

        return Registry(self._home)

    def __iter__(self) -> "Iterator[Version]":
        """Every version, oldest first, each with its metrics on its test posts."""
        return iter(self._registry.list())

    def __len__(self) -> int:
        from mmrl.learning.registry.kept import versions_kept

        return len(versions_kept(self._home))

    def __getitem__(self, version: str | int) -> "Shown":
        return self._registry.show(str(version))

    def leaderboard(self) -> "pandas.DataFrame":
        """A row a version, the best by Spearman first.

        Returns:
            a data frame by `version`: `trained_at` (UTC), `champion`, `test_posts`, and for each
            metric its value and the ends of its 95% interval as `NAME`, `NAME_low`, `NAME_high`.
            Versions were judged on different test posts.

        Example:
            >>> home.models.leaderboard().loc["1", "champion"]
            np.True_
        """
        import pandas

        from mmrl.learning.evaluation.metrics import DECISIVE

        rows = []
        for version in self:
            row: dict[str, object] = {
                "version": version.version,
                "trained_at": pandas.Timestamp(version.trained_at),
                "champion": version.champion,
                "test_posts": version.test_posts,
            }
            for name, measure in version.metrics.items():
                if measure is not None:
                    row[name] = measure.value
                    row[f"{name}_low"], row[f"{name}_high"] = measure.low, measure.high
            rows.append(row)
        columns = ["version", "trained_at", "champion", "test_posts"]
        frame = pandas.DataFrame(rows, columns=None if rows else columns).set_index("version")
        if DECISIVE in frame:
            frame = frame.sort_values(DECISIVE, ascending=False, kind="stable")
        return frame

    def purged(self, version: str | int) -> tuple[int, int]:
        """How many posts that a version learned from, and was judged on, were purged since.

        Example:
            >>> home.models.purged(1)
            (0, 0)
        """
        from mmrl.catalog import Catalog
        from mmrl.purge.rows import purged_of

        return purged_of(Catalog.open(self._home), str(version))

    def compare(self, a: str | int, b: str | int) -> "Comparison":
        """Two versions side by side, metric by metric.

        Example:
            >>> home.models.compare(1, "champion").metrics["spearman"].difference
            0.0
        """
        return self._registry.compare(str(a), str(b))

    def paired(self, *versions: str | int) -> "Paired":
        """Two or more versions on the test posts that they share.

        Returns:
            each one's metrics there, and how far they lie from the first one's: differences on the
            same resamples of the same posts, with their 95% intervals.

        Raises:
            InputError: they share fewer than two test posts.

        Example:
            >>> home.models.paired(1, "champion").posts > 0
            True
        """
        return self._registry.paired([str(version) for version in versions])

    def figures(self, version: str | int, to: str | Path, form: str = "svg") -> "list[Path]":
        """Writes a version's comparison with its baselines, a figure a leading metric.

        Args:
            to: a folder; made if it is not there.
            form: `svg` or `pdf`.

        Raises:
            InputError: there is no such form.

        Example:
            >>> [file.name for file in home.models.figures("champion", "figures")][0]
            'spearman_within.svg'
        """
        from mmrl.report.figures import write_figures

        return write_figures(self[version].evaluation, Path(to), form)

    def promote(self, version: str | int) -> str:
        """Makes a version the champion by hand, for instance to roll back; returns its number.

        Example:
            >>> home.models.promote(1)
            '1'
        """
        return self._registry.promote(str(version))

    def drop(self, version: str | int) -> str | None:
        """Deletes a version with its files; the newest that is left becomes champion if this was.

        Returns:
            the champion's number; None where there is none.

        Example:
            >>> mmrl.open("of_two_models").models.drop(1)
            '2'
        """
        return self._registry.drop(str(version))

    def __repr__(self) -> str:
        return f"<{counted(len(self), 'model')} in {self._home}>"

    def _repr_html_(self) -> str:
        from mmrl.learning.evaluation.metrics import on_terminal

        metrics = on_terminal()
        rows: list[list[object]] = []
        for version in self:
            measures = (version.metrics.get(metric.name) for metric in metrics)
            values = [None if measure is None else measure.value for measure in measures]
            mark = " (champion)" if version.champion else ""
            rows.append([f"{version.version}{mark}", version.trained_at[:10], *values])
        return html_table(["version", "trained as of", *(m.title for m in metrics)], rows)
