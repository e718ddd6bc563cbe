"""Recounting: images whose rows are kept from an earlier start count in loss and metrics too, by their kept logits."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from vitcli.table.kept import Kept

if TYPE_CHECKING:
    from vitcli.train.classifier import Classifier

# the numbers beside a journal
LOGITS = "logits"


def recount(model: Classifier, stage: str, kept: Kept, labels: NDArray[np.int64], batch_size: int) -> None:
    """Count kept rows in the scores of a stage, in the batches that a start without an end would have had.

    Args:
        model: Its metrics.
        stage: val or test.
        kept: The rows.
        labels: int64 (images,) of the listing.
        batch_size: Images in a batch.
    """
    done, seen = (np.frombuffer(told, dtype=np.bool_) for told in (kept.done(), kept.seen()))
    positions = np.flatnonzero(done)
    with kept.opened() as rows:
        for start in range(0, len(positions), batch_size):
            batch = positions[start : start + batch_size]
            batch = batch[seen[batch]]
            if len(batch):
                joined = b"".join(rows.numbers(position, LOGITS) for position in batch.tolist())
                logits = torch.frombuffer(bytearray(joined), dtype=torch.float32).view(len(batch), -1)
                model.scores.count(stage, logits.to(model.device), torch.from_numpy(labels[batch]).to(model.device))
