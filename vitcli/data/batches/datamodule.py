"""Batches (a LightningDataModule): data loaders that are the same for any number of workers, and resume exactly."""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import partial
from typing import Any, Literal
from weakref import WeakSet

import numpy as np
from lightning.pytorch import LightningDataModule
from numpy.typing import NDArray

from vitcli.data.augment.augment import Augment
from vitcli.data.augment.device import mix, vary
from vitcli.data.batches.loader import Loader
from vitcli.data.batches.order import (
    BatchKey,
    Plan,
    Sampler,
    epoch_length,
    evaluation_batches,
    training_batches,
    training_order,
)
from vitcli.data.batches.position import (
    Counted,
    accumulated,
    check_counted,
    in_other_batches,
    names_and_labels,
    overfits,
    position,
    summed_up,
)
from vitcli.data.batches.samples import Batch, Samples
from vitcli.errors import ConfigError
from vitcli.images.decode.encoded import MAX_PIXELS
from vitcli.images.index.listing import Listing
from vitcli.machine.threads import cores
from vitcli.preprocess import Preprocess

Split = Literal["train", "val", "test", "predict"]
MOST_WORKERS = 16

# Shared defaults of the concrete classes: frozen, so one instance serves all.
PREPROCESS = Preprocess()
AUGMENT = Augment()


