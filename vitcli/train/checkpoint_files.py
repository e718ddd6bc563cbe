"""How a checkpoint gets into its file: whole or not at all, and once."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Any, final

import torch
from lightning.fabric.plugins import TorchCheckpointIO
from torch import Tensor
from torch.utils._pytree import tree_flatten

from vitcli.errors import DataError

TENSORS = ("state_dict", "optimizer_states")


@final
class CheckpointFiles(TorchCheckpointIO):
    """Checkpoints in files, each of which is at all times either the one before or the new one.

    Lightning's own way makes all of it in memory and once more in the folder for temporary files, from where it may
    have to be copied: for as long as that takes there is half a checkpoint. Here it is written beside its place,
    brought to the disk, and given its name.

    What is kept twice of the same moment, as the best and as the last, is one file with two names.
    """

    def __init__(self) -> None:
        self._written: Path | None = None
        self._moment: tuple[list[Any], Any] = ([], None)

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None) -> None:
        """Write a checkpoint.

        Args:
            checkpoint: Tensors and plain values.
            path: The file; an address of a remote one is Lightning's affair.
            storage_options: Nothing, for a file.

        Raises:
            DataError: The file cannot be written; the one before is left as it was.
        """
        if "://" in str(path):
            super().save_checkpoint(checkpoint, path, storage_options)
            return
        path = Path(path)
        part = path.with_name(f".{path.name}.part")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            # another process may have been killed over it; it may be one more name of a checkpoint
            part.unlink(missing_ok=True)
            self._lay(checkpoint, part)
            part.replace(path)
        except (OSError, RuntimeError) as error:
            # torch names a position in the file; why it could not write there stands behind that
            reason = error if isinstance(error, OSError) else error.__context__
            if not isinstance(reason, OSError):
                raise
            do = f"make room, then vitcli fit --ckpt_path {path}" if path.is_file() else "make room and start again"
            raise DataError(f"{path}: cannot be written: {reason.strerror}; {do}") from error
        finally:
            with contextlib.suppress(OSError):
                part.unlink(missing_ok=True)
        self._written = path

    def _lay(self, checkpoint: dict[str, Any], part: Path) -> None:
        """Put the checkpoint beside its place; as one more name of the file before, if that is of the same moment."""
        # steps are counted in it, so that the tensors are the same too
        moment = tree_flatten({key: value for key, value in checkpoint.items() if key not in TENSORS})
        again, self._moment = is_same(moment, self._moment), moment
        if again and self._written is not None:
            # where a file can have but one name, there will be two files
            with contextlib.suppress(OSError):
                part.hardlink_to(self._written)
                return
        with part.open("wb") as file:
            torch.save(checkpoint, file)
            file.flush()
            os.fsync(file.fileno())


def is_same(one: tuple[list[Any], Any], other: tuple[list[Any], Any]) -> bool:
    """Whether two nests of tensors and values, each as its leaves and its form, hold the same."""
    return one[1] == other[1] and all(
        isinstance(b, Tensor) and torch.equal(a, b) if isinstance(a, Tensor) else a == b
        for a, b in zip(one[0], other[0], strict=True)
    )
