"""Muon: a step along the orthogonalised momentum for the matrices of a net, and AdamW for all other parameters."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, final

import torch
from torch import Tensor

from vitcli.net.kernels.dense import has_bfloat16
from vitcli.train.sharding.local import is_split, joined, local, split_like, whole

if TYPE_CHECKING:
    from torch.optim import AdamW

# Jordan 2024: of the polynomial a x + b x^3 + c x^5, applied to all singular values, and how often
QUINTIC, STEPS = (3.4445, -4.7750, 2.0315), 5
# Liu et al. 2025, 2.2: the root mean square of an update of AdamW's
RMS = 0.2
MOMENTUM = 0.95
LEAST_NORM = 1e-7


@final
class Muon(torch.optim.Optimizer):
    """Muon (Jordan 2024) for the groups that say ``muon``, AdamW for the others.

    A matrix takes the gradient's running average with all singular values brought to about one, so that rare directions
    are learnt as fast as frequent ones. The update is scaled to the size that AdamW's has (Liu et al. 2025, "Muon is
    Scalable for LLM Training", 2.2), so that learning rate and weight decay are those of AdamW. The numbers are those
    of torch.optim.Muon with ``match_rms_adamw``, but all matrices of a shape are multiplied at once. It holds one
    running average of a matrix, where AdamW holds two.

    Of a matrix that is split over processes (fsdp2), each process gathers the average and computes the whole step, of
    which it takes its part: the step of one process, at a cost that more processes do not lower.

    Args:
        groups: Parameter groups, each with ``muon``, ``lr`` and ``weight_decay``; weights of convolutions count as
            matrices with a row for each output.
        others: AdamW's optimizer of the groups that are not Muon's.
    """

    def __init__(self, groups: Iterable[dict[str, Any]], others: AdamW) -> None:
        super().__init__(groups, {"momentum": MOMENTUM})
        self.others = others

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """One step; a closure computes loss and gradients first."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        # a loaded checkpoint has put others in their place
        self.others.param_groups = [group for group in self.param_groups if not group["muon"]]
        self.others.state = self.state
        self.others.step()
        for group in self.param_groups:
            if group["muon"]:
                self._step_matrices(group)
        return loss

    def _step_matrices(self, group: dict[str, Any]) -> None:
        alike: dict[Any, list[Tensor]] = {}
        for number, parameter in enumerate(group["params"]):
            if parameter.grad is not None:
                # of those that are split, one after the other is gathered, and no more
                key = (parameter.shape[0], parameter.shape[1:].numel(), number if is_split(parameter) else 0)
                alike.setdefault(key, []).append(parameter)
        for (rows, columns, _), split in alike.items():
            parameters = [local(parameter) for parameter in split]
            gradients = [local(parameter.grad) for parameter in split if parameter.grad is not None]
            averages = [local(self._average(parameter)) for parameter in split]
            torch._foreach_lerp_(averages, gradients, 1 - group["momentum"])
            # Nesterov's: a step ahead of the average
            ahead = torch._foreach_lerp(gradients, averages, group["momentum"])
            directions = self._directions(split, ahead)
            torch._foreach_mul_(parameters, 1 - group["lr"] * group["weight_decay"])
            updates = [one.view_as(parameter) for one, parameter in zip(directions, parameters, strict=True)]
            torch._foreach_add_(parameters, updates, alpha=-group["lr"] * RMS * math.sqrt(max(rows, columns)))

    def _directions(self, parameters: list[Tensor], ahead: Sequence[Tensor]) -> Sequence[Tensor]:
        """The step of each parameter, or of the part of it that is here: each process computes that of the whole."""
        if not is_split(parameters[0]):
            return list(orthogonal(torch.stack([one.flatten(1) for one in ahead])))
        gathered = whole(joined(ahead[0], parameters[0]))
        direction = orthogonal(gathered.flatten(1)[None])[0].view_as(gathered)
        return [local(split_like(direction, parameters[0]))]

    def _average(self, parameter: Tensor) -> Tensor:
        state = self.state[parameter]
        if "momentum" not in state:
            state["momentum"] = torch.zeros_like(parameter, memory_format=torch.preserve_format)
        average: Tensor = state["momentum"]
        return average


def orthogonal(matrices: Tensor) -> Tensor:
    """The orthogonal matrices nearest to some, roughly: (batch, rows, columns), singular values of 0.7 to 1.2.

    Newton and Schulz's iteration, which needs products alone, and those in bfloat16 where the processor has it.
    """
    values = matrices.bfloat16() if matrices.device.type != "cpu" or has_bfloat16() else matrices.float()
    wide = values.mT if values.shape[1] > values.shape[2] else values
    wide = wide / wide.norm(dim=(1, 2), keepdim=True).clamp(min=LEAST_NORM)
    first, third, fifth = QUINTIC
    for _ in range(STEPS):
        squares = wide @ wide.mT
        wide = torch.baddbmm(wide, torch.baddbmm(squares, squares, squares, beta=third, alpha=fifth), wide, beta=first)
    return (wide.mT if values.shape[1] > values.shape[2] else wide).to(matrices.dtype)
