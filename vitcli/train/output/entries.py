"""Entries: a batch and what the net answers to it -> a row for each of its images, readable or not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from torch import Tensor

from vitcli.answers.rows import rows_of
from vitcli.predictions.images import label_of
from vitcli.table.columns import Columns
from vitcli.table.journal import Entry
from vitcli.table.row import Row

if TYPE_CHECKING:
    from vitcli.answers.answer import Answers
    from vitcli.data import Batch, Listing


def entries(
    batch: Batch, answers: Answers, listing: Listing, columns: Columns, threshold: float | None = None
) -> list[Entry]:
    """The rows of a batch, by their positions in the listing.

    Args:
        batch: The images.
        answers: One for each that could be read.
        listing: Of all images.
        columns: Those of the table.
        threshold: Of two classes, the probability from which on the second one is predicted.
    """
    found = [
        Entry(index, False, columns.values(Row(listing.paths[index], label, status="error", error=reason)))
        for index, reason in batch["errors"]
        for label in [label_of(listing, columns.classes, index)]
    ]
    positions, sizes = batch["index"].tolist(), batch["size"].tolist()
    said = rows_of(answers["probabilities"].cpu().numpy(), columns, batch["label"].cpu().numpy(), threshold)
    for index, (height, width), row in zip(positions, sizes, said, strict=True):
        known = replace(
            row,
            path=listing.paths[index],
            label=label_of(listing, columns.classes, index),
            width=width,
            height=height,
        )
        found.append(Entry(index, True, columns.values(known)))
    return sorted(found)


def numbers(batch: Batch, found: list[Entry], wanted: Mapping[str, Tensor]) -> dict[str, bytes]:
    """Numbers of each row as float32, little-endian; NaN for an image that could not be read.

    Args:
        batch: The images.
        found: Their rows.
        wanted: (batch, numbers) of the images that could be read, by name.
    """
    places = {entry.position: place for place, entry in enumerate(found)}
    rows = [places[index] for index in batch["index"].tolist()]
    told = {}
    for name, tensor in wanted.items():
        table = np.full((len(found), tensor.shape[1]), np.nan, dtype="<f4")
        table[rows] = tensor.float().cpu().numpy()
        told[name] = table.tobytes()
    return told
