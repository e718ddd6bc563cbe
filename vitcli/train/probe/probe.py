"""Probe: before the first epoch of a new run, the head is found by logistic regression on the features of the net."""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, final

import numpy as np
import torch
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.strategies import DDPStrategy, SingleDeviceStrategy
from numpy.typing import NDArray
from torch import Tensor

from vitcli.data.batches.order import evaluation_order
from vitcli.errors import ConfigError, DataError
from vitcli.images.division.groups import kept_together
from vitcli.machine.threads import cores
from vitcli.names import counted
from vitcli.net.init import linear
from vitcli.net.kernels.undrawn import undrawn
from vitcli.train.balance import weights_of
from vitcli.train.metrics import collection, mean_loss, never_right, record
from vitcli.train.probe.features import Extractor, features_of, sights_of
from vitcli.train.probe.kept import KeptRows
from vitcli.train.probe.options import ProbeOptions
from vitcli.train.probe.sight import Sight
from vitcli.train.probe.solve import STRENGTHS, Choice, Head, Images, choose, solve
from vitcli.train.safety.best import BestCheckpoint

if TYPE_CHECKING:
    import lightning.pytorch as pl

    from vitcli.data import ImageData
    from vitcli.net import ViT
    from vitcli.train.classifier import Classifier

# rises when the features of the same images and the same net would be others
LAYOUT = 1


