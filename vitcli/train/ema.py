"""Exponential moving average (EMA) of the weights: bias-corrected, and used for everything but training itself.

Validation, best.ckpt and whoever opens a checkpoint see the average; the weights themselves stand beside it in the
checkpoint (``raw_state_dict``), for fit alone to go on from.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

import torch
from lightning.pytorch.callbacks import Callback
from torch import Tensor, nn

from vitcli.errors import ConfigError, WeightsError
from vitcli.train.sharding.local import local, split_like

if TYPE_CHECKING:
    import lightning.pytorch as pl

# keys of a checkpoint: decay and number of updates; the weights themselves
EMA, RAW = "ema", "raw_state_dict"


@dataclass(frozen=True)
class EmaOptions:
    """The average of the weights over the last steps.

    Args:
        decay: What the average keeps of itself at a step, in (0, 1), such as 0.999: about the last 1 / (1 - decay)
            steps count. The averaged net is what is validated, kept as the best, tested and used. null: no average.

    Raises:
        ConfigError: A decay outside (0, 1).
    """

    decay: float | None = None

    def __post_init__(self) -> None:
        if self.decay is not None and not 0 < self.decay < 1:
            raise ConfigError(f"ema.decay {self.decay}: must lie in (0, 1), e.g. 0.999; null is no average")


@final
class WeightAverage(Callback):
    """Averages the trained weights after each step of the optimizer, and puts the average into the net to validate.

    The average of t steps is that of Adam (Kingma and Ba 2015, section 3): decayed sums, divided by 1 - decay^t, so
    that it is right from the first step on. Written as one step towards the weights,
    ``average += (weights - average) * (1 - decay) / (1 - decay^t)``, it needs no division to be read, and one pass over
    the weights on their device.

    The average never leaves its place, and the weights are copied before the net takes the average. So whatever ends a
    validation, and whenever a checkpoint is saved, it is known which is which. Values are copied into the net's own
    tensors, which the optimizer, compiled code and CUDA graphs keep. Buffers, and weights that are not trained, have no
    average.

    Args:
        decay: In (0, 1).
    """

    def __init__(self, decay: float) -> None:
        self.decay = decay
        self.updates = 0
        self._weights: list[nn.Parameter] = []
        # of each weight: its names in the state dict, several where layers share it
        self._names: list[list[str]] = []
        self._averages: list[Tensor] = []
        # the part of each that this process holds
        self._here: list[Tensor] = []
        # the weights themselves, while the net holds the average
        self._kept: list[Tensor] | None = None
        self._restored: Mapping[str, Tensor] = {}

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Begin with the weights as they are, or with the average of the checkpoint; the device is known by now.

        Raises:
            ConfigError: No process holds all weights.
        """
        if trainer.strategy.restore_checkpoint_after_setup:
            raise ConfigError(
                f"ema.decay {self.decay}: trainer.strategy {type(trainer.strategy).__name__} splits the weights over "
                "the processes, and no average is taken of parts; say ddp, or leave it out"
            )
        named: dict[nn.Parameter, list[str]] = {}
        for name, weight in pl_module.named_parameters(remove_duplicate=False):
            if weight.requires_grad:
                named.setdefault(weight, []).append(name)
        self._weights, self._names = list(named), list(named.values())
        self._averages = []
        for weight, names in named.items():
            begun = split_like(self._restored.get(names[0], weight.detach()), weight)
            # in half precision a step towards the weights would be lost in rounding
            exact = torch.promote_types(weight.dtype, torch.float32)
            self._averages.append(begun.to(weight.device, exact, copy=True))
        # each process averages the part that it holds
        self._here = [local(average) for average in self._averages]
        self._restored = {}
        for optimizer in trainer.optimizers:
            # called once a step, also of several batches, and not where a scaler of gradients leaves a step out
            optimizer.register_step_post_hook(self._update)

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Put the average into the net."""
        if trainer.state.fn == "fit":
            self._kept = [weight.detach().clone() for weight in self._weights]
            _put(self._weights, self._averages)

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Put the weights themselves back."""
        self._back()

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        """Put the weights themselves back."""
        self._back()

    def save(self, checkpoint: dict[str, Any]) -> None:
        """Let a checkpoint hold the average as its weights and, if a run may go on from it, the weights beside it.

        Args:
            checkpoint: That is about to be saved, also in the midst of a validation.
        """
        raw: dict[str, Tensor] = {}
        for names, average, weight in zip(self._names, self._averages, self._kept or self._weights, strict=True):
            for name in names:
                checkpoint["state_dict"][name] = average
                raw[name] = weight.detach()
        if "optimizer_states" in checkpoint:
            checkpoint[EMA] = {"decay": self.decay, "updates": self.updates}
            checkpoint[RAW] = raw

    def restore(self, checkpoint: Mapping[str, Any]) -> None:
        """Go on with the average of a checkpoint; without one, it begins at the weights as they are then."""
        if EMA in checkpoint:
            self.updates = int(checkpoint[EMA]["updates"])
            self._restored = {name: checkpoint["state_dict"][name] for name in checkpoint[RAW]}

    def _update(self, optimizer: torch.optim.Optimizer, args: Any, kwargs: Any) -> None:
        self.updates += 1
        share = (1 - self.decay) / (1 - self.decay**self.updates)
        with torch.no_grad():
            # of float32 these are the weights, and no copies
            weights = [local(weight).to(one.dtype) for weight, one in zip(self._weights, self._here, strict=True)]
            torch._foreach_lerp_(self._here, weights, share)

    def _back(self) -> None:
        if self._kept is not None:
            _put(self._weights, self._kept)
            self._kept = None


