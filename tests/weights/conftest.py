"""Random numbers that leave no parameter of a peer untested, and the comparison with it."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from vitcli.net import ViT
from vitcli.weights import import_net


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


@pytest.fixture
def randomise() -> Callable[[nn.Module], nn.Module]:
    """In float64 and eval mode, every parameter away from zero and from one, and logits that depend on the image."""

    def fill(module: nn.Module) -> nn.Module:
        module.double().eval()
        for parameter in module.parameters():
            if parameter.dim() == 1:
                nn.init.normal_(parameter, mean=0.4, std=0.4)
            elif parameter.numel():
                nn.init.normal_(parameter, std=parameter[0].numel() ** -0.5)
        return module

    return fill


def both(module: nn.Module, images: Tensor) -> tuple[Tensor, Tensor]:
    """Logits, and the gradient of a fixed mixture of them towards the images."""
    images = images.clone().requires_grad_()
    logits = module(images)
    mixture = torch.linspace(-1, 1, logits.numel(), dtype=logits.dtype).reshape(logits.shape)
    return logits.detach(), torch.autograd.grad((logits * mixture).sum(), images)[0]


@pytest.fixture
def same() -> Callable[..., ViT]:
    """Import a peer's tensors; logits and input gradients must be the peer's, in float64 and in float32."""

    def compare(peer: nn.Module, size: tuple[int, int], state: dict | None = None, **said: object) -> ViT:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            net = import_net(peer.state_dict() if state is None else state, **said)
        assert not net.training
        images = torch.randn(2, net.channels, *size, dtype=torch.float64)
        expected, slope = both(peer, images)
        assert (expected[0] - expected[1]).abs().max() > 0.01
        logits, gradient = both(net, images)
        torch.testing.assert_close(logits, expected, rtol=0, atol=1e-9)
        torch.testing.assert_close(gradient, slope, rtol=0, atol=1e-9)
        single, expected = net.float()(images.float()), peer.float()(images.float())
        torch.testing.assert_close(single, expected, rtol=0, atol=2e-5)
        peer.double()
        return net

    return compare
