"""Tables as Markdown, LaTeX and CSV."""

import csv
import io

from mmrl.runtime.written_tables import latex, written

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


def test_latex_shares_many_columns_out_over_tables_that_a_page_takes() -> None:
    head = ["predictor", *(f"Spearman within subreddit {number}" for number in range(10))]
    rows = [["mmrl"] + ["0.361 (0.312 to 0.423)"] * 10, ["median"] + ["0.2"] * 10]
    text = written("latex", head, rows, "Version 3", together=2)
    tables = text.split(r"\begin{table}")[1:]
    assert [table.count("0.361") for table in tables] == [4, 4, 2]
    for number, table in enumerate(tables, start=1):
        assert rf"\caption{{Version 3 ({number} of 3)}}" in table
        assert table.count("mmrl") == table.count("median") == 1
        assert r"\shortstack{Spearman\\within\\subreddit" in table
        assert table.count("{") == table.count("}")


def test_latex_sets_an_interval_below_its_value() -> None:
    rows = [["mmrl", "0.36 (0.31 to 0.42)", "1"], ["a (b)", "5", ""]]
    lines = written("latex", ["name", "Spearman", "posts"], rows).splitlines()
    place = lines.index(r"mmrl & 0.36 & 1 \\")
    assert lines[place + 1] == r" & \scriptsize 0.31 to 0.42 &  \\[0.6ex]"
    assert lines[place + 2] == r"a (b) & 5 &  \\"


def test_latex_tells_in_the_caption_what_is_the_same_in_all_rows() -> None:
    head = ["target", "learner", "RMSE"]
    rows = [["log_score", "mmrl", "1"], ["log_score", "median", "2"]]
    text = latex(head, rows, "plan", keys=2)
    assert r"\caption{plan; target log\_score}" in text
    assert "learner & RMSE" in text
    assert r"median & 2 \\" in text
    alone = latex(head, rows[:1], "plan", keys=2)
    assert r"\caption{plan; target log\_score}" in alone
    assert "mmrl & 1" in alone


def test_csv_is_read_back() -> None:
    assert list(csv.reader(io.StringIO(written("csv", HEAD, ROWS)))) == [HEAD, *ROWS]
