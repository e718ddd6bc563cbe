"""``vitcli pack``: images and their labels as tar shards that WebDataset reads too, with checksums; it resumes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from jsonargparse import ArgumentParser
from numpy.typing import NDArray

from vitcli.cli.exit import DONE, ended
from vitcli.cli.idle import refuse_unused
from vitcli.cli.parser_errors import known
from vitcli.cli.verbs.layout import parsed
from vitcli.data import ImageData, UnlabelledData
from vitcli.data.layouts.labelled import LabelledFiles
from vitcli.errors import ConfigError, DataError
from vitcli.images.division.class_names import check_class_names
from vitcli.images.division.splits import Pool
from vitcli.images.source.entries import Entry
from vitcli.images.source.shards.pack import pack
from vitcli.images.source.shards.packed import NAME
from vitcli.images.source.shards.plan import Planned, keys_of, planned
from vitcli.images.source.shards.shards import Shards
from vitcli.images.source.source import Source
from vitcli.images.source.walk import IMAGE_EXTENSIONS
from vitcli.names import at_home, counted, existing_above, extension, is_url, natural_order, printable

SIZE = re.compile(r"([0-9]+(?:[.][0-9]+)?) *([kMGT]?)B?", re.IGNORECASE)
UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}
SMALLEST = 10**4


def run(verb: str, words: Sequence[str]) -> int:
    """Do the packing.

    Args:
        verb: pack.
        words: The words after it.

    Returns:
        Exit code: 0 all shards are there, 2 a mistake of the user's, told in one line.
    """
    stopped = "stopped; whole shards are kept, and the same command goes on"
    return ended(verb, lambda: _pack(words), known=known, stopped=stopped)


def _pack(words: Sequence[str]) -> int:
    config = parsed("pack", words, _parser())
    if not config.out:
        raise ConfigError("--out is missing: name the folder of the shards")
    if is_url(config.out):
        raise ConfigError(
            f"--out {config.out}: is no folder on a disk; pack there, and copy it with the store's own tool"
        )
    data: ImageData = config.data
    out, most_bytes = Path(at_home(config.out)), bytes_of(config.size)
    _check_place(config.out, out, _root(data))
    pools = _pools(data)
    refuse_unused(words, data.unused)
    names = [name for pool in pools.values() for name in pool.rows if name]
    classes = sorted(set(names), key=natural_order)
    check_class_names(classes, f"data.root {_root(data)}")
    shards = list(_planned(pools, classes, data.quarantined, most_bytes))
    if not shards:
        raise DataError(f"data.root {_root(data)}: no images in it; nothing is packed")
    source: Source = data.source  # type: ignore[attr-defined]
    written = pack(shards, out, source.read, classes, source.ahead)
    # goes through them once, so that whoever trains on them need not
    found = len(Shards(str(out)).paths)
    wanted = sum(len(shard.pictures) for shard in shards)
    if found != wanted:
        raise RuntimeError(f"{found} of {wanted} pictures are found in {out}")
    lost = ["groups are not packed"] if isinstance(data, LabelledFiles) and data.groups is not None else []
    lines = [
        *data.notices,
        *lost,
        f"{out}: {counted(wanted, 'image')} in {counted(len(shards), 'shard')}, {_told(pools)}",
    ]
    lines.append(f"written: {written} of {len(shards)}; checksums: {out / NAME}")
    print("\n".join(map(printable, lines)))
    return DONE


def _check_place(typed: str, out: Path, root: str) -> None:
    """Check that the shards will lie in a folder, and not among the images, where they would be taken for a class.

    Raises:
        ConfigError: They would not.
    """
    above = out if out.exists() else existing_above(out)
    if not above.is_dir():
        raise ConfigError(f"--out {typed}: {above} is a file, and no folder; name another")
    if Path(root).is_dir() and out.resolve().is_relative_to(Path(root).resolve()):
        raise ConfigError(f"--out {typed}: lies in data.root {root}; name a folder beside it")


def _pools(data: ImageData) -> Mapping[str, Pool]:
    """The images as they lie: ``all``, or those of each split by its name."""
    if isinstance(data, UnlabelledData):
        listing = data.listing("predict")
        assert listing.index is not None
        assert listing.rows is not None
        endings = np.array([extension(path) in IMAGE_EXTENSIONS for path in listing.paths], dtype=bool)
        return {"all": Pool(listing.index, {"": listing.rows[endings]})}
    if not isinstance(data, LabelledFiles):
        raise ConfigError(f"--data {type(data).__name__}: there are no files to pack")
    return data.read_pools()


def _planned(
    pools: Mapping[str, Pool], classes: Sequence[str], quarantined: frozenset[str], most_bytes: int
) -> Iterator[Planned]:
    places = {name: number for number, name in enumerate(classes)}
    rows = {part: _ordered(part, pool) for part, pool in pools.items()}
    keys = keys_of([path for part, pool in pools.items() for path in pool.index.paths.take(rows[part])])
    for part, pool in pools.items():
        numbers: dict[str, int] = {}
        for name, members in pool.rows.items():
            if name:
                numbers |= dict.fromkeys(pool.index.paths.take(members), places[name])
        size, version = (pool.index.columns[column][rows[part]].tolist() for column in ("size", "version"))
        entries = map(Entry, pool.index.paths.take(rows[part]), size, version)
        kept = (entry for entry in entries if entry.path not in quarantined)
        yield from planned("" if part == "all" else f"{part}-", kept, keys, numbers, most_bytes)


def _ordered(part: str, pool: Pool) -> NDArray[np.int64]:
    """Rows of what is trained on by a hash, so that the classes are mixed; of all else in natural order."""
    inside = np.zeros(len(pool.index), dtype=bool)
    inside[pool.all_rows] = True
    rows: NDArray[np.int64] = pool.index.order[inside[pool.index.order]]
    if part in ("all", "train") and set(pool.rows) != {""}:
        rows = rows[np.argsort(pool.index.ranks(0)[rows], kind="stable")]
    return rows


def bytes_of(text: str) -> int:
    """The bytes of a size such as 256MB; k, M, G and T are powers of 1,000.

    Raises:
        ConfigError: It is no size, or below 10 kB.
    """
    match = SIZE.fullmatch(text.strip())
    size = int(float(match[1]) * UNITS[match[2].lower()]) if match else 0
    if size < SMALLEST:
        raise ConfigError(f"--size {text}: is no size of at least 10 kB; give one such as 256MB")
    return size


def _root(data: ImageData) -> str:
    return str(getattr(data, "root", ""))


def _told(pools: Mapping[str, Pool]) -> str:
    return ", ".join(f"{part} {len(pool):,}" for part, pool in pools.items())


def _parser() -> ArgumentParser:
    parser = ArgumentParser(prog="vitcli pack", exit_on_error=False, allow_abbrev=False)
    parser.add_argument("--out", type=str | None, help="Folder of the shards.")
    parser.add_argument("--size", type=str, default="256MB", help="Most bytes of a shard, such as 256MB or 1GB.")
    parser.add_subclass_arguments(ImageData, "data")
    return parser
