"""A training step is handed to its device as a whole, without waiting for what the device has still to do."""

from __future__ import annotations

import functools
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from lightning.pytorch import Trainer
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from tests.conftest import CPU, TINY
from vitcli import net
from vitcli.__main__ import main
from vitcli.data.augment.augment import Augment, Chance
from vitcli.data.augment.device import gather, vary
from vitcli.train import Classifier
from vitcli.train.safety.last import KeepLast


class Made(TorchFunctionMode):
    """Notes what is made from Python's numbers on a device, which torch does by a copy that waits."""

    def __init__(self, waits: list[str]) -> None:
        super().__init__()
        self.waits = waits

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        given = args[1] if func is Tensor.new_tensor else args[0] if args else None
        makes = func in (torch.tensor, torch.as_tensor, Tensor.new_tensor) and not isinstance(given, Tensor)
        if makes and result.device.type != "cpu":
            self.waits.append(str(func))
        return result


class Moved(TorchDispatchMode):
    """Notes what is copied from the processor's memory to a device, unless in passing."""

    def __init__(self, waits: list[str]) -> None:
        super().__init__()
        self.waits = waits

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        before = {leaf.device.type for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)}
        result = func(*args, **kwargs)
        after = {leaf.device.type for leaf in tree_leaves(result) if isinstance(leaf, Tensor)}
        if "cpu" in before and after - {"cpu"} and not kwargs.get("non_blocking"):
            self.waits.append(str(func))
        return result


@contextmanager
def handovers() -> Iterator[list[str]]:
    """What is handed to a device in such a way that the processor waits."""
    waits: list[str] = []
    with Made(waits), Moved(waits):
        yield waits


def step(device: str, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """All that is done with a batch which lies on the device, ready to be called."""
    backend = functools.partial(net.VanillaTransformer, depth=2, heads=4)
    names = tuple("abcdefg")
    classifier = Classifier(net.ViT(64, 16, dim=64, classes=len(names), backend=backend), classes=names).to(device)
    optimizer = torch.optim.AdamW(classifier.parameters(), lr=0.1)
    trainer = SimpleNamespace(optimizers=[optimizer])
    monkeypatch.setattr(Classifier, "trainer", property(lambda self: trainer))
    for name in ("log", "log_dict"):
        monkeypatch.setattr(classifier, name, lambda *_, **__: None)
    chances = gather([Chance((True, False), (1.1, 0.9, 1.0), (0.1, 0.2, 0.5, 0.6))] * 4, 0)
    chances = chances._replace(**{key: getattr(chances, key).to(device) for key in ("mirror", "colour", "erased")})
    images = torch.zeros(4, 3, 64, 64, dtype=torch.uint8, device=device)
    labels = torch.arange(4, device=device)

    def run() -> None:
        for augment in (Augment(), Augment(flip_vertical=0.5, colour=0.3, erase=0.5)):
            varied = vary(images, chances, augment, (1, 2, 3))
            classifier.training_step({"image": varied, "label": labels}, 0).backward()  # type: ignore[typeddict-item]
            torch.nn.utils.clip_grad_norm_(classifier.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad()

    return run


def test_a_training_step_never_waits_for_its_device(monkeypatch: pytest.MonkeyPatch) -> None:
    # a device without numbers: whoever asks it for one, as bincount does, fails
    run = step("meta", monkeypatch)
    with handovers() as waits:
        run()
    assert waits == []


@pytest.mark.parametrize(
    "hand_over",
    [
        lambda: torch.tensor([1.0], device="meta"),
        lambda: torch.as_tensor(1.0, device="meta"),
        lambda: torch.empty(2, device="meta").new_tensor([1.0]),
        lambda: torch.ones(2).to("meta"),
        lambda: torch.empty(2, device="meta").copy_(torch.ones(2)),
    ],
    ids=["tensor", "as_tensor", "new_tensor", "to", "copy_"],
)
def test_a_handover_that_waits_is_noticed(hand_over: Callable[[], Tensor]) -> None:
    with handovers() as waits:
        hand_over()
        torch.tensor([1.0]).to("meta", non_blocking=True)
    assert len(waits) == 1


@pytest.mark.usefixtures("photos")
def test_no_value_is_asked_for_from_the_end_of_a_step_to_the_end_of_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    end, asked, watching = KeepLast.on_train_batch_end, [], False

    def watch(self: KeepLast, trainer: Trainer, *rest: Any) -> None:
        nonlocal watching
        watching = trainer.global_step == 1
        end(self, trainer, *rest)

    def asking(name: str) -> Callable[[Tensor], Any]:
        method = getattr(Tensor, name)

        def ask(self: Tensor, *rest: Any) -> Any:
            if watching:
                asked.append((name, traceback.format_stack()))
            return method(self, *rest)

        return ask

    for name in ("item", "cpu", "__bool__", "__float__", "__int__", "__index__"):
        monkeypatch.setattr(Tensor, name, asking(name))
    monkeypatch.setattr(KeepLast, "on_train_batch_end", watch)
    # what is logged is asked for
    words = ["fit", "--data.root", "photos", "--data.batch_size", "8", "--trainer.max_epochs", "1", *TINY, *CPU]
    assert main([*words, "--trainer.log_every_n_steps", "100"]) == 0
    assert asked == []


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="torch finds no GPU")
def test_a_training_step_never_waits_for_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    run = step("cuda", monkeypatch)
    # the optimizer makes its state, and kernels are loaded
    run()
    torch.cuda.set_sync_debug_mode("error")
    try:
        run()
    finally:
        torch.cuda.set_sync_debug_mode("default")
