"""Tables of posts: CSV and other separated text (plain or packed) and Parquet, read in batches."""

import math
import shutil
import sys
import tempfile
from collections.abc import Generator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from mmrl.errors import InputError
from mmrl.runtime.foreign_text import shown
from mmrl.sources.dates import DayOrder, UnreadDateError, day_order, read_time
from mmrl.sources.extras import extra_value
from mmrl.sources.fields import Unheld
from mmrl.sources.files.content import STDIN, existing, file_size
from mmrl.sources.files.rows import Rows
from mmrl.sources.files.source import BATCH, BATCH_BYTES, START, Batch, Mark, unstated
from mmrl.sources.files.tables.columns import Columns, map_columns, recognised
from mmrl.sources.files.tables.csv_rows import CsvRows
from mmrl.sources.files.tables.features import Features, choose_features, without_features
from mmrl.sources.files.tables.image_folder import ImageFolder
from mmrl.sources.files.tables.parquet_rows import ParquetRows
from mmrl.sources.kinds import TABLE
from mmrl.sources.permalinks import post_page
from mmrl.sources.post import Parsed, Refused, Unstated
from mmrl.sources.still_image import find_media
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
_NUMBERS = (
    "author_id",
    "author",
    "flair",
    "title",
    "subreddit",
)  # texts
_SAMPLE = 200  # rows that tell what columns hold
_PARQUET = b"PAR1"


class TableSource:
    """A table file whose columns have been mapped.

    A score counts for the age at which it was observed. A `checked_at` column states that time;
    a row that leaves it empty gives no label unless `settled` is true. The scores of a table
    without such a column count as final: posts that were mature when the file was last written
    give labels, unless `settled` is false.

    Args:
        path: .csv, .tsv (packed or not), .parquet; `-` is standard input.
        columns: field to column where the guess would be wrong, see `tables.columns`.
        subreddit: for rows that name none.
        images: a folder with the posts' image files.
        settled: scores that do not say when they were observed are final, or are not; None: as
            described above.
        scores_as_of: when such scores were observed, if known.
        features: columns that are features, beside tags and descriptions.
        no_features: columns that are not features, though they might be taken for some.
        encoding, separator: of a table of text; found out unless given.
        order: how dates such as 9/8/2022 are meant; told by the column's other dates unless given.

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
        encoding: str | None = None,
        separator: str | None = None,
        order: DayOrder | None = None,
    ) -> None:
        self.path = _spooled(self) if Path(path) == STDIN else existing(Path(path))
        self.name = self.path.name
        self.size = file_size(self.path)
        self._subreddit = subreddit
        self._folder = None if images is None else ImageFolder(images)
        self._scores_as_of = scores_as_of
        self._rows: CsvRows | ParquetRows = (
            ParquetRows(self.path)
            if ".parquet" in self.path.suffixes or _begins(self.path, _PARQUET)
            else CsvRows(self.path, recognised, encoding=encoding, separator=separator)
        )
        sample = self._sample()
        mapped = map_columns(
            self._rows.names,
            columns or {},
            filled=("subreddit",) if subreddit else (),
            sample=sample,
        )
        self.features: Features = choose_features(self._rows.names, mapped, features, no_features)
        self.columns: Columns = without_features(mapped, self.features)
        self._order = order or self._day_order(sample)
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
        lines = [line for line in (self._rows.describe(),) if line]
        lines += [*self.columns.lines(), *self.features.lines()]
        if self._order is not None:
            lines.append(f"dates such as 9/8/2022: {self._order.value}")
        if self._subreddit:
            lines.append(f"subreddit, where a row has none: {self._subreddit}")
        if self._folder is not None:
            lines.append(f"images: files in {self._folder.root}")
        elif "image" in self.columns.of and self.columns.of["image"] not in self._pictures:
            lines.append(
                f"{shown(self.columns.of['image'])} is read as a web address only: no --images"
            )
        return [*lines, self.scores_rule()]

    def scores_rule(self) -> str:
        """The rule for scores without a time, as a sentence for the user."""
        checked = self.columns.of.get("checked_at")
        known = (
            f"{shown(checked)} says when scores were observed; where it is empty, "
            if checked
            else ""
        )
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

    def same(self) -> str | None:
        """See `PostSource`; a table is read from its start."""
        return None

    def batches(self, as_of: datetime, begin: Mark = START) -> Generator[Batch, None, None]:
        """Reads the table in batches; see `PostSource`."""
        rule = unstated(self.path, as_of, self._settled, self._scores_as_of)
        rows: list[tuple[str, Parsed | Refused]] = []
        position = done = held = 0
        records = self._rows.rows([*self.columns.of.values(), *self.features.columns])
        while True:
            broken: InputError | None = None
            try:
                number, record, position = next(records)
            except StopIteration:
                break
            except InputError as error:  # the rows before the break are good
                broken = error
            if broken is not None:
                yield Batch(Rows.of(rows), 0, position - done)
                raise broken
            if isinstance(record, Refused):
                result: Parsed | Refused = record
            else:
                held += sum(len(value) for value in record.values() if isinstance(value, str))
                result = self._row(number, record, as_of, rule)
            rows.append((f"{self.path.name}:{number}", result))
            if len(rows) == BATCH or held >= BATCH_BYTES:
                yield Batch(Rows.of(rows), 0, position - done)
                rows, done, held = [], position, 0
        yield Batch(Rows.of(rows), 0, self.size - done)

    @property
    def _pictures(self) -> set[str]:
        return self._rows.pictures if isinstance(self._rows, ParquetRows) else set()

    def _row(
        self, number: int, record: dict[str, Any], as_of: datetime, rule: Unstated
    ) -> Parsed | Refused:
        fields = {
            _REDDIT.get(field, field): _value(field, record.get(column))
            for field, column in self.columns.of.items()
        }
        image = fields.pop("image", None)
        image = None if image is None or isinstance(image, Unheld) else str(image)
        if isinstance(fields.get("id"), str) and post_page(fields["id"]) is not None:
            fields["permalink"] = fields.pop("id")
        if fields.get("subreddit") is None:
            page = post_page(fields.get("permalink"))
            fields["subreddit"] = None if page and page.subreddit else self._subreddit
        fields["url_overridden_by_dest"] = _address(fields, image)
        result = parse_submission(
            fields,
            source=TABLE.mark(self.path),
            as_of=as_of,
            unstated=rule,
            any_id=True,
            day_order=self._order,
        )
        if isinstance(result, Refused):
            return self._named(result)
        if self._folder is not None:
            self._attach(result.post, image, self._folder)
        elif self.columns.of.get("image") in self._pictures:
            result.post["image_url"] = self._inside(number)
        return replace(result, extras=self._extras(record))

    def _extras(self, record: dict[str, Any]) -> dict[str, str]:
        names = self.features.columns
        values = {name: extra_value(_value(name, record.get(name))) for name in names}
        return {name: value for name, value in values.items() if value is not None}

    def _named(self, refused: Refused) -> Refused:
        """A refusal that names the table's own column."""
        fields = {_REDDIT.get(field, field): column for field, column in self.columns.of.items()}
        column = fields.get(refused.field)
        if column is None or not refused.field:
            return refused
        detail = shown(column) + refused.detail.removeprefix(refused.field)
        return Refused(refused.reason, detail, column)

    def _attach(self, post: dict[str, Any], image: str | None, folder: ImageFolder) -> None:
        """The post's image file, or its web address where the folder has none."""
        file = folder.find(post["post_id"], image, post["subreddit"])
        if file is not None:
            self.images_found += 1
            post["image_url"] = file.as_uri()
            return
        self.images_missing += 1
        if post["image_url"] is None:
            post["image_url"] = folder.expected(post["post_id"]).as_uri()

    def _inside(self, number: int) -> str:
        """The address of a picture inside the file: its row and column, and the file's size."""
        column = self.columns.of["image"]
        place = urlencode({"column": column, "row": f"{number - 1:012}", "size": self.size})
        return f"{self.path.resolve().as_uri()}?{place}"

    def _sample(self) -> list[dict[str, Any]]:
        """The first rows, as far as they can be read."""
        sample: list[dict[str, Any]] = []
        try:
            for _, record, _ in self._rows.rows():
                if isinstance(record, dict):
                    sample.append(record)
                if len(sample) == _SAMPLE:
                    break
        except InputError:  # it will be met again, after the good rows were kept
            pass
        return sample

    def _day_order(self, sample: list[dict[str, Any]]) -> DayOrder | None:
        """How the columns of times mean 9/8/2022; the whole file is read where the sample has
        such dates and none that tells."""
        of = self.columns.of
        columns = [of[field] for field in ("created_utc", "checked_at") if field in of]
        values = [record.get(column) for record in sample for column in columns]
        told = day_order(values)
        if told is not None or not any(_is_open(value) for value in values):
            return told
        try:
            for _, record, _ in self._rows.rows(columns):
                if isinstance(record, dict):
                    told = day_order(record.get(column) for column in columns)
                    if told is not None:
                        return told
        except InputError:  # it will be met again, after the good rows were kept
            pass
        return None


