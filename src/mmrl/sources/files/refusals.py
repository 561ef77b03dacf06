"""Refused rows of an import: some as examples, all of them in a file where they are many."""

import csv
import io
from collections.abc import Iterable

from mmrl.runtime.foreign_text import shown
from mmrl.sources.post import Refused
from mmrl.storage.opening import Storage, Stream

EXAMPLES = 3
_KINDS = 50  # of which examples are kept
_DETAIL = 300  # characters


class Refusals:
    """Refused rows as they come.

    Args:
        storage: of the home.
        name: of the file to write them to; it is made with the first row beyond the examples. It
            names places and values, and nothing else of a post.
        goes_on: rows were refused before the import was stopped: the file is made with the first
            one since, for the examples can't show them all.

    Attributes:
        file: the file's place, once there is one.
    """

    def __init__(self, storage: Storage, name: str | None, *, goes_on: bool = False) -> None:
        self._storage, self._name = storage, name
        self._shown = 0 if goes_on else EXAMPLES
        self._kept: dict[tuple[str, str], list[str]] = {}
        self._first: list[tuple[str, Refused]] = []
        self._stream: Stream | None = None
        self.file: str | None = None

    def add(self, rows: Iterable[tuple[str, Refused]]) -> None:
        """Takes rows with their places."""
        for place, row in rows:
            kind = str(row.reason), row.field
            if len(self._kept) < _KINDS or kind in self._kept:
                examples = self._kept.setdefault(kind, [])
                if len(examples) < EXAMPLES:
                    examples.append(f"{shown(place, 80)} {shown(row.detail, _DETAIL)}")
            if self._stream is not None:
                self._write(self._stream, place, row)
            elif self._name is not None:
                self._first.append((place, row))
                if len(self._first) > self._shown:
                    self._begin(self._name)

    def examples(self) -> list[str]:
        """The first of each kind, and then further ones, at most `EXAMPLES`."""
        kinds = list(self._kept.values())
        turns = (kind[turn] for turn in range(EXAMPLES) for kind in kinds if turn < len(kind))
        return list(turns)[:EXAMPLES]

    def close(self) -> None:
        """Ends the file."""
        if self._stream is not None:
            self._stream.close()

    def _begin(self, name: str) -> None:
        self._stream = self._storage.stream(name)
        self.file = str(self._storage.location.join(name))
        self._stream.write(_line("place", "reason", "field", "detail"))
        for place, row in self._first:
            self._write(self._stream, place, row)
        self._first = []

    def _write(self, stream: Stream, place: str, row: Refused) -> None:
        detail = shown(row.detail, _DETAIL)
        stream.write(_line(shown(place, 200), str(row.reason), shown(row.field), detail))


def _line(*values: str) -> bytes:
    """A line of CSV."""
    text = io.StringIO()
    csv.writer(text).writerow(values)
    return text.getvalue().encode()
