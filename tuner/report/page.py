"""A report as one HTML file that needs nothing else: no script, nothing from the network."""

from __future__ import annotations

import base64
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup

from tuner.report.document import Document, Figure
from tuner.report.figures import svg


def html(document: Document) -> str:
    """Return a document as HTML; whatever comes from the study is escaped."""
    return _template().render(document=document, figure_style=Markup(svg.STYLE))


@cache
def _template() -> Template:
    environment = Environment(
        loader=PackageLoader("tuner.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["kind"] = lambda block: type(block).__name__
    environment.filters["drawn"] = _drawn
    environment.filters["base64"] = lambda data: base64.b64encode(data).decode("ascii")
    return environment.get_template("page.html.j2")


def _drawn(figure: Figure) -> Markup:
    return Markup(svg.responsive(figure.draw, figure.identifier))  # matplotlib escapes what it writes
