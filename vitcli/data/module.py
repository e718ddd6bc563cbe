"""What does training ask of any set of images? Its classes, its splits, and loaders that resume exactly."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import partial
from typing import Literal
from weakref import WeakSet

from lightning.pytorch import LightningDataModule
from lightning.pytorch.loops.progress import _ProcessedTracker

from vitcli.data.augment import Augment
from vitcli.data.listing import Listing
from vitcli.data.loader import Loader, Plan
from vitcli.data.order import evaluation_batches, training_batches
from vitcli.data.samples import Samples
from vitcli.errors import ConfigError
from vitcli.preprocess import Preprocess

Split = Literal["train", "val", "test", "predict"]

SPLITS_OF_STAGE: dict[str, tuple[Split, ...]] = {
    "fit": ("train", "val"),
    "validate": ("val",),
    "test": ("test",),
    "predict": ("predict",),
}
MOST_WORKERS = 8

# Shared defaults of the concrete classes: frozen, so one instance serves all.
PREPROCESS = Preprocess()
AUGMENT = Augment()


class ImageData(LightningDataModule, ABC):
    """Images with labels in up to four splits, as loaders of batches.

    A concrete class says where the images are; order, augmentation, batches and resuming are decided here, alike
    for all of them.

    Args:
        preprocess: The deterministic way into the net; the model states it.
        classes: Names of the classes in the order of the model's outputs; empty reads them from the folders.
        augment: The random way into the net, for training.
        batch_size: Images in one batch of one process.
        num_workers: Processes that read images, for each training process; None chooses by the machine.
        seed: Seed of the order and of the augmentation.

    Raises:
        ConfigError: A number out of range, or a class that is named twice.
    """

    def __init__(
        self,
        *,
        preprocess: Preprocess,
        classes: Sequence[str],
        augment: Augment,
        batch_size: int,
        num_workers: int | None,
        seed: int,
    ) -> None:
        super().__init__()
        if batch_size < 1:
            raise ConfigError(f"data.batch_size {batch_size}: below 1 - a batch holds at least one image")
        if num_workers is not None and num_workers < 0:
            raise ConfigError(f"data.num_workers {num_workers}: below 0 - 0 reads images in the training process")
        if seed < 0:
            raise ConfigError(f"data.seed {seed}: below 0 - give a whole number from 0 up")
        twice = sorted({name for name in classes if list(classes).count(name) > 1})
        if twice:
            raise ConfigError(f"data.classes {list(classes)}: {twice[0]!r} is named twice - name each class once")
        self.preprocess = preprocess
        self.classes = tuple(classes)
        self.augment = augment
        self.batch_size = batch_size
        self.num_workers = num_workers
        self.seed = seed
        # Lightning otherwise refuses a process that has no image of a small test set.
        self.allow_zero_length_dataloader_with_multiple_devices = True
        self._listings: dict[Split, Listing] = {}
        self._notices: list[str] = []
        self._counted: dict[str, int] = {}
        # Weakly, as a loader knows this module: a circle would be left to the garbage collector.
        self._loaders: WeakSet[Loader] = WeakSet()

    def __getstate__(self) -> dict[str, object]:
        # For strategies that spawn processes; worker processes belong to the one that started them.
        return {name: value for name, value in self.__dict__.items() if name != "_loaders"}

    def __setstate__(self, state: dict[str, object]) -> None:
        self.__dict__.update(state)
        self._loaders = WeakSet()

    @abstractmethod
    def find_classes(self) -> tuple[str, ...]:
        """Names of the classes on disk in natural order, from folder names alone.

        Raises:
            DataError: There is no such folder, or it holds no classes.
        """

    @abstractmethod
    def list_split(self, split: Split) -> Listing:
        """The samples of a split; labels are matched by name against ``self.classes``.

        Raises:
            DataError: The folder does not hold what the split needs.
        """

    def listing(self, split: Split) -> Listing:
        """The samples of a split, scanned at the first call and kept.

        Raises:
            DataError: The folder does not hold what the split needs.
        """
        if split not in self._listings:
            self._listings[split] = self.list_split(split)
        return self._listings[split]

    @property
    def notices(self) -> list[str]:
        """What the user should be told once about the data found so far, one line each."""
        return list(self._notices)

    def _notice(self, text: str) -> None:
        if text not in self._notices:
            self._notices.append(text)

    def setup(self, stage: str) -> None:
        """Scans what a stage needs (fit, validate, test or predict), so that errors come before training.

        Raises:
            DataError: The folder does not hold what the stage needs.
        """
        for split in SPLITS_OF_STAGE[stage]:
            self.listing(split)

    def state_dict(self) -> dict[str, int]:
        """What a checkpoint must know to go on in the middle of an epoch: the batches that were counted."""
        return {"images": len(self.listing("train")), "global_batch": self.batch_size * self._ranks()[1]}

    def load_state_dict(self, state_dict: dict[str, int]) -> None:
        """Remember the batches in which a checkpoint counted."""
        self._counted = state_dict

    def teardown(self, stage: str) -> None:
        """Ends the worker processes of a stage."""
        while self._loaders:
            self._loaders.pop().close()

    def on_exception(self, exception: BaseException) -> None:
        """Ends the worker processes of a stage that was broken off."""
        self.teardown("")

    def train_dataloader(self) -> Loader:
        """Augmented batches in shuffled order; after resuming, those that were still to come."""
        listing = self.listing("train")
        plan = partial(self._training_plan, len(listing))
        return self._loader(listing, self.augment, plan, partial(self._training_length, len(listing)))

    def val_dataloader(self) -> Loader:
        """Every sample of val once."""
        return self._evaluation_loader("val")

    def test_dataloader(self) -> Loader:
        """Every sample of test once."""
        return self._evaluation_loader("test")

    def predict_dataloader(self) -> Loader:
        """Every sample of predict once."""
        return self._evaluation_loader("predict")

    def _evaluation_loader(self, split: Split) -> Loader:
        listing = self.listing(split)
        plan = partial(self._evaluation_plan, len(listing))
        return self._loader(listing, None, plan, partial(self._evaluation_length, len(listing)))

    def _loader(self, listing: Listing, augment: Augment | None, plan: partial[Plan], length: partial[int]) -> Loader:
        device = self.trainer.strategy.root_device.type if self.trainer is not None else "cpu"
        loader = Loader(
            Samples(listing, self.preprocess, augment, self.seed),
            plan=plan,
            length=length,
            num_workers=self.num_workers if self.num_workers is not None else self._usual_workers(device),
            pin_memory=device == "cuda",
        )
        self._loaders.add(loader)
        return loader

    def _usual_workers(self, device: str) -> int:
        if device == "cpu":
            # The cores are busy computing; workers would only take them away.
            return 0
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        processes = self.trainer.num_devices if self.trainer is not None else 1
        return max(1, min(MOST_WORKERS, cores // processes))

    def _ranks(self) -> tuple[int, int]:
        """This process and the number of processes."""
        return (self.trainer.global_rank, self.trainer.world_size) if self.trainer is not None else (0, 1)

    def _progress(self) -> tuple[int, int]:
        """The present epoch, and how many of its batches are done; true only once Lightning has restored a run.

        ``current_epoch`` lags behind after a run was resumed at the end of an epoch, ``processed`` does not. When
        the first batch of an epoch is asked for, ``ready`` is 0, or, after resuming, the number of steps that the
        checkpoint holds.
        """
        if self.trainer is None:
            return 0, 0
        loop = self.trainer.fit_loop
        epoch = loop.epoch_progress.current
        assert isinstance(epoch, _ProcessedTracker)
        return epoch.processed, loop.epoch_loop.batch_progress.current.ready

    def _training_plan(self, count: int) -> Plan:
        epoch, done = self._progress()
        rank, world = self._ranks()
        if done and self._counted and self._counted != self.state_dict():
            then, now = self._counted, self.state_dict()
            raise ConfigError(
                f"data.batch_size {self.batch_size}: this makes {now['images']} images in batches of "
                f"{now['global_batch']}, but the checkpoint was written in the middle of an epoch of {then['images']} "
                f"in batches of {then['global_batch']} - go on with those, or start from the end of an epoch"
            )
        batches = training_batches(
            count, seed=self.seed, epoch=epoch, batch_size=self.batch_size, rank=rank, world=world
        )
        return batches[done:]

    def _training_length(self, count: int) -> int:
        return -(-count // (self.batch_size * self._ranks()[1]))

    def _evaluation_plan(self, count: int) -> Plan:
        rank, world = self._ranks()
        batches = evaluation_batches(count, batch_size=self.batch_size, rank=rank, world=world)
        # a process without an image of a small set still takes part, with an empty batch: the others wait for it
        return batches or ([[]] if count else [])

    def _evaluation_length(self, count: int) -> int:
        return len(self._evaluation_plan(count))
