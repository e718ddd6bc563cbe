"""Scores of an epoch: loss and metrics of each stage, counted batch by batch, and logged once for all processes."""

from __future__ import annotations

from typing import final

import lightning.pytorch as pl
import torch
from torch import Tensor
from torch.nn import functional as F
from torchmetrics import MeanMetric, Metric, MetricCollection

from vitcli.train.metrics import collection, mean_loss, never_right, record


@final
class Scores(torch.nn.Module):
    """What is counted of train, val and test: logits (batch, classes) and labels (batch,) -> numbers of an epoch.

    A module of the classifier's, so that Lightning moves the counts to its device, and computes and resets them at the
    end of an epoch. It has no tensors in a checkpoint.

    Args:
        classes: Number of classes.
    """

    def __init__(self, classes: int) -> None:
        super().__init__()
        # not keyed by the bare stage: a module dict may not have a key 'train'
        stages = ("train", "val", "test")
        self.metrics = torch.nn.ModuleDict({f"{stage}/": collection(classes, stage) for stage in stages})
        self.losses = torch.nn.ModuleDict({f"{stage}/": mean_loss() for stage in stages})
        self._logged: set[str] = set()
        # whether the training metrics hold what an earlier start has counted of this epoch
        self.has_counted = False

    def begin(self, stage: str) -> None:
        """Log the metrics of a stage anew; an epoch that is resumed midway begins too, of which Lightning says nothing.

        Args:
            stage: train, val or test.
        """
        self._logged.discard(stage)

    def record(self, model: pl.LightningModule, stage: str, logits: Tensor, labels: Tensor) -> None:
        """Count a batch, and log the stage, once an epoch.

        Args:
            model: Whose step it is, which logs.
            stage: train, val or test.
            logits: float32 (batch, classes).
            labels: int64 (batch,).
        """
        self.count(stage, logits, labels)
        if stage not in self._logged:
            self._log(model, stage, len(labels))

    def count(self, stage: str, logits: Tensor, labels: Tensor) -> None:
        """Count a batch in the loss and metrics of a stage, as of images whose answers were kept from an earlier start.

        Args:
            stage: train, val or test.
            logits: float32 (batch, classes).
            labels: int64 (batch,).
        """
        loss, metrics = self._of(stage)
        each = F.cross_entropy(logits, labels, reduction="none")
        if stage == "train":
            # a step that is left out counts for nothing
            loss.update(each.nan_to_num(0.0, 0.0, 0.0), each.isfinite().float())
        else:
            loss.update(each)
        probabilities = logits.softmax(dim=1)
        record(metrics, probabilities if stage == "train" else never_right(probabilities, labels), labels)

    def end_training(self, model: pl.LightningModule) -> None:
        """Log the metrics of an epoch of training whose last batch was before the run was resumed.

        Args:
            model: Whose epoch it is, which logs.
        """
        if self.has_counted and "train" not in self._logged:
            self._log(model, "train", 1)
        self.has_counted = False

    def of_training(self) -> dict[str, Metric]:
        """What training counts, by name."""
        loss, metrics = self._of("train")
        return {"loss": loss, **{str(name): metric for name, metric in metrics.items(keep_base=True)}}

    def _log(self, model: pl.LightningModule, stage: str, size: int) -> None:
        # objects, not values, are logged: Lightning computes and resets them at the end of the epoch, exactly,
        # over all processes; an empty batch is recorded too, for every process has to take part in that. Once an epoch
        # is enough, and each call takes the CPU as long as a small net
        loss, metrics = self._of(stage)
        model.log(f"{stage}/loss", loss, on_step=False, on_epoch=True, batch_size=size)
        model.log_dict(metrics, on_step=False, on_epoch=True, batch_size=size)
        self._logged.add(stage)

    def _of(self, stage: str) -> tuple[MeanMetric, MetricCollection]:
        loss, metrics = self.losses[f"{stage}/"], self.metrics[f"{stage}/"]
        assert isinstance(loss, MeanMetric)
        assert isinstance(metrics, MetricCollection)
        return loss, metrics
