from __future__ import annotations

import pytest
import torch
from torchmetrics.classification import MulticlassF1Score

from vitcli.train.metrics import MacroF1, collection, mean_loss, record

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


@pytest.mark.parametrize("classes", [2, 3, 20])
def test_macro_f1_is_torchmetrics_own_number(classes: int):
    torch.manual_seed(0)
    ours, theirs = MacroF1(classes), MulticlassF1Score(classes, average="macro")
    for images in (1, 7, 40):
        # of some classes no image, and some are never found
        probabilities = torch.rand(images, classes).softmax(dim=1)
        labels = torch.randint(max(2, classes // 2), (images,))
        ours.update(probabilities, labels)
        theirs.update(probabilities, labels)
        assert torch.equal(ours.compute(), theirs.compute())
    for state in ("tp", "fp", "tn", "fn"):
        assert torch.equal(getattr(ours, state), getattr(theirs, state))


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
