"""Tables as Markdown, LaTeX and CSV, from texts."""

import csv
import io
from collections.abc import Sequence
from textwrap import wrap

Row = Sequence[str]
_LATEX = {
    "\\": r"\textbackslash{}",
    **{sign: f"\\{sign}" for sign in "&%$#_{}"},
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "\N{MINUS SIGN}": "$-$",
    "\N{SUPERSCRIPT TWO}": "$^2$",
}
_WIDE = 84  # small characters that a page's line takes
_APART = 2  # of them between two columns
_NARROW = 10  # of a head's line
FORMS = ("markdown", "latex", "csv")


def written(
    form: str, head: Row, rows: Sequence[Row], caption: str = "", *, together: int = 1
) -> str:
    """A table in one of `FORMS`.

    Args:
        caption, together: of LaTeX's table, see `latex`; the others have none.
    """
    if form == "latex":
        return latex(head, rows, caption, together=together)
    return markdown(head, rows) if form == "markdown" else as_csv(head, rows)


def markdown(head: Row, rows: Sequence[Row]) -> str:
    """A table with a line a row; bars in cells are escaped."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join(
        "| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n" for line in lines
    )


def latex(
    head: Row, rows: Sequence[Row], caption: str = "", *, keys: int = 1, together: int = 1
) -> str:
    """A table as wide as a page takes it, or several that share its columns out.

    Rules are of the package booktabs; what is still too wide is shrunk by graphicx. Keys stand to
    the left of each table; those that are the same in all rows are told in the caption instead. Of
    `0.36 (0.31 to 0.42)` the interval stands below the value, in a smaller font.

    Args:
        keys: how many of the first columns say what a row is of.
        together: how many of the other columns stay side by side.
    """
    stay, caption = _keys(head, rows, caption, keys)
    parts = _parts(head, rows, stay, [*range(keys, len(head))], together)
    texts = [r"% needs \usepackage{booktabs,graphicx}"]
    for number, part in enumerate(parts, start=1):
        of = f" ({number} of {len(parts)})" if len(parts) > 1 else ""
        columns = [*stay, *part]
        rule = "l" * len(stay) + "r" * len(part)
        texts += [
            r"\begin{table}",
            r"\centering\small",
            *([rf"\caption{{{_escaped(caption + of)}}}"] if caption else []),
            r"\resizebox{\ifdim\width>\textwidth\textwidth\else\width\fi}{!}{%",
            rf"\begin{{tabular}}{{{rule}}}",
            r"\toprule",
            " & ".join(_head(head[at], _longest(rows, at)) for at in columns) + r" \\",
            r"\midrule",
            *(line for row in rows for line in _lines(row, stay, part)),
            r"\bottomrule",
            r"\end{tabular}}",
            r"\end{table}",
        ]
    return "\n".join([*texts, ""])


def _keys(head: Row, rows: Sequence[Row], caption: str, keys: int) -> tuple[list[int], str]:
    """The key columns that tell rows apart, and the caption with what the others say."""
    same = [at for at in range(keys) if len({row[at] for row in rows}) == 1]
    if len(same) == keys:
        same = same[:-1]  # something stands to the left
    told = "; ".join([caption, ", ".join(f"{head[at]} {rows[0][at]}" for at in same)])
    return [at for at in range(keys) if at not in same], told if same else caption


def _parts(
    head: Row, rows: Sequence[Row], stay: list[int], columns: list[int], together: int
) -> list[list[int]]:
    """The columns of each table, beside those that stand in all of them."""

    def width(some: Sequence[int]) -> int:
        words = [max(map(len, head[at].split()), default=0) for at in some]
        return sum(
            max(word, _longest(rows, at)) + _APART for word, at in zip(words, some, strict=True)
        )

    parts: list[list[int]] = [[]]
    for first in range(0, len(columns), together):
        unit = columns[first : first + together]
        if parts[-1] and width([*stay, *parts[-1], *unit]) > _WIDE:
            parts.append([])
        parts[-1] += unit
    return parts


def _head(text: str, width: int) -> str:
    """A column's head, in lines about as long as what stands below."""
    lines = [_escaped(line) for line in wrap(text, max(width, _NARROW), break_long_words=False)]
    return r"\shortstack{" + r"\\".join(lines) + "}" if len(lines) > 1 else "".join(lines)


def _lines(row: Row, stay: list[int], part: list[int]) -> list[str]:
    """A row's keys and values, and below them the values' intervals where it has any."""
    cells = [_halves(row[at]) for at in part]
    keys = [row[at] for at in stay]
    lines = [" & ".join(map(_escaped, [*keys, *(value for value, _ in cells)])) + r" \\"]
    if any(span for _, span in cells):
        small = [rf"\scriptsize {_escaped(span)}" if span else "" for _, span in cells]
        lines.append(" & ".join([""] * len(stay) + small) + r" \\[0.6ex]")
    return lines


def _halves(text: str) -> tuple[str, str]:
    """A value and its interval, of `0.36 (0.31 to 0.42)`; "" for none."""
    value, _, span = text.removesuffix(")").partition(" (")
    return (value, span) if text.endswith(")") and span else (text, "")


def _longest(rows: Sequence[Row], column: int) -> int:
    """The characters of a column's longest cell, whose interval stands below its value."""
    return max((len(half) for row in rows for half in _halves(row[column])), default=0)


def as_csv(head: Row, rows: Sequence[Row]) -> str:
    """Comma-separated values."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([head, *rows])
    return text.getvalue()


def _escaped(text: str) -> str:
    return "".join(_LATEX.get(sign, sign) for sign in text)
