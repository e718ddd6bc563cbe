"""Sorting: the images of a finished table, linked or copied into a folder for each predicted class; nothing moved."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

from vitcli.errors import ConfigError, DataError
from vitcli.images.decode.picture import UnreadableImage
from vitcli.images.index.listing import FileOpener, Listing
from vitcli.images.sorting.inside import is_inside
from vitcli.images.sorting.place import PART, By, Places
from vitcli.images.sorting.safe import folder_names
from vitcli.machine.atomic import replacing
from vitcli.names import counted, existing_above
from vitcli.table.columns import writable
from vitcli.table.row import Row
from vitcli.table.rows import read_rows
from vitcli.table.work import differences

UNSURE, UNREADABLE = "unsure", "unreadable"
# in the folder: what the sorting depends on, so that no other one is mixed with it
MARK = ".sorted.json"
# so many classes are counted in a line
TOLD = 8


@final
@dataclass(frozen=True)
class Sorting:
    """Where the images of a table go.

    Args:
        into: The folder; None: nowhere.
        by: link or copy.
        unsure_below: Images of less confidence go into ``unsure``.

    Raises:
        ConfigError: A confidence outside [0, 1].
    """

    into: Path | None
    by: By = "link"
    unsure_below: float | None = None

    def __post_init__(self) -> None:
        if self.unsure_below is not None and not 0 <= self.unsure_below <= 1:
            raise ConfigError(
                f"predictions.unsure_below {self.unsure_below:g}: outside [0, 1]; give a confidence such as 0.8"
            )

    def check(self, roots: Sequence[str], listing: Listing, on: Mapping[str, Any]) -> None:
        """Check that the images can be sorted, before any is predicted.

        Args:
            roots: Where the images are, as named.
            listing: Of them.
            on: What their rows depend on, in plain values.

        Raises:
            ConfigError: They are no files; or the folder lies among them, holds something else, cannot be written, or
                takes no links.
        """
        if self.into is None:
            return
        key = f"predictions.sort_into {self.into}"
        if not isinstance(listing.open, FileOpener):
            raise ConfigError(f"{key}: these images are no files, so there is nothing to sort; leave it out")
        if is_inside(self.into, roots):
            raise ConfigError(
                f"{key}: lies among the images, and would be predicted the next time; name a folder elsewhere"
            )
        if not self.into.exists():
            above = existing_above(self.into)
            if not above.is_dir() or not os.access(above, os.W_OK | os.X_OK):
                raise ConfigError(f"{key}: nothing can be written in {above}; name another place")
        elif not self.into.is_dir() or not os.access(self.into, os.W_OK | os.X_OK):
            raise ConfigError(f"{key}: is no folder in which anything can be written; name another place")
        elif (was := self._mark()) is not None:
            if other := differences(was, self._depends(on)):
                raise ConfigError(f"{key}: holds images sorted with other {', '.join(other)}; name another folder")
        elif any(entry.name != PART for entry in self.into.iterdir()):
            raise ConfigError(f"{key}: is not empty, and nothing in it was sorted by vitcli; name a new folder")

    def sort(self, table: Path, listing: Listing, classes: tuple[str, ...], on: Mapping[str, Any]) -> list[str]:
        """Put each image of a table into its folder; those that are there already stay as they are.

        Args:
            table: Finished.
            listing: Of all images.
            classes: Names of the classes.
            on: What the rows depend on, in plain values.

        Returns:
            What to tell the user, a line each.

        Raises:
            ConfigError: The folder takes no links.
            OSError: A file cannot be written; its file name is the place.
        """
        if self.into is None:
            return []
        opener = listing.open
        assert isinstance(opener, FileOpener)
        self._begin(on)
        names = folder_names(classes, (UNSURE, UNREADABLE))
        places, counts, missing = Places(self.into, self.by), Counter[str](), Counter[str]()
        for path, row in _together(listing, table):
            folder = self._folder(row, names)
            try:
                came = places.put(folder, path, opener.source)
            except (UnreadableImage, FileNotFoundError):
                came = "gone"
            if came == "placed":
                counts[folder] += 1
            else:
                missing[came] += 1
        return self._lines(counts, missing)

    def _folder(self, row: Row, names: Mapping[str, str]) -> str:
        if row.status == "error" or row.confidence is None:
            return UNREADABLE
        if self.unsure_below is not None and row.confidence < self.unsure_below:
            return UNSURE
        return names[row.predicted]

    def _begin(self, on: Mapping[str, Any]) -> None:
        assert self.into is not None
        self.into.mkdir(parents=True, exist_ok=True)
        if self.by == "link":
            probe = self.into / PART
            try:
                probe.unlink(missing_ok=True)
                probe.symlink_to(self.into.absolute())
                probe.unlink()
            except OSError as error:
                raise ConfigError(
                    f"predictions.sort_into {self.into}: takes no links ({error.strerror}); say "
                    "--predictions.sort_by copy"
                ) from error
        if self._mark() is None:
            with replacing(self.into / MARK) as part:
                part.write_text(json.dumps(self._depends(on)) + "\n", encoding="utf-8")

    def _depends(self, on: Mapping[str, Any]) -> dict[str, Any]:
        own = {"predictions.sort_by": self.by, "predictions.unsure_below": self.unsure_below}
        told: dict[str, Any] = json.loads(json.dumps({**on, **own}))
        return told

    def _mark(self) -> dict[str, Any] | None:
        assert self.into is not None
        with suppress(OSError, ValueError):
            told = json.loads((self.into / MARK).read_bytes())
            return told if isinstance(told, dict) else None
        return None

    def _lines(self, counts: Counter[str], missing: Counter[str]) -> list[str]:
        folders = [f"{name} {counts[name]:,}" for name in sorted(counts)]
        told = ", ".join(folders) if len(folders) <= TOLD else f"{len(folders)} folders"
        lines = [f"sorted into {self.into}: {told}"]
        if missing["gone"]:
            lines.append(f"{counted(missing['gone'], 'image')} not sorted: there no longer, or not to be read")
        if missing["taken"]:
            lines.append(
                f"{counted(missing['taken'], 'image')} not sorted: other files have their names in {self.into}, and "
                "stay as they are"
            )
        return lines


def _together(listing: Listing, table: Path) -> Iterator[tuple[str, Row]]:
    """Each row with the path of its image, which a table may have to write in another way.

    Raises:
        DataError: The table is not of this listing.
    """
    paths = iter(listing.paths)
    for row in read_rows(table):
        for path in paths:
            if writable(path) == row.path:
                yield path, row
                break
        else:
            raise DataError(f"{table}: names {row.path}, which is not among the images; predict again")
