"""Cache of decoded images: a file of bytes that all processes memory-map, built whole or not at all."""

from __future__ import annotations

import atexit
import hashlib
import json
import os
import shutil
import socket
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Literal

import numpy as np
from tqdm import tqdm

from vitcli.errors import ConfigError
from vitcli.images.cache.copies import Ready, Shrunk, StoredOpener, damaged
from vitcli.images.cache.used import give_up, is_used_here, remove, use
from vitcli.images.decode import heif
from vitcli.images.decode.encoded import strict
from vitcli.images.decode.picture import UnreadableImage
from vitcli.images.decode.pixels import Rgb
from vitcli.images.index.listing import FileOpener, Listing
from vitcli.machine.atomic import sync, told_as
from vitcli.machine.threads import map_some

Cache = Literal["none", "ram", "disk"]

# rises when a copy of the same file would be another
LAYOUT = 4
SHARED_MEMORY = Path("/dev/shm")
CHUNK = 256
# what is left free on the disk or in memory
RESERVE_BYTES = 2**28


def stored(
    listing: Listing, copy: Shrunk | Ready, cache: Cache, *, folder: Path, owner: str, max_pixels: int, threads: int
) -> Listing:
    """The same samples, opened from a store of decoded copies, which is built now unless it exists.

    Args:
        listing: The samples.
        copy: What is kept of each.
        cache: disk keeps the store for the next run, ram until this one ends.
        folder: Where stores on disk lie.
        owner: Whose store it is: another one of the same owner, of the same copies, is out of date and removed, unless
            another process uses it.
        max_pixels: Images of more pixels are not decoded.
        threads: How many pictures are decoded at once.

    Raises:
        ConfigError: Not enough disk space or memory.
    """
    place = folder if cache == "disk" else _memory()
    about = {
        "layout": LAYOUT,
        "owner": owner,
        "copy": repr(copy),
        "max_pixels": max_pixels,
        # what could not be read without it is read with it
        "heif": heif.is_installed(),
        "of": listing.fingerprint(),
    }
    name = "pixels-" + hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()[:24]
    store = place / name
    # before it is looked at: from here on nobody removes it
    use(store)
    if store.is_dir() and (damage := damaged(store, len(listing))):
        print(f"data.cache {cache}: {store}: {damage}; decoding the images again", file=sys.stderr)
        # whoever uses it: what it lacks is not there for them either
        give_up(store)
        shutil.rmtree(store, ignore_errors=True)
    if not (store / "about.json").is_file():
        place.mkdir(parents=True, exist_ok=True)
        _sweep(store, about, cache)
        _check_room(listing, copy, cache, place)
        with told_as(place, _unfinished(store)):
            _build(listing, copy, store, about, max_pixels, threads)
        # another process's, if that was faster
        use(store)
    if cache == "ram":
        # whoever of its users is the last
        atexit.register(_remove_own, store, os.getpid())
    return listing.opened_by(StoredOpener(store, copy))


def _build(
    listing: Listing, copy: Shrunk | Ready, store: Path, about: dict[str, Any], max_pixels: int, threads: int
) -> None:
    unfinished = _unfinished(store)
    unfinished.mkdir()
    sizes = np.zeros((len(listing), 4), dtype=np.int32)
    reasons: dict[str, str] = {}

    def take(position: int) -> tuple[Rgb | None, tuple[int, int], str]:
        try:
            picture = listing.open(position)
            return copy.take(picture), (picture.height, picture.width), ""
        except UnreadableImage as error:
            return None, (0, 0), str(error)

    try:
        bar = tqdm(total=len(listing), desc="decoding once", unit=" images", disable=None, leave=False)
        with (
            (unfinished / "pixels").open("wb") as file,
            ThreadPoolExecutor(threads, thread_name_prefix="store") as pool,
            strict(max_pixels),
            bar,
        ):
            for start in range(0, len(listing), CHUNK):
                chunk = range(start, min(start + CHUNK, len(listing)))
                if isinstance(listing.open, FileOpener):
                    # of the next ones too: a store is asked while these are decoded
                    listing.open.ahead(range(start, min(start + 2 * CHUNK, len(listing))))
                for position, (pixels, size, reason) in zip(chunk, map_some(pool, threads, take, chunk), strict=True):
                    if pixels is None:
                        reasons[str(position)] = reason
                    else:
                        sizes[position] = (*pixels.shape[:2], *size)
                        file.write(pixels.data)
                bar.update(len(chunk))
        np.save(unfinished / "sizes.npy", sizes)
        (unfinished / "about.json").write_text(json.dumps({**about, "reasons": reasons}))
        for part in (*unfinished.iterdir(), unfinished):
            sync(part)
        # not before: whoever closes a file loses the lock on it
        use(store, unfinished)
        try:
            unfinished.rename(store)
        except OSError:
            # another process was faster, and built the same
            give_up(store)
            if not (store / "about.json").is_file():
                raise
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _unfinished(store: Path) -> Path:
    # the name holds host and process, so that what a killed process leaves is recognised
    return store.with_name(f".building-{socket.gethostname()}-{os.getpid()}-{store.name}")


def _check_room(listing: Listing, copy: Shrunk | Ready, cache: Cache, place: Path) -> None:
    needed = sum(3 * height * width for height, width in (copy.size(*size) for size in listing.sizes()))
    free = shutil.disk_usage(place).free - RESERVE_BYTES
    if needed > free:
        smaller = "set data.cache disk, " if cache == "ram" else ""
        raise ConfigError(
            f"data.cache {cache}: needs {needed / 1e9:.1f} GB, but {place} has {max(0, free) / 1e9:.1f} GB free; "
            f"{smaller}set a smaller data.cache_size, or data.cache none"
        )


def _sweep(wanted: Path, about: dict[str, Any], cache: Cache) -> None:
    """Remove what killed processes left, and the owner's other stores, as of pictures that have changed since."""
    place = wanted.parent
    for unfinished in place.glob(f".building-{socket.gethostname()}-*"):
        if not _alive(unfinished.name.removeprefix(f".building-{socket.gethostname()}-").partition("-")[0]):
            shutil.rmtree(unfinished, ignore_errors=True)
    for store in place.glob("pixels-*"):
        if store == wanted:
            # another process was faster
            continue
        try:
            held = json.loads((store / "about.json").read_text())
        except (OSError, ValueError):
            continue
        stale = all(held.get(key) == about[key] for key in ("owner", "copy"))
        # in memory, what nobody uses was left by processes that were killed
        if stale or (cache == "ram" and not is_used_here(store)):
            remove(store)


def _memory() -> Path:
    shared = SHARED_MEMORY if SHARED_MEMORY.is_dir() else Path(tempfile.gettempdir())
    return shared / f"vitcli-{os.getuid()}"


def _alive(pid: str) -> bool:
    try:
        os.kill(int(pid), 0)
    except (ProcessLookupError, ValueError):
        return False
    except PermissionError:
        return True
    return True


def _remove_own(store: Path, pid: int) -> None:
    if os.getpid() == pid:
        remove(store)
