"""Labels of rows: a column of numbers or texts as the names of classes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vitcli.errors import DataError
from vitcli.images.source.tables.columns import Labels
from vitcli.images.source.tables.table import Table
from vitcli.machine.arrow import filled

NONE = -1
# what datasets writes where a class is not known
UNKNOWN = -1


def texts_of(table: Table, column: str) -> tuple[NDArray[np.int64], list[Any]]:
    """A column of numbers or texts: the place of each row's value among the different ones, NONE where it has none.

    Raises:
        DataError: The table is cut off or damaged.
    """
    from pyarrow import chunked_array, types

    arrays = list(table.column(column))
    kind = table.schema.field(column).type
    whole = chunked_array(arrays, type=kind)
    if types.is_dictionary(kind):
        whole = whole.cast(kind.value_type)
    encoded = whole.dictionary_encode().unify_dictionaries().combine_chunks()
    if not len(whole):
        return np.zeros(0, dtype=np.int64), []
    return filled(encoded.indices, np.int64(NONE)), encoded.dictionary.to_pylist()


def labels_of(table: Table, labels: Labels, names: Mapping[int, str]) -> tuple[NDArray[np.int64], list[str]]:
    """The labels of a table's rows: the place of each among the names of classes, NONE where it has none.

    Args:
        table: The table.
        labels: Its column.
        names: Of the classes by their numbers, where the schema names none.

    Raises:
        DataError: A number has no name, or the table is damaged.
    """
    codes, values = texts_of(table, labels.column)
    known = dict(enumerate(labels.names)) or names
    found: list[str] = []
    places = np.full(len(values) + 1, NONE, dtype=np.int64)
    for place, value in enumerate(values):
        name = str(value).strip() if isinstance(value, str) or not known else _name(value, known)
        if name is None:
            row = int(np.flatnonzero(codes == place)[0])
            raise DataError(
                f"data.label_column {labels.column}: row {row} of {table.where} has the label {value}, and there are "
                f"{len(known)} names of classes; correct it"
            )
        if name:
            places[place] = len(found)
            found.append(name)
    return places[codes], found


def _name(value: int, known: Mapping[int, str]) -> str | None:
    """The name of a number; empty where it says that the class is not known, None where there is none."""
    return known.get(value, "" if value == UNKNOWN else None)
