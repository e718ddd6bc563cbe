"""Inline SVG: matplotlib's drawing without style attributes, so that a content security policy can forbid them."""

from __future__ import annotations

import re
from typing import final

from markupsafe import Markup

from vitcli.report.charts.palette import VARIABLES

HEAD = re.compile(r"^.*?(?=<svg\b)|<metadata>.*?</metadata>|<!--.*?-->|<style\b.*?</style>", re.DOTALL)
STYLE = re.compile(r' style="([^"]*)"')
ID = re.compile(r' id="([^"]*)"')
REFERENCE = re.compile(r'(?:xlink:href|href)="#([^"]*)"|url\(#([^)"]*)\)')
VIEW = re.compile(r'<svg\b[^>]*viewBox="([^"]*)"[^>]*>')
# ``font: 9px 'DejaVu Sans', ...`` of matplotlib before 3.10
FONT = re.compile(r"font: (?:[a-z0-9]+ )*?([\d.]+px) [^;]*")
FAMILY = re.compile(r"font-family: [^;]*;? ?")
COLOUR = re.compile("|".join(VARIABLES), re.IGNORECASE)
BETWEEN = re.compile(r">\s+<")


@final
class InlineSvg:
    """Turns drawings into inline ones, which share a style sheet and follow the colours of the page.

    What ``style="..."`` says becomes a class, as style attributes need 'unsafe-inline' in a policy; a colour of the
    palette becomes a variable of the page, and text takes the page's font. Of ids only those stay that are used,
    with the chart's name before them, as no two charts of a page may share one.
    """

    def __init__(self) -> None:
        self._classes: dict[str, str] = {}

    def inline(self, svg: str, name: str, told: str) -> Markup:
        """A drawing as part of a page.

        Args:
            svg: The file that matplotlib writes, with text as text.
            name: Of the chart; no other on the page has it.
            told: What a screen reader says in its place.
        """
        svg = HEAD.sub("", svg)
        used = {first or second for first, second in REFERENCE.findall(svg)}
        svg = ID.sub(lambda found: f' id="{name}-{found[1]}"' if found[1] in used else "", svg)
        svg = svg.replace('xlink:href="#', f'href="#{name}-').replace("url(#", f"url(#{name}-")
        svg = STYLE.sub(self._class, svg)
        svg = BETWEEN.sub("><", " ".join(svg.split())).replace("<g></g>", "")
        svg = VIEW.sub(lambda found: _opening(found[1], told), svg, count=1)
        return Markup(svg)  # matplotlib has escaped what came from names

    @property
    def css(self) -> str:
        """The rules of the classes used so far."""
        return "".join(f".{name}{{{rule}}}" for rule, name in self._classes.items())

    def _class(self, found: re.Match[str]) -> str:
        rule = FAMILY.sub("", FONT.sub(r"font-size: \1", found[1]))
        rule = COLOUR.sub(lambda colour: f"var({VARIABLES[colour[0].lower()]})", rule).strip("; ")
        rule = rule.replace(": ", ":").replace("; ", ";")
        if not rule:
            return ""
        name = self._classes.setdefault(rule, f"g{len(self._classes)}")
        return f' class="{name}"'


def _opening(view: str, told: str) -> str:
    return f'<svg viewBox="{view}" role="img" aria-label="{Markup.escape(told)}">'
