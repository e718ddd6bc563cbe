"""Checkpoint in shards: last.ckpt holds all but the tensors, and each process has put its part of those beside it.

``last.ckpt`` is a checkpoint as any other, with a tensor on the meta device (a shape and no numbers) in the place of
each that is split. The numbers are safetensors files in a folder that it names, written by torch.distributed.checkpoint
and read here without running code, by any number of processes.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import KeyPath, tree_flatten_with_path, tree_map_with_path

from vitcli.errors import WeightsError
from vitcli.weights.seal import digest

# the key of a checkpoint: name of the folder, and size and digest of each file in it
SHARDS = "shards"
FOLDER = re.compile(r"step-\d+(-\d+)?[.]shards")
FILE = re.compile(r"[\w-]+[.]safetensors")


def key_of(path: KeyPath) -> str:
    """The name of a tensor in the files: its place in the checkpoint: ``optimizer_states/0/state/3/exp_avg``."""
    return "/".join(str(getattr(step, "key", getattr(step, "idx", getattr(step, "name", step)))) for step in path)


def read_rest(path: Path) -> dict[str, Any]:
    """What a checkpoint's own file holds, mapped from it: all of it, or all but what its shards do.

    Args:
        path: Of a checkpoint that has been checked (``read_checkpoint``).
    """
    content: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    return content


def stand_ins(content: Any) -> dict[str, Tensor]:
    """The tensors without numbers of a checkpoint, or a part of one, by their keys."""
    return {
        key_of(path): leaf
        for path, leaf in tree_flatten_with_path(content)[0]
        if isinstance(leaf, Tensor) and leaf.is_meta
    }


def with_numbers(content: Any, tensors: Mapping[str, Tensor]) -> Any:
    """The checkpoint with tensors in the places of those without numbers, as far as there are some."""
    return tree_map_with_path(lambda path, leaf: tensors.get(key_of(path), leaf) if _is_meta(leaf) else leaf, content)


def shards_of(path: Path, content: Mapping[str, Any]) -> Path | None:
    """The folder of a checkpoint's shards; None for a checkpoint that is one file.

    Args:
        path: Of the checkpoint.
        content: As torch reads it.

    Raises:
        ValueError: What it says of them is no name of a folder and of files.
    """
    told = content.get(SHARDS)
    if told is None:
        return None
    if not (
        isinstance(told, dict)
        and isinstance(told.get("folder"), str)
        and FOLDER.fullmatch(told["folder"])
        and isinstance(told.get("files"), dict)
        and all(isinstance(name, str) and FILE.fullmatch(name) for name in told["files"])
    ):
        raise ValueError("what it says of its shards is damaged")
    return path.with_name(told["folder"])


def check_shards(path: Path, content: Mapping[str, Any]) -> int:
    """Check that the shards of a checkpoint are there, with the bytes that were written.

    Args:
        path: Of the checkpoint.
        content: As torch reads it.

    Returns:
        Their size in bytes; 0 for a checkpoint that is one file.

    Raises:
        WeightsError: Some are missing, or damaged.
        ValueError: What it says of them is damaged.
        OSError: One cannot be read.
    """
    folder = shards_of(path, content)
    if folder is None:
        return 0
    if not folder.is_dir():
        raise WeightsError(
            f"--ckpt_path {path}: its tensors lie in {folder.name}, which is not beside it; copy it too, or use "
            "best.ckpt, which is one file"
        )
    files = content[SHARDS]["files"]
    if {file.name for file in folder.glob("*.safetensors")} != set(files):
        raise WeightsError(
            f"--ckpt_path {path}: {folder} lacks files, or has others; use another checkpoint of the run"
        )
    held = 0
    for name, (size, sha256) in files.items():
        with (folder / name).open("rb") as file:
            if digest(file, size + 1) != sha256:
                raise WeightsError(
                    f"--ckpt_path {path}: {folder / name} is damaged, its bytes are not those that were written; use "
                    "another checkpoint of the run, or copy the file again"
                )
        held += size
    if sum(one.numel() * one.element_size() for one in stand_ins(content).values()) > held:
        raise ValueError("its shards hold less than it says")
    return held


def filled(path: Path, content: dict[str, Any], *keys: str) -> dict[str, Any]:
    """A checkpoint with the numbers of its tensors, in the memory of this process alone.

    Args:
        path: Of the checkpoint.
        content: As torch reads it; returned as it is, where it is one file.
        *keys: Which of its parts, such as ``state_dict``; none: all of them.

    Raises:
        ValueError: The shards do not hold its tensors.
    """
    folder = shards_of(path, content)
    if folder is None:
        return content
    wanted = {key: content[key] for key in keys or content if key in content}
    tensors = {key: torch.empty(one.shape, dtype=one.dtype) for key, one in stand_ins(wanted).items()}
    load_into(folder, tensors, alone=True)
    return {**content, **with_numbers(wanted, tensors)}


def load_into(folder: Path, tensors: dict[str, Tensor], *, alone: bool, group: Any = None) -> None:
    """Fill tensors in place, each process its parts, from however many files.

    Args:
        folder: Of the shards.
        tensors: By key; those of several processes are DTensors, and all call this.
        alone: Whether no other process takes part.
        group: Of the processes, where several do.

    Raises:
        ValueError: The shards do not hold them.
    """
    # takes a second to import
    from torch.distributed.checkpoint.api import CheckpointException
    from torch.distributed.checkpoint.hf_storage import HuggingFaceStorageReader
    from torch.distributed.checkpoint.state_dict_loader import load

    if not tensors:
        return
    try:
        with warnings.catch_warnings():
            # what it assumes is what it is told
            warnings.filterwarnings("ignore", message="torch.distributed is disabled")
            load(tensors, storage_reader=HuggingFaceStorageReader(str(folder)), process_group=group, no_dist=alone)
    except CheckpointException as error:
        reasons = "; ".join(sorted({str(wrapped[0]) for wrapped in error.failures.values()}))
        raise ValueError(f"its shards do not hold its tensors: {' '.join(reasons.split())[:200]}") from error


def _is_meta(leaf: Any) -> bool:
    return isinstance(leaf, Tensor) and leaf.is_meta
