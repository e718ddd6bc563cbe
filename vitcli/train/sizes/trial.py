"""Trial: training steps (forward, backward, clipping, AdamW) on a copy of the net, which leave no trace in the run."""

from __future__ import annotations

import copy
import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, final

import torch
from torch import Tensor
from torch.nn.utils import clip_grad_norm_
from torch.utils._pytree import tree_map

from vitcli.data.batches.order import BatchKey
from vitcli.machine.malloc import return_freed_blocks
from vitcli.machine.threads import cores
from vitcli.train.optimizer import build_optimizer

if TYPE_CHECKING:
    import lightning.pytorch as pl

    from vitcli.data import Batch
    from vitcli.data.batches.datamodule import Batches
    from vitcli.net import ViT
    from vitcli.train.classifier import Classifier

# images that are read for the trial of a batch size, and then stand there again and again
READ = 64
# AdamW refuses none; where only memory counts, any will do
ANY_RATE = 1e-6


@final
class Trial:
    """Steps as the run will make them: its images and augmentation, its precision, its optimizer, its device.

    Args:
        trainer: Of the run, which knows its device and has not built loaders and optimizer yet.
        model: The classifier, in which the copy stands for the net meanwhile.
        data: The images, found and looked at.
    """

    def __init__(self, trainer: pl.Trainer, model: Classifier, data: Batches) -> None:
        self.trainer = trainer
        self.model = model
        self.data = data
        self.device = trainer.strategy.root_device
        self.optimizer = build_optimizer(model.net, replace(model.optimizer_settings, lr=ANY_RATE))
        scaled = getattr(trainer.precision_plugin, "scaler", None) is not None
        self._scaler = torch.amp.GradScaler(self.device.type, enabled=scaled)
        self._samples = data.samples(data.listing("train"), data.augment, cores())
        # what else the run holds: gradients on their way to other processes, and the average of the weights
        self.copies = int(trainer.world_size > 1) + int(model.average is not None)
        self._held = [
            torch.empty_like(parameter)
            for parameter in model.net.parameters()
            for _ in range(self.copies if self.device.type != "cpu" else 0)
        ]
        self._read: Batch | None = None

    def weights_bytes(self) -> int:
        """What one more copy of the weights takes."""
        return sum(parameter.numel() * parameter.element_size() for parameter in self.model.net.parameters())

    def batch(self, key: BatchKey) -> Batch:
        """The batch of a key on the device, augmented."""
        batch: Batch = self.trainer.strategy.batch_to_device(self._samples[key], dataloader_idx=0)
        return batch

    def filled(self, size: int) -> Batch:
        """A batch of any size on the device: as many as are read, over and over again."""
        if self._read is None:
            key = self.data.training_plan(0)[0]
            self._read = self._samples[key._replace(spots=key.spots[:READ])]
        rows = torch.arange(size) % max(1, len(self._read["label"]))
        several: Any = tree_map(lambda held: held[rows] if isinstance(held, Tensor) else held, self._read)
        batch: Batch = self.trainer.strategy.batch_to_device(several, dataloader_idx=0)
        return batch

    def step(self, batches: Sequence[Batch], *, together: bool = False) -> float:
        """One step of the optimizer, from so many batches; its loss, which is waited for.

        Args:
            batches: On the device.
            together: Whether gradients and loss are the means of all processes, which call this alike.
        """
        self.optimizer.zero_grad()
        loss = torch.zeros((), device=self.device)
        for batch in batches:
            with self.trainer.precision_plugin.train_step_context():
                part = self.model.learn(batch).loss / len(batches)
            self._scaler.scale(part).backward()  # type: ignore[no-untyped-call]
            loss += part.detach()
        parameters = [parameter for parameter in self.model.net.parameters() if parameter.grad is not None]
        if together and self.trainer.world_size > 1:
            loss = self.trainer.strategy.reduce(loss, reduce_op="mean")
            for parameter in parameters:
                parameter.grad = self.trainer.strategy.reduce(parameter.grad, reduce_op="mean")
        self._scaler.unscale_(self.optimizer)
        if self.trainer.gradient_clip_val:
            clip_grad_norm_(parameters, self.trainer.gradient_clip_val)
        self._scaler.step(self.optimizer)
        self._scaler.update()
        return float(loss)

    def loss(self, batches: Sequence[Batch], *, together: bool = False) -> float:
        """The mean loss of batches as the net is now, without dropout; it is waited for.

        Args:
            batches: On the device.
            together: Whether it is the mean of all processes, which call this alike.
        """
        self.model.eval()
        with torch.no_grad(), self.trainer.precision_plugin.val_step_context():
            losses = [self.model.learn(batch).loss for batch in batches]
        self.model.train()
        loss = torch.stack(losses).mean()
        if together and self.trainer.world_size > 1:
            loss = self.trainer.strategy.reduce(loss, reduce_op="mean")
        return float(loss)

    def forget(self) -> None:
        """Free what a step has left, also one that failed."""
        self.optimizer.zero_grad()
        if self.device.type == "cuda":
            # the error of one that failed holds its tensors
            gc.collect()
            torch.cuda.empty_cache()

    def close(self) -> None:
        """End the threads, and free what is held."""
        self._samples.close()
        self._held.clear()
        self.optimizer.state.clear()


@contextmanager
def trial(trainer: pl.Trainer, model: Classifier, data: Batches) -> Iterator[Trial]:
    """Within this, steps are made on a copy of the net; afterwards net and random numbers are as before, bit for bit.

    Args:
        trainer: Of the run, before it builds loaders and optimizer.
        model: The classifier.
        data: The images, found and looked at.
    """
    net, training, largest = model.net, model.training, model.largest_batch
    device = trainer.strategy.root_device
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        twin: ViT = copy.deepcopy(net).to(device)
        trainer.precision_plugin.convert_module(twin)
        model.net = twin
        model.train()
        # the classes' weights in the loss
        model.on_fit_start()
        steps = Trial(trainer, model, data)
        try:
            yield steps
        finally:
            steps.close()
            model.net = net
            model.train(training)
            model.largest_batch = largest
            del twin
            steps.forget()
            # else threads of the run could find no room for their stacks
            return_freed_blocks()
