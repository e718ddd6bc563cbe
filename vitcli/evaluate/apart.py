"""Several tables apart: the accuracy of each, and how far the headlines spread over them."""

from __future__ import annotations

import numpy as np

from vitcli.evaluate.calibration import losses
from vitcli.evaluate.confusion import confusion_matrix, counts_of, over_classes
from vitcli.evaluate.evaluation import Estimate
from vitcli.evaluate.intervals import proportion
from vitcli.evaluate.together import Together

HEADLINES = ("accuracy", "balanced_accuracy", "macro/f1")


def accuracies(rows: Together) -> tuple[Estimate, ...]:
    """Accuracy of each table with its interval; of one table nothing."""
    if rows.tables == 1:
        return ()
    is_right = rows.scored.labels == rows.scored.predicted
    counts = [
        (int(is_right[rows.part == table].sum()), int((rows.part == table).sum())) for table in range(rows.tables)
    ]
    return tuple(
        proportion(right, images) if images else Estimate(float("nan"), float("nan"), float("nan"))
        for right, images in counts
    )


def spread(rows: Together) -> dict[str, float]:
    """Standard deviation over the tables, of the headlines by name; of one table nothing."""
    if rows.tables == 1:
        return {}
    one = rows.scored
    each: dict[str, list[float]] = {}
    for table in range(rows.tables):
        of_table = rows.part == table
        if not of_table.any():
            continue
        confusion = confusion_matrix(one.labels[of_table], one.predicted[of_table], len(one.classes))
        values = over_classes(counts_of(confusion))
        for name in HEADLINES:
            each.setdefault(name, []).append(float(values[name]))
        if one.label_probability is not None:
            each.setdefault("log_loss", []).append(float(losses(one.label_probability[of_table]).mean()))
    return {name: float(np.std(numbers, ddof=1)) for name, numbers in each.items() if len(numbers) > 1}
