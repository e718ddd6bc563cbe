"""Loader: a DataLoader that plans its batches only when the first one is asked for, and so resumes in mid-epoch."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple, final

import torch
from torch.utils.data import DataLoader, Dataset

from vitcli.data.batches.order import BatchKey, Plan
from vitcli.data.batches.samples import Batch, Samples
from vitcli.errors import StoreError
from vitcli.machine.signals import as_worker

# so many samples of all workers together are asked for before they are wanted, where they lie in a store
AHEAD = 1024


@final
class _Planned:
    """Sampler: the batch keys of the coming epoch; worker processes outlive it, as they are sent only keys.

    Args:
        workers: How many processes take the batches in turn; 0 is one.
        is_far: Whether samples lie in a store: each batch then names those that its process will want later on.
    """

    def __init__(self, workers: int, is_far: bool) -> None:
        self.plan: Plan = []
        self.workers = max(1, workers)
        self.is_far = is_far

    def __iter__(self) -> Iterator[BatchKey]:
        return self._looking_ahead() if self.is_far else iter(self.plan)

    def _looking_ahead(self) -> Iterator[BatchKey]:
        """The keys, each with the samples of a batch some turns later, and the first ones with all up to there."""
        turns = max(1, AHEAD // (self.workers * max(len(key.spots) for key in self.plan)))
        for number, key in enumerate(self.plan):
            last = number + self.workers * turns
            first = last if number >= self.workers else number
            coming = self.plan[first : last + 1 : self.workers]
            yield key._replace(ahead=[spot.position for one in coming for spot in one.spots])

    def __len__(self) -> int:
        return len(self.plan)


class _Failed(NamedTuple):
    """What an object store has refused, in place of a batch: a worker's exceptions come with a traceback as text."""

    told: str


@final
class _Guarded(Dataset[Batch | _Failed]):
    """Dataset of batches, or why there is one no more."""

    def __init__(self, samples: Samples) -> None:
        self.samples = samples

    def __getitem__(self, key: BatchKey) -> Batch | _Failed:
        try:
            return self.samples[key]
        except StoreError as error:
            return _Failed(str(error))

    def __len__(self) -> int:
        return len(self.samples)


@final
class Loader:
    """An iterable of batches that looks at its plan only when the first batch is asked for.

    Lightning calls ``iter()`` before it restores the progress of a resumed run, and again at the start of later
    epochs; a loader that chose its samples in ``iter()`` would replay the wrong ones. What is skipped on resuming is
    not in the plan and therefore not read from disk.

    Without worker processes, the threads of the samples read a batch when it is asked for, on all cores: beside a
    step on the same cores they would only slow it down. With them, batches are prefetched, each by the threads of one.

    Args:
        samples: The dataset, which makes a batch of each key.
        plan: The batches still to come in the present epoch, for this process.
        length: Number of batches of a whole epoch, for this process.
        num_workers: Processes that read images; 0 reads them in this one.
        pin_memory: Whether batches are put into page-locked memory, from which a GPU copies by itself.
    """

    def __init__(
        self,
        samples: Samples,
        *,
        plan: Callable[[], Plan],
        length: Callable[[], int],
        num_workers: int,
        pin_memory: bool,
    ) -> None:
        self.samples = samples
        self._plan = plan
        self._length = length
        self._planned = _Planned(num_workers, samples.is_far)
        # neither batching nor collate: one key is one batch, which the dataset returns whole
        self._batches: DataLoader[Batch | _Failed] = DataLoader(
            _Guarded(samples),
            batch_size=None,
            sampler=_as_sampler(self._planned),
            collate_fn=_as_it_is,
            num_workers=num_workers,
            persistent_workers=num_workers > 0,
            pin_memory=pin_memory,
            worker_init_fn=_as_worker,
            # A generator of its own: starting an epoch must not move the global random state.
            generator=torch.Generator(),
        )

    def __len__(self) -> int:
        return self._length()

    def close(self) -> None:
        """Ends the threads and the worker processes; the next epoch starts new ones.

        Left to the garbage collector, each worker costs five seconds: its queue is closed before it is told to end.
        """
        self.samples.close()
        workers = self._batches._iterator
        self._batches._iterator = None
        if workers is not None:
            workers._shutdown_workers()  # type: ignore[attr-defined]

    def state_dict(self) -> dict[str, int]:
        """Nothing: the plan follows from the trainer's progress. By this method Lightning knows that it resumes."""
        return {}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Nothing to restore."""

    def __iter__(self) -> Iterator[Batch]:
        """The batches.

        Raises:
            StoreError: An object store refuses, or has failed after all retries.
        """
        self._planned.plan = self._plan()
        for batch in self._batches if self._planned.plan else ():
            if isinstance(batch, _Failed):
                raise StoreError(batch.told)
            yield batch


def _as_worker(number: int) -> None:
    as_worker()
    # what it was forked with is never garbage; to look through it once took a worker .7 s and a copy of the memory
    gc.freeze()


def _as_it_is(batch: Any) -> Any:
    return batch


def _as_sampler(planned: _Planned) -> Sequence[int]:
    # The type of DataLoader knows only positions as keys; the class passes any key through.
    return planned  # type: ignore[return-value]
