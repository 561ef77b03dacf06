"""Whether a home, its settings and its machine are sound, and the mending of what is not."""

from mmrl.soundness.check import check
from mmrl.soundness.damage import Damage

__all__ = ["Damage", "check"]
