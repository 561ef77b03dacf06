"""Logs of a process: one line an event on standard error, times in UTC, as text or as JSON."""

import json
import logging
import sys
import time
from datetime import UTC, datetime
from typing import Literal

Form = Literal["text", "json"]
LEVELS = ("debug", "info", "warning", "error")
_COUNTS = "counts"  # the attribute of a record with an event's numbers
_LOGGER = logging.getLogger("mmrl")


def set_up(level: str, form: Form) -> None:
    """Sends what this process and its libraries log to standard error, from a level on.

    From then on work is told by lines, too, in place of bars: see `LoggedProgress`.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Json() if form == "json" else _Text())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    _LOGGER.setLevel(level.upper())


def are_set_up() -> bool:
    """Whether logs were set up for work to be told by."""
    return _LOGGER.isEnabledFor(logging.INFO) and any(map(_is_ours, logging.getLogger().handlers))


def in_json() -> bool:
    """Whether what this process says is to be JSON."""
    return any(isinstance(one.formatter, _Json) for one in logging.getLogger().handlers)


def log_error(sentence: str, exit_code: int) -> None:
    """The error that ends a command, as its last event."""
    _LOGGER.error(sentence, extra={_COUNTS: {"exit_code": exit_code}})


class LoggedProgress:
    """Implements `Progress`: a line as a piece of work begins, one with its counts at its end."""

    def __init__(self) -> None:
        self._name, self._done = "", 0
        self._total: int | None = None
        self._began = 0.0

    def __enter__(self) -> "LoggedProgress":
        return self

    def __exit__(self, *error: object) -> None: ...

    def start(self, name: str, total: int | None) -> None:
        self._name, self._total, self._done = name, total, 0
        self._began = time.monotonic()
        _LOGGER.info("begins", extra={_COUNTS: {"work": name, "total": total}})

    def advance(self, units: int) -> None:
        self._done += units

    def finish(self, summary: str) -> None:
        seconds = round(time.monotonic() - self._began, 3)
        counts = {"work": self._name, "total": self._total, "done": self._done, "seconds": seconds}
        _LOGGER.info("ends", extra={_COUNTS: {**counts, "summary": summary}})


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        event = {
            "time": _utc(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
            **getattr(record, _COUNTS, {}),
        }
        if record.exc_info:
            event["error"] = self.formatException(record.exc_info)
        return json.dumps(event, default=str)


class _Text(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        counts = getattr(record, _COUNTS, {})
        told = "".join(f" {name}={_word(value)}" for name, value in counts.items())
        level = record.levelname.lower()
        line = f"{_utc(record)} {level} {record.name} {record.getMessage()}{told}"
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


def _is_ours(handler: logging.Handler) -> bool:
    return isinstance(handler.formatter, _Json | _Text)


def _word(value: object) -> str:
    text = str(value)
    return json.dumps(text) if " " in text else text


def _utc(record: logging.LogRecord) -> str:
    moment = datetime.fromtimestamp(record.created, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{int(record.msecs):03}Z"
