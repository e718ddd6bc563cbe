"""Whole: the net with everything around it, uint8 RGB pixels -> probabilities, as one module for torch.export."""

from __future__ import annotations

import copy
from typing import final

import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram, export
from torch.fx import GraphModule

from vitcli.export.subject import Subject
from vitcli.net import ViT
from vitcli.preprocess import Preprocess

INPUT, OUTPUT = "pixels", "probabilities"


@final
class Whole(nn.Module):
    """Normalisation, net, temperature and softmax: uint8 (batch, height, width, 3) -> float32 (batch, classes).

    Args:
        net: The net, of float32, in eval mode.
        preprocess: How its pictures are normalised.
        temperature: By which logits are divided.
    """

    def __init__(self, net: ViT, preprocess: Preprocess, temperature: float) -> None:
        super().__init__()
        self.net = net
        self.preprocess = preprocess
        self.temperature = temperature

    def forward(self, pixels: Tensor) -> Tensor:
        """Probabilities of pictures in the size of the net."""
        logits: Tensor = self.net(self.preprocess.normalise(pixels.permute(0, 3, 1, 2)))
        return (logits / self.temperature if self.temperature != 1 else logits).softmax(dim=1)


def traced(subject: Subject, batch: int | None) -> ExportedProgram:
    """The whole net as torch.export traces it.

    Args:
        subject: What is exported.
        batch: Pictures at once; None for any number of them.
    """
    net = subject.net if subject.net.head.weight.dtype == torch.float32 else copy.deepcopy(subject.net).float()
    whole = Whole(net, subject.preprocess, subject.asked.temperature).eval()
    # two, as torch takes one for a constant
    pixels = torch.zeros(2 if batch is None else batch, *subject.preprocess.size, 3, dtype=torch.uint8)
    with torch.no_grad():
        program = export(whole, (pixels,), dynamic_shapes=({0: Dim("batch", min=1)},) if batch is None else None)
    for part in program.graph_module.modules():
        for node in part.graph.nodes if isinstance(part, GraphModule) else ():
            # it names the folders of this machine
            node.meta.pop("stack_trace", None)
    return program
