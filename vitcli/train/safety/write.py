"""Checkpoint files: written by a background thread while training goes on, whole or not at all."""

from __future__ import annotations

import copy
import os
import shutil
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, BinaryIO, final

import torch
from lightning.fabric.plugins import TorchCheckpointIO
from torch import Tensor
from torch.utils._pytree import tree_flatten, tree_leaves

from vitcli.errors import DataError, is_full
from vitcli.machine.atomic import replacing
from vitcli.names import quoted

TENSORS = ("state_dict", "optimizer_states")


@final
class CheckpointFiles(TorchCheckpointIO):
    """Checkpoints in files, each of which is at all times either the old one or the new one.

    Lightning's own plugin serialises a checkpoint in memory, and writes it to the folder for temporary files, from
    where it may have to be copied: meanwhile there is half a checkpoint, and training waits. Here training waits only
    for a copy in memory, made once for a step that is saved twice, as the best and as the last. A thread writes it to
    a temporary file in the same folder, flushes that to disk, and renames it.

    Args:
        in_passing: Whether training goes on while a file is written. All are there when it ends.
    """

    def __init__(self, in_passing: bool = True) -> None:
        self._in_passing = in_passing
        self._worker: ThreadPoolExecutor | None = None
        self._jobs: list[Future[None]] = []
        self._moment: dict[str, Any] | None = None
        # the last file of the thread; None if that failed, and then nothing is copied or removed
        self._written: Path | None = None

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None) -> None:
        """Write a checkpoint.

        Args:
            checkpoint: Tensors and plain values.
            path: The file; a remote address is left to Lightning.
            storage_options: Unused for a file.

        Raises:
            DataError: This file, or the one before, cannot be written; the old file is left as it was.
        """
        if "://" in str(path):
            super().save_checkpoint(checkpoint, path, storage_options)
            return
        # it holds the count of steps: where it is the same, so are the tensors
        moment = snapshot({key: value for key, value in checkpoint.items() if key not in TENSORS})
        if self._moment is not None and is_same(moment, self._moment):
            self._do(self._copy, Path(path))
        else:
            # no more than one copy is held in memory
            self.wait()
            self._moment = moment
            self._do(self._write, snapshot(checkpoint), Path(path))

    def remove_checkpoint(self, path: str | Path) -> None:
        """Remove a checkpoint, as soon as the one that replaces it is written."""
        self._do(self._remove, path)

    def load_checkpoint(self, path: str | Path, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """The content of a checkpoint, as soon as it is written."""
        self.wait()
        return super().load_checkpoint(path, *args, **kwargs)

    def teardown(self) -> None:
        """Wait for what is still being written."""
        try:
            self.wait()
        finally:
            if self._worker is not None:
                self._worker.shutdown()
                self._worker = None

    def wait(self) -> None:
        """Wait until everything is written.

        Raises:
            DataError: A file cannot be written.
        """
        jobs, self._jobs = self._jobs, []
        for job in jobs:
            job.result()

    def _do(self, job: Callable[..., None], *args: Any) -> None:
        if self._worker is None:
            # one thread: jobs run in the order in which they were submitted
            self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="checkpoint")
        self._jobs.append(self._worker.submit(job, *args))
        if not self._in_passing:
            self.wait()

    def _write(self, checkpoint: dict[str, Any], path: Path) -> None:
        self._written = None
        _put(path, lambda file: torch.save(checkpoint, file))
        self._written = path

    def _copy(self, path: Path) -> None:
        written = self._written
        # it may be saved again to the same path
        if written is not None and written != path:
            with written.open("rb") as source:
                _put(path, lambda file: shutil.copyfileobj(source, file, 2**24))

    def _remove(self, path: str | Path) -> None:
        if self._written is not None:
            super().remove_checkpoint(path)


def _put(path: Path, fill: Callable[[BinaryIO], None]) -> None:
    """Write a temporary file beside ``path``, and rename it."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as part, part.open("wb") as file:
            fill(file)
            file.flush()
            os.fsync(file.fileno())
    except (OSError, RuntimeError) as error:
        # torch's error names a position in the file; the reason is in its context
        reason = error if isinstance(error, OSError) else error.__context__
        if not isinstance(reason, OSError):
            raise
        need = "make room" if is_full(reason) else "correct that"
        do = f"{need}, then vitcli fit --ckpt_path {quoted(path)}" if path.is_file() else f"{need}, and start again"
        raise DataError(f"{path}: cannot be written: {reason.strerror}; {do}") from error


def snapshot(content: dict[str, Any]) -> dict[str, Any]:
    """A copy that training no longer changes, with its tensors in CPU memory."""
    copies: dict[Any, Tensor] = {}
    known: dict[int, Tensor] = {}
    tensors = [leaf for leaf in tree_leaves(content) if isinstance(leaf, Tensor)]
    for tensor in tensors:
        # what several layers share is copied once
        place = (tensor.data_ptr(), tensor.dtype, tensor.shape, tensor.stride())
        if place not in copies:
            copies[place] = tensor.detach().to("cpu", copy=True)
        known[id(tensor)] = copies[place]
    return copy.deepcopy(content, known)


def is_same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether two nests of tensors and values hold the same."""
    (ones, form), (others, other_form) = tree_flatten(one), tree_flatten(other)
    return form == other_form and all(
        isinstance(b, Tensor) and torch.equal(a, b) if isinstance(a, Tensor) else a == b
        for a, b in zip(ones, others, strict=True)
    )
