"""A loss or gradient that is no number changes no weight: the run stops, or leaves the step out, and says where."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import Trainer
from torch import Tensor, nn

from tests.conftest import CPU, TINY
from tests.warm import Warm
from vitcli.__main__ import main
from vitcli.data.batches.datamodule import Batches
from vitcli.train.classifier import Classifier
from vitcli.train.optimizer import AdamW, build_optimizer
from vitcli.train.safety.nonfinite import NonFinite
from vitcli.train.safety.put import put
from vitcli.train.safety.reseed import Reseed

Patch = pytest.MonkeyPatch
FIT = ["fit", "--data.root", "photos", "--data.batch_size", "8", "--trainer.max_epochs", "2", *TINY, *CPU]
NAN, INF = float("nan"), float("inf")
# the step of the second epoch, of three steps, in which something goes wrong
SECOND, AT = 1, 5


def slowly(write: Callable[..., None]) -> Callable[..., None]:
    """What writes a file, on a disk on which the steps of an epoch are sooner done."""

    def later(known: object, path: Path) -> None:
        time.sleep(0.3)
        write(known, path)

    return later


def poison_an_image(patch: Patch) -> None:
    """From the second epoch on, the image at place 5 is no number."""
    varied = Batches.varied

    def poisoned(self: Batches, batch: Any) -> Any:
        trains = "chances" in batch
        batch = varied(self, batch)
        if trains and self.trainer is not None and self.trainer.current_epoch >= SECOND:
            rows = batch["index"] == 5
            batch["image"] = torch.where(rows[:, None, None, None], NAN, batch["image"].float())
        return batch

    patch.setattr(Batches, "varied", poisoned)


def before_the_step(patch: Patch, do: Callable[[Classifier], None]) -> None:
    start = Reseed.on_train_batch_start

    def at_step(self: Reseed, trainer: Trainer, model: Classifier, batch: Any, number: int) -> None:
        if trainer.global_step == AT - 1 and not model.hparams.get("done"):
            model.hparams["done"] = True
            do(model)
        start(self, trainer, model, batch, number)

    patch.setattr(Reseed, "on_train_batch_start", at_step)


def poison_a_weight(patch: Patch) -> None:
    def poison(model: Classifier) -> None:
        with torch.no_grad():
            model.net.get_parameter("backend.blocks.0.mlp.fc2.weight")[3, 3] = INF

    before_the_step(patch, poison)


def poison_the_gradient(patch: Patch) -> None:
    loss = Classifier.loss

    def poisoned(self: Classifier, logits: Tensor, target: Tensor, taught: Tensor | None = None) -> Tensor:
        place = self.trainer.current_epoch, self.trainer.fit_loop.epoch_loop.batch_progress.current.ready
        at = place in ((SECOND, 2), (SECOND, 3)) and self.training
        # 0, whose gradient is nan
        return loss(self, logits, target, taught) + ((logits - logits).abs().sqrt().sum() if at else 0)

    patch.setattr(Classifier, "loss", poisoned)


def explode(patch: Patch) -> None:
    """The rate of the fourth step throws the weights out of all bounds."""

    def raise_rate(model: Classifier) -> None:
        for group in model.trainer.optimizers[0].param_groups:
            group["lr"] = 1e30

    before_the_step(patch, raise_rate)


def tensors(name: str, run: str = "runs/photos") -> dict[str, Tensor]:
    content = torch.load(f"{run}/checkpoints/{name}.ckpt", weights_only=True)
    state = content["state_dict"] | {
        f"{place}.{key}": value
        for place, held in content["optimizer_states"][0]["state"].items()
        for key, value in held.items()
    }
    return {"step": torch.tensor(content["global_step"]), **state}


def is_finite(name: str) -> bool:
    return all(bool(tensor.isfinite().all()) for tensor in tensors(name).values() if tensor.is_floating_point())


@pytest.mark.parametrize(
    ("fault", "step", "named"),
    [
        (poison_an_image, None, ["the loss is nan", "and so are the pixels", "images (1 of 8 of the batch): train/"]),
        (poison_a_weight, AT, ["the loss is nan", "and so is the weight net.backend.blocks.0.mlp.fc2.weight", "8 of"]),
        (
            poison_the_gradient,
            AT,
            ["the gradient is nan or inf, first at net.head.bias", "images (all 8 of the batch)"],
        ),
        (explode, AT + 1, ["the loss is nan", "first in net.backend.blocks.0.norm1", "images (all 8 of the batch)"]),
    ],
)
@pytest.mark.usefixtures("photos")
def test_a_run_stops_at_the_step_and_keeps_the_checkpoints_before_it(
    monkeypatch: Patch,
    capsys: pytest.CaptureFixture[str],
    fault: Callable[[Patch], None],
    step: int | None,
    named: list[str],
) -> None:
    fault(monkeypatch)
    monkeypatch.setattr("vitcli.train.safety.write.put", slowly(put))
    assert main(FIT) == 2
    told = capsys.readouterr()
    assert "done" not in told.out
    [line] = [line for line in told.err.splitlines() if "error: " in line]
    assert line.startswith(f"vitcli fit: error: step {step or ''}")
    for words in [*named, ", epoch 2: ", "learning rate ", "lower model.optimizer.lr 0.001, or ", "--run.on_nan skip"]:
        assert words in line
    assert line.endswith("; runs/photos/checkpoints/last.ckpt is of an earlier step, and finite")
    for name in ("last", "best"):
        assert int(tensors(name)["step"]) == 3
        assert is_finite(name)


@pytest.mark.usefixtures("photos")
def test_a_rate_out_of_all_bounds_is_no_training_that_is_done(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*FIT, "--model.optimizer.lr", "1e30"]) == 2
    told = capsys.readouterr()
    assert "done" not in told.out
    assert "step 2, epoch 1: the loss is nan" in told.err
    assert "lower model.optimizer.lr 1e+30" in told.err
    assert not list(Path("runs").glob("*/checkpoints/*.ckpt"))


@pytest.mark.usefixtures("photos")
def test_weights_that_the_last_step_of_an_epoch_has_blown_up_are_not_saved(capsys: pytest.CaptureFixture[str]) -> None:
    words = [*FIT, "--data.batch_size", "24", "--model.optimizer.lr", "1e39", "--trainer.limit_val_batches", "0"]
    assert main(words) == 2
    assert "step 1: the weights are nan or inf (net.class_token, " in capsys.readouterr().err
    assert not list(Path("runs").glob("*/checkpoints/*.ckpt"))


@pytest.mark.usefixtures("photos")
def test_a_validation_without_an_answer_ends_the_run_before_it_is_the_best(
    monkeypatch: Patch, capsys: pytest.CaptureFixture[str]
) -> None:
    crop = Classifier.validation_step

    def poisoned(self: Classifier, batch: Any, number: int) -> Any:
        if self.trainer.current_epoch == SECOND:
            with torch.no_grad():
                self.net.head.bias[0] = NAN
        return crop(self, batch, number)

    monkeypatch.setattr(Classifier, "validation_step", poisoned)
    assert main([*FIT, "--run.on_nan", "skip"]) == 2
    told = capsys.readouterr().err
    assert "validation after step 6, epoch 2: val/loss is nan: the net answers nan or inf" in told
    assert "so is the weight net.head.bias; images (all 8 of the batch): val/circle/0000.png" in told
    assert is_finite("best")
    assert int(tensors("best")["step"]) == 3


@pytest.mark.usefixtures("photos")
def test_a_step_is_left_out_and_the_run_goes_on(monkeypatch: Patch, capsys: pytest.CaptureFixture[str]) -> None:
    poison_an_image(monkeypatch)
    assert main([*FIT, "--run.on_nan", "skip", "--run.max_skipped", "1"]) == 0
    told = capsys.readouterr()
    left_out = [
        line for line in told.err.splitlines() if " is left out: the loss is nan, and so are the pixels" in line
    ]
    assert len(left_out) == 1
    assert "done: 2 epochs, 6 steps" in told.out
    assert "train/loss nan" not in told.out
    reached = tensors("last")
    assert is_finite("last")
    # Adam counts the steps that it has made
    assert {int(tensor) for name, tensor in reached.items() if name.endswith(".step")} == {5}


@pytest.mark.slow
@pytest.mark.usefixtures("photos")
def test_so_many_steps_in_a_row_are_left_out_and_no_more(
    monkeypatch: Patch, capsys: pytest.CaptureFixture[str]
) -> None:
    poison_the_gradient(monkeypatch)
    assert main([*FIT, "--run.on_nan", "skip", "--run.max_skipped", "1"]) == 2
    told = capsys.readouterr().err
    assert "step 5 is left out: the gradient is nan or inf" in told
    assert "step 6, epoch 2: 2 steps in a row; the gradient is nan or inf" in told
    assert "or raise run.max_skipped 1; " in told
    assert main([*FIT, "--run.on_nan", "skip", "--run.max_skipped", "2", "--run.name", "more"]) == 0
    assert "step 6 is left out too, 2 in a row" in capsys.readouterr().err


@pytest.mark.usefixtures("photos")
def test_an_epoch_without_a_step_ends_the_run(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--run.on_nan", "skip", "--run.max_skipped", "100", "--trainer.limit_val_batches", "0"]
    assert main([*FIT, *words, "--model.optimizer.lr", "1e30"]) == 2
    assert "error: epoch 2: all of its steps were left out" in capsys.readouterr().err


@pytest.mark.usefixtures("photos")
def test_the_batches_that_a_step_sums_up_are_all_looked_at(
    monkeypatch: Patch, capsys: pytest.CaptureFixture[str]
) -> None:
    poison_an_image(monkeypatch)
    assert main([*FIT, "--data.batch_size", "4", "--trainer.accumulate_grad_batches", "3"]) == 2
    assert "images (1 of 4 of the batch): train/" in capsys.readouterr().err


@pytest.mark.parametrize("algorithm", ["norm", "value"])
@pytest.mark.parametrize("value", [None, 0.5])
def test_the_guard_changes_no_bit_of_a_step_that_is_finite_and_nothing_by_one_that_is_not(
    algorithm: str, value: float | None
) -> None:
    torch.manual_seed(0)
    nets = [nn.Linear(7, 5)]
    nets.append(copy.deepcopy(nets[0]))
    plain, ours = (build_optimizer(net, AdamW()) for net in nets)
    guard = NonFinite("skip")
    guard._flags = torch.zeros(1)
    ours.found_inf = guard._found  # type: ignore[attr-defined]
    for number in range(4):
        gradients = [torch.randn_like(parameter) for parameter in nets[0].parameters()]
        for net in nets:
            for parameter, gradient in zip(net.parameters(), gradients, strict=True):
                parameter.grad = gradient.clone()
        if value is not None and algorithm == "norm":
            nn.utils.clip_grad_norm_(nets[0].parameters(), value)
        elif value is not None:
            nn.utils.clip_grad_value_(nets[0].parameters(), value)
        plain.step()
        if number == 2:
            nets[1].bias.grad = torch.tensor([0.0, 0.0, INF, 0.0, 0.0])
            guard.clip(ours, value, algorithm)
            ours.step()
            guard._flags.zero_()
            for parameter, gradient in zip(nets[1].parameters(), gradients, strict=True):
                parameter.grad = gradient.clone()
        guard.clip(ours, value, algorithm)
        ours.step()
        assert all(torch.equal(*pair) for pair in zip(nets[0].parameters(), nets[1].parameters(), strict=True))
    states = [optimizer.state_dict()["state"] for optimizer in (plain, ours)]
    assert all(
        torch.equal(states[0][place][key], states[1][place][key]) for place in states[0] for key in states[0][place]
    )


POISONED = """
import sys
import torch
from vitcli.__main__ import main
from vitcli.data.batches.datamodule import Batches
varied = Batches.varied
def poisoned(self, batch):
    trains = "chances" in batch
    batch = varied(self, batch)
    if trains and self.trainer is not None and self.trainer.current_epoch == 1 and self.trainer.global_rank == 1:
        batch["image"] = batch["image"] * float("nan")
    return batch
Batches.varied = poisoned
sys.exit(main({words}))
"""


@pytest.mark.slow
@pytest.mark.usefixtures("photos")
def test_two_processes_stop_at_the_same_step_and_the_one_with_the_images_is_named(programs: Warm) -> None:
    words = [*FIT, "--data.batch_size", "4", "--trainer.devices", "2", "--trainer.strategy", "ddp"]
    Path("poisoned.py").write_text(POISONED.format(words=words))
    ended = programs.run(script="poisoned.py")
    assert ended.returncode == 2, ended.stderr
    lines = {line for line in ended.stderr.splitlines() if "error: step" in line}
    assert len(lines) == 1, ended.stderr
    assert "step 4, epoch 2: the loss is nan, and so are the pixels; images (all 4 of the batch): train/" in lines.pop()
    assert "(process 1)" in ended.stderr
    assert is_finite("last")
    assert int(tensors("last")["step"]) == 3
