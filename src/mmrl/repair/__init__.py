"""Checks of a home's tables, images and models, and the mending of what can be made again."""

from mmrl.repair.check import check
from mmrl.repair.damage import Damage

__all__ = ["Damage", "check"]
