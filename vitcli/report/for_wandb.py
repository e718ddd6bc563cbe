"""For wandb: the confusion matrix, the table of classes and the gallery of mistakes as objects of its own."""

from __future__ import annotations

from typing import Any

from vitcli.evaluate.evaluation import Estimate, Evaluation
from vitcli.names import printable
from vitcli.report.gallery import MISTAKES, surest_mistakes
from vitcli.report.material import Material
from vitcli.report.pictures import Thumbnails

# of more classes, wandb's matrix has more cells than it shows
MOST_CLASSES = 100
SCORES = ("precision", "recall", "f1")


def wandb_objects(material: Material, evaluation: Evaluation) -> dict[str, Any]:
    """What ``run.log`` of wandb takes, by the names under which wandb shows it.

    Args:
        material: Of the table's report.
        evaluation: Of the table.
    """
    import wandb

    scored = material.scored
    split = material.origin.split or "table"
    found: dict[str, Any] = {f"{split}/classes": wandb.Table(columns=_columns(), data=_rows(evaluation))}
    known = scored.is_scored
    if 1 < len(scored.classes) <= MOST_CLASSES:
        found[f"{split}/confusion"] = wandb.plot.confusion_matrix(
            y_true=scored.labels[known].tolist(),
            preds=scored.predicted[known].tolist(),
            class_names=list(map(printable, scored.classes)),
            title=f"Confusion on {split}",
        )
    rows = surest_mistakes(scored)[:MISTAKES].tolist()
    thumbnails = Thumbnails(material.opens, MISTAKES)
    table = wandb.Table(columns=["picture", "path", "label", "predicted", "confidence"])
    for row, small in zip(rows, thumbnails.images([scored.paths[row] for row in rows]), strict=True):
        names = [printable(scored.classes[int(place[row])]) for place in (scored.labels, scored.predicted)]
        picture = None if small is None else wandb.Image(small, caption=f"{names[1]}, is {names[0]}")
        table.add_data(picture, printable(scored.paths[row]), *names, float(scored.confidence[row]))
    return found | {f"{split}/mistakes": table}


def _columns() -> list[str | int]:
    return ["class", "images", "predicted", *(f"{name}{end}" for name in SCORES for end in ("", " low", " high"))]


def _rows(evaluation: Evaluation) -> list[list[Any]]:
    rows: list[list[Any]] = []
    for one in evaluation.per_class:
        estimates: list[Estimate | None] = [one.precision, one.recall, one.f1]
        numbers = [(e.value, e.low, e.high) if e is not None else (None, None, None) for e in estimates]
        rows.append([printable(one.name), one.support, one.predicted, *(value for three in numbers for value in three)])
    return rows
