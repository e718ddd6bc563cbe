"""Index: the files of a folder, what is known of each, and where that is kept from run to run."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Self, final

import numpy as np
from numpy.typing import NDArray

from vitcli.images.decode import heif
from vitcli.images.index.facts import DIGEST_BYTES, LOOKS_BYTES, UNKNOWN, Facts
from vitcli.images.source.columns import keep_columns, kept_columns
from vitcli.images.source.entries import Entries
from vitcli.images.source.paths import Paths
from vitcli.images.source.source import Source
from vitcli.names import absolute, natural_bytes

# version of the file's layout and of what inspect finds; another one is not read
LAYOUT = 4
COLUMNS: dict[str, Any] = {
    "size": np.int64, "version": np.int64, "height": np.int32, "width": np.int32, "format": np.uint8,
    "verdict": np.uint8, "digest": f"V{DIGEST_BYTES}", "looks": f"V{LOOKS_BYTES}", "low": np.uint8, "high": np.uint8,
    "rank": np.uint64,
}  # fmt: skip


@final
class Index:
    """Files in the order in which they were found, a row each: path, size, version, and what was found in them.

    Args:
        paths: Below the root of their source.
        columns: See COLUMNS.
        order: The rows in natural order.
        left_out: How many entries of the folder are in no row, by reason.
        reasons: Why a row's file is not sound.
        formats: What the numbers of the column format stand for.
        ranked: The seed of the column rank; None before there was one.
    """

    def __init__(
        self,
        paths: Paths,
        columns: dict[str, NDArray[Any]],
        order: NDArray[np.int64],
        left_out: Counter[str],
        reasons: dict[int, str],
        formats: list[str],
        ranked: int | None = None,
    ) -> None:
        self.paths = paths
        self.columns = columns
        self.order = order
        self.left_out = left_out
        self.reasons = reasons
        self.formats = formats
        self.ranked = ranked
        # whether it holds what its file does not
        self.changed = True

    @classmethod
    def of(cls, entries: Entries, left_out: Counter[str] | None = None, known: Self | None = None) -> Self:
        """The index of entries that were just found; what is known of those that have not changed is kept."""
        paths = Paths.of(entries.paths)
        size = np.array(entries.sizes, dtype=np.int64)
        version = np.array(entries.versions, dtype=np.int64)
        if known is not None and known._is_of(paths, size, version):
            known.left_out = left_out or Counter()
            return known
        columns: dict[str, NDArray[Any]] = {name: np.zeros(len(paths), dtype=kind) for name, kind in COLUMNS.items()}
        columns |= {"size": size, "version": version}
        names = entries.paths
        order = np.array(sorted(range(len(names)), key=lambda row: natural_bytes(names[row])), dtype=np.int64)
        index = cls(paths, columns, order, left_out or Counter(), {}, known.formats if known is not None else [])
        if known is not None:
            index._take_over(known, names)
        return index

    def __len__(self) -> int:
        return len(self.paths)

    def _is_of(self, paths: Paths, size: NDArray[np.int64], version: NDArray[np.int64]) -> bool:
        return (
            self.paths.joined == paths.joined
            and np.array_equal(self.paths.ends, paths.ends)
            and np.array_equal(self.columns["size"], size)
            and np.array_equal(self.columns["version"], version)
        )

    def _take_over(self, known: Index, names: Sequence[str]) -> None:
        rows = {path: row for row, path in enumerate(known.paths)}
        pairs = [(new, old) for new, path in enumerate(names) if (old := rows.get(path)) is not None]
        if not pairs:
            return
        new, old = np.array(pairs, dtype=np.int64).T
        same = np.ones(len(new), dtype=bool)
        for name in ("size", "version"):
            same &= self.columns[name][new] == known.columns[name][old]
        new, old = new[same], old[same]
        for name, column in self.columns.items():
            column[new] = known.columns[name][old]
        self.reasons = {int(a): known.reasons[int(b)] for a, b in zip(new, old, strict=True) if int(b) in known.reasons}

    @property
    def unknown(self) -> NDArray[np.int64]:
        """Rows whose files have not been looked at, in natural order."""
        rows: NDArray[np.int64] = self.order[self.columns["verdict"][self.order] == UNKNOWN]
        return rows

    def note(self, row: int, facts: Facts) -> None:
        """Keep what was found in a row's file."""
        if facts.format not in self.formats:
            self.formats.append(facts.format)
        columns = self.columns
        self.changed = True
        columns["verdict"][row] = facts.verdict
        columns["height"][row], columns["width"][row] = facts.height, facts.width
        columns["format"][row] = self.formats.index(facts.format)
        columns["digest"][row] = np.void(facts.digest)
        columns["looks"][row] = np.void(facts.looks)
        columns["low"][row], columns["high"][row] = facts.low, facts.high
        if facts.reason:
            self.reasons[row] = facts.reason

    def facts(self, row: int) -> Facts:
        """What was found in a row's file."""
        columns = self.columns
        return Facts(
            int(columns["verdict"][row]),
            self.reasons.get(row, ""),
            int(columns["height"][row]),
            int(columns["width"][row]),
            self.formats[int(columns["format"][row])] if self.formats else "",
            columns["digest"][row].tobytes(),
            columns["looks"][row].tobytes(),
            int(columns["low"][row]),
            int(columns["high"][row]),
        )

    def ranks(self, seed: int) -> NDArray[np.uint64]:
        """A pseudo-random number for each row's path: the first 64 bits of the SHA-256 of seed and path."""
        if self.ranked != seed:
            lots = (hashlib.sha256(f"{seed}:{path}".encode("utf-8", "surrogateescape")) for path in self.paths)
            drawn = (int.from_bytes(lot.digest()[:8], "big") for lot in lots)
            self.columns["rank"] = np.fromiter(drawn, dtype=np.uint64, count=len(self))
            self.ranked, self.changed = seed, True
        return self.columns["rank"]

    def fingerprint(self, rows: NDArray[np.int64]) -> str:
        """A hash of some files' paths, sizes and versions."""
        digest = hashlib.sha256()
        for path in self.paths.take(rows):
            digest.update(os.fsencode(path) + b"\0")
        for name in ("size", "version"):
            digest.update(self.columns[name][rows].tobytes())
        return digest.hexdigest()[:32]

    def save(self, file: Path) -> None:
        """Keep the index in a file, which is replaced once the new one is whole."""
        file.parent.mkdir(parents=True, exist_ok=True)
        about = {
            "left_out": self.left_out,
            "reasons": {str(row): reason for row, reason in self.reasons.items()},
            "formats": self.formats,
            "ranked": self.ranked,
        }
        keep_columns(file, LAYOUT, about, self.paths, {"order": self.order, **self.columns})
        self.changed = False

    def save_if_possible(self, file: Path) -> None:
        """Keep the index, or go on without: it only saves time."""
        with contextlib.suppress(OSError):
            self.save(file)

    @classmethod
    def load(cls, file: Path) -> Self | None:
        """What save has written; None if it is missing, damaged or of another layout."""

        def made(about: dict[str, Any], paths: Paths, held: Mapping[str, NDArray[Any]]) -> Self:
            reasons = {int(row): str(reason) for row, reason in about["reasons"].items()}
            columns = {name: held[name] for name in COLUMNS}
            left_out, formats = Counter(about["left_out"]), list(about["formats"])
            index = cls(paths, columns, held["order"], left_out, reasons, formats, about["ranked"])
            index.changed = False
            return index

        return kept_columns(file, LAYOUT, made)


def scan(source: Source, inside: str, extensions: Collection[str] | None, file: Path | None = None) -> Index:
    """The index of a folder as it is now; what an earlier scan knew of files that have not changed is kept.

    Args:
        source: Where the files lie.
        inside: The folder in it.
        extensions: Lower-case endings to look for; None takes every file.
        file: Where the earlier index may be.

    Raises:
        DataError: A folder cannot be listed.
    """
    found, left_out = source.files(inside, extensions)
    return Index.of(found, left_out, None if file is None else Index.load(file))


def index_file(kept: Path, source: Source, inside: str, max_pixels: int, white: int | None = None) -> Path:
    """Where the index of a folder is kept; another file for all that changes what is found in the same images.

    That is the largest number of pixels, the white of deep pictures, and whether pillow-heif is installed.
    """
    settings = f"{max_pixels}\0{white}\0{heif.is_installed()}"
    name = "\0".join([type(source).__name__, absolute(source.root), inside, settings, *source.named])
    return kept / f"index-{hashlib.sha256(os.fsencode(name)).hexdigest()[:16]}.npz"
