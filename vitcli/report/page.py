"""Page: a view as one file of HTML that, by its content security policy, loads nothing and runs only our script."""

from __future__ import annotations

import base64
import hashlib
import math
from dataclasses import asdict
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from vitcli.evaluate.evaluation import Estimate
from vitcli.names import printable
from vitcli.report.answer import percent
from vitcli.report.view import View

HERE = Path(__file__).parent / "templates"
NOTHING = "\u2013"


def render(view: View, css: str) -> str:
    """The page of a report.

    Args:
        view: What it shows.
        css: The rules of the inline charts.
    """
    return render_page("report.html", css, view=view)


def render_page(template: str, css: str, **shown: Any) -> str:
    """A page in the style of the report.

    Names come from files and tables: every one is escaped by the templates, and in the JSON of a script ``<`` is.

    Args:
        template: Its file in ``templates/``.
        css: The rules of the inline charts.
        **shown: What the template shows.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    filters = {"three": three, "percent": percent, "whole": whole, "estimate": estimate}
    environment.filters |= {**filters, "printable": printable, "breakable": breakable, "dict": asdict}
    style = (HERE / "report.css").read_text(encoding="utf-8") + css
    script = (HERE / "report.js").read_text(encoding="utf-8")
    return environment.get_template(template).render(
        **shown, style=Markup(style), script=Markup(script), policy=_policy(style, script), nothing=NOTHING
    )


def _policy(style: str, script: str) -> str:
    """Nothing from outside, pictures from inside, and the page's own style sheet and script, known by their hashes."""
    hashes = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in (style, script)]
    return (
        f"default-src 'none'; img-src data:; style-src 'sha256-{hashes[0]}'; script-src 'sha256-{hashes[1]}'; "
        "base-uri 'none'; form-action 'none'"
    )


def three(value: float | None) -> str:
    """A number in [0, 1] or near it with three digits; a dash where there is none."""
    return NOTHING if value is None or not math.isfinite(value) else f"{value:.3f}"


def whole(value: int | None) -> str:
    """A count with commas; a dash where there is none."""
    return NOTHING if value is None else f"{value:,}"


def breakable(path: str) -> Markup:
    """A path that a line may end in behind its folders."""
    return Markup("/<wbr>").join(path.split("/"))


def estimate(value: Estimate | None) -> Any:
    """A number over its interval."""
    if value is None or not math.isfinite(value.value):
        return NOTHING
    return Markup('{} <span class="interval">{}\u2013{}</span>').format(
        three(value.value), three(value.low), three(value.high)
    )
