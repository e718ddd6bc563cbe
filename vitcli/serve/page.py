"""The page on which photos are dropped: three files of ours, and a policy by which it loads nothing else."""

from __future__ import annotations

import json
from pathlib import Path

import jinja2

from vitcli import __version__
from vitcli.images.decode.encoded import FORMATS
from vitcli.names import printable
from vitcli.serve.engine import Engine
from vitcli.serve.limits import Limits

HERE = Path(__file__).parent / "page"
# only our own style and script; pictures that the page itself has made; nobody may put it into a frame
POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src blob: data:; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
# what a browser is told of each answer
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}


def page(engine: Engine, limits: Limits) -> str:
    """The HTML; names of classes and of the net are escaped.

    Args:
        engine: The net.
        limits: What the page tells and checks before it sends.
    """
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
    classes = [printable(name) for name in engine.classes]
    told = {"method": engine.method, "maxBytes": limits.max_bytes, "maxImages": limits.max_images}
    height, width = engine.preprocess.size
    return environment.from_string(part("page.html")).render(
        # its last part alone: where it lies on this machine is nobody's business
        name=printable(Path(engine.name).name or engine.name),
        classes=classes,
        size=f"{width} x {height}",
        device=engine.device,
        method=engine.method,
        no_maps=printable(engine.no_maps),
        formats=", ".join(sorted(FORMATS)),
        megabytes=f"{limits.max_bytes / 2**20:.3g}",
        megapixels=f"{limits.max_pixels / 10**6:.3g}",
        version=__version__,
        told=json.dumps(told),
    )


def part(name: str) -> str:
    """A file of the page."""
    return (HERE / name).read_text(encoding="utf-8")
