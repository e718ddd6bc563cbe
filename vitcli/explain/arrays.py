"""maps.npz: the numbers of all maps, written to disk as they come, and zipped at the end."""

from __future__ import annotations

import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any, final

import numpy as np
from numpy.lib import format as npy

from vitcli.explain.explained import Explained
from vitcli.machine.atomic import replacing

# of a zip that holds the same arrays, the same bytes
EPOCH = (1980, 1, 1, 0, 0, 0)
BLOCK = 1 << 20


@final
class Arrays:
    """Arrays that ``numpy.load`` opens: of each method one, float32 (images, rows, columns), NaN where there is no map.

    ``layers``, where it is wanted, is float32 (images, layers, heads, rows, columns); ``path``, ``predicted`` and
    ``explained`` are texts (images,), in the order of the table. Memory does not grow with their number.

    Args:
        folder: Receives files without a name while the arrays are written, which are gone after any end.
        shapes: Of one image, by the name of its array.
        count: How many images there will be.
    """

    def __init__(self, folder: Path, shapes: Mapping[str, tuple[int, ...]], count: int) -> None:
        self._count = count
        self._shapes = shapes
        with ExitStack() as opened:
            self._files: dict[str, IO[bytes]] = {
                name: opened.enter_context(tempfile.TemporaryFile(dir=folder)) for name in shapes
            }
            self._opened = opened.pop_all()

    def add(self, explained: Explained | None) -> None:
        """Append an image.

        Args:
            explained: Its maps; None for one without.
        """
        for name, shape in self._shapes.items():
            found: Any = None
            if explained is not None:
                found = explained.layers if name == "layers" else explained.maps[name]
            numbers = np.full(shape, np.nan, dtype=np.float32) if found is None else found
            self._files[name].write(np.ascontiguousarray(numbers, dtype="<f4").tobytes())

    def write(self, file: Path, texts: Mapping[str, Sequence[str]]) -> None:
        """Write all of it.

        Args:
            file: The ``.npz``.
            texts: Of each image, by the name of their array.
        """
        with replacing(file) as part, zipfile.ZipFile(part, "w", zipfile.ZIP_STORED) as archive:
            for name, values in texts.items():
                with archive.open(zipfile.ZipInfo(f"{name}.npy", EPOCH), "w") as entry:
                    npy.write_array(entry, np.array(values, dtype=np.str_), allow_pickle=False)
            for name, shape in self._shapes.items():
                with archive.open(zipfile.ZipInfo(f"{name}.npy", EPOCH), "w", force_zip64=True) as entry:
                    header = {"descr": "<f4", "fortran_order": False, "shape": (self._count, *shape)}
                    npy.write_array_header_1_0(entry, header)
                    self._files[name].seek(0)
                    while block := self._files[name].read(BLOCK):
                        entry.write(block)

    def close(self) -> None:
        """Remove the files without a name."""
        self._opened.close()
