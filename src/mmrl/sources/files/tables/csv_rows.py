"""Rows of separated text, as CSV: a stray quote, a bad letter or a long line costs its row."""

import codecs
import csv
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from mmrl.catalog.reasons import Reason
from mmrl.errors import InputError
from mmrl.runtime.foreign_text import shown
from mmrl.sources.files.content import Content
from mmrl.sources.files.lines import LONGEST, lines, with_line_feeds
from mmrl.sources.files.tables.dialect import Dialect, find_dialect
from mmrl.sources.post import Refused

HEAD = 1 << 18  # bytes that tell what a table is
# A record may have so many lines and characters; more is swallowed by a quote that never closes.
_MOST_LINES, _MOST_CHARACTERS = 1_000, 1 << 20
_COLUMNS = 5_000
csv.field_size_limit(min(sys.maxsize, LONGEST))
Row = tuple[int, dict[str, Any] | Refused, int]


class CsvRows:
    """The rows of a file of separated text.

    Attributes:
        names: the columns.
        dialect: encoding and separator.

    Raises:
        InputError: the file is empty, or something else than a table.
    """

    def __init__(
        self,
        path: Path,
        recognised: Callable[[Sequence[str]], int],
        *,
        encoding: str | None = None,
        separator: str | None = None,
    ) -> None:
        self.path = path
        with Content(path) as content:
            head = content.peek(HEAD)
            _refuse_what_is_no_table(head, content.name)
            self.dialect = find_dialect(head, recognised, encoding=encoding, separator=separator)
            source = _Lines(content, head, self.dialect)
            self.names = self._header(source)
        if not any(self.names):
            raise InputError(f"{path} is empty: expected a first line with column names.")
        if len(self.names) > _COLUMNS:
            raise InputError(f"{path} is no table: its first line has {len(self.names):,} values.")

    def describe(self) -> str:
        """Encoding and separator in words."""
        return self.dialect.line()

    def rows(self, columns: Iterable[str] = ()) -> Iterator[Row]:
        """Rows with the number of the line they begin on, and how far the file was read.

        Args:
            columns: those wanted; all come, as each line is read whole.

        Raises:
            BrokenOffError: the file ends or breaks in the middle.
        """
        with Content(self.path) as content:
            source = _Lines(content, content.peek(HEAD), self.dialect)
            self._header(source)
            yield from self._records(source, content)

    def _header(self, source: "_Lines") -> list[str]:
        try:
            values: list[str] = next(self._reader(source), [])
        except (csv.Error, _TooMuchError):
            raise InputError(
                f"{self.path} has no first line with column names that can be read."
            ) from None
        return [name.strip().lstrip("\ufeff") for name in values]

    def _records(self, source: "_Lines", content: Content) -> Iterator[Row]:
        reader = self._reader(source)
        while True:
            source.forget()
            try:
                values: list[str] = next(reader)
            except StopIteration:
                return
            except (csv.Error, _TooMuchError):
                values = []
            taken = source.taken
            if not values and len(taken) == 1 and not taken[0][1].strip() and not source.bad:
                continue
            swallowed = len(taken) > 1 and self._swallowed(values, source)
            for number, result in (
                self._one_by_one(source)
                if swallowed
                else [(taken[0][0], self._record(values, source))]
            ):
                yield number, result, content.position

    def _record(self, values: list[str], source: "_Lines") -> dict[str, Any] | Refused:
        if source.bad:
            return next(iter(source.bad.values()))
        return self._row(values)

    def _row(self, values: list[str]) -> dict[str, Any] | Refused:
        if len(values) != len(self.names):
            detail = f"has {len(values)} values, expected {len(self.names)}"
            return Refused(Reason.BAD_VALUE, detail)
        # Of columns with the same name, the first.
        return dict(zip(reversed(self.names), reversed(values), strict=True))

    def _swallowed(self, values: list[str], source: "_Lines") -> bool:
        """True where a stray quote has joined rows that belong apart."""
        whole = [len(self._alone(line)) == len(self.names) for _, line in source.taken[1:]]
        if source.ended or len(values) != len(self.names):
            return any(whole)
        return len(whole) > 2 and all(whole[:-1])

    def _one_by_one(self, source: "_Lines") -> Iterator[tuple[int, dict[str, Any] | Refused]]:
        """The lines that a stray quote has joined, each by itself."""
        others = len(source.taken) - 1
        for number, line in source.taken:
            values = self._alone(line)
            if number in source.bad:
                yield number, source.bad[number]
            elif line.count('"') % 2:
                what = f"a quote does not close; the {others:,} lines it took in are read apart"
                yield number, Refused(Reason.BAD_VALUE, f'{what}, expected "" for a quote')
            elif values:
                yield number, self._row(values)

    def _alone(self, line: str) -> list[str]:
        try:
            return next(csv.reader([line], delimiter=self.dialect.separator), [])
        except csv.Error:
            return []

    def _reader(self, source: "_Lines") -> Any:
        return csv.reader(source, delimiter=self.dialect.separator)


