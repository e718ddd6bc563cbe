"""Evaluations as JSON and back: metrics.json, with its schema version; numbers that have no value are null."""

from __future__ import annotations

import dataclasses
import math
from types import NoneType, UnionType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from vitcli.errors import DataError
from vitcli.evaluate.evaluation import SCHEMA_VERSION, Evaluation

Dataclass = TypeVar("Dataclass")


def to_json(evaluation: Evaluation) -> dict[str, Any]:
    """An evaluation as what json.dump writes."""
    return {"schema_version": SCHEMA_VERSION, **plain(evaluation)}


def from_json(content: dict[str, Any]) -> Evaluation:
    """The evaluation that ``to_json`` has been given.

    Raises:
        DataError: It is of another schema.
    """
    if content.get("schema_version") != SCHEMA_VERSION:
        raise DataError(
            f"schema_version {content.get('schema_version')}: this vitcli reads {SCHEMA_VERSION}; evaluate once more"
        )
    return revived(Evaluation, content)


def plain(value: Any) -> Any:
    """Dataclasses as dictionaries, tuples as lists, NaN and infinity as None; anything else as it is."""
    if dataclasses.is_dataclass(value):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {str(key): plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [plain(entry) for entry in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def revived(kind: type[Dataclass], content: dict[str, Any]) -> Dataclass:
    """A dataclass of what ``plain`` made of it; a field that is not there keeps its default."""
    hints = get_type_hints(kind)
    told = {field.name for field in dataclasses.fields(kind) if field.name in content}  # type: ignore[arg-type]
    return kind(**{name: _value(hints[name], content[name]) for name in told})


def _value(hint: Any, content: Any) -> Any:
    if get_origin(hint) is UnionType:
        if content is None:
            return None
        (hint,) = (kind for kind in get_args(hint) if kind is not NoneType)
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return revived(hint, content)
    arguments = get_args(hint)
    if get_origin(hint) is tuple:
        kinds = arguments[:1] * len(content) if arguments[-1] is Ellipsis else arguments
        return tuple(_value(kind, entry) for kind, entry in zip(kinds, content, strict=True))
    if get_origin(hint) is dict:
        return {arguments[0](key): _value(arguments[1], entry) for key, entry in content.items()}
    return float("nan" if content is None else content) if hint is float else content
