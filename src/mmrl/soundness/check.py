"""All checks of a home, in the order in which they are mended."""

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from mmrl.catalog import Catalog
from mmrl.catalog.generation import begin_generation
from mmrl.errors import MmrlError
from mmrl.soundness.damage import Damage
from mmrl.soundness.images import check_images
from mmrl.soundness.models import check_models
from mmrl.soundness.tables import check_tables


def check(home: str | Path) -> Iterator[Damage]:
    """What is broken in a home, one after the other.

    A damage may be mended as soon as it comes: what is checked later then finds it mended.
    """
    for damage in check_tables(home):
        yield _in_a_new_generation(damage, home)
    with contextlib.suppress(MmrlError):  # a table that can't be read has been told above
        for damage in check_images(Catalog.open(home)):
            yield _in_a_new_generation(damage, home)
    yield from check_models(home)


def _in_a_new_generation(damage: Damage, home: str | Path) -> Damage:
    """The damage; mending it has stages look at everything once more.

    A new generation is begun before, in case the mending is cut off, and after, for a stage that
    has begun to read in between.
    """
    mend = damage.mend
    if mend is None:
        return damage

    def begin() -> None:
        with contextlib.suppress(MmrlError):  # the table that would say so is the broken one
            begin_generation(Catalog.open(home))

    def begin_and_mend() -> None:
        begin()
        mend()
        begin()

    return replace(damage, mend=begin_and_mend)
