"""in_parts: threads compute parts of a batch, wherever that is safe."""

import os
import threading
from collections.abc import Iterator
from functools import partial
from typing import final

import pytest
import torch
from torch import Tensor

from vitcli.answers.answer import answer
from vitcli.answers.asked import Asked
from vitcli.answers.in_parts import in_parts
from vitcli.net import Backend, VanillaTransformer, ViT
from vitcli.net.watch import watch
from vitcli.preprocess import Preprocess

IMAGES = 42


@final
class Theirs(Backend):
    """A backend that is not ours."""

    def __init__(self, tokens: int, dim: int, depth: int = 1, heads: int = 1) -> None:
        super().__init__()
        self.depth, self.heads, self.last = depth, heads, torch.empty(0)

    def forward(self, tokens: Tensor) -> Tensor:
        self.last = tokens
        return tokens


@pytest.fixture(autouse=True)
def _two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def net() -> ViT:
    torch.manual_seed(0)
    return ViT(32, 8, dim=32, classes=3, backend=partial(VanillaTransformer, depth=2, heads=2)).eval()


@pytest.fixture
def images() -> Tensor:
    return torch.randint(0, 256, (IMAGES, 3, 32, 32), dtype=torch.uint8)


def parts_of(net: ViT, images: Tensor) -> list[tuple[int, str]]:
    """How many images each call of a function got, and in which thread."""
    calls = []

    def function(part: Tensor) -> Tensor:
        assert not (torch.is_grad_enabled() and threading.current_thread().name.startswith("net"))
        calls.append((len(part), threading.current_thread().name.split("_")[0]))
        return part.flatten(1)

    assert torch.equal(in_parts(function, net, images), images.flatten(1))
    return sorted(calls)


def test_parts_are_computed_by_other_threads_and_put_together_in_their_order(net: ViT, images: Tensor) -> None:
    with torch.no_grad():
        assert parts_of(net, images) == [(10, "net"), (16, "net"), (16, "net")]
        assert parts_of(net, images[:8]) == [(4, "net"), (4, "net")]


@pytest.mark.parametrize("features", [False, True])
def test_a_net_answers_in_parts_as_it_does_at_once(net: ViT, images: Tensor, features: bool) -> None:
    asked, preprocess = Asked(tta="flip", features=features), Preprocess(size=(32, 32))
    with torch.inference_mode():
        parted = answer(net, preprocess, images, asked)
        torch.set_num_threads(1)
        whole = answer(net, preprocess, images, asked)
    assert parted.keys() == whole.keys()
    for name in whole:
        torch.testing.assert_close(parted[name], whole[name], rtol=1e-5, atol=1e-6)  # type: ignore[literal-required]


def test_a_batch_stays_whole_where_threads_would_not_see_what_the_caller_does(net: ViT, images: Tensor) -> None:
    whole = [(IMAGES, "MainThread")]
    assert parts_of(net, images) == whole, "gradients are recorded"
    with torch.no_grad():
        with torch.autocast("cpu", torch.bfloat16):
            assert parts_of(net, images) == whole
        with watch(net):
            assert parts_of(net, images) == whole
        hook = net.backend.register_forward_hook(lambda *_: None)
        assert parts_of(net, images) == whole
        hook.remove()
        net.train()
        assert parts_of(net, images) == whole
        net.eval().double()
        assert parts_of(net, images) == whole
        assert parts_of(net.float(), images[:6]) == [(6, "MainThread")], "of few images, products would be slower"
        torch.set_num_threads(1)
        assert parts_of(net, images) == whole


def test_a_backend_of_the_users_own_may_keep_what_it_saw_last(images: Tensor) -> None:
    theirs = ViT(32, 8, dim=32, classes=3, backend=Theirs).eval()
    with torch.no_grad():
        assert parts_of(theirs, images) == [(IMAGES, "MainThread")]


def test_an_error_in_a_part_is_the_callers(net: ViT, images: Tensor) -> None:
    def fails(part: Tensor) -> Tensor:
        if len(part) < 16:
            raise RuntimeError("of the last part")
        return part

    with torch.no_grad(), pytest.raises(RuntimeError, match="of the last part"):
        in_parts(fails, net, images)


def test_a_fork_of_a_process_that_has_computed_in_parts_computes_in_parts(net: ViT, images: Tensor) -> None:
    few = images[:, :1, :1, :1]  # OpenMP itself does not come along into a fork
    with torch.no_grad():
        parts_of(net, few)
        child = os.fork()
        if not child:
            try:
                os._exit(0 if parts_of(net, few)[0] == (10, "net") else 1)
            finally:
                os._exit(1)
        assert os.waitpid(child, 0)[1] == 0
