"""The README's picture of a report: the upper part of the page of a run on drawn shapes, in light and in dark.

    make demo
    vitcli report runs/demo
    python docs/report_picture.py runs/demo/report.html docs/report.webp

Needs Debian's chromium.
"""

from __future__ import annotations

import io
import shutil
import sys
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

# pixels
WIDTH, HEIGHT = 1200, 2050
QUALITY = 80


def picture(page: Path) -> Image.Image:
    """The page in light on the left and in dark on the right of a slope."""
    program = shutil.which("chromium")
    shots = []
    with sync_playwright() as started:
        browser = started.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"])
        for scheme in ("light", "dark"):
            tab = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT}, color_scheme=scheme)
            tab.goto(page.absolute().as_uri())
            shots.append(Image.open(io.BytesIO(tab.screenshot())).convert("RGB"))
        browser.close()
    light, dark = shots
    slope = Image.new("L", light.size, 0)
    for y in range(HEIGHT):
        start = round(WIDTH * (0.94 - 0.34 * y / HEIGHT))
        slope.paste(255, (start, y, WIDTH, y + 1))
    return Image.composite(dark, light, slope)


if __name__ == "__main__":
    source, target = sys.argv[1:]
    picture(Path(source)).save(target, "WEBP", quality=QUALITY, method=6)
