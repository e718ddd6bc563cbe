"""build: a net from the plain settings in its checkpoint, each of them validated."""

from __future__ import annotations

import inspect
import math
import types
import typing
import warnings
from collections.abc import Mapping
from functools import partial
from typing import Any

from vitcli.errors import ConfigError
from vitcli.net.backend import Backend, argument_types, arguments, class_path, is_plain
from vitcli.net.size import Size, size_of
from vitcli.net.transformer.linformer import Linformer
from vitcli.net.transformer.vanilla import VanillaTransformer
from vitcli.net.vit import ViT

LARGEST_NUMBER = 2**20
DEEPEST = 10_000
MOST_PARAMETERS = 2**33
# of a net in a file: what is made beside its parameters, of float32, and the pixels of an image
MOST_COMPUTED = 2**26
MOST_PIXELS = 2**27


def build(settings: Mapping[str, Any]) -> ViT:
    """The net that ``ViT.settings`` describes, with fresh weights; nothing is imported because settings say so.

    Args:
        settings: The ViT's constructor arguments as plain values; what is left out keeps its default.

    Raises:
        ConfigError: An unknown key, a value of another type, an absurd size, a backend whose module has not been
            imported, or anything that the ViT itself refuses.
    """
    chosen = _chosen(settings)
    if "backend" in chosen:
        chosen["backend"] = _backend(chosen["backend"])
    with warnings.catch_warnings():
        # whoever rebuilds a net did not choose its k
        warnings.filterwarnings("ignore", message=".*Linformer with k")
        _refuse_giants(chosen)
        return _construct(chosen)


def check_held(settings: Mapping[str, Any], held_bytes: int) -> None:
    """Check, without building it, that settings are of a net whose numbers fit into the file that they stand in.

    Whoever writes a file of 10 kB may claim a net of 30 GB, which would be built before its tensors are missed.

    Args:
        settings: As ``build`` takes them. Of a backend that has not been imported nothing is known, and its share is
            not counted.
        held_bytes: Size of the file.

    Raises:
        ConfigError: They are not, or as ``build`` raises it.
    """
    chosen = _chosen(settings)
    backend = chosen.get("backend")
    path = backend.get("class_path") if isinstance(backend, Mapping) else None
    if backend is None or path is None or str(path).startswith("vitcli.") or _kind(str(path)) is not None:
        chosen["backend"] = partial(VanillaTransformer) if backend is None else _backend(backend)
    else:
        chosen["backend"] = None
    size = _size(chosen)
    if size.layers > DEEPEST or size.pixels > MOST_PIXELS or size.computed > MOST_COMPUTED:
        raise ConfigError(f"model.net: {size.pixels:,} pixels and {size.layers:,} layers; absurdly large")
    # a byte for each, though a number takes two at least
    if size.kept > held_bytes:
        raise ConfigError(
            f"model.net: {size.kept:.1e} parameters by its settings, and the file holds {held_bytes:,} bytes"
        )


def _construct(chosen: Mapping[str, Any]) -> ViT:
    try:
        return ViT(**chosen)
    except (RuntimeError, TypeError, OverflowError, MemoryError) as error:
        reason = " ".join(str(error).split())[:200]
        raise ConfigError(f"model.net: these settings make no net: {reason}") from error


def _chosen(settings: Mapping[str, Any]) -> dict[str, Any]:
    _expect_mapping("model.net", settings)
    return _checked("model.net", settings, inspect.signature(ViT).parameters, typing.get_type_hints(ViT.__init__))


def _refuse_giants(chosen: Mapping[str, Any]) -> None:
    # counted by hand: torch takes seconds to warm up its meta device, and without it giants are first allocated
    parameters = _size(chosen).kept
    if parameters > MOST_PARAMETERS:
        raise ConfigError(f"model.net: {parameters:.1e} parameters; more than {MOST_PARAMETERS:.1e} are not built")


