"""Nets small enough for a test, and a way to fill them with numbers that leave no parameter untested."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


@pytest.fixture
def randomise() -> Callable[[nn.Module], nn.Module]:
    """In float64 and eval mode, every parameter away from zero and from one."""

    def fill(module: nn.Module) -> nn.Module:
        module.double().eval()
        for parameter in module.parameters():
            nn.init.normal_(parameter, mean=0.1, std=0.3 / max(1, parameter[0].numel()) ** 0.5)
        return module

    return fill
