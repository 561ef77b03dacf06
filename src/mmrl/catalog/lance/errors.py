"""Errors of Lance and the disk in one sentence, and tables that have lost their files."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager

import pyarrow as pa

from mmrl.errors import CatalogError, MmrlError, first_line
from mmrl.runtime.foreign_text import without_userinfo
from mmrl.storage.location import Location
from mmrl.storage.opening import storage_of

_PANIC = "PanicException"  # Lance's Rust code gave up; Python sees a BaseException


@contextmanager
def clear_errors(home: str) -> Iterator[None]:
    """Says in one sentence what Lance or the disk reports."""
    try:
        yield
    except MmrlError:
        raise
    except (OSError, RuntimeError, ValueError, pa.ArrowException) as error:
        if getattr(error, "errno", None) == errno.ENOSPC or "No space left" in str(error):
            raise CatalogError(
                f"The disk that holds {home} is full: nothing of this batch was kept, everything "
                "before it was. Free some space and run the same command again."
            ) from error
        raise _unreadable(home, error) from error
    except BaseException as error:
        if type(error).__name__ != _PANIC:
            raise
        raise _unreadable(home, error) from error


def _unreadable(home: str, error: BaseException) -> CatalogError:
    detail = without_userinfo(first_line(error))
    return CatalogError(
        f"The catalog at {home} can't be read or written: {detail}. `mmrl doctor` "
        "says which table it is, and what can be made again."
    )


def refuse_damaged(catalog: Location, table: str) -> None:
    """Refuses a table that Lance does not find although its data are there.

    Without that, a table whose list of versions is gone would be taken for one not made yet. Its
    data are looked for first: another process may have made the table since Lance looked, and it
    writes the first version before any data.

    Raises:
        CatalogError: it is one.
    """
    data, storage = f"{table}.lance/data", storage_of(catalog)
    versions = storage.walk(f"{table}.lance/_versions")  # beside them lies a hint of the newest
    if any(storage.walk(data)) and not any(one.name.endswith(".manifest") for one in versions):
        raise CatalogError(
            f"The table {table} in {catalog} has lost its list of versions: its data are in "
            f"{catalog.join(data)}, and nothing says which of them count. `mmrl doctor` says "
            "what can be made again."
        )
