"""data.batch_size auto: the largest batch that fits, by trial steps whose memory is measured, and bisection."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from vitcli.errors import ConfigError, out_of_memory
from vitcli.machine import memory
from vitcli.machine.memory import Bound
from vitcli.machine.threads import cores

if TYPE_CHECKING:
    from vitcli.train.sizes.trial import Trial

# of what fits a GPU, a run may take so much: the rest is for what a trial does not see, such as a validation
MOST = 0.95
# and of the memory that is free for a CPU: in a heap that falls into pieces, a step took 4 % more after some others;
# under a limit on addresses there is none, and each large block is returned (machine/malloc.py)
SHARE = {"resident": 0.93, "virtual": 0.97}
# threads that a run has and a trial has not, beside those that decode for validation: each loader's own, and the one
# that writes checkpoints
THREADS_LATER = 2
# a size is known once it is known to so large a part
EXACT = 32
# from here on, sizes are multiples of it
ROUND = 8
# growth that can be told from noise, in bytes
LEAST_GROWTH = 32 * 2**20
# steps longer than this are not tried any more where their growth says enough
LONG_SECONDS = 10.0


class Found(NamedTuple):
    """The largest batch that fits.

    Args:
        size: Images of one process.
        trials: Steps made for it.
        seconds: Time taken.
        why: What would be too small for a larger one; or that all images are in it.
    """

    size: int
    trials: int
    seconds: float
    why: str


def largest_batch(trial: Trial, most: int) -> Found:
    """The largest batch with which this process can train.

    On a GPU, sizes are doubled until its memory runs out, then bisected. On a CPU a machine that runs out of memory
    swaps, or kills: there, each trial is one that must fit by how much memory the smaller ones took for an image.

    Args:
        trial: Makes the steps.
        most: Images there are for it.

    Raises:
        Exception: As torch says that not even one image fits.
    """
    if trial.device.type == "cpu":
        processes = trial.trainer.num_devices
        # the trial works on a copy of the weights, as the run will, with others, or not
        spare = (1 - trial.copies) * trial.weights_bytes()
        later = (THREADS_LATER + cores()) * memory.THREAD_BYTES
        limits = [
            limit._replace(most_bytes=limit.most_bytes + spare - (later if limit.kind == "virtual" else 0))
            for limit in memory.bounds(processes)
        ]
        if not limits:
            raise ConfigError(
                "data.batch_size auto: this system tells no process how much memory it has; give a number"
            )
        found = search(lambda size: _tried(trial, size), most, [_less_margin(limit) for limit in limits])
        size = found.size
        # now that the heap is in pieces, as it is in a run
        while size > 1:
            memory.forget_highest()
            if all(_tried(trial, size) and _stays(limits) for _ in range(2)):
                break
            size = int(size * MOST)
    else:
        found = search(lambda size: _tried(trial, size), most, [])
        size = max(1, int(found.size * MOST)) if found.size < most else most
    return found._replace(size=rounded(size) if size < most else size)


def search(attempt: Callable[[int], bool], most: int, limits: list[Bound]) -> Found:
    """The largest size of which an attempt succeeds, and stays within limits on memory.

    Args:
        attempt: Tries a size, whether it fits; the first, of 1, raises if it does not.
        most: No larger one is tried.
        limits: None of them is touched, as far as the growth of memory from one attempt to the next can tell.
    """
    begin, trials, size = time.monotonic(), 0, 1
    fits, fails = 0, most + 1
    why = ""
    growth = [_Growth(limit) for limit in limits]
    while True:
        memory.forget_highest()
        started = time.monotonic()
        succeeded = attempt(size)
        took = time.monotonic() - started
        trials += 1
        if succeeded:
            fits = size
            for one in growth:
                one.note(size)
        else:
            fails, why = size, "memory ran out with more"
        predicted = min((one.predicted() for one in growth), default=most)
        ahead = min(predicted, fails - 1)
        if predicted < fails - 1:
            why = f"memory of {min(growth, key=lambda one: one.predicted()).limit.name} would run out with more"
        if ahead - fits <= fits // EXACT:
            break
        if took > LONG_SECONDS and fails > most and growth and all(one.is_known for one in growth):
            fits = min(ahead, most)
            break
        size = min(ahead, 2 * fits if fails > most else (fits + fails) // 2)
    return Found(fits, trials, time.monotonic() - begin, why if fits < most else "all images are in it")


def rounded(size: int) -> int:
    """A size of which nothing is gained by the last few images: kernels work on multiples of 8."""
    return size - size % ROUND if size >= 16 * ROUND else size


def split(together: int, largest: int, processes: int) -> tuple[int, int]:
    """Batch of a process, and how many of them are summed up, so that a step of the optimizer sees so many images.

    Args:
        together: Images of a step, of all processes.
        largest: Images that fit at once into one process.
        processes: How many there are.

    Raises:
        ConfigError: They cannot be dealt out evenly.
    """
    if together % processes:
        raise ConfigError(
            f"data.global_batch {together}: cannot be dealt out evenly to {processes} processes; give a multiple of it"
        )
    share = together // processes
    size = max(size for size in range(1, min(share, largest) + 1) if share % size == 0)
    return size, share // size


def _tried(trial: Trial, size: int) -> bool:
    try:
        # the second step finds AdamW's averages beside its gradients, and a heap that the first has left in pieces: on
        # a CPU it took a fifth more
        for _ in range(2):
            trial.step([trial.filled(size)])
    except (RuntimeError, MemoryError) as error:
        if size == 1 or not is_too_large(error):
            raise
        return False
    finally:
        trial.forget()
    return True


def is_too_large(error: BaseException) -> bool:
    """Whether an error says that a batch is too large: for memory, or for the 32 bits of a kernel's indices."""
    words = ("CUBLAS_STATUS_ALLOC_FAILED", "CUDNN_STATUS_NOT_SUPPORTED", "canUse32BitIndexMath", "32-bit index")
    return out_of_memory(error) is not None or any(word in str(error) for word in words)


def _less_margin(limit: Bound) -> Bound:
    now = memory.size(limit.kind) or 0
    return limit._replace(most_bytes=now + int((limit.most_bytes - now) * SHARE[limit.kind]))


def _stays(limits: list[Bound]) -> bool:
    # the highest number of addresses is never forgotten; a step for which there are too few fails
    resident = memory.size("resident", highest=True) or 0
    return all(resident <= limit.most_bytes for limit in limits if limit.kind == "resident")


class _Growth:
    """How much memory an image takes, under one limit."""

    def __init__(self, limit: Bound) -> None:
        self.limit = limit
        self._peaks: list[tuple[int, int]] = []

    def note(self, size: int) -> None:
        self._peaks.append((size, memory.size(self.limit.kind, highest=True) or 0))

    @property
    def is_known(self) -> bool:
        """Whether memory has grown enough to tell."""
        return len(self._peaks) > 1 and self._peaks[-1][1] - self._peaks[0][1] >= LEAST_GROWTH

    def predicted(self) -> int:
        """The largest size that stays within the limit; until that can be told, twice as many as were tried."""
        size, peak = self._peaks[-1] if self._peaks else (1, 0)
        if not self.is_known:
            return 2 * size if peak < self.limit.most_bytes else size
        # from the last attempt that differs enough: what is allocated once is in both
        before, lower = next(pair for pair in reversed(self._peaks[:-1]) if peak - pair[1] >= LEAST_GROWTH)
        each = (peak - lower) / (size - before)
        return size + int((self.limit.most_bytes - peak) / each)
