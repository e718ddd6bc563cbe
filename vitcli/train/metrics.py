"""Metrics of a run: loss, accuracy, macro F1 and AUROC, exact on any number of processes."""

from __future__ import annotations

import warnings
from typing import final

import torch
from torch import Tensor
from torchmetrics import MeanMetric, Metric, MetricCollection
from torchmetrics.classification import MulticlassAccuracy, MulticlassAUROC, MulticlassF1Score
from torchmetrics.utilities.data import dim_zero_cat


@final
class MacroAUROC(MulticlassAUROC):
    """One-against-rest AUROC, averaged over the classes that have images.

    torchmetrics counts a class without a single positive as 0, which pulls the average down for a class that
    is not in the data; here such a class is left out. NaN when fewer than two classes are present.
    """

    def __init__(self, classes: int) -> None:
        super().__init__(num_classes=classes, average=None, validate_args=False)
        self.classes = classes

    def update(self, preds: Tensor, target: Tensor) -> None:
        """Keep a batch of probabilities (batch, classes) and labels (batch,), which may be empty."""
        if len(target):
            super().update(preds, target)
        else:
            # torchmetrics fails on an empty batch, but every process needs something to be gathered
            self.preds.append(preds)
            self.target.append(target)

    def compute(self) -> Tensor:  # type: ignore[override]
        """The mean over the classes present."""
        labels = dim_zero_cat(self.target)
        present = torch.bincount(labels, minlength=self.classes) > 0
        if int(present.sum()) < 2:
            return torch.tensor(float("nan"), device=labels.device)
        with warnings.catch_warnings():
            # of classes without images, which are left out here
            warnings.filterwarnings("ignore", message="No positive samples")
            return super().compute()[present].mean()


@final
class MacroF1(MulticlassF1Score):
    """F1 averaged over the classes: torchmetrics' own number, counted without waiting for a GPU.

    torchmetrics counts pairs of classes by torch's bincount, which asks the GPU for the largest pair first; then the
    GPU is idle until the next kernel is launched. The counts are the same.
    """

    def __init__(self, classes: int) -> None:
        super().__init__(num_classes=classes, average="macro", validate_args=False)
        self.classes = classes

    def update(self, preds: Tensor, target: Tensor) -> None:
        """Count a batch of probabilities (batch, classes) and labels (batch,)."""
        found = preds.argmax(dim=1)
        missed = (found != target).long()
        none = target.new_zeros(self.classes)
        hits, misses = none.scatter_add(0, target, 1 - missed), none.scatter_add(0, target, missed)
        alarms = none.scatter_add(0, found, missed)
        self._update_state(hits, alarms, len(target) - hits - alarms - misses, misses)


def collection(classes: int, stage: str) -> MetricCollection:
    """The metrics of a stage (train, val or test), each under the key ``stage/name``.

    AUROC keeps every probability until the epoch's end, so training, whose images are random crops anyway, does
    without.
    """
    metrics: dict[str, Metric | MetricCollection] = {
        "accuracy": MulticlassAccuracy(classes, average="micro", validate_args=False),
        "macro_f1": MacroF1(classes),
    }
    if classes > 5:
        metrics["top5_accuracy"] = MulticlassAccuracy(classes, average="micro", top_k=5, validate_args=False)
    if stage != "train":
        metrics["auroc"] = MacroAUROC(classes)
    # compute groups would share one state between accuracy and F1, but they are formed at the first update and
    # would so differ between a process that has seen images and one that has not
    return MetricCollection(metrics, prefix=f"{stage}/", compute_groups=False)


def record(metrics: MetricCollection, probabilities: Tensor, labels: Tensor) -> None:
    """Count a batch, which may be empty, in every metric of a collection.

    Args:
        metrics: What ``collection`` made.
        probabilities: (batch, classes), float32.
        labels: (batch,), int64.
    """
    for metric in metrics.values(copy_state=False):
        if len(labels) or isinstance(metric, MacroAUROC):
            metric.update(probabilities, labels)


def never_right(probabilities: Tensor, labels: Tensor) -> Tensor:
    """Probabilities (batch, classes), of which rows that are no numbers (NaN) count as wrong in every metric.

    The largest of them would be the first class's, which may be the label's; the accuracy of a net that has diverged
    would be the share of that class. Nothing is asked of the device.

    Args:
        probabilities: (batch, classes), float32.
        labels: (batch,), int64.
    """
    wrong = torch.ones_like(probabilities).scatter_(1, labels[:, None], 0.0)
    return torch.where(probabilities.isfinite().all(dim=1, keepdim=True), probabilities, wrong)


def mean_loss() -> MeanMetric:
    """The mean over images, not over batches: the last, smaller batch counts for what it holds."""
    return MeanMetric(nan_strategy="disable")
