"""Figures as files."""

import re
from pathlib import Path

import pytest

from mmrl.errors import InputError
from mmrl.report.figures import write_figures
from tests.support.report_factory import make_evaluation


def test_a_figure_a_leading_metric_is_written_in_colours_of_paper(tmp_path: Path) -> None:
    evaluation = make_evaluation()
    files = write_figures(evaluation, tmp_path / "new", "svg")
    assert "spearman_within.svg" in [file.name for file in files]
    text = files[0].read_text()
    assert "#0068b4" in text
    assert not re.search("#00000[1-7]", text)
    for model in evaluation.models.values():
        assert model.label.split(",")[0] in text
    (pdf, *_) = write_figures(evaluation, tmp_path, "pdf")
    assert pdf.read_bytes().startswith(b"%PDF")


def test_another_form_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="give one of svg, pdf"):
        write_figures(make_evaluation(), tmp_path, "png")
