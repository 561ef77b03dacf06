"""Damages of a home, mended one after the other."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from mmrl.errors import NotFoundError
from mmrl.soundness.check import check
from mmrl.storage.opening import storage_of


@dataclass(frozen=True)
class Repair:
    """One thing of a home that was found broken, and what came of it.

    Attributes:
        what: the table, the model version or the file.
        broken: what of it, in a few words.
        way_out: what is done about it, or what a person can do.
        mended: whether it is whole again.
    """

    what: str
    broken: str
    way_out: str
    mended: bool

    def as_dict(self) -> dict[str, str | bool]:
        """For `--json`."""
        return asdict(self)


def repair(home: str | Path, dry_run: bool, tell: Callable[[str], None] | None) -> list[Repair]:
    """Mends what can be made again; see `mmrl.repair`.

    Args:
        tell: is given a text on each damage as soon as it is dealt with.
    """
    if not storage_of(home).folders("catalog"):
        raise NotFoundError(f"There is no mmrl home at {home}: give --home (or MMRL_HOME) one.")
    repairs = []
    for damage in check(home):
        mended = damage.mend is not None and not dry_run
        if damage.mend is not None and not dry_run:
            damage.mend()
        if tell is not None:
            mark = "mended" if mended else "would be mended" if damage.mend else "not mended"
            tell(f"{damage.what}: {damage.broken}.\n  {mark}: {damage.way_out}.")
        repairs.append(Repair(damage.what, damage.broken, damage.way_out, mended))
    return repairs
