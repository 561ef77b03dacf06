"""Tables of posts: CSV and TSV (plain or Zstandard) and Parquet, read in batches."""

import csv
import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from mmrl.catalog.reasons import Reason
from mmrl.errors import InputError
from mmrl.sources.extras import extra_value
from mmrl.sources.files.columns import Columns, map_columns
from mmrl.sources.files.features import Features, choose_features, without_features
from mmrl.sources.files.image_folder import ImageFolder
from mmrl.sources.files.lines import LineStream, existing
from mmrl.sources.files.source import BATCH, Batch, unstated
from mmrl.sources.kinds import TABLE
from mmrl.sources.post import Parsed, Refused, Unstated
from mmrl.sources.submission import parse_submission

_MISSING = frozenset({"", "nan", "na", "n/a", "none", "null", "<na>", "nat"})
_REDDIT = {  # fields whose name in a submission is another
    "author_id": "author_fullname",
    "subscribers": "subreddit_subscribers",
    "flair": "link_flair_text",
    "removed_by": "removed_by_category",
    "checked_at": "retrieved_on",
}
_TEXTS = frozenset({"title", "selftext"})  # here "None" and "NA" are words like others
csv.field_size_limit(min(sys.maxsize, 1 << 26))


class TableSource:
    """A table file whose columns have been mapped.

    A score counts for the age at which it was observed. A `checked_at` column states that time;
    a row that leaves it empty gives no label unless `settled` is true. The scores of a table
    without such a column count as final: posts that were mature when the file was last written
    give labels, unless `settled` is false.

    Args:
        path: .csv, .tsv, .csv.zst, .tsv.zst or .parquet.
        columns: field to column where the guess would be wrong, see `mmrl.sources.files.columns`.
        subreddit: for rows that name none.
        images: a folder with the posts' image files.
        settled: scores that do not say when they were observed are final, or are not; None: as
            described above.
        scores_as_of: when such scores were observed, if known.
        features: columns that are features, beside tags and descriptions.
        no_features: columns that are not features, though they might be taken for some.

    Raises:
        InputError: the file or the folder can't be read, or a column is missing or no feature.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        columns: Mapping[str, str] | None = None,
        subreddit: str | None = None,
        images: str | Path | None = None,
        settled: bool | None = None,
        scores_as_of: datetime | None = None,
        features: Sequence[str] = (),
        no_features: Sequence[str] = (),
    ) -> None:
        self.path = existing(Path(path))
        self.name = self.path.name
        self.size = self.path.stat().st_size
        self._parquet = ".parquet" in self.path.suffixes
        self._subreddit = subreddit
        self._folder = None if images is None else ImageFolder(images)
        self._scores_as_of = scores_as_of
        header = self._header()
        mapped = map_columns(header, columns or {}, filled=("subreddit",) if subreddit else ())
        self.features: Features = choose_features(header, mapped, features, no_features)
        self.columns: Columns = without_features(mapped, self.features)
        self._by_guess = settled is None
        self._settled = "checked_at" not in self.columns.of if settled is None else settled
        self.images_found = 0
        self.images_missing = 0

    @classmethod
    def of_file(
        cls, path: Path, *, subreddit: str | None = None, images: Path | None = None
    ) -> "TableSource":
        """One table by its own columns; `subreddit` is for rows that name none."""
        return cls(path, subreddit=subreddit, images=images)

    def describe(self) -> list[str]:
        """The columns and the rule for scores, a line each, to show before the import."""
        lines = [*self.columns.lines(), *self.features.lines()]
        if self._subreddit:
            lines.append(f"subreddit, where a row has none: {self._subreddit}")
        if self._folder is not None:
            lines.append(f"images: files in {self._folder.root}")
        elif "image" in self.columns.of:
            lines.append(f"{self.columns.of['image']} is read as a web address only: no --images")
        return [*lines, self.scores_rule()]

    def scores_rule(self) -> str:
        """The rule for scores without a time, as a sentence for the user."""
        checked = self.columns.of.get("checked_at")
        known = f"{checked} says when scores were observed; where it is empty, " if checked else ""
        if self._scores_as_of is not None:
            rule = f"scores were observed on {self._scores_as_of:%Y-%m-%d} (--scores-as-of)"
        elif not self._settled:
            hint = ": say --settled if they are final" if self._by_guess else " (--not-settled)"
            rule = f"scores give no label{hint}"
        elif self._by_guess:
            rule = (
                "no column says when scores were observed, so they count as final for posts that "
                "were mature when the file was written: say --not-settled if they were taken early"
            )
        else:
            rule = "scores count as final (--settled)"
        sentence = known + rule + "."
        return sentence[0].upper() + sentence[1:] if not checked else sentence

    def batches(self, as_of: datetime) -> Iterator[Batch]:
        """Reads the table in batches; see `PostSource`."""
        rule = unstated(self.path, as_of, self._settled, self._scores_as_of)
        rows: list[tuple[str, Parsed | Refused]] = []
        position = done = 0
        records = self._parquet_records() if self._parquet else self._csv_records()
        while True:
            broken: InputError | None = None
            try:
                number, record, position = next(records)
            except StopIteration:
                break
            except InputError as error:  # the rows before the break are good
                broken = error
            if broken is not None:
                yield Batch(rows, 0, position - done)
                raise broken
            result = record if isinstance(record, Refused) else self._row(record, as_of, rule)
            rows.append((f"{self.path.name}:{number}", result))
            if len(rows) == BATCH:
                yield Batch(rows, 0, position - done)
                rows, done = [], position
        yield Batch(rows, 0, self.size - done)

    def _row(self, record: dict[str, Any], as_of: datetime, rule: Unstated) -> Parsed | Refused:
        fields = {
            _REDDIT.get(field, field): _value(field, record.get(column))
            for field, column in self.columns.of.items()
        }
        image = fields.pop("image", None)
        image = str(image) if image is not None else None
        if fields.get("subreddit") is None:
            fields["subreddit"] = self._subreddit
        if image and image.startswith(("http://", "https://")):
            fields["url_overridden_by_dest"] = image
        result = parse_submission(
            fields,
            source=TABLE.mark(self.path),
            as_of=as_of,
            unstated=rule,
            any_id=True,
        )
        if isinstance(result, Refused):
            return result
        if self._folder is not None:
            self._attach(result.post, image, self._folder)
        return replace(result, extras=self._extras(record))

    def _extras(self, record: dict[str, Any]) -> dict[str, str]:
        names = self.features.columns
        values = {name: extra_value(_value(name, record.get(name))) for name in names}
        return {name: value for name, value in values.items() if value is not None}

    def _attach(self, post: dict[str, Any], image: str | None, folder: ImageFolder) -> None:
        file = folder.find(post["post_id"], image)
        if file is None:
            self.images_missing += 1
        else:
            self.images_found += 1
        post["image_url"] = (file or folder.expected(post["post_id"])).as_uri()

    def _header(self) -> list[str]:
        if self._parquet:
            return list(self._open_parquet().schema_arrow.names)
        with LineStream(self.path) as stream:
            header = next(csv.reader(_decoded(stream), delimiter=self._delimiter), [])
        names = [name.strip().lstrip("\ufeff") for name in header]
        if not any(names):
            raise InputError(f"{self.path} is empty: expected a first line with column names.")
        return names

    @property
    def _delimiter(self) -> str:
        return "\t" if ".tsv" in self.path.suffixes else ","

    def _csv_records(self) -> Iterator[tuple[int, dict[str, Any] | Refused, int]]:
        """Rows with the line they end on and the file's position."""
        with LineStream(self.path) as stream:
            reader = csv.reader(_decoded(stream), delimiter=self._delimiter)
            names = [name.strip().lstrip("\ufeff") for name in next(reader, [])]
            while True:
                try:
                    values = next(reader)
                except StopIteration:
                    return
                except csv.Error as error:
                    bad = Refused(Reason.BAD_VALUE, f"not CSV: {error}")
                    yield reader.line_num, bad, stream.position
                    continue
                if not values:
                    continue
                if len(values) != len(names):
                    detail = f"has {len(values)} values, expected {len(names)}"
                    yield reader.line_num, Refused(Reason.BAD_VALUE, detail), stream.position
                    continue
                record = dict(zip(names, values, strict=True))
                yield reader.line_num, record, stream.position

    def _parquet_records(self) -> Iterator[tuple[int, dict[str, Any] | Refused, int]]:
        import pyarrow as pa

        file = self._open_parquet()
        total = max(file.metadata.num_rows, 1)
        number = 0
        try:
            names = sorted({*self.columns.of.values(), *self.features.columns})
            for batch in file.iter_batches(BATCH, columns=names):
                for record in batch.to_pylist():
                    number += 1
                    yield number, record, self.size * number // total
        except (pa.ArrowException, OSError) as error:
            raise InputError(f"{self.path} is damaged after row {number:,}: {error}") from None

    def _open_parquet(self) -> Any:
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            return pq.ParquetFile(self.path)
        except (pa.ArrowException, OSError) as error:
            raise InputError(f"{self.path} is not a readable Parquet file: {error}") from None


def _decoded(stream: LineStream) -> Iterator[str]:
    """Lines as text; bytes that are no UTF-8 become the replacement sign."""
    for line in stream:
        yield line.decode("utf-8", "replace").replace("\0", "") + "\n"


def _value(field: str, value: Any) -> Any:
    """A cell's value; None for the ways in which tables write a missing one."""
    if isinstance(value, float) and math.isnan(value):
        return None
    if isinstance(value, str) and field not in _TEXTS and value.strip().lower() in _MISSING:
        return None
    if field in ("author_id", "author", "image", "flair") and value is not None:
        return str(value)
    return value