class Batches(LightningDataModule, ABC):
    """Images with labels in up to four splits, as loaders of batches; order and augmentation are decided here.

    Args:
        preprocess: Deterministic resize, crop and normalisation; follows the model.
        classes: Names of the classes in the order of the model's outputs; follows the model, empty reads the folders.
        augment: Random augmentation, for training only.
        sampler: Which images an epoch of training shows: shuffle (each once) or balanced (as many of each class).
        batch_size: Images in one batch of one process; auto: the most that fit, which fit finds by trial.
        global_batch: How many images a step of the optimizer sees, of all processes and of all batches that it sums up,
            as many as that takes; batch_size is then the most in one batch. null: a batch of each process.
        num_workers: Processes that read images, for each training process, on all of its cores together; null chooses
            by the machine.
        max_pixels: Larger images are not decoded.
        seed: Seed of the order and of the augmentation, from 0; follows the run.

    Raises:
        ConfigError: A number out of range, or a class that is named twice.
    """

    def __init__(
        self,
        *,
        preprocess: Preprocess = PREPROCESS,
        classes: tuple[str, ...] = (),
        augment: Augment = AUGMENT,
        sampler: Sampler = "shuffle",
        batch_size: int | Literal["auto"] = 64,
        global_batch: int | None = None,
        num_workers: int | None = None,
        max_pixels: int = MAX_PIXELS,
        seed: int = 0,
    ) -> None:
        super().__init__()
        if batch_size != "auto" and batch_size < 1:
            raise ConfigError(f"data.batch_size {batch_size}: below 1; a batch holds at least one image")
        if global_batch is not None and global_batch < 1:
            raise ConfigError(f"data.global_batch {global_batch}: below 1; a step sees at least one image")
        if num_workers is not None and num_workers < 0:
            raise ConfigError(f"data.num_workers {num_workers}: below 0; 0 reads images in the training process")
        if max_pixels < 1:
            raise ConfigError(f"data.max_pixels {max_pixels}: below 1; {MAX_PIXELS} is usual")
        if seed < 0:
            raise ConfigError(f"data.seed {seed}: below 0; give a whole number from 0 up")
        twice = sorted({name for name in classes if list(classes).count(name) > 1})
        if twice:
            raise ConfigError(f"data.classes {list(classes)}: {twice[0]!r} is named twice; name each class once")
        self.preprocess = preprocess
        self.classes = tuple(classes)
        self.augment = augment
        self.sampler: Sampler = sampler
        self._batch_size = batch_size
        self.global_batch = global_batch
        self.num_workers = num_workers
        self.max_pixels = max_pixels
        self.seed = seed
        # Lightning otherwise refuses a process that has no image of a small test set.
        self.allow_zero_length_dataloader_with_multiple_devices = True
        self._counted: Counted = {}
        # samples that evaluation passes over, as their rows are kept from an earlier start; to be set before it starts
        self.done: dict[Split, NDArray[np.bool_]] = {}
        # Weak references, as a loader refers to this module: a cycle would wait for the garbage collector.
        self._loaders: WeakSet[Loader] = WeakSet()

    def __getstate__(self) -> dict[str, object]:
        # For strategies that spawn processes; worker processes belong to the one that started them.
        return {name: value for name, value in self.__dict__.items() if name != "_loaders"}

    def __setstate__(self, state: dict[str, object]) -> None:
        self.__dict__.update(state)
        self._loaders = WeakSet()

    @property
    def batch_size(self) -> int:
        """Images in one batch of one process.

        Raises:
            ConfigError: It is still to be found.
        """
        if self._batch_size == "auto":
            raise ConfigError("data.batch_size auto: is searched for by vitcli fit alone; give a number")
        return self._batch_size

    @batch_size.setter
    def batch_size(self, size: int) -> None:
        self._batch_size = size

    @property
    def is_auto(self) -> bool:
        """Whether the batch size is still to be found."""
        return self._batch_size == "auto"

    @abstractmethod
    def listing(self, split: Split) -> Listing:
        """The samples of a split.

        Raises:
            DataError: The folder does not hold what the split needs.
        """

    def state_dict(self) -> Counted:  # type: ignore[override]
        """What a checkpoint must know to go on in the middle of an epoch."""
        listing = self.listing("train")
        return {
            "images": len(listing),
            "global_batch": self.batch_size * self._ranks()[1],
            "order": f"{self.sampler}, {self.augment.repeats}",
            "files": names_and_labels(listing),
            "overfits": overfits(self.trainer),
            "seed": self.seed,
            "accumulated": accumulated(self.trainer),
        }

    def load_state_dict(self, state_dict: Any) -> None:
        """Remember the batch size and order of a checkpoint, to compare them."""
        self._counted = state_dict

    def check_rest(self) -> None:
        """Check that an epoch which was left in its middle goes on with the images that it would have had.

        Raises:
            ConfigError: They would be others.
        """
        if self._counted:
            check_counted(self._counted, self.state_dict(), self.batch_size)

    def recount(self, loop: dict[str, Any]) -> None:
        """Have a checkpoint of an epoch in its middle count the batches of as many processes as there are.

        Args:
            loop: State of the fit loop in the checkpoint, changed in place.
        """
        now = accumulated(self.trainer)
        in_other_batches(loop, self._counted.get("accumulated", now), now)

    def teardown(self, stage: str) -> None:
        """Ends the threads and worker processes of a stage."""
        while self._loaders:
            self._loaders.pop().close()

    def on_exception(self, exception: BaseException) -> None:
        """Ends the threads and worker processes of a stage that was interrupted."""
        self.teardown("")

    def on_after_batch_transfer(self, batch: Batch, dataloader_idx: int) -> Batch:
        """Applies to a batch, on its device, the augmentation drawn for it."""
        return self.varied(batch)

    def varied(self, batch: Batch) -> Batch:
        """A training batch with the augmentation drawn for it applied; others are unchanged."""
        chances = batch.pop("chances", None)
        if chances is None:
            return batch
        batch["image"] = vary(batch["image"], chances, self.augment, self.preprocess.fill)
        if self.augment.mixes:
            batch["image"], batch["target"] = mix(
                batch["image"], batch["label"], len(self.classes), chances.seed, self.augment
            )
        return batch

    def train_dataloader(self) -> Loader:
        """Augmented batches in the sampler's order; after resuming, those that were still to come."""
        return self._loader(self.listing("train"), self.augment, self._training_plan, self._training_length)

    def val_dataloader(self) -> Loader:
        """Every sample of val once."""
        return self._evaluation_loader("val")

    def test_dataloader(self) -> Loader:
        """Every sample of test once."""
        return self._evaluation_loader("test")

    def predict_dataloader(self) -> Loader:
        """Every sample of predict once."""
        return self._evaluation_loader("predict")

    def samples(self, listing: Listing, augment: Augment | None, threads: int) -> Samples:
        """The dataset of a listing, whose items are whole batches.

        Args:
            listing: The samples.
            augment: Random augmentation; None for evaluation.
            threads: How many pictures are read at once.
        """
        return Samples(
            listing,
            self.preprocess,
            augment,
            self.seed,
            rank=self._ranks()[0],
            world=self._ranks()[1],
            max_pixels=self.max_pixels,
            threads=threads,
        )

    def _evaluation_loader(self, split: Split) -> Loader:
        listing = self.listing(split)
        plan = partial(self._evaluation_plan, len(listing), split)
        return self._loader(listing, None, plan, partial(self._evaluation_length, len(listing), split))

    def _loader(self, listing: Listing, augment: Augment | None, plan: Any, length: Any) -> Loader:
        device = self.trainer.strategy.root_device.type if self.trainer is not None else "cpu"
        share = max(1, cores() // (self.trainer.num_devices if self.trainer is not None else 1))
        workers = self.num_workers
        if workers is None:
            # on a CPU the cores are busy computing, and workers would only take them away
            workers = 0 if device == "cpu" else min(MOST_WORKERS, share)
        loader = Loader(
            # with fewer workers than cores, each reads with several threads
            self.samples(listing, augment, max(1, share // max(1, workers))),
            plan=plan,
            length=length,
            num_workers=workers,
            pin_memory=device == "cuda",
        )
        self._loaders.add(loader)
        return loader

    def _ranks(self) -> tuple[int, int]:
        """This process and the number of processes."""
        return (self.trainer.global_rank, self.trainer.world_size) if self.trainer is not None else (0, 1)

    def _training_plan(self) -> Plan:
        epoch, done = position(self.trainer)
        if done:
            self.check_rest()
        return self.training_plan(epoch)[done:]

    def training_plan(self, epoch: int) -> Plan:
        """All batches of this process in an epoch of training."""
        rank, world = self._ranks()
        labels, repeats = self.listing("train").labels, self.augment.repeats
        order = training_order(
            labels,
            seed=self.seed,
            epoch=epoch,
            sampler=self.sampler,
            repeats=repeats,
            same_each_epoch=overfits(self.trainer),
        )
        summed = summed_up(self.trainer)
        return training_batches(order, epoch=epoch, batch_size=self.batch_size, rank=rank, world=world, summed=summed)

    def _training_length(self) -> int:
        summed = summed_up(self.trainer)
        of_step = self.batch_size * self._ranks()[1] * summed
        return -(-epoch_length(self.listing("train").labels, self.sampler) // of_step) * summed

    def _evaluation_plan(self, count: int, split: Split) -> Plan:
        rank, world = self._ranks()
        done = self.done.get(split)
        batches = evaluation_batches(count, batch_size=self.batch_size, rank=rank, world=world, done=done)
        # a process without an image of a small set still takes part, with an empty batch: the others wait for it
        return batches or ([BatchKey(0, 0, [])] if count else [])

    def _evaluation_length(self, count: int, split: Split) -> int:
        return len(self._evaluation_plan(count, split))
