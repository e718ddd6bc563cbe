from __future__ import annotations

import pytest
import torch

from vitcli.train.metrics import collection, mean_loss, record

PROBABILITIES = torch.tensor([[0.9, 0.1], [0.4, 0.6], [0.8, 0.2], [0.3, 0.7]])
LABELS = torch.tensor([0, 0, 1, 1])


def test_the_numbers_are_those_computed_by_hand():
    metrics = collection(2, "val")
    record(metrics, PROBABILITIES, LABELS)
    reached = {key: float(value) for key, value in metrics.compute().items()}
    # of the pairs of one image of each class, class 1 is ranked right in (.1, .2), (.1, .7) and (.6, .7), wrong in one
    assert reached == pytest.approx({"val/accuracy": 0.5, "val/macro_f1": 0.5, "val/auroc": 0.75})


def test_batches_add_up_to_the_whole_and_empty_ones_change_nothing():
    whole, parts = collection(2, "val"), collection(2, "val")
    record(whole, PROBABILITIES, LABELS)
    for start, stop in ((0, 1), (1, 1), (1, 4)):
        record(parts, PROBABILITIES[start:stop], LABELS[start:stop])
    assert parts.compute() == whole.compute()


def test_a_class_without_images_does_not_pull_auroc_down():
    metrics = collection(3, "val")
    probabilities = torch.tensor([[0.8, 0.1, 0.1], [0.1, 0.8, 0.1]])
    record(metrics, probabilities, torch.tensor([0, 1]))
    assert float(metrics.compute()["val/auroc"]) == 1


def test_auroc_of_a_single_class_is_not_a_number():
    metrics = collection(2, "val")
    record(metrics, PROBABILITIES[:2], LABELS[:2])
    assert metrics.compute()["val/auroc"].isnan()


@pytest.mark.parametrize(("classes", "there"), [(2, False), (5, False), (6, True)])
def test_top5_is_reported_where_it_makes_sense(classes: int, there: bool):
    assert ("test/top5_accuracy" in set(collection(classes, "test").keys())) == there


def test_the_loss_is_the_mean_over_images_and_not_over_batches():
    loss = mean_loss()
    loss.update(torch.tensor([1.0, 1.0, 1.0]))
    loss.update(torch.tensor([5.0]))
    assert float(loss.compute()) == 2