class _TooMuchError(Exception):
    """A record goes on for too long."""


class _Lines:
    """Lines of a content as text; remembers those of the record that is being read.

    Attributes:
        taken: the lines since `forget`, with their numbers.
        bad: of those, the lines that can't be read, by number.
        ended: the content ended in the middle of a record.
    """

    def __init__(self, content: Content, head: bytes, dialect: Dialect) -> None:
        pieces: Iterable[bytes] = content
        encoding = dialect.encoding
        if dialect.is_wide:
            pieces = _narrowed(pieces, encoding)
            head = codecs.getincrementaldecoder(encoding)("replace").decode(head).encode()
            encoding = "utf-8"
        self._encoding = encoding
        self._lines = lines(with_line_feeds(pieces, head), blank=True)
        self.forget()

    def forget(self) -> None:
        """The next line begins a record."""
        self.taken: list[tuple[int, str]] = []
        self.bad: dict[int, Refused] = {}
        self.ended = False
        self._characters = 0

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        if len(self.taken) > _MOST_LINES or self._characters > _MOST_CHARACTERS:
            raise _TooMuchError
        numbered = next(self._lines, None)
        if numbered is None:
            self.ended = bool(self.taken)
            raise StopIteration
        number, line = numbered
        text = self._text(number, line)
        self.taken.append((number, text))
        self._characters += len(text)
        return text

    def _text(self, number: int, line: bytes | None) -> str:
        if line is None:
            limit = f"expected at most {LONGEST >> 20} MiB"
            self.bad[number] = Refused(Reason.TOO_LONG, f"the line is longer than a row, {limit}")
            return "\n"
        try:
            text = line.decode(self._encoding)
        except UnicodeDecodeError as error:
            wrong = shown(repr(line[error.start : error.start + 1]))
            self.bad[number] = Refused(
                Reason.BAD_VALUE,
                f"the line holds {wrong}, expected {self._encoding} as in the lines before: say "
                "--encoding",
            )
            text = line.decode(self._encoding, "replace")
        return text.replace("\0", "").replace("\r", " ") + "\n"


def _narrowed(pieces: Iterable[bytes], encoding: str) -> Iterator[bytes]:
    """Text of two or four bytes a letter as UTF-8, so that a line end is one byte."""
    decoder = codecs.getincrementaldecoder(encoding)("replace")
    for piece in pieces:
        yield decoder.decode(piece).encode()
    yield decoder.decode(b"", final=True).encode()


def _refuse_what_is_no_table(head: bytes, name: str) -> None:
    start = head.removeprefix(codecs.BOM_UTF8).lstrip()
    if start[:1] == b"{" or start[:2] in (b"[{", b"[\n", b"[\r", b"[[", b"[ "):
        raise InputError(
            f"{name} is JSON, not a table: Reddit submissions come in with `mmrl import dump`; of "
            "other records make a CSV, such as with pandas' json_normalize."
        )
    control = sum(byte < 32 and byte not in b"\t\n\r\f\0" for byte in head[:4096])
    if control > max(16, len(head[:4096]) // 20):
        raise InputError(f"{name} is no text: expected a table as CSV, TSV or Parquet.")