def _size(chosen: Mapping[str, Any]) -> Size:
    net = _completed(inspect.signature(ViT).bind_partial(**chosen))
    backend = chosen.get("backend", partial(VanillaTransformer))
    if backend is None or backend.func not in (VanillaTransformer, Linformer):
        return size_of(net, None)
    own = {name: each.default for name, each in arguments(backend.func).items()} | backend.keywords
    return size_of(net, own)


def _completed(call: inspect.BoundArguments) -> dict[str, Any]:
    call.apply_defaults()
    return call.arguments


def _backend(settings: Any) -> partial[Backend]:
    key = "model.net.backend"
    _expect_mapping(key, settings)
    unknown = [str(name) for name in settings if name not in ("class_path", "init_args")]
    path = settings.get("class_path")
    if unknown or not isinstance(path, str):
        held = ", ".join(map(str, settings))[:100] or "nothing"
        raise ConfigError(f"{key}: must hold class_path (a word) and init_args, but holds {held}")
    kind = _kind(path)
    if kind is None:
        here = ", ".join(class_path(kind) for kind in _imported())
        raise ConfigError(f"{key} {path[:100]}: no such backend here; import its module first, or choose from {here}")
    init_args = settings.get("init_args", {})
    _expect_mapping(f"{key}.init_args", init_args)
    return partial(kind, **_checked(key, init_args, arguments(kind), argument_types(kind)))


def _kind(path: str) -> type[Backend] | None:
    return next((kind for kind in reversed(_imported()) if path in (class_path(kind), _full_path(kind))), None)


def _imported() -> list[type[Backend]]:
    found: list[type[Backend]] = []
    waiting = Backend.__subclasses__()
    while waiting:
        kind = waiting.pop(0)
        waiting.extend(kind.__subclasses__())
        if not inspect.isabstract(kind):
            found.append(kind)
    return found


def _full_path(kind: type[Backend]) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


def _checked(
    key: str, settings: Mapping[str, Any], accepted: Mapping[str, Any], hints: Mapping[str, Any]
) -> dict[str, Any]:
    chosen = {}
    for name, value in settings.items():
        if name not in accepted:
            raise ConfigError(f"{key}: knows no setting {str(name)[:100]!r}; it has {', '.join(accepted)}")
        if name == "backend" and key == "model.net":
            chosen[name] = value
            continue
        if not is_plain(value) or not _fits(value, hints.get(name, Any)):
            raise ConfigError(f"{key}.{name} {str(value)[:100]}: must be {_said(hints.get(name, Any))}")
        if not _is_modest(value) or (name == "depth" and value > DEEPEST):
            raise ConfigError(f"{key}.{name} {str(value)[:100]}: absurdly large")
        chosen[name] = tuple(value) if isinstance(value, list) else value
    return chosen


def _fits(value: Any, hint: Any) -> bool:
    """Whether a plain value is of a type; hints beyond plain types let every plain value pass."""
    origin, parts = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return any(_fits(value, part) for part in parts)
    if origin is typing.Literal:
        return type(value) is str and value in parts
    if origin is tuple and Ellipsis not in parts:
        return isinstance(value, list) and len(value) == len(parts) and all(map(_fits, value, parts))
    if origin is tuple:
        return isinstance(value, list) and len(value) > 0 and all(_fits(each, parts[0]) for each in value)
    if hint is float:
        return type(value) is int or (type(value) is float and math.isfinite(value))
    if hint in (int, bool, str, type(None)):
        return value is None if hint is type(None) else type(value) is hint
    return True


def _is_modest(value: Any) -> bool:
    if isinstance(value, list):
        return len(value) <= DEEPEST and all(_is_modest(part) for part in value)
    if isinstance(value, str):
        return len(value) <= DEEPEST
    return value is None or abs(value) <= LARGEST_NUMBER


def _said(hint: Any) -> str:
    return hint.__name__ if isinstance(hint, type) else str(hint).replace("typing.", "")


def _expect_mapping(key: str, value: Any) -> None:
    if not isinstance(value, Mapping):
        raise ConfigError(f"{key}: must be a mapping of settings, not a {type(value).__name__}")
