"""Errors that mmrl raises on purpose.

    MmrlError                 one clear sentence: what was given, what was expected, what to do
    ├── UserError             a user's mistake; the command line exits with 2
    │   ├── ConfigError       a setting is missing or wrong; also a ValueError
    │   ├── InputError        a file, a row or an argument is wrong; also a ValueError
    │   └── NotFoundError     a model version, a post... is not there; also a LookupError
    └── Failure               something outside the user's hand broke; the command line exits with 1
        ├── CatalogError      the catalog can't be read or written (disk full, newer version)
        ├── StorageError      the object store of a home refused, or did not answer
        ├── SourceError       Reddit or a source did not answer as it should
        └── WeightsError      a model's weights are missing or not the ones that were recorded

The command line prints `str(error)` alone, with no traceback, so a message must stand by itself.
"""


class MmrlError(Exception):
    """Base of all mmrl errors; `exit_code` is what the command line exits with."""

    exit_code = 1


class UserError(MmrlError):
    """A user's mistake."""

    exit_code = 2


class ConfigError(UserError, ValueError):
    """A setting is missing or wrong."""


class InputError(UserError, ValueError):
    """A file, a row or an argument is not what was expected."""


class NotFoundError(UserError, LookupError):
    """Something that was asked for does not exist."""

    def __str__(self) -> str:
        return str(self.args[0]) if self.args else ""


class Failure(MmrlError):  # noqa: N818 - as Unix says it: a failure is not the user's error
    """Something broke that the user did not do."""


class CatalogError(Failure):
    """The catalog can't be read or written."""


class StorageError(Failure):
    """The object store that holds a home refused, or did not answer."""


class SourceError(Failure):
    """A source of posts did not answer as it should."""


class WeightsError(Failure):
    """A model's weights are missing, or are not the recorded ones."""


def first_line(error: BaseException) -> str:
    """The first line of what an error says, or its name; shortened."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0].rstrip(".")[:200]
