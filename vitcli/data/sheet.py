"""samples.png: a contact sheet of training images as the net sees them, with their labels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from vitcli.machine.atomic import replacing

if TYPE_CHECKING:
    from vitcli.data.batches.samples import Batch
    from vitcli.data.module import ImageData

MOST = 24
SIDE = 160
CAPTION = 18
MARGIN = 4
LONGEST = 24


def write_sheet(data: ImageData, file: Path) -> bool:
    """Write the first pictures of the first epoch of training; nothing, and False, if not one of them can be read.

    Args:
        data: The images, scanned.
        file: A PNG.
    """
    plan = data.training_plan(0)
    if not plan:
        return False
    key = plan[0]
    samples = data.samples(data.listing("train"), data.augment, threads=1)
    batch = data.varied(samples[key._replace(spots=key.spots[:MOST])])
    if not len(batch["label"]):
        return False
    # fast rather than small: the first step of training waits for it
    with replacing(file) as part:
        draw_sheet(batch, data.classes).save(part, "PNG", compress_level=1)
    return True


def draw_sheet(batch: Batch, classes: Sequence[str]) -> Image.Image:
    """The pictures of a batch in rows, each over its label, or over its labels and their shares."""
    images = batch["image"].round().clamp(0, 255).byte().permute(0, 2, 3, 1).numpy()
    columns = math.ceil(math.sqrt(len(images) * 1.5))
    rows = math.ceil(len(images) / columns)
    cell_width, cell_height = SIDE + MARGIN, SIDE + CAPTION + MARGIN
    sheet = Image.new("RGB", (columns * cell_width + MARGIN, rows * cell_height + MARGIN), "white")
    pencil, font = ImageDraw.Draw(sheet), ImageFont.load_default(size=12)
    for number, pixels in enumerate(images):
        left, top = MARGIN + number % columns * cell_width, MARGIN + number // columns * cell_height
        picture = Image.fromarray(np.ascontiguousarray(pixels))
        scale = SIDE / max(picture.size)
        size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
        sheet.paste(picture.resize(size), (left + (SIDE - size[0]) // 2, top + (SIDE - size[1]) // 2))
        pencil.text((left, top + SIDE + 1), caption(batch, number, classes), fill="black", font=font)
    return sheet


def caption(batch: Batch, number: int, classes: Sequence[str]) -> str:
    """The label of a picture, or its two largest shares, as a font can show it."""
    if "target" in batch:
        shares = batch["target"][number]
        largest = [place for place in shares.argsort(descending=True)[:2].tolist() if shares[place] > 0]
        words = " + ".join(f"{float(shares[place]):.2f} {classes[place]}" for place in largest)
    else:
        words = classes[int(batch["label"][number])]
    plain = words.encode("utf-8", "backslashreplace").decode()
    return plain if len(plain) <= LONGEST else f"{plain[: LONGEST - 3]}..."
