"""Optimizer and schedule: AdamW, or Muon, with decay groups; the learning rate is a pure function of the step."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, final, get_args

import torch
from torch.optim.lr_scheduler import LRScheduler

from vitcli.errors import ConfigError
from vitcli.train.muon import Muon

if TYPE_CHECKING:
    from torch import Tensor, nn
    from torch.optim import Optimizer

# parameters that are looked up, not multiplied by
TABLES = ("class_token", "register_tokens", "pos_embed")
Matrices = Literal["adamw", "muon"]


@dataclass(frozen=True)
class AdamW:
    """AdamW (Loshchilov and Hutter 2019), as in the ViT recipes of DeiT and timm.

    Args:
        lr: Learning rate at its highest, after the warm-up; auto: fit finds it by a range test.
        weight_decay: Decoupled weight decay of the matrices; biases, norms, tokens and positions have none.
        betas: Decay rates of the running averages of the gradient and of its square.
        eps: Added to the denominator.
        layer_decay: Learning rate of a block as a fraction of the block above it, in (0, 1]; 1 is the same for all.
            For fine-tuning: the layers next to the pixels need the least change (BEiT, Bao et al. 2022).
        matrices: What steps the matrices inside the backend, and the filters of a stem conv: adamw, or muon (Jordan
            2024), which learns more in a step from scratch; its steps are as large as AdamW's, by the same lr and
            weight_decay.

    Raises:
        ConfigError: A learning rate that is not above 0, a negative decay or eps, infinite ones, a beta outside [0, 1),
            a layer decay outside (0, 1], an unknown word for the matrices.
    """

    lr: float | Literal["auto"] = 1e-3
    weight_decay: float = 0.05
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8
    layer_decay: float = 1.0
    matrices: Matrices = "adamw"

    def __post_init__(self) -> None:
        if self.lr != "auto" and not 0 < self.lr < math.inf:
            raise ConfigError(f"model.optimizer.lr {self.lr}: a learning rate must be above 0, e.g. 0.001")
        if not 0 <= self.weight_decay < math.inf:
            raise ConfigError(
                f"model.optimizer.weight_decay {self.weight_decay}: must be a number from 0 up; 0 is none"
            )
        if not 0 <= self.eps < math.inf:
            raise ConfigError(f"model.optimizer.eps {self.eps}: must be a small number above 0, e.g. 1e-8")
        if not all(0 <= beta < 1 for beta in self.betas):
            raise ConfigError(f"model.optimizer.betas {self.betas}: both must lie in [0, 1), e.g. 0.9 and 0.999")
        if not 0 < self.layer_decay <= 1:
            raise ConfigError(f"model.optimizer.layer_decay {self.layer_decay}: must lie in (0, 1]; 1 is none")
        if self.matrices not in get_args(Matrices):
            raise ConfigError(
                f"model.optimizer.matrices {self.matrices!r}: must be one of {', '.join(get_args(Matrices))}"
            )

    @property
    def rate(self) -> float:
        """The learning rate as a number.

        Raises:
            ConfigError: It is still to be found.
        """
        if self.lr == "auto":
            raise ConfigError("model.optimizer.lr auto: is searched for by vitcli fit alone; give a number")
        return self.lr


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
        return self._decayed((step - warmup) / max(1, total - 1 - warmup))

    def factor_at(self, share: float) -> float:
        """The same curve over the time of a run whose steps are not known, after a share of it in [0, 1]."""
        if share < self.warmup_fraction:
            return share / self.warmup_fraction
        return self._decayed((share - self.warmup_fraction) / (1 - self.warmup_fraction))

    def _decayed(self, progress: float) -> float:
        half = (1 + math.cos(math.pi * min(1.0, progress))) / 2
        return self.final_fraction + (1 - self.final_fraction) * half


@final
class StepSchedule(LRScheduler):
    """Sets ``base * factor(step, total)`` in every parameter group; all it saves is the step.

    torch's own schedulers keep their totals and base rates in the checkpoint, so that a resumed run follows
    the old curve whatever its config says. This one takes both from the run as it is configured now.

    Args:
        optimizer: Whose parameter groups each have a ``scale``.
        settings: The learning rate at its highest.
        schedule: The curve.
        total: Steps of the run, or what tells the share of its time that has passed, in [0, 1].
    """

    def __init__(
        self, optimizer: Optimizer, settings: AdamW, schedule: WarmupCosine, total: int | Callable[[], float]
    ) -> None:
        self.settings = settings
        self.schedule = schedule
        self.total = total
        super().__init__(optimizer)

    def get_lr(self) -> list[float | torch.Tensor]:
        """The learning rate of each parameter group at the current step."""
        total = self.total
        factor = self.schedule.factor_at(total()) if callable(total) else self.schedule.factor(self.last_epoch, total)
        rate = self.settings.rate * factor
        return [rate * group["scale"] for group in self.optimizer.param_groups]

    def state_dict(self) -> dict[str, Any]:
        """The step, and nothing else."""
        return {"last_epoch": self.last_epoch}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the step, and set its learning rate by the present settings in the parameter groups."""
        self.go_to(state_dict["last_epoch"])

    def go_to(self, step: int) -> None:
        """Set the learning rate of a step (from 0) in the parameter groups."""
        self.last_epoch = step
        for group, rate in zip(self.optimizer.param_groups, self.get_lr(), strict=True):
            group["lr"] = rate
        self._last_lr = self.get_lr()


