"""The prediction table of an exported net: the same rows as predict's from a checkpoint, which no kill can lose."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, final

import numpy as np
from tqdm import tqdm

from vitcli.answers.asked import Asked
from vitcli.answers.rows import rows_of
from vitcli.images.index.handed import stacked
from vitcli.images.index.listing import Listing
from vitcli.light.batches import Batch, batches
from vitcli.light.model import OnnxModel
from vitcli.names import printable
from vitcli.predictions.images import VERSION, Images, label_of
from vitcli.predictions.options import TableOptions
from vitcli.predictions.unfinished import Unfinished
from vitcli.table.columns import Columns
from vitcli.table.join import Joined
from vitcli.table.journal import Entry
from vitcli.table.row import Row


@final
class LightTable:
    """A table that an exported net is to write.

    Args:
        model: The net.
        listing: The images.
        options: What the table holds, and how the net is asked.
        batch_size: Images that go through the net at once.
        threads: How many decode.
        max_pixels: Larger images are not decoded.
        images: What of the images, beside the files themselves, the rows depend on.
    """

    def __init__(
        self,
        model: OnnxModel,
        listing: Listing,
        options: TableOptions,
        *,
        batch_size: int,
        threads: int,
        max_pixels: int,
        images: Mapping[str, Any],
    ) -> None:
        self.model = model
        self.listing = listing
        self.options = options
        self.batch_size = batch_size
        self.threads = threads
        self.max_pixels = max_pixels
        self.classes = model.contract.classes
        self.columns: Columns = options.columns(self.classes)
        self.asked: Asked = options.asked("predict")
        self._images = images

    def depends(self, table: Path) -> dict[str, Any]:
        """What the rows depend on, in plain values, under names that a message can use.

        Args:
            table: Where they go.
        """
        on = {
            "version of vitcli": VERSION,
            "version of onnxruntime": self.model.runtime,
            "model": self.model.digest,
            **self._images,
            "data.batch_size": self.batch_size,
            **self.options.plan(table, self.classes, "predict"),
        }
        told: dict[str, Any] = json.loads(json.dumps(on))
        return told

    def write(self, table: Path, run: str, tell: Callable[[Sequence[str]], None]) -> Joined:
        """Write the table; rows that an earlier start of the same command has left are taken over.

        Args:
            table: Where it goes.
            run: The folder of the run, absolute; empty without one.
            tell: Is given what the user should know before the first image, a line each.

        Raises:
            ConfigError: Another process is writing it.
            WeightsError: The graph fails.
            OSError: It cannot be written; the rows so far are kept.
        """
        unfinished = Unfinished(table, self.columns, {}, Images(self.listing, self.classes))
        tell(unfinished.look(self.depends(table)))
        left = np.flatnonzero(np.frombuffer(unfinished.kept.done(), dtype=np.uint8) == 0).tolist()
        unfinished.open(0, *unfinished.begin(run))
        with _kept_if_stopped(unfinished):
            bar = tqdm(total=len(self.listing), initial=len(self.listing) - len(left), desc="predict", disable=None)
            with bar:
                read = batches(
                    self.listing, left, self.model.contract.preprocess, self.batch_size, self.threads, self.max_pixels
                )
                for batch in read:
                    unfinished.write(self._entries(batch), {})
                    bar.update(len(batch.positions))
            unfinished.close()
            return unfinished.join(escape_formulas=self.options.escape_formulas)

    def _entries(self, batch: Batch) -> list[Entry]:
        """The rows of a batch, by their positions in the listing."""
        seen = [place for place, one in zip(batch.positions, batch.read, strict=True) if one.pixels is not None]
        pixels = stacked(batch.read, self.model.contract.preprocess.size)
        probabilities = self.model.probabilities(pixels, self.asked.tta)
        said = iter(rows_of(probabilities, self.columns, self.listing.labels[seen], self.asked.threshold))
        found = []
        for position, (known, (height, width), reason) in zip(batch.positions, batch.read, strict=True):
            path, label = self.listing.paths[position], label_of(self.listing, self.classes, position)
            if known is None:
                row = Row(path, label, status="error", error=reason)
            else:
                row = replace(next(said), path=path, label=label, width=width, height=height)
            found.append(Entry(position, known is not None, self.columns.values(row)))
        return found


@contextmanager
def _kept_if_stopped(unfinished: Unfinished) -> Iterator[None]:
    """Keep what was written so far, whatever ends the work."""
    try:
        yield
    except BaseException:
        if unfinished.abandon():
            kept = f"rows so far are kept in {unfinished.work.folder}; the same command goes on with them"
            print(printable(kept), file=sys.stderr, flush=True)
        raise