@final
class Probe(Callback):
    """Finds the head of a new run in Lightning's setup, before the sizes that depend on it and before the first step.

    By then the processes know each other and their devices, and nothing is built of the weights yet. Each process
    computes the features of its share of the images; the first one finds the head, and tells the others.

    Args:
        options: What is to be found; nothing in a run that goes on, whose checkpoint has it.
        found: Is told key and value of each setting that was found, in every process.
    """

    def __init__(self, options: ProbeOptions, found: Callable[[str, Any], None]) -> None:
        self.options = options
        self._found = found
        # where features are kept for the next start; None: nowhere
        self.folder: Path | None = None
        # what the head reaches on val, and on how many images, until it is kept
        self._scores: tuple[dict[str, Tensor], int] | None = None
        # what the head sees of val: float32 (images, width), where no epoch changes the net after it
        self._seen: Tensor | None = None

    def check(self, net: ViT) -> None:
        """Check, before anything is written, that the net has a head that can be found so.

        Raises:
            ConfigError: Its pooled features go through a layer before the head, which is not found but trained.
        """
        if self.options.solve and net.pre_logits is not None:
            raise ConfigError(
                f"probe.solve true: not beside model.net.pre_logits {net.pre_logits.out_features}, a layer before the "
                "head that has to be trained; leave one of them out"
            )

    def setup(self, trainer: pl.Trainer, pl_module: Classifier, stage: str) -> None:  # type: ignore[override]
        """Find it.

        Raises:
            ConfigError: Each process has a part of the net alone.
            DataError: No image of train can be read.
        """
        if stage != "fit" or not self.options.solve:
            return
        if not isinstance(trainer.strategy, SingleDeviceStrategy | DDPStrategy):
            raise ConfigError(
                f"probe.solve true: not with {type(trainer.strategy).__name__}, under which a process has a part of "
                "the net alone; find the head in a run of one process, and start from it by --weights"
            )
        began = time.monotonic()
        net, data = pl_module.net, trainer.datamodule  # type: ignore[attr-defined]
        sights: tuple[Sight, ...] = (Sight(net.pool, net.head_layers),)
        if self.options.sees == "auto":
            sights = sights_of(net, len(data.listing("train")), mirror=self.options.mirror)
        of_net = digest(net)
        rows = self._features(trainer, pl_module, data, "train", sights, of_net)
        solved = self._solve(pl_module, data, rows) if trainer.is_global_zero else None
        found: tuple[Choice, Head, int] = trainer.strategy.broadcast(solved)  # type: ignore[assignment]
        choice, head, count = found
        if len(data.listing("val")):
            scored = self._features(trainer, pl_module, data, "val", sights, of_net)
            held = scored[choice.name]
            read = int(np.isfinite(held).all(axis=(1, 2)).sum())
            self._scores = scores_of(head, held, data.listing("val").labels), read
            self._seen = torch.from_numpy(held[:, 0]) if trainer.max_epochs == 0 else None
        take(net, choice.name, head)
        for name, value in choice.name._asdict().items():
            key = "pool" if name == "pool" else "head_layers"
            pl_module.hparams["net"][key] = value
            self._found(f"model.net.{key}", value)
        self._found("probe.strength", choice.strength)
        if trainer.is_global_zero:
            print(told(choice, count, time.monotonic() - began), flush=True)

    @contextmanager
    def answering(self, model: Classifier) -> Iterator[None]:
        """Within this, a net that no epoch has changed answers to val by the features that its head was found with.

        Args:
            model: The classifier of the fit that has just ended, for a validation of the same images.
        """
        model.seen, self._seen = self._seen, None
        try:
            yield
        finally:
            model.seen = None

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Keep the head as the best so far, so that epochs which only lose are not."""
        self._keep(trainer)

    def on_fit_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Keep the head where there is no epoch; where no epoch was better, say so."""
        self._keep(trainer)
        if trainer.is_global_zero and trainer.max_epochs != 0:
            for saver in trainer.checkpoint_callbacks:
                if isinstance(saver, BestCheckpoint) and saver.head is not None:
                    print(stayed(*saver.head), flush=True)

    def _keep(self, trainer: pl.Trainer) -> None:
        if self._scores is None:
            return
        (scores, images), self._scores = self._scores, None
        for logger in trainer.loggers:
            logger.log_metrics({key: float(value) for key, value in scores.items()} | {"epoch": 0}, step=0)
        for saver in trainer.checkpoint_callbacks:
            if isinstance(saver, BestCheckpoint):
                saver.offer(trainer, scores, images)

    def _features(
        self,
        trainer: pl.Trainer,
        model: Classifier,
        data: ImageData,
        split: Literal["train", "val"],
        sights: tuple[Sight, ...],
        of_net: str,
    ) -> dict[Sight, NDArray[np.float32]]:
        """Of all images of a split, by what the head may see: (images, views, width)."""
        listing, device = data.listing(split), trainer.strategy.root_device
        rank, world = trainer.global_rank, trainer.world_size
        net, training = model.net, model.training
        extractor = Extractor(
            net,
            model.preprocess,
            sights,
            mirror=self.options.mirror and split == "train",
            precision=trainer.precision_plugin.forward_context,
        )
        samples = data.samples(listing, None, max(1, cores() // trainer.num_devices))
        positions = evaluation_order(len(listing), rank, world)
        about = (
            f"{LAYOUT} {listing.fingerprint()} {model.preprocess} {data.max_pixels} {of_net} {sights} "
            f"{extractor.views} {trainer.precision} {device.type} {torch.__version__} {rank}/{world}"
        )
        kept = KeptRows(self.folder, about)
        try:
            model.eval()
            net.to(device)
            own = features_of(samples, positions, extractor, kept, says=trainer.is_global_zero)
        finally:
            model.train(training)
            samples.close()
        if world == 1:
            return extractor.seen(own)
        # equally many of each process, as they are gathered
        most = -(-len(listing) // world)
        padded = np.full((most, *own.shape[1:]), np.nan, dtype=np.float32)
        padded[: len(own)] = own
        gathered = trainer.strategy.all_gather(torch.from_numpy(padded).to(device)).cpu().numpy()
        together = gathered.swapaxes(0, 1).reshape(most * world, *own.shape[1:])[: len(listing)]
        return extractor.seen(together)

    def _solve(
        self, model: Classifier, data: ImageData, rows: dict[Sight, NDArray[np.float32]]
    ) -> tuple[Choice, Head, int]:
        listing = data.listing("train")
        read = np.isfinite(next(iter(rows.values()))).all(axis=(1, 2))
        if not read.any():
            raise DataError(f"probe.solve true: none of the {len(listing)} train images can be read; see vitcli check")
        labels = listing.labels[read]
        classes = len(model.classes)
        each = weights_of(model.class_weights, model.classes, torch.from_numpy(labels))
        weights = None if each is None else each.double().numpy()[labels]
        if data.sampler == "balanced":
            counts = np.bincount(labels, minlength=classes)
            equal = len(labels) / np.count_nonzero(counts) / counts[labels]
            weights = equal if weights is None else weights * equal
        groups = None
        if listing.index is not None and listing.rows is not None:
            groups = kept_together(listing.index, listing.rows[read], getattr(data, "groups", None))
        images = Images({sight: part[read] for sight, part in rows.items()}, labels, groups, weights)
        strength = self.options.strength
        choice = choose(images, classes, STRENGTHS if strength == "auto" else (strength,), self.options.folds)
        return choice, solve(images, choice, classes), len(labels)


def scores_of(head: Head, rows: NDArray[np.float32], labels: NDArray[np.int64]) -> dict[str, Tensor]:
    """Loss and metrics of a head on val, by key; nan where no image can be read.

    Args:
        head: The head.
        rows: float32 (images, 1, width); nan where an image is unreadable.
        labels: int64 (images,).
    """
    read = np.isfinite(rows).all(axis=(1, 2))
    logits = torch.from_numpy(head.logits(rows[read, 0])).float()
    held = torch.from_numpy(labels[read])
    metrics, loss = collection(len(head.bias), "val"), mean_loss()
    for metric in (*metrics.values(), loss):
        # each process has all of them
        metric.sync_on_compute = False
    loss.update(torch.nn.functional.cross_entropy(logits, held, reduction="none"))
    record(metrics, never_right(logits.softmax(dim=1), held), held)
    return {"val/loss": loss.compute(), **metrics.compute()}


def take(net: ViT, sight: Sight, head: Head) -> None:
    """Give a net what its head is to see, and the head."""
    net.pool, net.head_layers = sight
    old = net.head.weight
    classes, width = head.weight.shape
    with undrawn():
        net.head = linear(width, classes).to(old.device, old.dtype).requires_grad_(old.requires_grad)
    with torch.no_grad():
        net.head.weight.copy_(torch.from_numpy(head.weight))
        net.head.bias.copy_(torch.from_numpy(head.bias))


def told(choice: Choice, count: int, seconds: float) -> str:
    """What was found, in a line."""
    sight = choice.name
    reached = (
        "no cross-validation"
        if math.isnan(choice.loss)
        else f"accuracy {choice.accuracy:.4f}, loss {choice.loss:.4f} in cross-validation"
    )
    return (
        f"probe: head found on {counted(count, 'image')}, pool {sight.pool} of {counted(sight.layers, 'layer')}, "
        f"strength {choice.strength:.3g}: {reached} ({seconds:.0f} s)"
    )


def stayed(errors: int, images: int) -> str:
    """That the head is still the best, in a line."""
    return (
        f"probe: best.ckpt is still its head, with {counted(errors, 'error')} on {counted(images, 'val image')}; no "
        "epoch had so few that chance is unlikely, and last.ckpt holds the last one"
    )


def digest(net: ViT) -> str:
    """A hash that changes with what the net is, and with any weight but the head's."""
    hashed = hashlib.blake2b(
        repr({**net.settings(), "pool": None, "head_layers": None, "classes": None}).encode(), digest_size=16
    )
    for name, tensor in net.state_dict().items():
        if not name.startswith("head."):
            hashed.update(name.encode())
            hashed.update(tensor.detach().cpu().contiguous().view(torch.uint8).numpy().data)
    return hashed.hexdigest()