def _address(fields: Mapping[str, Any], image: str | None) -> str | None:
    """The address that shows the picture: the post's link, or the one that the table calls so."""
    url, named = fields.get("url"), fields.get("image_url")
    if image is not None and image.startswith(("http://", "https://")):
        return image
    if isinstance(url, str) and post_page(url) is None and find_media({"url": url}).image_url:
        return url
    return named if isinstance(named, str) else None


def _is_open(value: object) -> bool:
    """True for a date in which both numbers may be the day."""
    try:
        read_time(value)
    except UnreadDateError as error:
        return error.open_order
    return False


def _begins(path: Path, mark: bytes) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(len(mark)) == mark
    except OSError as error:
        raise InputError(f"{path} can't be read: {error.strerror}.") from None


def _spooled(owner: Any) -> Path:
    """Standard input as a file, as a table is read more than once; it goes with its owner."""
    owner.spool = tempfile.TemporaryDirectory(prefix="mmrl-")
    path = Path(owner.spool.name) / "stdin"
    with path.open("wb") as file:
        shutil.copyfileobj(sys.stdin.buffer, file)
    return path


def _value(field: str, value: Any) -> Any:
    """A cell's value; None for the ways in which tables write a missing one."""
    if isinstance(value, float) and math.isnan(value):
        return None
    if isinstance(value, str) and field not in _TEXTS and value.strip().lower() in _MISSING:
        return None
    if field in _NUMBERS and isinstance(value, int | float):
        return str(value)
    return value
