"""Reading a checkpoint as data, by memory map and without running code; an error says why it is not vitcli's."""

from __future__ import annotations

import os
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from vitcli.errors import WeightsError


def read_checkpoint(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The content of a checkpoint that fit has written; tensors are mapped from the file, not copied.

    Only tensors and plain values are accepted (``weights_only``): a file with code in it is refused, and
    nothing is imported or run because a checkpoint says so.

    Args:
        path: A ``.ckpt`` file.

    Raises:
        WeightsError: No such file, cut short, not a torch file, with code in it, or not written by vitcli.
    """
    path = Path(path)
    if not path.is_file():
        raise WeightsError(f"--ckpt_path {path}: no such file; name a .ckpt file, a run folder, 'last' or 'best'")
    try:
        content: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except pickle.UnpicklingError as error:
        raise WeightsError(_refused(path, str(error))) from error
    except (RuntimeError, EOFError, OSError, ValueError, KeyError) as error:
        raise WeightsError(_refused(path, str(error))) from error
    settings = content.get("hyper_parameters") if isinstance(content, dict) else None
    if not isinstance(settings, dict) or "vitcli_version" not in content or "net" not in settings:
        raise WeightsError(
            f"--ckpt_path {path}: a torch file, but not a checkpoint of vitcli's (no net and classes in it); "
            "name a file that 'vitcli fit' wrote, such as runs/NAME/checkpoints/best.ckpt"
        )
    _check_plain(path, settings)
    return content


def _check_plain(path: Path, settings: dict[str, Any]) -> None:
    """Settings go into a parser that would import a class path; so a class path may stand in one place only."""
    kinds = {"net": dict, "preprocess": dict, "optimizer": dict, "schedule": dict, "classes": list}
    sections = [value for key, value in settings.items() if kinds.get(key) is dict and isinstance(value, dict)]
    backend = settings["net"].get("backend") if isinstance(settings["net"], dict) else None
    fine = (
        all(isinstance(settings.get(key), kind) for key, kind in kinds.items())
        and isinstance(backend, dict)
        and backend.keys() == {"class_path", "init_args"}
        and isinstance(backend["class_path"], str)
        and isinstance(backend["init_args"], dict)
    )
    weights = settings.get("class_weights")
    values = list(weights.values()) if isinstance(weights, dict) and not names_class(weights) else [weights]
    values += [value for section in [*sections, settings] for value in section.values() if not isinstance(value, dict)]
    values += list(backend["init_args"].values()) if fine and backend else []
    inner = [one for section in sections for key, one in section.items() if isinstance(one, dict) and key != "backend"]
    if not fine or inner or any(map(names_class, [settings, *sections])) or not all(map(is_flat, values)):
        raise WeightsError(
            f"--ckpt_path {path}: its settings are not plain numbers and words, so it is not opened; "
            "use a checkpoint written by vitcli"
        )


def names_class(section: Mapping[str, Any]) -> bool:
    """Whether a parser would take a section for a class to import."""
    return bool(section.keys() & {"class_path", "init_args", "dict_kwargs"})


def is_flat(value: object) -> bool:
    """Whether a value is a number, a word, none, or one list of such: nothing that a parser would build."""
    if isinstance(value, list):
        return all(is_flat(one) and not isinstance(one, list) for one in value)
    return value is None or isinstance(value, bool | int | float | str)


def _refused(path: Path, reason: str) -> str:
    with path.open("rb") as file:
        is_zip = file.read(4) == b"PK\x03\x04"
    if "Unsupported global" in reason or "Unsupported operand" in reason or "WeightsUnpickler" in reason:
        what = "holds Python objects, not just tensors and plain values; it is not opened, for it could run code"
        do = "use a checkpoint written by vitcli"
    elif is_zip or path.stat().st_size == 0:
        what = f"is cut short or damaged ({path.stat().st_size} bytes)"
        do = "use another checkpoint of the run, such as best.ckpt, or copy the file again"
    else:
        what = "is not a checkpoint (no torch file)"
        do = "name a file that 'vitcli fit' wrote, such as runs/NAME/checkpoints/best.ckpt"
    return f"--ckpt_path {path}: {what}; {do}"
