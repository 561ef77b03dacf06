"""All checks of a home, in the order in which they are mended."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from mmrl.catalog import Catalog
from mmrl.errors import MmrlError
from mmrl.repair.damage import Damage
from mmrl.repair.images import check_images
from mmrl.repair.models import check_models
from mmrl.repair.tables import check_tables
from mmrl.runtime.location import Location


def check(home: str | Path) -> Iterator[Damage]:
    """What is broken in a home, one after the other.

    A damage may be mended as soon as it comes: what is checked later then finds it mended. Tables
    in an object store are not checked.
    """
    folder = Location.of(home).file("catalog")
    if folder is not None:
        yield from check_tables(folder)
    with contextlib.suppress(MmrlError):  # a table that can't be read has been told above
        yield from check_images(Catalog.open(home))
    yield from check_models(home)
