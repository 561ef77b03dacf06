"""Figures of an evaluation as files by themselves, SVG or PDF, for papers and slides."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from mmrl.errors import InputError
from mmrl.learning.evaluation.metrics import leading
from mmrl.learning.evaluation.record import Evaluation
from mmrl.report import plots_models
from mmrl.report.svg import BASELINE, CEILING, INK, MODEL, MUTED, PAGE, RULE, figure_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FORMS = ("svg", "pdf")
_ON_PAPER = {
    INK: "#171b21",
    MUTED: "#59626e",
    RULE: "#d9dde3",
    PAGE: "#ffffff",
    MODEL: "#0068b4",
    BASELINE: "#7b8491",
    CEILING: "#b85a00",
}
_PROPERTIES = ("color", "facecolor", "edgecolor", "markerfacecolor", "markeredgecolor")


class FileCanvas:
    """Draws figures into files, where `svg.Canvas` draws them for a page.

    Attributes:
        file: to draw the next figure into.
    """

    def __init__(self) -> None:
        self.file = Path()

    def draw(
        self, paint: Callable[["Figure"], None], *, width: int, height: int, alt: str
    ) -> Markup:
        """Writes the file; see `svg.Canvas.draw`. What it shows in words is the file's title."""

        def on_paper(figure: "Figure") -> None:
            paint(figure)
            for artist in figure.findobj():
                _recolour(artist)
                box = getattr(artist, "get_bbox_patch", lambda: None)()  # behind a text
                if box is not None:
                    _recolour(box)

        with figure_of(on_paper, width, height) as figure:
            figure.savefig(self.file, metadata={"Title": alt})
        return Markup("")


def write_figures(evaluation: Evaluation, folder: Path, form: str) -> list[Path]:
    """The model against its baselines, a figure a leading metric that is known.

    Raises:
        InputError: there is no such form.
    """
    if form not in FORMS:
        raise InputError(f"A figure is no {form!r}: give one of {', '.join(FORMS)}.")
    folder.mkdir(parents=True, exist_ok=True)
    canvas, written = FileCanvas(), []
    for metric in leading():
        canvas.file = folder / f"{metric.name}.{form}"
        if plots_models.comparison(canvas, evaluation.models, metric) is not None:
            written.append(canvas.file)
    return written


def _recolour(artist: Any) -> None:
    """Puts the colours of a light page in place of their stand-ins."""
    from matplotlib.colors import to_hex

    for name in _PROPERTIES:
        getter = getattr(artist, f"get_{name}", None)
        if getter is None:
            continue
        try:
            stand_in = to_hex(getter())
        except (TypeError, ValueError):  # several colours, or none
            continue
        if stand_in in _ON_PAPER:
            getattr(artist, f"set_{name}")(_ON_PAPER[stand_in])
