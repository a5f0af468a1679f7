"""A figure as SVG that stands in the text of an HTML page."""

from __future__ import annotations

import html
import io
import re
from collections.abc import Callable

import matplotlib as mpl
from matplotlib.figure import Figure

from tuner.report.figures.style import NARROW, WIDE, Size

_FONTS = "system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif"

_LINES = "stroke-linejoin: round; stroke-linecap: butt"  # which matplotlib would say of the whole page

STYLE = """
.figure svg { width: 100%; height: auto; }
.figure .narrow { display: none; }
@media (max-width: 640px) { .figure .narrow { display: inline; } .figure .wide { display: none; } }
"""
"""What a page needs once for its figures."""


def inline(figure: Figure, identifier: str, kind: str = "wide") -> str:
    """Return a figure as one `svg` element; the same records drawn again give the same bytes.

    All ids begin with `identifier`, so that figures on one page do not meet. Text stays text, in the page's own fonts:
    matplotlib measures it in DejaVu Sans, which is wider than what screens have. The figure's label is its description.
    """
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": identifier}):
        file = io.StringIO()
        figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    figure.set_layout_engine("none")  # it is laid out now, for whatever else it is saved as
    text = file.getvalue()
    box = re.search(r'viewBox="([^"]+)"', text)
    body = text[text.index(">", text.index("<svg")) + 1 :]
    body = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>", "", body, flags=re.DOTALL)
    body = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{identifier}-", body)
    body = re.sub(r"(?:'DejaVu Sans'|DejaVu Sans)", _FONTS, body)
    described = html.escape(str(figure.get_label()), quote=False)
    return (
        f'<svg class="{kind}" role="img" aria-labelledby="{identifier}-description" '
        f'style="{_LINES}" viewBox="{box.group(1) if box else ""}" xmlns="http://www.w3.org/2000/svg" '
        f'xmlns:xlink="http://www.w3.org/1999/xlink">'
        f'<desc id="{identifier}-description">{described}</desc>{body.strip()}'
    )


def responsive(draw: Callable[[Size], Figure], identifier: str) -> str:
    """Return a figure twice, for wide and for narrow screens; `STYLE` shows the one that fits."""
    sizes = (("wide", WIDE), ("narrow", NARROW))
    drawn = (inline(draw(size), f"{identifier}-{kind}", kind) for kind, size in sizes)
    return f'<div class="figure">{"".join(drawn)}</div>'
