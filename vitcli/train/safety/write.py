"""Checkpoint files: written by a background thread while training goes on, whole or not at all, and tried again."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, final

import torch
from lightning.fabric.plugins import TorchCheckpointIO

from vitcli.train.safety.backlog import Backlog
from vitcli.train.safety.older import LAST, keep_older
from vitcli.train.safety.put import put
from vitcli.train.safety.shards import Shards, put_shards, remove_unnamed
from vitcli.train.safety.snapshot import is_same, snapshot
from vitcli.train.safety.spare import Spare
from vitcli.weights.shards import filled

TENSORS = ("state_dict", "raw_state_dict", "optimizer_states")


@final
class CheckpointFiles(TorchCheckpointIO):
    """Checkpoints in files, each of which is at all times either the old one or the new one.

    Lightning's own plugin serialises a checkpoint in memory, and writes it to the folder for temporary files, from
    where it may have to be copied: meanwhile there is half a checkpoint, and training waits. Here training waits only
    for a copy in memory, made once for a step that is saved twice, as the best and as the last. A thread writes it to
    a temporary file in the same folder, flushes that to disk, reads it back, and renames it.

    A file that cannot be written, be the disk full, read-only or gone, ends no training: that is said, the checkpoint
    stays in memory, and is tried again with the next one, after each minute, and at the end; then in a spare folder.

    Args:
        in_passing: Whether training goes on while a file is written. All are there when it ends.
        keep: How many older files of last.ckpt are kept beside it.
        spare: Where goes at the end what still cannot be written; None: nowhere.
    """

    def __init__(self, in_passing: bool = True, *, keep: int = 0, spare: Spare | None = None) -> None:
        self._in_passing = in_passing
        self._keep = keep
        self._backlog = Backlog(spare)
        self._worker: ThreadPoolExecutor | None = None
        self._jobs: list[Future[None]] = []
        self._moment: dict[str, Any] | None = None
        # where the newest moment can be had: from its first file, or, if that could not be written, from memory
        self._latest: dict[str, Any] | Path | None = None
        # what is to be removed when all is written
        self._outdated: list[str | Path] = []
        # of a run whose tensors are split: what is being written, and what could not be
        self._shards_job: Future[None] | None = None
        self._held_shards: tuple[Shards, Path, Any] | None = None

    def save_checkpoint(
        self,
        checkpoint: dict[str, Any],
        path: str | Path,
        storage_options: Any = None,
        *,
        apart: frozenset[int] = frozenset(),
    ) -> None:
        """Write a checkpoint; what cannot be written is told, and tried again later.

        Args:
            checkpoint: Tensors and plain values.
            path: The file; a remote address is left to Lightning.
            storage_options: Unused for a file.
            apart: Ids of tensors that are copies already, gathered from several processes.
        """
        if "://" in str(path):
            super().save_checkpoint(checkpoint, path, storage_options)
            return
        step = int(checkpoint.get("global_step", 0))
        # it holds the count of steps: where it is the same, so are the tensors
        moment = snapshot({key: value for key, value in checkpoint.items() if key not in TENSORS})
        if self._moment is not None and is_same(moment, self._moment):
            self._do(self._copy, Path(path), step)
        else:
            # no more than one copy is held in memory
            self.wait()
            self._moment = moment
            self._do(self._write, snapshot(checkpoint, apart), Path(path), step)

    def save_shards(self, checkpoint: dict[str, Any], path: Path, group: Any) -> None:
        """Write a checkpoint of which each process holds a part; all of them call this, and none waits for a disk.

        What one cannot write, none has written: the file is the old one, and all try again with the next one, and at
        the end. They do so together, so that there is no minute after which one tries by itself, and no spare folder.

        Args:
            checkpoint: Split tensors, and what each process has alike.
            path: The file that names the shards.
            group: Of all processes, used by nobody else.
        """
        if self._shards_job is not None:
            # no more than one copy is held in memory
            self._shards_job.result()
        self._do(self._write_shards, Shards(checkpoint), path, group)
        self._shards_job = self._jobs[-1] if self._jobs else None

    def remove_checkpoint(self, path: str | Path) -> None:
        """Remove a checkpoint, as soon as the one that replaces it is written."""
        self._do(self._remove, path)

    def load_checkpoint(self, path: str | Path, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """The content of a checkpoint, as soon as it is written."""
        self.wait()
        content = super().load_checkpoint(path, *args, **kwargs)
        return content if "://" in str(path) else filled(Path(path), content)

    def teardown(self) -> None:
        """Wait for what is still being written, and try for the last time what could not be."""
        try:
            self.wait()
            if self._held_shards is not None:
                self._do(self._write_shards, *self._held_shards)
                self.wait()
                if self._held_shards is not None:
                    self._backlog.give_up(self._held_shards[1])
            if not self._backlog.is_empty:
                self._do(self._retry)
                self._do(self._backlog.give_away)
                self.wait()
        finally:
            if self._worker is not None:
                self._worker.shutdown()
                self._worker = None

    def wait(self) -> None:
        """Wait until everything is written, or was tried."""
        jobs, self._jobs = self._jobs, []
        for job in jobs:
            job.result()

    @property
    def is_busy(self) -> bool:
        """Whether a file is being written."""
        return not all(job.done() for job in self._jobs)

    def retry_if_due(self) -> None:
        """Try again what could not be written a minute ago; to be called now and then."""
        if not self.is_busy and self._backlog.is_due:
            self.wait()
            self._do(self._retry)

    def _do(self, job: Callable[..., None], *args: Any) -> None:
        if self._worker is None:
            # one thread: jobs run in the order in which they were submitted
            self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="checkpoint")
        self._jobs.append(self._worker.submit(job, *args))
        if not self._in_passing:
            self.wait()

    def _write(self, checkpoint: dict[str, Any], path: Path, step: int) -> None:
        self._latest = None
        # a newer one takes its place, be it written or not
        self._backlog.drop(path)
        is_written = self._try(checkpoint, path, step)
        self._latest = path if is_written else checkpoint
        if is_written:
            self._retry()

    def _write_shards(self, shards: Shards, path: Path, group: Any) -> None:
        try:
            put_shards(shards, path, group)
        except OSError as error:
            # all processes have this error
            self._backlog.failed(error)
            self._held_shards = shards, path, group
            if torch.distributed.get_rank(group) == 0:
                self._backlog.tell(path, shards.step, "with the next one")
            return
        self._held_shards = None
        self._backlog.succeeded(path)
        if self._keep and torch.distributed.get_rank(group) == 0:
            keep_older(path, shards.step, self._keep)
            remove_unnamed(path.parent)

    def _copy(self, path: Path, step: int) -> None:
        latest = self._latest
        # it may be saved again to the same path
        if latest is None or latest == path:
            return
        self._backlog.drop(path)
        if self._try(latest, path, step) and not isinstance(latest, Path):
            self._latest = path

    def _try(self, known: dict[str, Any] | Path, path: Path, step: int) -> bool:
        try:
            put(known, path)
        except OSError as error:
            self._backlog.failed(error)
            self._backlog.hold(path, known)
            self._backlog.tell(path, step, "every minute")
            return False
        self._backlog.succeeded(path)
        if path.name == LAST:
            if self._keep:
                keep_older(path, step, self._keep)
            # of a run that was split before
            remove_unnamed(path.parent)
        return True

    def _retry(self) -> None:
        if self._backlog.retry():
            for outdated in self._outdated:
                super().remove_checkpoint(outdated)
            self._outdated.clear()

    def _remove(self, path: str | Path) -> None:
        if not self._backlog.drop(Path(path)) and not self._backlog.is_empty:
            self._outdated.append(path)
        else:
            super().remove_checkpoint(path)

    @property
    def mistake(self) -> str | None:
        """What to tell at the end of files that were never written; None if all are."""
        return self._backlog.mistake
