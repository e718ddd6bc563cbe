"""All that an epoch shows, as tests compare it: what comes to the step of training, with the augmentation applied."""

from __future__ import annotations

import hashlib
from typing import NamedTuple

from vitcli.data import ImageData
from vitcli.data.augment.augment import Augment

AUGMENT = Augment(colour=0.3, erase=0.3, policy="trivial", flip_vertical=0.3)


class Shown(NamedTuple):
    """A batch.

    Args:
        labels: Of each picture.
        places: Of each among the samples of its split.
        pictures: A hash of them all.
    """

    labels: list[int]
    places: list[int]
    pictures: str


def shown(data: ImageData) -> list[Shown]:
    """The batches of an epoch of training, and of one of validation behind them."""
    data.setup("fit")
    batches = [data.varied(batch) for loader in (data.train_dataloader(), data.val_dataloader()) for batch in loader]
    data.teardown("fit")
    return [
        Shown(
            batch["label"].tolist(),
            batch["index"].tolist(),
            hashlib.sha256(batch["image"].numpy().tobytes() + batch["size"].numpy().tobytes()).hexdigest(),
        )
        for batch in batches
    ]
