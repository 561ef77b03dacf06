"""Checks of a home, its settings and its machine, and the mending of what is not sound."""

from mmrl.soundness.check import check
from mmrl.soundness.damage import Damage

__all__ = ["Damage", "check"]
