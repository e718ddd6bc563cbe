"""Images explained: files of any size, also broken ones -> what the net says of each, and its maps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import final

import torch

from vitcli.answers.answer import answer
from vitcli.answers.rows import rows_of
from vitcli.explain.explained import Explained, explain
from vitcli.images.index.handed import Handed, cropped, named, stacked
from vitcli.net import ViT
from vitcli.preprocess import Preprocess
from vitcli.table.columns import BEST, NARROW, Columns
from vitcli.table.row import Row

# pictures that are decoded at once
DECODED = 16


@final
@dataclass(frozen=True, slots=True)
class Subject:
    """The net that is explained.

    Args:
        net: In eval mode.
        preprocess: What of a picture enters it, and how.
        classes: Their names, in its order.
        max_pixels: Larger pictures are not decoded.
    """

    net: ViT
    preprocess: Preprocess
    classes: Sequence[str]
    max_pixels: int


@final
@dataclass(frozen=True, slots=True)
class Told:
    """An image, and what the net says of it.

    Args:
        image: Where it lies.
        row: As in a prediction table.
        label: Name of the class whose answer is explained; empty where there is no map.
        explained: Its maps; None for an image without a prediction.
    """

    image: Handed
    row: Row
    label: str
    explained: Explained | None


def explained_images(
    subject: Subject, images: Sequence[Handed], methods: Sequence[str], label: str = "", *, layers: bool = False
) -> Iterator[Told]:
    """Each image with its maps, in order; a few are decoded and explained at a time.

    Args:
        subject: The net.
        images: Which ones.
        methods: Names of METHODS.
        label: Name of the class that is explained; empty: the predicted one of each image.
        layers: Whether the maps of all layers and heads are wanted too.

    Raises:
        ConfigError: A method that watches attention, of a backend that has none of vitcli's.
    """
    net, preprocess = subject.net, subject.preprocess
    columns = Columns(tuple(subject.classes), 0 if len(subject.classes) <= NARROW else BEST)
    places = {name: place for place, name in enumerate(subject.classes)}
    for batch, read in cropped(images, preprocess, DECODED, subject.max_pixels):
        # channels last, as predict has them, so that the net adds up in the same order
        pixels = torch.from_numpy(stacked(read, preprocess.size)).to(net.head.weight.device).permute(0, 3, 1, 2)
        with torch.inference_mode():
            probabilities = answer(net, preprocess, pixels)["probabilities"].cpu().numpy()
        said = rows_of(probabilities, columns)
        rows = list(named(batch, read, said))
        # an answer that is no number has no map
        sound = [place for place, row in enumerate(said) if row.status == "ok"]
        labels = [places[label or said[place].predicted] for place in sound]
        maps = iter(explain(net, preprocess, pixels[sound], labels, methods, layers=layers))
        for image, row in zip(batch, rows, strict=True):
            is_sound = row.status == "ok"
            yield Told(image, row, (label or row.predicted) if is_sound else "", next(maps) if is_sound else None)
