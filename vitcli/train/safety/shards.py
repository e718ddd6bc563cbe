"""Writing a checkpoint in shards: each process its part, and last, when all are on disk, the file that names them."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path
from typing import Any, final

import torch
import torch.distributed as dist
from safetensors import safe_open
from torch import Tensor
from torch.utils._pytree import tree_map_with_path

from vitcli.machine.atomic import sync
from vitcli.train.safety.put import READ_BACK, put
from vitcli.train.safety.snapshot import snapshot
from vitcli.train.sharding.local import is_split, local
from vitcli.weights.seal import digest
from vitcli.weights.shards import SHARDS, key_of


@final
class Shards:
    """A moment of a run of which each process holds its part, in memory that training no longer changes.

    Args:
        content: The checkpoint, whose split tensors are DTensors.
    """

    def __init__(self, content: dict[str, Any]) -> None:
        self.tensors: dict[str, Tensor] = {}
        self.step = int(content.get("global_step", 0))
        # what is saved of the content by the first process
        self.rest = snapshot(tree_map_with_path(self._taken, content))

    def _taken(self, path: Any, leaf: Any) -> Any:
        if not is_split(leaf):
            return leaf
        self.tensors[key_of(path)] = leaf.detach().to("cpu", copy=True)
        return torch.empty(leaf.shape, dtype=leaf.dtype, device="meta")


def put_shards(shards: Shards, path: Path, group: Any) -> None:
    """Write a checkpoint in shards; every process calls this, in a thread that alone uses the group.

    All parts go into a new folder first, are flushed to the disk and read back; then the first process puts the file
    that names them, in place of the old one, as it would any checkpoint. Whenever processes are killed, that file names
    a whole folder: the old one or the new one. What no file names any more is removed.

    Args:
        shards: The part of this process.
        path: Of the file that names them.
        group: Of all processes, for tensors on the CPU.

    Raises:
        OSError: A process, this or another one, could not write its part; the old checkpoint is as it was.
    """
    rank = dist.get_rank(group)
    folder = Path(_told(str(_unused(path, shards.step)) if rank == 0 else "", group))
    wrong, files = "", {}
    try:
        _write(shards, folder, group)
        files = _read_back(shards, folder, rank)
    except OSError as error:
        wrong = f"{error.strerror or error}"
    every: list[Any] = [None] * dist.get_world_size(group)
    dist.all_gather_object(every, (wrong, files), group)
    wrongs = [(number, said) for number, (said, _) in enumerate(every) if said]
    if rank == 0:
        if not wrongs:
            named = {name: told for _, some in every for name, told in some.items()}
            try:
                sync(folder)
                put({**shards.rest, SHARDS: {"folder": folder.name, "files": named}}, path)
            except OSError as error:
                wrongs = [(0, f"{error.strerror or error}")]
        if wrongs:
            shutil.rmtree(folder, ignore_errors=True)
        else:
            remove_unnamed(path.parent)
    wrongs = _told(wrongs, group)
    if wrongs:
        number, said = wrongs[0]
        raise OSError(errno.EIO, f"{said} (rank {number})")


def remove_unnamed(folder: Path) -> None:
    """Remove the folders of shards that no checkpoint beside them names; all stay where one cannot be read.

    Args:
        folder: Of the checkpoints.
    """
    there = [found for found in folder.glob("step-*.shards") if found.is_dir()]
    if not there:
        return
    named = set()
    for path in folder.glob("*.ckpt"):
        try:
            told = torch.load(path, map_location="cpu", weights_only=True, mmap=True).get(SHARDS)
        except Exception:
            return
        named.add(told["folder"] if told else "")
    for found in there:
        if found.name not in named:
            shutil.rmtree(found, ignore_errors=True)


def _unused(path: Path, step: int) -> Path:
    """A folder that is not there; one of the same step may be that of the checkpoint to be replaced, or of a kill."""
    number = 1
    while (folder := path.with_name(f"step-{step}{f'-{number}' if number > 1 else ''}.shards")).exists():
        number += 1
    return folder


def _write(shards: Shards, folder: Path, group: Any) -> None:
    # takes a second to import
    from torch.distributed.checkpoint.api import CheckpointException
    from torch.distributed.checkpoint.hf_storage import HuggingFaceStorageWriter
    from torch.distributed.checkpoint.state_dict_saver import save

    writer = HuggingFaceStorageWriter(str(folder), save_distributed=True)
    try:
        save(shards.tensors, storage_writer=writer, process_group=group)
    except CheckpointException as error:
        wrapped = [held[0] for _, held in sorted(error.failures.items())]
        # what is not the disk's, such as a process that is gone, is no reason to try again
        reason = next((one for one in wrapped if _is_of_the_disk(one)), None)
        if reason is None:
            raise RuntimeError(str(error)) from error
        raise OSError(errno.EIO, getattr(reason, "strerror", None) or str(reason)) from error


def _is_of_the_disk(error: BaseException | None) -> bool:
    """Whether an error, or one that it came from, is the disk's; safetensors has an error of its own for it."""
    while error is not None:
        if isinstance(error, OSError):
            return True
        error = error.__cause__ or error.__context__
    return False


def _read_back(shards: Shards, folder: Path, rank: int) -> dict[str, tuple[int, str]]:
    """Size and digest of each file of this process, whose numbers are those in memory.

    Raises:
        OSError: They are not.
    """
    files = {}
    for path in folder.glob(f"shard-{rank + 1:05d}-*.safetensors"):
        with path.open("rb") as file:
            os.fsync(file.fileno())
            # so that it is read from the disk, and not from memory
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
            size = os.fstat(file.fileno()).st_size
            files[path.name] = (size, digest(file, size))
        with safe_open(path, framework="pt") as held:
            keys = held.keys()
            for key in keys:
                if not torch.equal(held.get_tensor(key), local(shards.tensors[key])):
                    raise OSError(errno.EIO, READ_BACK, str(path))
    return files


def _told(value: Any, group: Any) -> Any:
    """What the first process says."""
    said = [value]
    dist.broadcast_object_list(said, group=group, group_src=0)
    return said[0]
