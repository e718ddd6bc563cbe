"""The images of a report: how many a class and split, their sizes, what was left out, and what check found."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from vitcli.names import counted, printable
from vitcli.report.charts import scores
from vitcli.report.charts.easel import Charts
from vitcli.report.material import PARTS, Material
from vitcli.report.pictures import address
from vitcli.report.view import DataView

# listed at most
ERRORS = 50
CLASSES = 1000
# pixels: as wide as the page
SAMPLES_WIDTH = 1040
SAMPLES_QUALITY = 60


def view_data(material: Material, charts: Charts) -> DataView:
    """What is known of the images.

    Args:
        material: Of the report.
        charts: Receive that of their sizes.
    """
    scored = material.scored
    counts = _counts(material)
    shown = [part for part in (*PARTS, "images") if any(part in held for held in counts.values())]
    known = scored.sizes[(scored.sizes > 0).all(axis=1)]
    told = _sizes(known) if len(known) else ""
    failed = np.flatnonzero(scored.predicted < 0)
    return DataView(
        counts=counts if len(counts) <= CLASSES else {},
        shown=shown,
        totals={part: sum(held.get(part, 0) for held in counts.values()) for part in shown} | dict(material.divided),
        sizes=scores.sizes(charts, known, told) if len(np.unique(known, axis=0)) > 1 else None,
        sizes_told=told,
        left_out=material.left_out,
        errors=[(printable(scored.paths[row]), printable(scored.errors[row])) for row in failed[:ERRORS].tolist()],
        failed=len(failed),
        notices=material.about.notices if material.about is not None else (),
        checked=material.checked,
        samples=_samples(material),
    )


def _counts(material: Material) -> Mapping[str, Mapping[str, int]]:
    """Images of each class by split: what the training knew, and of the table's split what the table says."""
    scored = material.scored
    counts: dict[str, dict[str, int]] = {}
    for split, held in material.about.counts.items() if material.about is not None else ():
        for name, images in held.items():
            counts.setdefault(name, {})[split] = images
    labelled = scored.labels[scored.labels >= 0]
    if len(labelled):
        split = material.origin.split or "images"
        found = np.bincount(labelled, minlength=len(scored.classes)).tolist()
        for name, images in zip(scored.classes, found, strict=True):
            counts.setdefault(name, {})[split] = images
    return counts


def _sizes(known: NDArray[np.int64]) -> str:
    images = counted(len(known), "image")
    (low, lower), (high, higher) = known.min(axis=0).tolist(), known.max(axis=0).tolist()
    if (low, lower) == (high, higher):
        return f"{images}, each of {low:,} x {lower:,} pixels."
    middle = np.median(known, axis=0)
    return (
        f"Sizes of {images}: widths {low:,} to {high:,}, heights {lower:,} to {higher:,} pixels, "
        f"in the middle {middle[0]:g} x {middle[1]:g}."
    )


def _samples(material: Material) -> str:
    if material.samples is None:
        return ""
    try:
        with Image.open(material.samples, formats=("PNG",)) as image:
            sheet = image.convert("RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return ""
    if sheet.width > SAMPLES_WIDTH:
        size = (SAMPLES_WIDTH, max(1, round(sheet.height * SAMPLES_WIDTH / sheet.width)))
        sheet = sheet.resize(size, Image.Resampling.BICUBIC)
    return address(sheet, SAMPLES_QUALITY)
