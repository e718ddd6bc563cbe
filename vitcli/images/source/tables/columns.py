"""Columns: which of a table hold images, labels and groups, and the class names that ``datasets`` has in its schema."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, final

from vitcli.errors import DataError
from vitcli.images.source.tables.table import Table
from vitcli.machine.bounded_json import from_json
from vitcli.names import first_of

IMAGES = ("image", "img", "picture", "photo", "jpg", "png", "bytes")
LABELS = ("label", "labels", "class", "category", "target", "cls")
# where the package datasets keeps the kinds of its columns
HUGGING_FACE = b"huggingface"
BYTES, PATH = "bytes", "path"


@final
@dataclass(frozen=True)
class Images:
    """The column of images.

    Args:
        column: Its name.
        child: The field with the bytes, where it is a struct.
        has_paths: Whether the struct has a path beside them.
    """

    column: str
    child: str | None = None
    has_paths: bool = False


@final
@dataclass(frozen=True)
class Labels:
    """The column of labels.

    Args:
        column: Its name.
        names: Of the classes, by the numbers in the column; empty where the schema names none.
    """

    column: str
    names: tuple[str, ...] = ()


def find_images(table: Table, said: str | None) -> Images:
    """The column of images: the one that is said, or the only one, or of several the one that is called so.

    Args:
        table: The table.
        said: data.image_column.

    Raises:
        DataError: There is none, or it is not clear which one it is.
    """
    features = features_of(table.schema)
    if said is not None:
        _check_there(table, "image_column", said)
        if (found := _images(table.schema.field(said))) is None:
            raise DataError(
                f"data.image_column {said}: is {_kind(table, said)} in {table.where}; images are the bytes of their "
                f"files, or a struct of {BYTES} and {PATH}{_said_to_be(features, said)}"
            )
        return found
    held = {field.name: found for field in table.schema if (found := _images(field)) is not None}
    of_images = [name for name in held if features.get(name, {}).get("_type") == "Image"] or list(held)
    name = _one(of_images, IMAGES)
    if name is None and of_images:
        raise DataError(
            f"data.root {table.where}: {_several(of_images)} may be the images; name one: data.image_column"
        )
    if name is None:
        raise DataError(
            f"data.root {table.where}: no column of images (bytes, or a struct of {BYTES} and {PATH}) among "
            f"{_listed(table)}; a table of paths is read by ManifestData"
        )
    return held[name]


def find_labels(table: Table, said: str | None, *, needed: bool) -> Labels | None:
    """The column of labels: the one that is said, or the one of classes, or the one that is called so.

    Args:
        table: The table.
        said: data.label_column.
        needed: Whether there has to be one.

    Raises:
        DataError: There is none and has to be one, it is not clear which one it is, or it holds something else.
    """
    features = features_of(table.schema)
    if said is not None:
        _check_there(table, "label_column", said)
        name: str | None = said
    else:
        of_classes = [name for name in table.schema.names if features.get(name, {}).get("_type") == "ClassLabel"]
        called = [name for name in LABELS if name in table.schema.names]
        name = _one(of_classes, LABELS) if of_classes else next(iter(called), None)
        if name is None and of_classes and needed:
            raise DataError(
                f"data.root {table.where}: {_several(of_classes)} may be the labels; name one: data.label_column"
            )
    if name is None:
        if needed:
            raise DataError(
                f"data.root {table.where}: no column of labels among {_listed(table)}; name one: data.label_column"
            )
        return None
    if not _is_label(table.schema.field(name).type):
        raise DataError(
            f"data.label_column {name}: is {_kind(table, name)} in {table.where}; labels are whole numbers or text"
        )
    names = features.get(name, {}).get("names")
    known = names if isinstance(names, list) and all(isinstance(each, str) for each in names) else []
    return Labels(name, tuple(known))


def find_group(table: Table, said: str, usual: str) -> str | None:
    """The column of groups, if there is one.

    Args:
        table: The table.
        said: data.group_column.
        usual: Its default, which need not be there.

    Raises:
        DataError: It was named, and is not there or holds something else.
    """
    if said == usual and said not in table.schema.names:
        return None
    _check_there(table, "group_column", said)
    if not _is_label(table.schema.field(said).type):
        raise DataError(
            f"data.group_column {said}: is {_kind(table, said)} in {table.where}; groups are whole numbers or text"
        )
    return said


def features_of(schema: Any) -> dict[str, dict[str, Any]]:
    """What ``datasets`` says of the columns of a table that it has written; empty for others.

    Args:
        schema: pyarrow's.
    """
    try:
        features = from_json((schema.metadata or {})[HUGGING_FACE])["info"]["features"]
        return {str(name): kind for name, kind in features.items() if isinstance(kind, dict)}
    except (KeyError, TypeError, ValueError, AttributeError):
        return {}


def _images(field: Any) -> Images | None:
    from pyarrow import types

    if types.is_struct(field.type):
        place = field.type.get_field_index(BYTES)
        if place < 0 or not _is_bytes(field.type.field(place).type):
            return None
        return Images(field.name, BYTES, field.type.get_field_index(PATH) >= 0)
    return Images(field.name) if _is_bytes(field.type) else None


def _is_bytes(kind: Any) -> bool:
    from pyarrow import types

    return bool(types.is_binary(kind) or types.is_large_binary(kind) or types.is_binary_view(kind))


def _is_label(kind: Any) -> bool:
    from pyarrow import types

    if types.is_dictionary(kind):
        kind = kind.value_type
    return bool(
        types.is_integer(kind) or types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind)
    )


def _one(names: Sequence[str], usual: Sequence[str]) -> str | None:
    """The only name, or the only one of several that is a usual one."""
    if len(names) == 1:
        return names[0]
    known = [name for name in names if name.lower() in usual]
    return known[0] if len(known) == 1 else None


def _check_there(table: Table, key: str, name: str) -> None:
    if name not in table.schema.names:
        raise DataError(f"data.{key} {name}: no such column in {table.where}; it has {_listed(table)}")


def _said_to_be(features: dict[str, dict[str, Any]], name: str) -> str:
    return f" (datasets calls it {features[name]['_type']})" if "_type" in features.get(name, {}) else ""


def _kind(table: Table, name: str) -> str:
    return str(table.schema.field(name).type)


def _several(names: Sequence[str]) -> str:
    return f"{', '.join(names[:-1])} and {names[-1]}"


def _listed(table: Table) -> str:
    return first_of([f"{field.name} ({field.type})"[:60] for field in table.schema], most=12) or "none"
