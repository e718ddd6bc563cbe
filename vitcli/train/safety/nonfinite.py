"""NaN guard: a step whose gradient is nan or inf changes no weight; it ends the run, or is left out, and is named."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, final

import torch
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.strategies import DDPStrategy, SingleDeviceStrategy
from torch import Tensor
from torch.nn.utils import clip_grad_norm_, clip_grad_value_, get_total_norm

from vitcli.errors import ConfigError, DivergedError
from vitcli.names import first_of
from vitcli.train.output.bar import say
from vitcli.train.safety.origin import agreed, broken_weights, of_training, remedy
from vitcli.train.sharding.local import local, whole
from vitcli.train.sharding.strategy import FSDP2

if TYPE_CHECKING:
    import lightning.pytorch as pl
    from torch.optim import Optimizer

    from vitcli.data import Batch
    from vitcli.train.classifier import Classifier

OnNan = Literal["stop", "skip"]
# steps after which a GPU is asked whether one of them was no number; a CPU is asked after each
ASK_EVERY_STEPS = 50
# below this, the gradients of 16-mixed overflow whatever they are multiplied by
LEAST_SCALE = 1.0


class Step(NamedTuple):
    """A step of the optimizer.

    Args:
        number: From 1.
        epoch: From 0.
        batches: Those of this process that it has summed up, from 0.
        rate: The highest learning rate.
    """

    number: int
    epoch: int
    batches: range
    rate: float


@final
class NonFinite(Callback):
    """Watches the norm of the gradients, and whether it is a finite number.

    A loss that is nan or inf makes the gradients so, on all processes, which share them: one number says it all, and
    clipping computes it anyway. It stays on the device. There it tells AdamW to leave the step out (its ``found_inf``,
    which exists for torch's GradScaler), so that no weight ever takes a gradient that is no number, and the device is
    asked for it only now and then, and before each checkpoint.

    With ``stop``, all further steps are left out too, until the device is asked: the layer is then looked for with the
    very weights of the step. 16-mixed leaves out steps by itself, whose gradients overflow at a scale that it then
    halves; there, the loss is watched, and the scale.

    Args:
        on_nan: stop, or skip: leave the step out and go on.
        most: Steps in a row that may be left out.

    Attributes:
        by_norm: Whether the norm is watched: all processes have the same gradients, and no scaler has a say.

    Raises:
        ConfigError: A number of steps below 1.
    """

    def __init__(self, on_nan: OnNan = "stop", most: int = 10) -> None:
        if most < 1:
            raise ConfigError(f"run.max_skipped {most}: below 1; to stop at the first such step, set run.on_nan stop")
        self.on_nan = on_nan
        self.most = most
        self.in_a_row = 0
        self._steps: list[Step] = []
        self._first_batch = 0
        self._rate = 0.0
        self._flags = torch.zeros(0)
        self._found = torch.zeros(())
        self.by_norm = True
        self._global_step = 0

    def on_fit_start(self, trainer: pl.Trainer, pl_module: Classifier) -> None:  # type: ignore[override]
        """Find out how this run can be watched.

        Raises:
            ConfigError: Steps cannot be left out, as each process has a part of the gradients alone.
        """
        shared = isinstance(trainer.strategy, SingleDeviceStrategy | DDPStrategy | FSDP2)
        scaled = getattr(trainer.precision_plugin, "scaler", None) is not None
        if self.on_nan == "skip" and not shared:
            raise ConfigError(
                f"run.on_nan skip: no step can be left out with {type(trainer.strategy).__name__}, under which each "
                "process has a part of the gradients; leave it at stop, or choose trainer.strategy ddp"
            )
        self.by_norm = shared and not scaled
        device = trainer.strategy.root_device
        self._flags = torch.zeros(ASK_EVERY_STEPS, device=device)
        self._found = torch.zeros((), device=device)
        self._steps, self.in_a_row = [], 0
        pl_module.guard = self

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Count from where the run goes on, and let the optimizer know what is found."""
        self._global_step = trainer.global_step
        for optimizer in trainer.optimizers:
            if all(group.get("fused") for group in optimizer.param_groups):
                optimizer.found_inf = self._found  # type: ignore[attr-defined]

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Batch, batch_idx: int
    ) -> None:
        """Remember the first batch of a step."""
        if batch_idx % trainer.accumulate_grad_batches == 0:
            self._first_batch = batch_idx

    def on_before_optimizer_step(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, optimizer: Optimizer
    ) -> None:
        """Remember the rate of a step, before the schedule goes on."""
        self._rate = max(float(group["lr"]) for group in optimizer.param_groups)

    def clip(self, optimizer: Optimizer, value: float | None, algorithm: str | None) -> None:
        """Clip the gradients as Lightning does, and leave the step out if they are no numbers.

        Args:
            optimizer: Whose gradients.
            value: Largest norm, or largest value; None or 0: any.
            algorithm: norm or value; None: norm.
        """
        parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
        if value and algorithm != "value":
            norm = clip_grad_norm_(parameters, value)
        else:
            norm = get_total_norm([parameter.grad for parameter in parameters if parameter.grad is not None])
            if value:
                clip_grad_value_(parameters, value)
        # of gradients that are split, each process knows the norm of all
        self._mark(whole(norm))
        if not hasattr(optimizer, "found_inf") and float(self._found):
            # on devices without a fused AdamW; without gradients, it changes nothing
            for parameter in parameters:
                parameter.grad = None

    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: Classifier,  # type: ignore[override]
        outputs: Any,
        batch: Batch,
        batch_idx: int,
    ) -> None:
        """Count the step; ask for what was found, where that is free or due."""
        if not self.by_norm:
            self._mark(outputs["loss"].detach())
        if trainer.global_step == self._global_step:
            return
        self._global_step = trainer.global_step
        batches = range(self._first_batch, batch_idx + 1)
        self._steps.append(Step(trainer.global_step, trainer.current_epoch, batches, self._rate))
        if self._flags.device.type == "cpu" or len(self._steps) == len(self._flags):
            self.ask(trainer, pl_module)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: Classifier) -> None:  # type: ignore[override]
        """Ask for what was found, while the epoch is known.

        Raises:
            DivergedError: Every step of the epoch was left out.
        """
        self.ask(trainer, pl_module)
        if self.in_a_row >= trainer.num_training_batches / trainer.accumulate_grad_batches:
            raise DivergedError(
                f"epoch {trainer.current_epoch + 1}: all of its steps were left out: loss or gradient are nan or "
                f"inf; {remedy(trainer, pl_module)}"
            )

    def ask(self, trainer: pl.Trainer, model: Classifier) -> None:
        """Ask the device whether a step since the last time was no number.

        Raises:
            DivergedError: One was, and the run is to stop; or too many in a row; or the scale of 16-mixed has fallen to
                nothing.
        """
        if not self._steps:
            return
        flags = self._flags[: len(self._steps)]
        if trainer.world_size > 1 and not self.by_norm:
            flags = trainer.strategy.reduce(flags, reduce_op="max")
        found = [flag != 0 for flag in flags.tolist()]
        for place, step in enumerate(self._steps):
            if not found[place]:
                self.in_a_row = 0
                continue
            self.in_a_row += 1
            if self.on_nan == "stop" or self.in_a_row > self.most:
                # not forgotten: whoever would save after this meets it again
                self._steps = self._steps[place:]
                self._flags[: len(self._steps)] = 1
                raise DivergedError(self._told(trainer, model, step))
            if self.in_a_row == 1:
                _say(trainer, f"step {step.number} is left out: {_origin(trainer, model, step)}")
            else:
                _say(trainer, f"step {step.number} is left out too, {self.in_a_row} in a row")
        last = self._steps[-1]
        self._steps = []
        self._flags.zero_()
        scaler = getattr(trainer.precision_plugin, "scaler", None)
        if scaler is not None and (scale := float(scaler.get_scale())) < LEAST_SCALE:
            raise DivergedError(
                f"trainer.precision {trainer.precision}: gradients overflow at any scale (now {scale:g}), at step "
                f"{last.number}, learning rate {last.rate:g}: {_origin(trainer, model, last)}; say --trainer.precision "
                f"bf16-mixed or 32-true, or {remedy(trainer, model)}"
            )

    def check(self, trainer: pl.Trainer, model: Classifier, checkpoint: dict[str, Any]) -> None:
        """Check that what is about to be saved are numbers.

        Raises:
            DivergedError: They are none, and nothing may be saved.
        """
        self.ask(trainer, model)
        tensors = {
            name: tensor
            for name, tensor in checkpoint["state_dict"].items()
            if isinstance(tensor, Tensor)
            and tensor.is_floating_point()
            and not name.startswith(("metrics.", "losses."))
        }
        # of a split net, a process may hold no row of a short tensor
        parts = [part for part in map(local, tensors.values()) if part.numel()]
        largest = get_total_norm(parts, float("inf")) if parts else torch.zeros(())
        is_finite = bool(torch.isfinite(largest))
        if isinstance(trainer.strategy, FSDP2):
            is_finite = trainer.strategy.reduce_boolean_decision(is_finite)
        if not is_finite:
            names = first_of(broken_weights(tensors), 2) or "in another process"
            raise DivergedError(
                f"step {trainer.global_step}: the weights are nan or inf ({names}), and are not saved; learning rate "
                f"{self._rate:g}; {remedy(trainer, model)}"
            )

    def on_validation_start(self, trainer: pl.Trainer, pl_module: Classifier) -> None:  # type: ignore[override]
        """Ask for what was found before the net is scored."""
        if trainer.state.fn == "fit":
            self.ask(trainer, pl_module)

    def _mark(self, value: Tensor) -> None:
        """Note, on the device, that the coming step is no number if this is none."""
        # 0 of all that is finite, nan of all that is not
        flag = self._flags[len(self._steps)]
        torch.maximum(flag, (value.float() * 0 != 0).float(), out=flag)
        if self.on_nan == "stop":
            # from here on, until it is asked for
            torch.maximum(self._found, flag, out=self._found)
        elif self.by_norm:
            self._found.copy_(flag)

    def _told(self, trainer: pl.Trainer, model: Classifier, step: Step) -> str:
        often, other = "", "leave such steps out by --run.on_nan skip"
        if self.on_nan == "skip":
            often, other = f"{self.most + 1} steps in a row; ", f"raise run.max_skipped {self.most}"
        return (
            f"step {step.number}, epoch {step.epoch + 1}: {often}{_origin(trainer, model, step)}; learning rate "
            f"{step.rate:g}: {remedy(trainer, model, f', or {other}')}"
        )


def _origin(trainer: pl.Trainer, model: Classifier, step: Step) -> str:
    return agreed(trainer, lambda: of_training(trainer, model, step.epoch, step.batches))


def _say(trainer: pl.Trainer, line: str) -> None:
    if trainer.is_global_zero:
        say(line, sys.stderr)
