"""Errors shown to the user: the exceptions for mistakes that a user can correct, and full disks and memories.

    UserError           shown as one line, exit code 2, no traceback
      ConfigError       a setting contradicts another, or names nothing
      DataError         a folder or an image is not what the config says
        StoreError      an object store that refuses, or that has failed after all retries
          DeniedError   one that lets whoever asks read nothing of a name
      WeightsError      tensors or a checkpoint that do not fit
        NoHeadError     tensors without a head, from which a training can start all the same
      DivergedError     a training whose numbers are nan or inf
      MemoryShortError  what was asked for needs more memory than there is
      ExportError       an exported file disagrees with the net

The message says *what* (the key as typed and its value), *why* (what it met) and *do* (the remedy),
in one line. A programming error is none of these and keeps its traceback.
"""

import errno
import re

ALLOCATED = re.compile(r"allocate (\d+) bytes|allocate ([\d.]+ [KMGTPE]iB)")
NO_MEMORY = re.compile(
    r"can't allocate memory|out of memory|not enough memory|unable to allocate|cannot allocate memory"
    r"|failed to allocate memory|insufficient shared memory|bad_alloc|bad allocation|can't start new thread"
    r"|killed by signal: (Killed|Bus error)",
    re.IGNORECASE,
)


class UserError(Exception):
    """A mistake that the user can correct; the message is all that they see."""


class ConfigError(UserError, ValueError):
    """A setting contradicts another, or names nothing."""


class DataError(UserError):
    """A folder or an image is not what the config says."""


class StoreError(DataError):
    """An object store refuses, or has failed after all retries; what was to be read may be sound."""


class DeniedError(StoreError):
    """An object store lets whoever asks read nothing of a name, which it may also say of one that is not there."""


class WeightsError(UserError):
    """Tensors or a checkpoint that do not fit."""


class NoHeadError(WeightsError):
    """Tensors without a head, from which a training can start all the same."""


class DivergedError(UserError):
    """A training whose loss, gradients or weights are no finite numbers."""


class MemoryShortError(UserError):
    """What was asked for needs more memory than there is."""


class ExportError(UserError):
    """An exported file that disagrees with the net, or cannot hold it."""


def is_full(error: OSError) -> bool:
    """Whether there was no room to write: on the disk, in a quota, or below a limit on files."""
    return error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def out_of_memory(error: BaseException) -> str | None:
    """What to tell the user if memory has run out, of the machine or of a GPU; None for any other error.

    torch raises a RuntimeError on a CPU (``DefaultCPUAllocator: can't allocate memory``) and a subclass of it on a GPU,
    NumPy and Python a MemoryError, and the system an OSError; a worker process is killed.

    Args:
        error: Any.
    """
    known = isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno == errno.ENOMEM)
    if not known and not (isinstance(error, RuntimeError) and NO_MEMORY.search(str(error))):
        return None
    where = "of the GPU " if re.search("CUDA|HIP|XPU|MPS", str(error)) else ""
    wanted = ALLOCATED.search(str(error))
    size = "" if wanted is None else f" ({_bytes(wanted[1]) if wanted[1] else wanted[2]} more was wanted)"
    return (
        f"memory {where}has run out{size}; lower data.batch_size (trainer.accumulate_grad_batches makes up for it), "
        "lower model.net.image_size, or take a smaller net"
    )


def _bytes(digits: str) -> str:
    gigabytes = int(digits) / 1e9
    return f"{gigabytes:,.1f} GB" if gigabytes >= 1 else f"{gigabytes * 1000:.0f} MB"
