"""What a checkpoint or a weights file says of itself, checked: plain numbers and words, few enough, of a net that fits.

A stranger's file is read as data (``weights_only``); what it says then goes into a parser that would import a class
path, and into constructors that would take any size. So neither sees it before it is checked here.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from torch import Tensor

from vitcli.net.settings import check_held

KINDS = {"net": dict, "preprocess": dict, "optimizer": dict, "schedule": dict, "classes": list}
# what training goes on with, where it is there
STATES = {"optimizer_states": list, "lr_schedulers": list, "loops": dict, "callbacks": dict}
LARGEST = 2**63
MOST_VALUES = 300_000
MOST_LETTERS = 8_000_000


def check_contract(content: Mapping[str, Any], held_bytes: int) -> str:
    """Why the content of a checkpoint cannot be used; empty if it can.

    Args:
        content: Of the file, tensors and plain values.
        held_bytes: Size of the file.

    Raises:
        ConfigError: Its settings make no net that such a file can hold.
    """
    settings = content["hyper_parameters"]
    if not _has_plain_settings(settings):
        return "its settings are not plain numbers and words"
    tensors = content.get("state_dict")
    if not isinstance(tensors, dict) or not all(
        isinstance(name, str) and isinstance(tensor, Tensor) for name, tensor in tensors.items()
    ):
        return "it holds no tensors under names"
    for key in ("epoch", "global_step"):
        if type(content.get(key)) is not int or not 0 <= content[key] < LARGEST:
            return f"its {key} is no number"
    for key, kind in STATES.items():
        if not isinstance(content.get(key, kind()), kind):
            return f"its {key} are something else"
    inner = [content.get("callbacks", {}), *content.get("loops", {}).values()]
    if not all(isinstance(one, dict) and all(isinstance(state, dict) for state in one.values()) for one in inner):
        return "its loops or callbacks are something else"
    for schedule in content.get("lr_schedulers", []):
        if not isinstance(schedule, dict) or type(schedule.get("last_epoch")) is not int:
            return "its lr_schedulers are something else"
    if not isinstance(content.get("metrics_rows"), int | None):
        return "its metrics_rows are no number"
    check_held(settings["net"], held_bytes)
    return ""


def _has_plain_settings(settings: Any) -> bool:
    """Whether all is plain, and a class path stands in one place only: that of the backend."""
    if not isinstance(settings, dict) or not all(isinstance(settings.get(key), kind) for key, kind in KINDS.items()):
        return False
    backend = settings["net"].get("backend")
    if not isinstance(backend, dict) or backend.keys() != {"class_path", "init_args"}:
        return False
    weights = settings.get("class_weights")
    sections = {key: settings[key] for key, kind in KINDS.items() if kind is dict}
    if isinstance(weights, dict):
        sections["class_weights"] = weights
    sections["net.backend"] = backend["init_args"]
    if not isinstance(backend["init_args"], dict) or not isinstance(backend["class_path"], str):
        return False
    values: list[Any] = [backend["class_path"]]
    for above, section in (("", settings), *sections.items()):
        # a name that begins with _ would be Lightning's, such as _instantiator
        if names_class(section) or not all(isinstance(key, str) and key[:1] != "_" for key in section):
            return False
        values += section
        # what is a section of its own; by its place, for a stranger may put it into others too
        values += [value for key, value in section.items() if f"{above}.{key}".lstrip(".") not in sections]
    return _is_short(values) and all(map(is_flat, values))


def names_class(section: Mapping[str, Any]) -> bool:
    """Whether a parser would take a section for a class to import."""
    return bool(section.keys() & {"class_path", "init_args", "dict_kwargs"})


def is_flat(value: object) -> bool:
    """Whether a value is a number, a word, none, or one list of such: nothing that a parser would build."""
    return all(map(_is_one, value)) if isinstance(value, list) else _is_one(value)


def _is_one(value: object) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    # of a word, bytes that are no UTF-8 are half surrogates; nothing could be written of a longer number
    return value is None or isinstance(value, bool | str) or (isinstance(value, int) and abs(value) < LARGEST)


def _is_short(values: Iterable[Any]) -> bool:
    letters = count = 0
    for value in values:
        several = value if isinstance(value, list) else [value]
        count += len(several)
        if count > MOST_VALUES:
            return False
        letters += sum(len(one) for one in several if isinstance(one, str))
        if letters > MOST_LETTERS:
            return False
    return True
