"""Tables as Markdown, LaTeX and CSV, from texts."""

import csv
import io
from collections.abc import Sequence

Row = Sequence[str]
_LATEX = {
    "\\": r"\textbackslash{}",
    **{sign: f"\\{sign}" for sign in "&%$#_{}"},
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "\N{MINUS SIGN}": "$-$",
}
FORMS = ("markdown", "latex", "csv")


def written(form: str, head: Row, rows: Sequence[Row], caption: str = "") -> str:
    """A table in one of `FORMS`.

    Args:
        caption: of LaTeX's table; the others have none.
    """
    if form == "latex":
        return latex(head, rows, caption)
    return markdown(head, rows) if form == "markdown" else as_csv(head, rows)


def markdown(head: Row, rows: Sequence[Row]) -> str:
    """A table with a line a row; bars in cells are escaped."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join(
        "| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n" for line in lines
    )


def latex(head: Row, rows: Sequence[Row], caption: str = "") -> str:
    """A `table` with rules of the package booktabs; all but the first column to the right."""
    body = [" & ".join(map(_escaped, row)) + r" \\" for row in rows]
    above = [rf"\caption{{{_escaped(caption)}}}"] if caption else []
    return "\n".join(
        [
            r"\begin{table}",
            r"\centering",
            *above,
            rf"\begin{{tabular}}{{l{'r' * (len(head) - 1)}}}",
            r"\toprule",
            " & ".join(map(_escaped, head)) + r" \\",
            r"\midrule",
            *body,
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{table}",
            "",
        ]
    )


def as_csv(head: Row, rows: Sequence[Row]) -> str:
    """Comma-separated values."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([head, *rows])
    return text.getvalue()


def _escaped(text: str) -> str:
    return "".join(_LATEX.get(sign, sign) for sign in text)