def layer_of(name: str, depth: int) -> int:
    """The layer of a parameter: 0 for patches and tokens, 1 to depth for the blocks, depth + 1 for the rest.

    Args:
        name: Name of the parameter in the net.
        depth: Number of blocks.
    """
    if match := re.match(r"backend\.(?:\w+\.)*?(\d+)\.", name):
        return min(int(match[1]), depth - 1) + 1
    return 0 if name.startswith(("patches.", "pre_norm.", *TABLES)) else depth + 1


def is_matrix(name: str, parameter: Tensor) -> bool:
    """Whether a parameter is a matrix inside the backend, or the filters of a convolution before it.

    Not so the head and the product that makes tokens: their update would be as large for what hardly matters as for
    what does (Jordan 2024 leaves first and last layers to AdamW).
    """
    return (parameter.ndim == 2 and name.startswith("backend.")) or (
        parameter.ndim == 4 and name.startswith("patches.convs.")
    )


def decay_groups(net: nn.Module, settings: AdamW) -> list[dict[str, Any]]:
    """Parameter groups: matrices decay; vectors, tokens and positions do not (the rule of DeiT and timm).

    Frozen parameters are in none. With a layer decay there are two groups a layer, each with the ``scale`` of its
    learning rate; with Muon, what it steps is in a group by itself, with ``muon``.
    """
    depth = getattr(getattr(net, "backend", None), "depth", 0) or 1
    groups: dict[tuple[int, bool, bool], dict[str, Any]] = {}
    for name, parameter in net.named_parameters():
        if not parameter.requires_grad:
            continue
        layer = layer_of(name, depth) if settings.layer_decay < 1 else depth + 1
        decays = parameter.ndim > 1 and not name.endswith(TABLES)
        muon = settings.matrices == "muon" and is_matrix(name, parameter)
        group = {"weight_decay": settings.weight_decay if decays else 0.0, "decays": decays}
        group |= {"muon": muon} if settings.matrices == "muon" else {}
        scale = settings.layer_decay ** (depth + 1 - layer)
        groups.setdefault((layer, decays, muon), {"params": [], "scale": scale, **group})["params"].append(parameter)
    return [groups[key] for key in sorted(groups, key=lambda key: (key[0], not key[1], key[2]))]


def build_optimizer(net: nn.Module, settings: AdamW) -> torch.optim.AdamW | Muon:
    """The optimizer over a net's parameter groups; when a checkpoint's state is loaded, it keeps today's settings."""
    today = decay_groups(net, settings)
    kept = [{key: group[key] for key in ("weight_decay", "scale")} for group in today]
    # All of a parameter's update in one loop: on a CPU three times as fast, on a GPU a third of the memory read and
    # written; elsewhere torch's own choice.
    fused = True if {parameter.device.type for parameter in net.parameters()} in ({"cpu"}, {"cuda"}) else None
    # torch refuses to have no group at all, as where all but the matrices are frozen
    own = [group for group in today if not group.get("muon")] or [{"params": []}]
    adamw = torch.optim.AdamW(own, lr=settings.rate, betas=settings.betas, eps=settings.eps, fused=fused)
    # its step is given no scale of the gradients; else Lightning would refuse to clip them in mixed precision
    adamw._step_supports_amp_scaling = False
    optimizer: torch.optim.AdamW | Muon = adamw
    if settings.matrices == "muon":
        theirs = iter(adamw.param_groups)
        whole = [{"lr": settings.rate, **group} if group["muon"] else next(theirs) for group in today]
        optimizer = Muon(whole, adamw)

    def keep_settings(loaded: Optimizer) -> None:
        # a checkpoint holds the settings it was written with; a resumed run obeys the present ones
        for group, own in zip(loaded.param_groups, kept, strict=True):
            group.update(own)
            if not group.get("muon"):
                group.update(betas=settings.betas, eps=settings.eps, fused=fused)
        # and it may have been written on another device, where the number of steps is kept in another place
        for parameter, state in loaded.state.items():
            if "step" in state:
                state["step"] = state["step"].to(parameter.device if fused else "cpu")

    optimizer.register_load_state_dict_post_hook(keep_settings)
    return optimizer
