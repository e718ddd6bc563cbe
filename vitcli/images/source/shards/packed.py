"""The table that ``vitcli pack`` writes beside its shards: bytes and SHA-256 of each, and whether all are written."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, final

from tqdm import tqdm

from vitcli.errors import DataError
from vitcli.images.source.entries import Entry
from vitcli.images.source.ranges import Ranges
from vitcli.images.source.shards.found import TAR
from vitcli.machine.atomic import write_json
from vitcli.machine.bounded_json import from_json
from vitcli.names import extension

NAME = "vitcli-pack.json"
LAYOUT = 1
# that are read at once for a checksum
PART_BYTES = 2**22


class Packed(NamedTuple):
    """A shard that was written.

    Args:
        bytes: Its size.
        images: How many pictures it holds.
        sha256: Of the whole file, in hexadecimal.
        plan: A hash of what it was written from.
    """

    bytes: int
    images: int
    sha256: str
    plan: str


@final
@dataclass
class Packing:
    """What was packed into a folder.

    Args:
        shards: By name.
        is_whole: Whether all of them are there.
    """

    shards: dict[str, Packed] = field(default_factory=dict)
    is_whole: bool = False

    @classmethod
    def of(cls, content: bytes | None) -> Packing | None:
        """What a file says that write has written; None if it is missing, or another program's."""
        try:
            held: Any = from_json(content or b"")
            if held["layout"] != LAYOUT:
                return None
            shards = {
                str(name): Packed(int(of["bytes"]), int(of["images"]), str(of["sha256"]), str(of["plan"]))
                for name, of in held["shards"].items()
            }
            return cls(shards, bool(held["is_whole"]))
        except (ValueError, KeyError, TypeError, AttributeError):
            return None

    def write(self, folder: Path) -> None:
        """Keep it beside the shards.

        Raises:
            OSError: It cannot be written.
        """
        shards = {name: of._asdict() for name, of in self.shards.items()}
        write_json(folder / NAME, asdict(self) | {"layout": LAYOUT, "shards": shards})


def check_packed(ranges: Ranges, entries: Sequence[Entry]) -> None:
    """Check that shards which vitcli has packed are all there, and have the sizes that they had.

    Args:
        ranges: Where they lie.
        entries: The shards that are there.

    Raises:
        DataError: Packing was not finished, or one is missing or of another size.
    """
    packing = Packing.of(ranges.beside(NAME))
    if packing is None:
        return
    if not packing.is_whole:
        raise DataError(
            f"data.root {ranges.root}: vitcli pack has not finished it; give the same command again, which goes on"
        )
    for entry in entries:
        told = packing.shards.get(entry.path)
        if told is not None and told.bytes != entry.size:
            raise DataError(
                f"data.root {ranges.root}: {ranges.where(entry.path)} has {entry.size:,} bytes, and had {told.bytes:,} "
                "when it was packed; copy it again, or pack it again"
            )
    here = {entry.path for entry in entries}
    missing = [name for name in packing.shards if name not in here]
    is_pattern = any(char in ranges.root for char in "*?[{") or extension(ranges.root) == TAR
    if missing and not is_pattern:
        raise DataError(
            f"data.root {ranges.root}: {missing[0]} is missing, of {len(packing.shards):,} that were packed; copy it "
            "again, or name those that are there by a pattern"
        )


def changed(ranges: Ranges, entries: Sequence[Entry]) -> Iterator[tuple[str, str]]:
    """Shards whose bytes are no longer those that were packed, and why; each one is read whole.

    Args:
        ranges: Where they lie.
        entries: The shards.
    """
    packing = Packing.of(ranges.beside(NAME))
    told = {} if packing is None else packing.shards
    known = [entry for entry in entries if entry.path in told]
    total = sum(entry.size for entry in known)
    with tqdm(total=total, desc="checksums", unit="B", unit_scale=True, disable=None, leave=False) as bar:
        for entry in known:
            digest = hashlib.sha256()
            for start in range(0, entry.size, PART_BYTES):
                content = ranges.read(entry.path, start, min(PART_BYTES, entry.size - start))
                digest.update(content)
                bar.update(len(content))
            if digest.hexdigest() != told[entry.path].sha256:
                yield entry.path, f"its SHA-256 is no longer {told[entry.path].sha256[:16]}..., as it was packed"
