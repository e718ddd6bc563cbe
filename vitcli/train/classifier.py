"""Classifier: a net, its contract (classes, preprocess) and how it is trained; steps and loss."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Self, TypeVar, final

import lightning.pytorch as pl
import torch
from torch import Tensor
from torch.nn import functional as F

import vitcli
from vitcli.answers.answer import AS_IT_IS, Answers, answer, logits_of
from vitcli.answers.asked import Asked
from vitcli.errors import ConfigError, WeightsError
from vitcli.net import ViT, build
from vitcli.net.kernels.undrawn import undrawn
from vitcli.preprocess import Preprocess
from vitcli.run import resolve_checkpoint
from vitcli.train.balance import ClassWeights, check_weights, weights_of
from vitcli.train.compiled import check_compiler, is_graphed
from vitcli.train.ema import WeightAverage, trained
from vitcli.train.freeze import freeze_parameters
from vitcli.train.optimizer import AdamW, StepSchedule, WarmupCosine, build_optimizer
from vitcli.train.run_length import run_length
from vitcli.train.scores import Scores
from vitcli.train.sharding.strategy import FSDP2
from vitcli.train.teacher import Teacher
from vitcli.weights.checkpoint import read_checkpoint

if TYPE_CHECKING:
    from lightning.pytorch.utilities.types import OptimizerLRScheduler
    from torch.optim import Optimizer

    from vitcli.data import Batch
    from vitcli.train.safety.nonfinite import NonFinite

S = TypeVar("S")


class Learnt(NamedTuple):
    """What a training batch has come to.

    Args:
        logits: float32 (batch, classes).
        loss: The mean of all images, of which gradients are taken.
        distill_loss: The mean of the teacher's part in it, before its share; None without a teacher.
    """

    logits: Tensor
    loss: Tensor
    distill_loss: Tensor | None


@final
class Classifier(pl.LightningModule):
    """Images as bytes -> class probabilities: uint8 (batch, 3, height, width) -> (batch, classes).

    Its hyper-parameters are plain numbers and words, so that a checkpoint holds the whole contract (net,
    classes, preprocess) and can be opened by ``torch.load(weights_only=True)``.

    Args:
        net: The Vision Transformer.
        preprocess: What an image must look like to enter the net.
        classes: Names of the classes in the order of the logits; fit reads them from the training folders.
        optimizer: AdamW's settings.
        schedule: The course of the learning rate over the run.
        label_smoothing: Share of the target spread evenly over all classes in training, in [0, 1).
        freeze: Parts of the net that are not trained: patterns of parameter names such as ``patches.*``, or
            ``backbone`` for everything but the head.
        compile: Whether the net is compiled by torch before its first step, on a single GPU into CUDA graphs; its
            tensors keep their names.
        class_weights: How much an image of a class counts in the loss of training: null (1 each), auto (the rarer the
            more: images / classes / images of the class), or a number by name; the others count 1.

    Raises:
        ConfigError: Fewer than two classes, a name twice, a number of classes other than the net's, a net
            of other than three channels, a label smoothing outside [0, 1), a pattern that freezes nothing, nothing to
            compile with, or a weight of no class, or of 0 or less.
    """

    def __init__(
        self,
        net: ViT,
        preprocess: Preprocess = Preprocess(),  # noqa: B008 -- frozen
        classes: tuple[str, ...] = (),
        optimizer: AdamW = AdamW(),  # noqa: B008 -- frozen
        schedule: WarmupCosine = WarmupCosine(),  # noqa: B008 -- frozen
        label_smoothing: float = 0.0,
        freeze: tuple[str, ...] = (),
        compile: bool = False,  # noqa: A002 -- torch's own word
        class_weights: ClassWeights = None,
    ) -> None:
        super().__init__()
        classes = tuple(classes)
        if len(classes) < 2:
            raise ConfigError(f"model.classes {list(classes)}: a classifier needs at least two classes")
        if len(set(classes)) < len(classes):
            twice = next(name for name in classes if classes.count(name) > 1)
            raise ConfigError(f"model.classes: {twice!r} is named twice; every class needs a name of its own")
        if net.classes != len(classes):
            raise ConfigError(f"model.classes names {len(classes)} classes, but the net has {net.classes} logits")
        if net.channels != 3:
            raise ConfigError(f"model.net.channels {net.channels}: images enter as red, green and blue; leave it at 3")
        if not 0 <= label_smoothing < 1:
            raise ConfigError(f"model.label_smoothing {label_smoothing}: must lie in [0, 1), e.g. 0.1")
        self.net = net
        self.preprocess = preprocess
        self.classes = classes
        self.optimizer_settings = optimizer
        self.schedule = schedule
        self.label_smoothing = label_smoothing
        check_weights(class_weights, classes)
        self.class_weights = class_weights
        self.balance: Tensor | None = None
        freeze_parameters(net, freeze)
        self.compiles = compile
        self.largest_batch = 0
        # kept while it trains, if that is wanted
        self.average: WeightAverage | None = None
        # whose answers count in the loss of training; no module, for its tensors are not this net's
        self.teacher: Teacher | None = None
        # what the head sees of val, by position in the listing, while that is known (train/probe)
        self.seen: Tensor | None = None
        # how the net is asked in evaluation; with features, it runs without compilation
        self.asked = Asked()
        # what watches for nan and inf, in fit
        self.guard: NonFinite | None = None
        if compile:
            check_compiler()
        self.save_hyperparameters(
            {
                "net": net.settings(),
                "preprocess": plain(preprocess),
                "classes": list(classes),
                "optimizer": plain(optimizer),
                "schedule": plain(schedule),
                "label_smoothing": label_smoothing,
                "freeze": list(freeze),
                "compile": compile,
                "class_weights": class_weights,
            },
            logger=False,
        )
        self.scores = Scores(len(classes))

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> Self:
        """A classifier with fresh weights, rebuilt from the hyper-parameters that its checkpoint holds.

        Raises:
            WeightsError: Settings that are not a classifier's.
        """
        try:
            return cls(
                net=build(settings["net"]),
                preprocess=from_plain(Preprocess, settings["preprocess"]),
                classes=tuple(str(name) for name in settings["classes"]),
                optimizer=from_plain(AdamW, settings["optimizer"]),
                schedule=from_plain(WarmupCosine, settings["schedule"]),
                label_smoothing=float(settings["label_smoothing"]),
                freeze=tuple(str(pattern) for pattern in settings.get("freeze", ())),
                class_weights=settings.get("class_weights"),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise WeightsError(f"the checkpoint's settings do not describe a vitcli classifier: {error}") from error

    @classmethod
    def load_from_checkpoint(cls, checkpoint_path: Any, *args: Any, **kwargs: Any) -> Self:
        """The classifier of a checkpoint, on the CPU and in eval mode; it needs no other argument.

        Args:
            checkpoint_path: A file that fit has written, or a run's folder, of which it is the best one, else the last.
            args: Nothing; the checkpoint says it all.
            kwargs: Nothing.

        Raises:
            TypeError: Any other argument was given.
            WeightsError: There is no such file or folder, it holds no vitcli checkpoint, the file is cut short, or its
                tensors do not fit.
        """
        if args or kwargs:
            raise TypeError("load_from_checkpoint takes the path alone: net, classes and preprocess are in the file")
        path = Path(checkpoint_path)
        if not path.exists():
            raise WeightsError(
                f"checkpoint_path {path}: no such file or folder; name a .ckpt file or a run's folder "
                f"(now in {Path.cwd()})"
            )
        if path.is_dir():
            # with a slash, because 'last' and 'best' alone are words of the command line
            path = resolve_checkpoint(f"{path}/", "test", run=None, wished="")
        checkpoint = read_checkpoint(path)
        with undrawn():
            classifier = cls.from_settings(checkpoint["hyper_parameters"])
        try:
            classifier.load_state_dict(checkpoint["state_dict"])
        except RuntimeError as error:
            summary = " ".join(str(error).split())[:300]
            raise WeightsError(f"{path}: its tensors do not fit its own settings: {summary}") from error
        classifier.eval()
        return classifier

    def forward(self, images: Tensor) -> Tensor:
        """Logits of a batch of images: uint8 (batch, 3, height, width) -> (batch, classes)."""
        logits = logits_of(self.net, self.preprocess, images, self._filled_up if self.compiles else None)
        return logits[: len(images)]

    def _filled_up(self, values: Tensor) -> Tensor:
        """Padded with black images to the largest batch so far: the net is compiled anew for each batch size."""
        self.largest_batch = max(self.largest_batch, len(values))
        lacking = self.largest_batch - len(values)
        return F.pad(values, (0, 0, 0, 0, 0, 0, 0, lacking)) if lacking else values

    def setup(self, stage: str) -> None:
        """Have the net compiled, where that was asked for; the trainer knows by now what it will run on."""
        if self.compiles and not isinstance(self.trainer.strategy, FSDP2):
            # for one batch size only: code for any batch size is slower, and would replace it
            self.net.compile(mode="reduce-overhead" if is_graphed(self.trainer) else None, dynamic=False)

    def configure_model(self) -> None:
        """Split the net over the processes, where that was asked for."""
        if isinstance(self.trainer.strategy, FSDP2):
            self.trainer.strategy.split(self)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """The mean loss of a batch; metrics of the augmented images go to ``train/``."""
        images, labels = batch["image"], batch["label"]
        if not len(labels):
            # no image of this batch could be read; the other processes still wait for this one's gradients
            black: Tensor = self(images.new_zeros(1, 3, *self.preprocess.size))
            return black.sum() * 0
        logits, loss, distill_loss = self.learn(batch)
        if distill_loss is not None:
            self.log("train/distill_loss", distill_loss, batch_size=len(labels))
        # not for Lightning's bar, which would wait for its value whether there is a bar or not (LossBar)
        self.log("train/loss_step", loss, batch_size=len(labels))
        # as a tensor on the CPU: Lightning would copy a number to the GPU, and wait for it
        lr = torch.tensor(self.trainer.optimizers[0].param_groups[0]["lr"])
        self.log("train/lr", lr, batch_size=len(labels))
        self.scores.record(self, "train", logits.detach(), labels)
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> Answers:
        """The net's answers; loss and metrics go to ``val/``."""
        return self._evaluate("val", batch)

    def test_step(self, batch: Batch, batch_idx: int) -> Answers:
        """The net's answers; loss and metrics go to ``test/``."""
        return self._evaluate("test", batch)

    def predict_step(self, batch: Batch, batch_idx: int) -> Answers:
        """The net's answers."""
        return self._answers(batch)

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """AdamW under a step-wise schedule over the run's own total of optimizer steps, or over its time."""
        total = run_length(self.trainer)
        optimizer = build_optimizer(self.net, self.optimizer_settings)
        schedule = StepSchedule(optimizer, self.optimizer_settings, self.schedule, total)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def configure_gradient_clipping(
        self,
        optimizer: Optimizer,
        gradient_clip_val: float | None = None,
        gradient_clip_algorithm: str | None = None,
    ) -> None:
        """Clip the gradients, and leave out a step of which they are nan or inf."""
        if self.guard is not None and self.guard.by_norm:
            self.guard.clip(optimizer, gradient_clip_val, gradient_clip_algorithm)
        else:
            super().configure_gradient_clipping(optimizer, gradient_clip_val, gradient_clip_algorithm)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add the version of vitcli, by which its checkpoints are recognised, and the average of the weights."""
        if self.guard is not None:
            self.guard.check(self.trainer, self, checkpoint)
        checkpoint["vitcli_version"] = vitcli.__version__
        if self.teacher is not None:
            self.teacher.save(checkpoint)
        if self.average is not None:
            self.average.save(checkpoint)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Train on with the weights themselves, where a checkpoint holds them beside their average."""
        if self.trainer.state.fn == "fit":
            if self.average is not None:
                self.average.restore(checkpoint)
            checkpoint["state_dict"] = trained(checkpoint)

    def _answers(self, batch: Batch) -> Answers:
        images = batch["image"]
        if not len(images) and isinstance(self.trainer.strategy, FSDP2):
            # the other processes gather their weights from this one all the same
            self.trainer.strategy.run_along(self, 1 if self.asked.tta == "none" else 2)
        return answer(self.net, self.preprocess, images, self.asked, forward=self._by_seen(batch) or self)

    def _by_seen(self, batch: Batch) -> Callable[[Tensor], Tensor] | None:
        """The head alone, where what it sees of all images of a batch is known."""
        if self.seen is None or self.asked != AS_IT_IS:
            return None
        seen = self.seen[batch["index"].cpu()].to(self.net.head.weight)
        # an image that could not be read before has none
        return (lambda _: self.net.logits(seen)) if seen.isfinite().all() else None

    def learn(self, batch: Batch) -> Learnt:
        """The logits of a training batch, which is not empty, and its loss, with the teacher's part if there is one."""
        taught = None
        if self.teacher is None:
            logits = self(batch["image"]).float()
        else:
            logits, taught = self.teacher.teach(self.net, batch["image"], self)
        loss = self.loss(logits, batch.get("target", batch["label"]), taught)
        return Learnt(logits, loss, None if taught is None else taught.detach().mean())

    def loss(self, logits: Tensor, target: Tensor, taught: Tensor | None = None) -> Tensor:
        """The mean loss of a batch.

        Args:
            logits: float32 (batch, classes).
            target: Labels (batch,), or shares (batch, classes).
            taught: The teacher's part for each image (batch,).
        """
        each = F.cross_entropy(logits, target, label_smoothing=self.label_smoothing, reduction="none")
        if taught is not None and self.teacher is not None:
            each = torch.lerp(each, taught, self.teacher.options.share)
        if self.balance is not None:
            # by image: torch's own weights are by class, and weigh also what label smoothing gives to the other classes
            each = each * (self.balance[target] if target.dim() == 1 else target @ self.balance)
        return each.mean()

    def on_fit_start(self) -> None:
        """Compute the weight of each class, now that the images are known."""
        labels = torch.from_numpy(self.trainer.datamodule.listing("train").labels)  # type: ignore[attr-defined]
        weights = weights_of(self.class_weights, self.classes, labels)
        self.balance = None if weights is None else weights.to(self.device)

    def _evaluate(self, stage: str, batch: Batch) -> Answers:
        answers = self._answers(batch)
        self.scores.record(self, stage, answers["logits"], batch["label"])
        return answers

    def on_train_start(self) -> None:
        """Log the metrics of an epoch that is resumed midway, for which Lightning announces no start."""
        self.scores.begin("train")

    def on_train_epoch_start(self) -> None:
        """Log the metrics of training anew."""
        self.scores.begin("train")

    def on_train_epoch_end(self) -> None:
        """Log the metrics of an epoch whose last batch was before the run was resumed."""
        self.scores.end_training(self)

    def on_validation_epoch_start(self) -> None:
        """Log the metrics of validation anew."""
        self.scores.begin("val")

    def on_test_epoch_start(self) -> None:
        """Log the metrics of the test anew."""
        self.scores.begin("test")


def plain(settings: Any) -> dict[str, Any]:
    """A settings dataclass as numbers, words and lists, which any reader of a checkpoint can take."""
    return {
        key: list(value) if isinstance(value, tuple) else value for key, value in dataclasses.asdict(settings).items()
    }


def from_plain(kind: type[S], values: Mapping[str, Any]) -> S:
    """A settings dataclass from what ``plain`` made of it."""
    return kind(**{key: tuple(value) if isinstance(value, list) else value for key, value in values.items()})
