"""Memory of a training on each of its processes: weights, gradients and moments, counted by rows as FSDP2 splits."""

from __future__ import annotations

from typing import NamedTuple

from torch import nn

from vitcli.train.optimizer import is_matrix

# float32
NUMBER = 4


class Held(NamedTuple):
    """Bytes that a process holds from one step to the next.

    Args:
        weights: Of the net; twice as many with an average of them (ema).
        gradients: As long as there are some.
        moments: AdamW's two averages of each gradient, or Muon's one.
    """

    weights: int
    gradients: int
    moments: int


def held(net: nn.Module, processes: int, *, ema: bool = False, muon: bool = False) -> Held:
    """What the first process holds; no other one holds more.

    A tensor of n rows is cut into pieces of ceil(n / processes), as torch.chunk does, so that the first has as many as
    any. Activations, and the blocks that are gathered at a time, come on top.

    Args:
        net: Not split yet.
        processes: Over which it is split; 1, and for ddp: everything is held by each.
        ema: Whether the weights are averaged too.
        muon: Whether the matrices are Muon's.
    """
    weights = gradients = moments = 0
    for name, parameter in net.named_parameters():
        rows = -(-parameter.shape[0] // processes)
        size = rows * parameter[0].numel() * NUMBER
        is_trained = parameter.requires_grad
        weights += size * (1 + int(ema and is_trained))
        gradients += size * is_trained
        moments += size * is_trained * (1 if muon and is_matrix(name, parameter) else 2)
    return Held(weights, gradients, moments)


def told(net: nn.Module, processes: int, *, ema: bool, muon: bool) -> str:
    """What each process holds, in a line."""
    each, alone = (sum(held(net, count, ema=ema, muon=muon)) for count in (processes, 1))
    over = "1 process" if processes == 1 else f"{processes:,} processes"
    return f"split over {over}: {_size(each)} each of weights, gradients and moments, {_size(alone)} in all"


def _size(count: int) -> str:
    return f"{count / 1e9:.3g} GB" if count >= 1e8 else f"{count / 1e6:.3g} MB"
