"""How the weights move: AdamW with decay groups, under a learning rate that is a pure function of the step."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, final

import torch
from torch.optim.lr_scheduler import LRScheduler

from vitcli.errors import ConfigError

if TYPE_CHECKING:
    from torch import nn
    from torch.optim import Optimizer


@dataclass(frozen=True)
class AdamW:
    """AdamW (Loshchilov and Hutter 2019), as in the ViT recipes of DeiT and timm.

    Args:
        lr: Learning rate at its highest, after the warm-up.
        weight_decay: Decoupled weight decay of the matrices; biases, norms, tokens and positions have none.
        betas: Decay rates of the running averages of the gradient and of its square.
        eps: Added to the denominator.

    Raises:
        ConfigError: A learning rate that is not above 0, a negative decay, a beta outside [0, 1).
    """

    lr: float = 1e-3
    weight_decay: float = 0.05
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8

    def __post_init__(self) -> None:
        if not self.lr > 0:
            raise ConfigError(f"model.optimizer.lr {self.lr}: a learning rate must be above 0, e.g. 0.001")
        if self.weight_decay < 0:
            raise ConfigError(f"model.optimizer.weight_decay {self.weight_decay}: cannot be negative; 0 is none")
        if not all(0 <= beta < 1 for beta in self.betas):
            raise ConfigError(f"model.optimizer.betas {self.betas}: both must lie in [0, 1), e.g. 0.9 and 0.999")


@dataclass(frozen=True)
class WarmupCosine:
    """A linear warm-up, then half a cosine down to ``final_fraction``, over the whole run.

    Args:
        warmup_fraction: Share of all optimizer steps spent warming up, in [0, 1).
        final_fraction: Learning rate at the last step as a fraction of the highest, in [0, 1].

    Raises:
        ConfigError: A fraction outside its range.
    """

    warmup_fraction: float = 0.05
    final_fraction: float = 0.01

    def __post_init__(self) -> None:
        if not 0 <= self.warmup_fraction < 1:
            raise ConfigError(f"model.schedule.warmup_fraction {self.warmup_fraction}: must lie in [0, 1)")
        if not 0 <= self.final_fraction <= 1:
            raise ConfigError(f"model.schedule.final_fraction {self.final_fraction}: must lie in [0, 1]")

    def factor(self, step: int, total: int) -> float:
        """The learning rate of a step (from 0) as a fraction of the highest, in a run of ``total`` steps.

        A pure function, so that a run which was stopped, or extended to a larger total, simply goes on
        along the curve of its new total.
        """
        warmup = round(self.warmup_fraction * total)
        if step < warmup:
            return (step + 1) / (warmup + 1)
        progress = min(1.0, (step - warmup) / max(1, total - 1 - warmup))
        return self.final_fraction + (1 - self.final_fraction) * (1 + math.cos(math.pi * progress)) / 2


@final
class StepSchedule(LRScheduler):
    """Lays ``base * factor(step, total)`` on every parameter group; all it saves is the step.

    torch's own schedulers keep their totals and base rates in the checkpoint, so that a resumed run follows
    the old curve whatever its config says. This one takes both from the run as it is configured now.
    """

    def __init__(self, optimizer: Optimizer, settings: AdamW, schedule: WarmupCosine, total: int) -> None:
        self.settings = settings
        self.schedule = schedule
        self.total = total
        super().__init__(optimizer)

    def get_lr(self) -> list[float | torch.Tensor]:
        """The learning rate of each parameter group at the current step."""
        rate = self.settings.lr * self.schedule.factor(self.last_epoch, self.total)
        return [rate for _ in self.optimizer.param_groups]

    def state_dict(self) -> dict[str, Any]:
        """The step, and nothing else."""
        return {"last_epoch": self.last_epoch}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take up the step, and lay today's learning rate of that step on the parameter groups."""
        self.last_epoch = state_dict["last_epoch"]
        for group, rate in zip(self.optimizer.param_groups, self.get_lr(), strict=True):
            group["lr"] = rate
        self._last_lr = self.get_lr()


def decay_groups(net: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Two parameter groups: matrices decay; vectors, tokens and positions do not (the rule of DeiT and timm)."""
    decayed: list[nn.Parameter] = []
    free: list[nn.Parameter] = []
    for name, parameter in net.named_parameters():
        if parameter.requires_grad:
            is_table = name.endswith(("class_token", "register_tokens", "pos_embed"))
            (free if parameter.ndim <= 1 or is_table else decayed).append(parameter)
    return [{"params": decayed, "weight_decay": weight_decay}, {"params": free, "weight_decay": 0.0}]


def build_optimizer(net: nn.Module, settings: AdamW) -> torch.optim.AdamW:
    """AdamW over a net's decay groups, which keeps today's settings when a checkpoint's state is loaded into it."""
    optimizer = torch.optim.AdamW(
        decay_groups(net, settings.weight_decay),
        lr=settings.lr,
        betas=settings.betas,
        eps=settings.eps,
    )

    def keep_settings(loaded: Optimizer) -> None:
        # a checkpoint holds the settings of the day it was written; a resumed run obeys those of today
        for group, weight_decay in zip(loaded.param_groups, (settings.weight_decay, 0.0), strict=True):
            group.update(weight_decay=weight_decay, betas=settings.betas, eps=settings.eps)

    optimizer.register_load_state_dict_post_hook(keep_settings)
    return optimizer
