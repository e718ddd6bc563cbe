"""Reading a checkpoint as data, by memory map and without running code; an error says why it is not vitcli's."""

from __future__ import annotations

import os
import pickle
import struct
from pathlib import Path
from typing import Any

from vitcli.errors import ConfigError, WeightsError
from vitcli.weights.container import check_container
from vitcli.weights.contract import check_contract
from vitcli.weights.seal import is_intact
from vitcli.weights.shards import check_shards, filled, read_rest

# what torch raises for a file of other bytes than it has written
DAMAGES = (
    RuntimeError, EOFError, OSError, ValueError, KeyError, TypeError, AttributeError, IndexError, OverflowError,
    AssertionError, struct.error,
)  # fmt: skip


def read_checkpoint(path: str | os.PathLike[str], *, to_go_on: bool = False) -> dict[str, Any]:
    """The content of a checkpoint that fit has written; tensors are mapped from the file, not copied.

    One in shards (``weights.shards``) is read too. Its weights are put together in memory, and of the moments, which
    none but a training needs, the shapes alone are there.

    Only tensors and plain values are accepted (``weights_only``): a file with code in it is refused, and
    nothing is imported or run because a checkpoint says so.

    Args:
        path: A ``.ckpt`` file.
        to_go_on: Whether it is only looked at by a training, which then reads its part of the tensors: of one in
            shards, the weights are shapes too.

    Raises:
        WeightsError: No such file, cut short, damaged, not a torch file, with code in it, or not written by vitcli.
    """
    path = Path(path)
    if not path.is_file():
        raise WeightsError(f"--ckpt_path {path}: no such file; name a .ckpt file, a run folder, 'last' or 'best'")
    try:
        if is_intact(path) is False:
            raise WeightsError(
                f"--ckpt_path {path}: is damaged, its bytes are not those that were written; use another checkpoint of "
                "the run, or copy the file again"
            )
        check_container(path)
        content = read_rest(path)
        in_shards = check_shards(path, content) if isinstance(content, dict) else 0
    except pickle.UnpicklingError as error:
        raise WeightsError(_refused(path, str(error))) from error
    except DAMAGES as error:
        raise WeightsError(_refused(path, str(error))) from error
    settings = content.get("hyper_parameters") if isinstance(content, dict) else None
    if not isinstance(settings, dict) or "vitcli_version" not in content or "net" not in settings:
        raise WeightsError(
            f"--ckpt_path {path}: a torch file, but not a checkpoint of vitcli's (no net and classes in it); "
            "name a file that 'vitcli fit' wrote, such as runs/NAME/checkpoints/best.ckpt"
        )
    try:
        wrong = check_contract(content, path.stat().st_size + in_shards)
    except ConfigError as error:
        raise WeightsError(f"--ckpt_path {path}: {error}; use a checkpoint written by vitcli") from error
    if wrong:
        raise WeightsError(f"--ckpt_path {path}: {wrong}, so it is not opened; use a checkpoint written by vitcli")
    if in_shards and not to_go_on:
        try:
            return filled(path, content, "state_dict")
        except ValueError as error:
            raise WeightsError(f"--ckpt_path {path}: {error}; use another checkpoint of the run") from error
    return content


def _refused(path: Path, reason: str) -> str:
    with path.open("rb") as file:
        is_zip = file.read(4) == b"PK\x03\x04"
    if "Unsupported global" in reason or "Unsupported operand" in reason or "WeightsUnpickler" in reason:
        what = "holds Python objects, not just tensors and plain values; it is not opened, for it could run code"
        do = "use a checkpoint written by vitcli"
    elif is_zip or path.stat().st_size == 0:
        what = f"is cut short or damaged ({path.stat().st_size} bytes)"
        other = "last.ckpt" if path.name == "best.ckpt" else "best.ckpt"
        do = f"use another checkpoint of the run, such as {other}, or copy the file again"
    else:
        what = "is not a checkpoint (no torch file)"
        do = "name a file that 'vitcli fit' wrote, such as runs/NAME/checkpoints/best.ckpt"
    return f"--ckpt_path {path}: {what}; {do}"
