"""Text files that are there whole or as they were, whoever reads and whatever is killed."""

import os
import tempfile
from pathlib import Path


def write_whole(path: Path, text: str) -> None:
    """Writes a UTF-8 file beside its place, then moves it there; newlines stay as they are.

    Raises:
        OSError: there is no such folder, no room, or no right to write.
    """
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
        os.chmod(name, 0o644)
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise
