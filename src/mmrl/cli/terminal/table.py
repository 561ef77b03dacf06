"""Tables on the terminal, all of one look."""

from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text


def plain_table(title: str | None = None, caption: str | None = None, **options: Any) -> Table:
    """A table whose title and caption stand at the left, and are never read as markup.

    Args:
        options: others of rich's.
    """
    return Table(
        title=None if title is None else Text(title),
        caption=None if caption is None else Text(caption),
        title_justify="left",
        caption_justify="left",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        **options,
    )


def listing() -> Table:
    """A table without a rule: rows under bold names."""
    return Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
