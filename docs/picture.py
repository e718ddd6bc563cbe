"""The README's picture: what a run on drawn shapes printed, over test images with label, prediction and confidence.

    (echo '$ vitcli fit --config shapes' && vitcli fit --config shapes &&
     echo '$ vitcli test runs/shapes' && vitcli test runs/shapes) > terminal.txt
    mv terminal.txt runs/shapes
    python docs/picture.py runs/shapes docs/shapes.svg

Reads config.yaml, predictions.test.csv and terminal.txt of the run's folder. ShapesData draws the images again, each
from its path; in the SVG they are JPEGs.
"""

from __future__ import annotations

import base64
import csv
import io
import sys
import tempfile
from html import escape
from pathlib import Path

import yaml
from PIL import Image

from vitcli.data import ShapesData
from vitcli.preprocess import Preprocess

# pixels
WIDTH, EDGE, BAR = 880, 24, 34
LINE, FONT, SMALL = 18, 12.5, 10.5
COLUMNS, SIDE, ROW = 10, 76, 150
# the width of a character over the size of the font, in the common monospaced fonts
ADVANCE = 0.6
EPOCHS_AT_FIRST = 2
WRONG_AT_MOST = 6
STYLE = """
text { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace; fill: #c9d1d9 }
.command, .score { fill: #ffffff; font-weight: 600 }
.dim { fill: #8b949e }
.right { fill: #56d364 }
.wrong { fill: #ff7b72 }
"""


def text(x: float, y: float, words: str, kind: str = "", size: float = FONT) -> str:
    """A line of text whose width no font can change."""
    width = len(words) * size * ADVANCE
    shown = escape(words).replace(" ", "\u00a0")
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" class="{kind}" textLength="{width:.1f}" '
        f'lengthAdjust="spacingAndGlyphs">{shown}</text>'
    )


def without_middle(lines: list[str]) -> list[str]:
    """What was printed, with dots for all epochs but the first ones and the last."""
    epochs = [number for number, line in enumerate(lines) if line.startswith("epoch ")]
    middle = epochs[EPOCHS_AT_FIRST:-1]
    return [*lines[: middle[0]], "...", *lines[middle[-1] + 1 :]] if middle else lines


def draw_again(config: dict) -> dict[str, Image.Image]:
    """The test images of a run, by the path that its table says."""
    options, side = config["data"]["init_args"], config["model"]["net"]["image_size"]
    data = ShapesData(
        kinds=tuple(options["kinds"]),
        test=options["test"],
        drawing_seed=options["drawing_seed"],
        preprocess=Preprocess(size=(side, side)),
    )
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(file) for file in data.write(folder, "test")]
        return {f"test/{file.parent.name}/{file.name}": Image.open(file).convert("RGB") for file in files}


def cell(x: float, y: float, row: dict[str, str], image: Image.Image) -> list[str]:
    """An image over its label, and over what was predicted with which confidence."""
    file = io.BytesIO()
    image.save(file, "JPEG", quality=85)
    data = base64.b64encode(file.getvalue()).decode()
    kind = "right" if row["label"] == row["predicted"] else "wrong"
    return [
        f'<image x="{x:.1f}" y="{y:.1f}" width="{SIDE}" height="{SIDE}" href="data:image/jpeg;base64,{data}"/>',
        text(x, y + SIDE + 16, row["label"], "dim", SMALL),
        text(x, y + SIDE + 31, f"{row['predicted']} {float(row['confidence']):.3f}", kind, SMALL),
    ]


def picture(run: Path) -> str:
    """The SVG, as text."""
    with (run / "predictions.test.csv").open(encoding="utf-8", newline="") as table:
        rows = list(csv.DictReader(table))
    images = draw_again(yaml.safe_load((run / "config.yaml").read_text(encoding="utf-8")))
    parts = []
    for number, colour in enumerate(("#ff5f57", "#febc2e", "#28c840")):
        parts.append(f'<circle cx="{EDGE + 6 + 20 * number}" cy="{BAR / 2 + 2}" r="6" fill="{colour}"/>')
    y = BAR + LINE
    for line in without_middle((run / "terminal.txt").read_text(encoding="utf-8").splitlines()):
        kind = "command" if line.startswith("$ ") else "score" if line.startswith("test/accuracy") else ""
        parts.append(text(EDGE, y, line, kind))
        y += LINE
    parts.append(f'<line x1="0" x2="{WIDTH}" y1="{y:.1f}" y2="{y:.1f}" stroke="#30363d"/>')

    labels = list(dict.fromkeys(row["label"] for row in rows))
    right = [row for row in rows if row["label"] == row["predicted"]]
    wrong = [row for row in rows if row["label"] != row["predicted"]]
    first = [row for label in labels for row in [r for r in right if r["label"] == label][: COLUMNS // len(labels)]]
    shown = f"all {len(wrong)}" if len(wrong) <= WRONG_AT_MOST else f"{WRONG_AT_MOST} of the {len(wrong)}"
    step = (WIDTH - 2 * EDGE - SIDE) / (COLUMNS - 1)
    for title, some in (
        (f"some of the {len(right)} test images that it gets right: label, prediction, confidence", first),
        (f"{shown} that it gets wrong", wrong[:WRONG_AT_MOST]),
    ):
        parts.append(text(EDGE, y + 25, title, "dim"))
        for number, row in enumerate(some):
            parts += cell(EDGE + number * step, y + 38, row, images[row["path"]])
        y += ROW
    parts.append(
        text(EDGE * 1.75 + WRONG_AT_MOST * step, y - ROW + 85, f"{len(right)} of {len(rows)} right", "score", 26)
    )
    height = y + EDGE / 2
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0f}" width="{WIDTH}" '
        f'height="{height:.0f}" role="img" aria-label="A run of vitcli on drawn shapes, and what it predicts">\n'
        f"<style>{STYLE}</style>\n"
        f'<rect x="0.5" y="0.5" width="{WIDTH - 1}" height="{height - 1:.0f}" rx="10" '
        'fill="#0d1117" stroke="#30363d"/>\n' + "\n".join(parts) + "\n</svg>\n"
    )


if __name__ == "__main__":
    source, target = sys.argv[1:]
    Path(target).write_text(picture(Path(source)), encoding="utf-8")
