"""Small overlays for a page: of each picture what enters the net, under the map of its class."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from vitcli.explain.explained import explain
from vitcli.explain.images import DECODED, Subject
from vitcli.images.decode.encoded import strict
from vitcli.images.decode.picture import UnreadableImage
from vitcli.images.decode.pixels import Rgb, Way
from vitcli.report.charts.colouring import Scale, overlay
from vitcli.report.pictures import MOST_PIXELS, SIDE, Open


class _Read(NamedTuple):
    """A picture as the net sees it, uint8 (3, height, width), and as people do, uint8 (height, width, 3)."""

    pixels: Rgb
    seen: NDArray[np.uint8]


def small_overlays(
    subject: Subject, wanted: Sequence[tuple[str, str]], opens: Open, method: str
) -> list[Image.Image | None]:
    """An overlay of each picture; None where it is gone or broken, or the net knows no such class.

    Args:
        subject: The net.
        wanted: Path of each picture, and name of the class that is explained.
        opens: The picture of a path.
        method: A name of METHODS.
    """
    places = {name: place for place, name in enumerate(subject.classes)}
    found: list[Image.Image | None] = [None] * len(wanted)
    for start in range(0, len(wanted), DECODED):
        sound: list[tuple[int, int, _Read]] = []
        with strict(MOST_PIXELS):
            for number, (path, label) in enumerate(wanted[start : start + DECODED], start):
                if label in places and (read := _read(subject, opens, path)) is not None:
                    sound.append((number, places[label], read))
        if not sound:
            continue
        pixels = torch.from_numpy(np.stack([read.pixels for _, _, read in sound]))
        labels = [label for _, label, _ in sound]
        maps = explain(subject.net, subject.preprocess, pixels, labels, [method])
        for (number, _, read), explained in zip(sound, maps, strict=True):
            each = explained.maps[method]
            if np.isfinite(each).all():
                found[number] = Image.fromarray(overlay(read.seen, each, Scale.of(each)))
    return found


def _read(subject: Subject, opens: Open, path: str) -> _Read | None:
    preprocess = subject.preprocess
    scale = SIDE / max(preprocess.size)
    size = max(1, round(preprocess.size[0] * scale)), max(1, round(preprocess.size[1] * scale))
    way = Way.of(preprocess)
    try:
        picture = opens(path)
        region = preprocess.region(picture.height, picture.width)
        seen = picture.crop(region, way._replace(size=size)).transpose(1, 2, 0)
        return _Read(picture.crop(region, way), np.ascontiguousarray(seen))
    except (UnreadableImage, OSError, ValueError, LookupError, MemoryError):
        return None
