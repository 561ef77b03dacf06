"""The files of a home: in its folder, or as objects of a store."""

from pathlib import Path

from mmrl.storage.files import Storage, Stored, Stream
from mmrl.storage.folder import Folder
from mmrl.storage.location import Location

__all__ = ["Storage", "Stored", "Stream", "storage_of"]


def storage_of(home: str | Path | Location) -> Storage:
    """The files of a home; asks an object store nothing yet.

    Raises:
        ConfigError: the address names no object store that can be used.
    """
    location = Location.of(home)
    if location.is_local:
        return Folder(location)
    from mmrl.storage.bucket import Bucket

    return Bucket.of(location)
