"""Marks that stages leave of how far they have read."""

from mmrl.catalog import Catalog


def forget_marks(catalog: Catalog) -> None:
    """Takes them away: a home of an mmrl that left none has rows that the present one may redo."""
    catalog.delete("meta", "name LIKE 'mark of %'")
