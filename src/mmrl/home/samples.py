"""Samples as people hold them: an Arrow table with its moment, to be turned into a data frame."""

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from mmrl.runtime.counted import counted
from mmrl.runtime.html_tables import html_table
from mmrl.times import iso

if TYPE_CHECKING:
    import pandas
    import polars

_ROWS_SHOWN = 5
_FIRST = ("post_id", "subreddit", "created_at", "score", "popularity", "percentile")


@dataclass(frozen=True, repr=False)
class Samples:
    """A row a post: features as they were known, labels where they had settled by `as_of`.

    Whatever takes Arrow takes it as it is: `pa.table(samples)`, `polars.DataFrame(samples)`,
    `datasets.Dataset(samples.table)`.

    Attributes:
        table: in the schema of `mmrl.samples.samples_schema`, by (created_at, post_id). Vectors are
            fixed-size lists of float32; a missing one is null.
        as_of: the moment, UTC.
    """

    table: pa.Table
    as_of: datetime

    def __len__(self) -> int:
        return int(self.table.num_rows)

    @property
    def columns(self) -> list[str]:
        """The names of the columns.

        Example:
            >>> samples.columns[:2]
            ['post_id', 'subreddit']
        """
        return list(self.table.schema.names)

    @property
    def labelled(self) -> int:
        """How many of the posts have a label.

        Example:
            >>> 0 < samples.labelled <= len(samples)
            True
        """
        if "label_observed_at" not in self.columns:
            return 0
        return int(pc.sum(pc.is_valid(self.table["label_observed_at"])).as_py() or 0)

    def to_pandas(self) -> "pandas.DataFrame":
        """A pandas data frame; vectors are arrays of float32.

        Example:
            >>> samples.to_pandas().shape == (len(samples), len(samples.columns))
            True
        """
        return self.table.to_pandas()

    def to_polars(self) -> "polars.DataFrame":
        """A polars data frame; needs polars installed.

        Example:
            >>> samples.to_polars().height == len(samples)
            True
        """
        import polars

        frame = polars.from_arrow(self.table)
        assert isinstance(frame, polars.DataFrame)
        return frame

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self.table.__arrow_c_stream__(requested_schema)

    def __repr__(self) -> str:
        return (
            f"<{counted(len(self), 'sample')} as of {iso(self.as_of)}, {self.labelled:,} labelled, "
            f"{counted(len(self.columns), 'column')}>"
        )

    def _repr_html_(self) -> str:
        names = [name for name in _FIRST if name in self.columns]
        rows: list[dict[str, Any]] = self.table.select(names).slice(0, _ROWS_SHOWN).to_pylist()
        return html_table(names, [list(row.values()) for row in rows], caption=repr(self)[1:-1])