def trained(checkpoint: Mapping[str, Any]) -> dict[str, Any]:
    """The state dict of a checkpoint with the weights from which training goes on, in place of their average."""
    return {**checkpoint["state_dict"], **checkpoint.get(RAW, {})}


def from_checkpoint(checkpoint: Mapping[str, Any], path: Path | None) -> dict[str, Any]:
    """The section ``ema`` of a run that goes on from a checkpoint, if nothing else is said.

    Args:
        checkpoint: Its content; empty for a new run.
        path: For the message.

    Raises:
        WeightsError: What it says of its average cannot be, or one of the two sets of weights is missing.
    """
    if EMA not in checkpoint and RAW not in checkpoint:
        return {}
    said, raw = checkpoint.get(EMA), checkpoint.get(RAW)
    if not (
        isinstance(said, dict)
        and isinstance(raw, dict)
        and isinstance(said.get("decay"), float)
        and 0 < said["decay"] < 1
        and isinstance(said.get("updates"), int)
        and said["updates"] >= 0
        and all(_are_alike(weight, checkpoint["state_dict"].get(name)) for name, weight in raw.items())
    ):
        raise WeightsError(
            f"--ckpt_path {path}: its average of the weights (ema, raw_state_dict) is damaged; go on from another "
            "checkpoint, or start a new run from it with --weights"
        )
    return {"ema": {"decay": said["decay"]}}


def changes(checkpoint: Mapping[str, Any], options: EmaOptions) -> list[str]:
    """A line on an average that begins, ends or changes where a run is resumed; none where all is as it was.

    Args:
        checkpoint: From which the run goes on; empty for a new run.
        options: As they are now.
    """
    before, today = checkpoint.get(EMA, {}).get("decay"), options.decay
    if not checkpoint or before == today:
        return []
    if before is None:
        return [f"ema.decay {today}: the run had no average so far; it begins at step {checkpoint['global_step']}"]
    if today is None:
        return [f"changed: ema.decay {before} -> null; going on without the average, with the weights themselves"]
    return [f"changed: ema.decay {before} -> {today}"]


def _put(into: Sequence[Tensor], values: list[Tensor]) -> None:
    with torch.no_grad():
        torch._foreach_copy_([local(one) for one in into], [local(one) for one in values])


def _are_alike(weight: Any, average: Any) -> bool:
    return isinstance(weight, Tensor) and isinstance(average, Tensor) and weight.shape == average.shape
