"""What wandb is given: tables and a matrix of its own kind, with the table's numbers and pictures of the mistakes."""

from __future__ import annotations

from pathlib import Path

import pytest

from vitcli.evaluate.origin import find_origin
from vitcli.evaluate.read import read_scored
from vitcli.report.for_wandb import wandb_objects
from vitcli.report.gallery import MISTAKES
from vitcli.report.material import gather
from vitcli.report.write import evaluated


def test_matrix_classes_and_mistakes_are_objects_of_wandb(cats_and_dogs: Path):
    wandb = pytest.importorskip("wandb")
    table = cats_and_dogs / "table.csv"
    material = gather(find_origin(str(table)), read_scored(table))
    evaluation = evaluated(material)
    objects = wandb_objects(material, evaluation)
    assert set(objects) == {"table/classes", "table/confusion", "table/mistakes"}
    (cat, dog) = objects["table/classes"].data
    assert (cat[0], cat[1], cat[4]) == ("cat", evaluation.per_class[0].support, evaluation.per_class[0].precision.low)
    assert dog[6] == evaluation.per_class[1].recall.value
    mistakes = objects["table/mistakes"].data
    assert len(mistakes) == MISTAKES < evaluation.confusion[0][1] + evaluation.confusion[1][0]
    assert [row[4] for row in mistakes] == sorted((row[4] for row in mistakes), reverse=True)
    assert any(isinstance(row[0], wandb.Image) for row in mistakes)
    counts = {tuple(row[:2]): row[2] for row in objects["table/confusion"].table.data}
    assert counts["cat", "dog"] == evaluation.confusion[0][1]
