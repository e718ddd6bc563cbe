"""A pyarrow column as a numpy array, without pandas, which pyarrow's own way imports for a third of a second."""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

Number = TypeVar("Number", bound=np.number[Any])


def filled(column: Any, nothing: Number) -> NDArray[Number]:
    """The numbers of a column, a copy, with one in place of those that are missing.

    Args:
        column: A pyarrow Array or ChunkedArray of numbers, of any type.
        nothing: That one, of the type of the result.
    """
    from pyarrow import Array, from_numpy_dtype, py_buffer
    from pyarrow.compute import coalesce

    kind = from_numpy_dtype(nothing.dtype)
    instead = Array.from_buffers(kind, len(column), [None, py_buffer(np.full(len(column), nothing))])
    found = coalesce(column.cast(kind), instead)
    return np.array(np.from_dlpack(found if isinstance(found, Array) else found.combine_chunks()))
