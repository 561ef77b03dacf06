"""One thing of a home that is broken, and what mends it."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Damage:
    """What a check found broken.

    Attributes:
        what: the table, the model version or the file.
        broken: what of it, in a few words.
        way_out: what is done about it, or what a person can do.
        mend: does that; None where nothing in the home can mend it.
    """

    what: str
    broken: str
    way_out: str
    mend: Callable[[], None] | None
