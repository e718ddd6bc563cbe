"""A run that was stopped anywhere and resumed is shown the samples that the straight run is shown."""

from __future__ import annotations

import gc
import multiprocessing
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor
from torch.utils.data import DataLoader
from torch.utils.data.dataloader import _MultiProcessingDataLoaderIter

from vitcli.data.augment.augment import Augment
from vitcli.data.batches.samples import Batch
from vitcli.data.layouts.shapes import ShapesData
from vitcli.errors import ConfigError
from vitcli.preprocess import Preprocess

BATCHES = 4
EPOCHS = 3

Seen = list[tuple[int, tuple[int, ...], int]]


class Toy(LightningModule):
    """One weight, which sees everything and learns nothing worth knowing."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))
        self.seen: Seen = []
        self.validated: list[int] = []

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        digest = int(batch["image"].long().sum())
        self.seen.append((self.current_epoch, tuple(batch["index"].tolist()), digest))
        return (self.weight * batch["image"].float().mean()).sum()

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        self.validated += batch["index"].tolist()

    def configure_optimizers(self) -> Any:
        return torch.optim.SGD(self.parameters(), lr=0.01)


class SaveAfter(Callback):
    """Saves after one step, in the hook where step checkpoints are saved."""

    def __init__(self, step: int, file: Path) -> None:
        self.step = step
        self.file = file

    def on_train_batch_end(self, trainer: Trainer, *_: Any) -> None:
        if trainer.global_step == self.step:
            trainer.save_checkpoint(self.file)


class Recount(Callback):
    """Has a checkpoint count the batches of this run, as ExactResume does for a classifier."""

    def on_load_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        trainer.datamodule.recount(checkpoint["loops"]["fit_loop"])  # type: ignore[attr-defined]


class SaveAtEpochEnd(Callback):
    """Saves when an epoch ends, before or after its validation."""

    def __init__(self, epoch: int, file: Path, hook: str) -> None:
        self.epoch = epoch
        self.file = file
        setattr(self, hook, self.save)

    def save(self, trainer: Trainer, *_: Any) -> None:
        if trainer.current_epoch == self.epoch and not trainer.sanity_checking:
            trainer.save_checkpoint(self.file)


def run(num_workers: int = 0, resume: Path | None = None, batch_size: int = 4, **options: Any) -> Toy:
    """One training of 3 epochs of 4 batches, the last of them smaller."""
    data = ShapesData(
        train=14,
        val=4,
        test=4,
        preprocess=Preprocess(size=(8, 8)),
        augment=Augment(colour=0.2),
        batch_size=batch_size,
        num_workers=num_workers,
    )
    toy = Toy()
    trainer = Trainer(
        max_epochs=EPOCHS,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
        num_sanity_val_steps=2,
        **options,
    )
    trainer.fit(toy, data, ckpt_path=resume, weights_only=True if resume else None)
    return toy


@pytest.fixture(scope="module")
def straight() -> Seen:
    """What the run that nothing interrupts is shown."""
    return run().seen


def test_each_epoch_shows_every_sample_once_in_another_order_and_varied_anew(straight: Seen) -> None:
    assert [epoch for epoch, _, _ in straight] == [0] * BATCHES + [1] * BATCHES + [2] * BATCHES
    epochs = [[i for e, indices, _ in straight for i in indices if e == epoch] for epoch in range(EPOCHS)]
    assert all(sorted(epoch) == list(range(14)) for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) == EPOCHS
    assert len({sum(digest for e, _, digest in straight if e == epoch) for epoch in range(EPOCHS)}) == EPOCHS


def test_workers_change_nothing(straight: Seen) -> None:
    assert run(num_workers=2).seen == straight


@pytest.mark.parametrize("step", range(1, BATCHES * EPOCHS))
def test_a_run_stopped_after_any_step_goes_on_with_the_next_sample(straight: Seen, tmp_path: Path, step: int) -> None:
    file = tmp_path / "step.ckpt"
    stopped = run(max_steps=step, callbacks=[SaveAfter(step, file)]).seen
    assert stopped + run(resume=file).seen == straight


def test_a_run_resumed_with_workers_goes_on_with_the_next_sample(straight: Seen, tmp_path: Path) -> None:
    file = tmp_path / "step.ckpt"
    stopped = run(max_steps=6, callbacks=[SaveAfter(6, file)]).seen
    assert stopped + run(num_workers=2, resume=file).seen == straight


@pytest.mark.parametrize("hook", ["on_train_epoch_end", "on_validation_end"])
@pytest.mark.parametrize("epoch", [0, 1])
def test_a_run_stopped_at_the_end_of_an_epoch_goes_on_with_the_next(
    straight: Seen, tmp_path: Path, hook: str, epoch: int
) -> None:
    file = tmp_path / "epoch.ckpt"
    run(callbacks=[SaveAtEpochEnd(epoch, file, hook)])
    assert run(resume=file).seen == straight[BATCHES * (epoch + 1) :]


def test_validation_within_an_epoch_does_not_disturb_resuming(straight: Seen, tmp_path: Path) -> None:
    file = tmp_path / "step.ckpt"
    stopped = run(max_steps=7, val_check_interval=2, callbacks=[SaveAfter(7, file)]).seen
    assert stopped + run(resume=file, val_check_interval=2).seen == straight


def test_accumulated_steps_are_resumed_at_the_right_batch(tmp_path: Path) -> None:
    file = tmp_path / "step.ckpt"
    stopped = run(max_steps=3, accumulate_grad_batches=2, callbacks=[SaveAfter(3, file)]).seen
    assert stopped + run(resume=file, accumulate_grad_batches=2).seen == run(accumulate_grad_batches=2).seen


@pytest.mark.parametrize("step", range(1, BATCHES * EPOCHS))
def test_steps_of_other_batches_with_as_many_images_go_on_with_the_next_one(
    straight: Seen, tmp_path: Path, step: int
) -> None:
    # as half as many processes would, which sum up twice as many batches
    file = tmp_path / "step.ckpt"
    stopped = run(max_steps=step, batch_size=2, accumulate_grad_batches=2, callbacks=[SaveAfter(step, file)]).seen
    halves = zip(stopped[::2], stopped[1::2], strict=True)
    joined = [(epoch, one + other, first + second) for (epoch, one, first), (_, other, second) in halves]
    assert joined + run(resume=file, callbacks=[Recount()]).seen == straight


def test_steps_of_more_images_are_not_gone_on_with_in_the_middle_of_an_epoch(tmp_path: Path) -> None:
    file = tmp_path / "step.ckpt"
    run(max_steps=2, accumulate_grad_batches=1, callbacks=[SaveAfter(2, file)])
    with pytest.raises(ConfigError, match=r"^trainer\.accumulate_grad_batches 2: was 1 when .*; go on with those"):
        run(resume=file, accumulate_grad_batches=2)


@pytest.mark.parametrize("share", [1, 2, 1.0])
def test_a_run_that_learns_batches_by_heart_is_shown_the_same_images_each_epoch(share: float) -> None:
    seen = run(overfit_batches=share).seen
    epochs = [[indices for e, indices, _ in seen if e == epoch] for epoch in range(EPOCHS)]
    assert len(epochs[0]) == (share if isinstance(share, int) else BATCHES)
    assert epochs[0] == epochs[1] == epochs[2]
    # only the order is fixed: what is drawn for a picture stays another each epoch
    assert len({digest for _, _, digest in seen}) == len(seen)


@pytest.mark.parametrize("step", range(1, 2 * EPOCHS))
def test_a_run_that_learns_batches_by_heart_is_resumed_with_its_next_images(tmp_path: Path, step: int) -> None:
    file = tmp_path / "step.ckpt"
    stopped = run(overfit_batches=2, max_steps=step, callbacks=[SaveAfter(step, file)]).seen
    assert stopped + run(overfit_batches=2, resume=file).seen == run(overfit_batches=2).seen


def test_an_epoch_of_batches_learnt_by_heart_is_not_gone_on_with_as_another(tmp_path: Path) -> None:
    file = tmp_path / "step.ckpt"
    run(overfit_batches=2, max_steps=3, callbacks=[SaveAfter(3, file)])
    with pytest.raises(ConfigError, match=r"^trainer\.overfit_batches: is not set, but was when .*; go on with"):
        run(resume=file)


def test_lightning_does_not_warn_that_the_loader_could_not_resume(tmp_path: Path) -> None:
    file = tmp_path / "step.ckpt"
    run(max_steps=2, callbacks=[SaveAfter(2, file)])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        run(resume=file)
    assert not [warning for warning in caught if "not resumable" in str(warning.message)]


def test_no_worker_outlives_a_run_or_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    class Fail(Callback):
        def on_train_batch_end(self, *_: Any) -> None:
            raise RuntimeError("as planned")

    # which costs five seconds each
    collected: list[Any] = []
    plain = _MultiProcessingDataLoaderIter.__del__

    def left_over(self: Any) -> None:
        collected.extend(worker for worker in self._workers if worker.is_alive())
        plain(self)

    monkeypatch.setattr(_MultiProcessingDataLoaderIter, "__del__", left_over)
    iter(DataLoader([1, 2], num_workers=1))  # type: ignore[arg-type]
    gc.collect()
    assert len(collected) == 1
    run(num_workers=1, max_steps=2)
    assert multiprocessing.active_children() == []
    with pytest.raises(RuntimeError, match="as planned"):
        run(num_workers=1, callbacks=[Fail()])
    assert multiprocessing.active_children() == []
    gc.collect()
    assert len(collected) == 1, "workers were left to the garbage collector"


def test_validation_sees_every_sample_once_each_epoch() -> None:
    assert run(num_workers=0).validated[-4 * EPOCHS :] == [0, 1, 2, 3] * EPOCHS
