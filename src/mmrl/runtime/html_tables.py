"""Tables as notebooks show them: HTML of which every text is escaped."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from html import escape

from mmrl.runtime.foreign_text import shown
from mmrl.times import iso

_LONGEST = 200


def html_table(head: Sequence[str], rows: Iterable[Sequence[object]], caption: str = "") -> str:
    """A table; numbers stand to the right, and None is an empty cell.

    Args:
        caption: above the table.
    """
    body = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in rows)
    heads = "".join(f"<th>{escape(shown(name, _LONGEST))}</th>" for name in head)
    above = f"<p>{escape(shown(caption, 1_000))}</p>" if caption else ""
    return f"{above}<table><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>"


def _cell(value: object) -> str:
    if value is None:
        return "<td></td>"
    if isinstance(value, bool | str):
        return f"<td>{escape(shown(value, _LONGEST))}</td>"
    if isinstance(value, datetime):
        return f"<td>{iso(value)}</td>"
    text = f"{value:,.4g}" if isinstance(value, float) else shown(value, _LONGEST)
    return f'<td style="text-align: right">{escape(text)}</td>'
