"""What is large is computed again in the backward pass, with the same numbers; what a layer frees is kept."""

from __future__ import annotations

import platform

import pytest
import torch
from torch import Tensor, nn

from tests.warm import Warm
from vitcli.net import Linformer, VanillaTransformer, ViT
from vitcli.net.kernels import recompute as module
from vitcli.net.kernels.recompute import again

FAULTS = """
import resource, torch
def faults():
    for round in range(3):
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        blocks = [torch.zeros(2**20) for _ in range(8)]
        del blocks
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
print(faults())
from vitcli.net import VanillaTransformer, ViT
ViT(32, 16, dim=8, classes=2, backend=lambda dim, tokens: VanillaTransformer(dim, tokens, depth=1, heads=1))
print(faults())
"""


def kept_bytes(net: nn.Module, images: Tensor) -> tuple[int, list[Tensor]]:
    """How much the net keeps for its backward pass, weights apart, and its gradients."""
    weights = {weight.untyped_storage().data_ptr() for weight in net.parameters()}
    kept: dict[int, Tensor] = {}

    def keep(tensor: Tensor) -> Tensor:
        if tensor.untyped_storage().data_ptr() not in weights:
            kept[tensor.untyped_storage().data_ptr()] = tensor
        return tensor

    torch.manual_seed(1)
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        loss = net(images).square().sum()
    total = sum(tensor.untyped_storage().nbytes() for tensor in kept.values())
    kept.clear()
    grads = torch.autograd.grad(loss, list(net.parameters()))
    return total, list(grads)


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("dropout", [0.0, 0.2])
@pytest.mark.parametrize("backend", [VanillaTransformer, Linformer])
def test_computing_again_keeps_less_and_changes_no_bit(
    backend: type, dropout: float, precision: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = {"k": 9} if backend is Linformer else {}

    def make(dim: int, tokens: int) -> nn.Module:
        made: nn.Module = backend(dim, tokens, depth=2, heads=2, dropout=dropout, attention_dropout=dropout, **own)
        return made

    net = ViT(48, 8, dim=16, classes=3, backend=make).train()
    images = torch.randn(4, 3, 48, 48)
    found = {}
    for limit in (2**40, 0):
        monkeypatch.setattr(module, "LARGE_BYTES", limit)
        monkeypatch.setattr("vitcli.net.kernels.softmax.KEPT_BYTES", limit)
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == torch.bfloat16):
            found[limit] = kept_bytes(net, images)
    assert found[0][0] < 0.9 * found[2**40][0]
    for once, twice in zip(found[2**40][1], found[0][1], strict=True):
        assert torch.equal(once, twice)


def test_small_things_and_inference_are_computed_once() -> None:
    calls = []

    def counted(numbers: Tensor) -> Tensor:
        calls.append(1)
        return numbers.exp().exp()

    numbers = torch.ones(2**21, requires_grad=True)
    again(counted, numbers[:100], kept_bytes=400, random=False).sum().backward()
    with torch.no_grad():
        again(counted, numbers, kept_bytes=numbers.nbytes, random=False)
    assert len(calls) == 2
    again(counted, numbers, kept_bytes=numbers.nbytes, random=False).sum().backward()
    assert len(calls) == 4


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="thresholds of glibc")
def test_a_process_with_a_net_keeps_the_pages_of_what_it_frees(programs: Warm) -> None:
    done = programs.run(code=FAULTS)
    assert done.returncode == 0, done.stderr
    without, with_a_net = map(int, done.stdout.split())
    assert with_a_net < 100
    assert without > 500
