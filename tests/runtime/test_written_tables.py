"""Tables as Markdown, LaTeX and CSV."""

import csv
import io

from mmrl.runtime.written_tables import written

HEAD = ["name", "share, %"]
ROWS = [["a|b_c & d", "5\N{MINUS SIGN}1"], ["C:\\x{y}~^#$", "2"]]


def test_markdown_escapes_bars() -> None:
    lines = written("markdown", HEAD, ROWS).splitlines()
    assert lines[1] == "| --- | --- |"
    assert lines[2].startswith("| a\\|b_c & d |")


def test_latex_escapes_what_it_would_read_as_commands() -> None:
    text = written("latex", HEAD, ROWS, "50% of $1")
    assert r"a|b\_c \& d & 5$-$1 \\" in text
    assert r"C:\textbackslash{}x\{y\}\textasciitilde{}\textasciicircum{}\#\$ & 2 \\" in text
    assert r"\caption{50\% of \$1}" in text
    assert r"\begin{tabular}{lr}" in text


def test_csv_is_read_back() -> None:
    assert list(csv.reader(io.StringIO(written("csv", HEAD, ROWS)))) == [HEAD, *ROWS]
