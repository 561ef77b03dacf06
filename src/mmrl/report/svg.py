"""Matplotlib figures as small inline SVG: themed by CSS, with no inline style and no script.

A report's Content-Security-Policy allows one stylesheet, known by its hash, and no inline style.
So the styles that matplotlib writes on each element become classes of that stylesheet; as most
elements look alike, this also makes the file several times smaller. Colours are written as stand-in
values and become CSS variables, which is how one figure suits a light and a dark page.
"""

import io
import re
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol
from xml.etree import ElementTree

from markupsafe import Markup

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Stand-ins that no plot uses as real colours, and the variables of report.css they become.
INK = "#000001"
MUTED = "#000002"
RULE = "#000003"
PAGE = "#000004"
MODEL = "#000005"
BASELINE = "#000006"
CEILING = "#000007"
_VARIABLES = {
    INK: "var(--ink)",
    MUTED: "var(--muted)",
    RULE: "var(--rule)",
    PAGE: "var(--card)",
    MODEL: "var(--model)",
    BASELINE: "var(--baseline)",
    CEILING: "var(--ceiling)",
}

_RC: dict[Any, Any] = {
    "svg.fonttype": "none",  # text stays text: smaller, selectable, in the page's own font
    "svg.hashsalt": "mmrl",  # the same figure gives the same ids
    "text.parse_math": False,  # a name with two dollar signs is a name, not a formula
    "font.size": 8.5,
    "axes.edgecolor": RULE,
    "axes.facecolor": "none",
    "axes.labelcolor": MUTED,
    "axes.titlecolor": INK,
    "axes.titlesize": 9.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "figure.facecolor": "none",
    "grid.color": RULE,
    "grid.linewidth": 0.6,
    "text.color": INK,
    "xtick.color": RULE,
    "ytick.color": RULE,
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": INK,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "path.simplify_threshold": 0.2,
}
_STYLE = re.compile(r"\s*([a-z-]+)\s*:\s*([^;]+)")
_REFERENCE = re.compile(r"url\(#([^)]+)\)")
_LOCK = threading.Lock()  # matplotlib's settings belong to the process


@contextmanager
def figure_of(paint: Callable[["Figure"], None], width: int, height: int) -> "Iterator[Figure]":
    """What `paint` draws on a figure of `width` x `height` CSS pixels, to be saved in the block."""
    import matplotlib
    from matplotlib.figure import Figure

    with _LOCK, matplotlib.rc_context(_RC), warnings.catch_warnings():
        # matplotlib measures text in a font of its own; what that lacks, the browser has.
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        figure = Figure(figsize=(width / 96, height / 96), layout="constrained")
        paint(figure)
        yield figure


class Drawing(Protocol):
    """Whatever plots are drawn on: a page, or files."""

    def draw(
        self, paint: Callable[["Figure"], None], *, width: int, height: int, alt: str
    ) -> Markup:
        """Draws one figure; see `Canvas.draw`."""
        ...


class Canvas:
    """Draws the figures of one page and gathers the styles they need."""

    def __init__(self) -> None:
        self._classes: dict[str, str] = {}
        self._figures = 0

    def draw(
        self, paint: Callable[["Figure"], None], *, width: int, height: int, alt: str
    ) -> Markup:
        """The SVG element of what `paint` draws on a figure of `width` x `height` CSS pixels.

        Args:
            alt: what the figure shows and says, in words, for those who can't see it.
        """
        buffer = io.StringIO()
        with figure_of(paint, width, height) as figure:
            nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
            figure.savefig(buffer, format="svg", metadata=nothing)
        self._figures += 1
        return self._inline(buffer.getvalue(), f"f{self._figures}-", alt)

    def css(self) -> str:
        """The classes used by the figures drawn so far."""
        return "".join(f".{name}{{{style}}}\n" for style, name in self._classes.items())

    def _inline(self, document: str, prefix: str, alt: str) -> Markup:
        root = ElementTree.fromstring(document)  # matplotlib's own output
        root.attrib = {
            "viewBox": root.attrib["viewBox"],
            "role": "img",
            "aria-label": alt,
            "class": "figure",
        }
        for parent in list(root.iter()):
            for child in list(parent):
                if _local(child.tag) in ("metadata", "style"):
                    parent.remove(child)
        used = {
            reference
            for element in root.iter()
            for name, value in element.attrib.items()
            for reference in ([value[1:]] if _local(name) == "href" else _REFERENCE.findall(value))
        }
        for element in root.iter():
            element.tag = _local(element.tag)
            element.attrib = self._attributes(element, prefix, used)
        text = ElementTree.tostring(root, encoding="unicode", short_empty_elements=True)
        return Markup(re.sub(r"\s*\n\s*", "\n", text))

    def _attributes(
        self, element: ElementTree.Element, prefix: str, used: set[str]
    ) -> dict[str, str]:
        kept = {}
        for full_name, value in element.attrib.items():
            name = _local(full_name)
            if name == "style":
                kept["class"] = self._class(_declarations(value))
            elif name == "href":
                kept[name] = f"#{prefix}{value[1:]}"
            elif name == "id":
                if value in used:
                    kept[name] = prefix + value
            else:
                kept[name] = _REFERENCE.sub(rf"url(#{prefix}\1)", value)
        return kept

    def _class(self, style: str) -> str:
        return self._classes.setdefault(style, f"s{len(self._classes)}")


def _declarations(style: str) -> str:
    """A style attribute of matplotlib's as CSS declarations with the page's colours."""
    declarations = []
    for name, value in _STYLE.findall(style):
        if name != "font-family":  # the page's own
            declarations.append(f"{name}:{_VARIABLES.get(value.strip(), value.strip())}")
    return ";".join(declarations)


def _local(name: str) -> str:
    return name.rsplit("}", 1)[-1]
