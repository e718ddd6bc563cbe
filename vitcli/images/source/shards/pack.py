"""Pack pictures into shards: each is there as a whole or not at all, and one that is there is not written again."""

from __future__ import annotations

import contextlib
import hashlib
import io
import itertools
import json
import shutil
import tarfile
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, Any, final

from tqdm import tqdm

from vitcli.errors import ConfigError, DataError
from vitcli.images.decode.picture import UnreadableImage
from vitcli.images.source.shards.found import TAR
from vitcli.images.source.shards.look import PATH_FIELD
from vitcli.images.source.shards.packed import NAME, Packed, Packing
from vitcli.images.source.shards.plan import Picture, Planned
from vitcli.images.source.walk import IMAGE_EXTENSIONS
from vitcli.machine.atomic import replacing, sweep
from vitcli.machine.lock import Lock
from vitcli.machine.threads import cores
from vitcli.names import extension, printable

NAMES = "classes.txt"
# left free on the disk
RESERVE_BYTES = 2**28
# pictures that are read ahead of the one that is written, and lots of as many of which a store is told before
AHEAD, LOTS = 32, 2
# how the bytes of a picture without an ending of one begin
MAGIC = {
    b"\xff\xd8\xff": ".jpg", b"\x89PNG\r\n": ".png", b"GIF8": ".gif", b"BM": ".bmp", b"II*\0": ".tif",
    b"MM\0*": ".tif",
}  # fmt: skip


def pack(
    shards: Sequence[Planned],
    out: Path,
    read: Callable[[str], bytes],
    classes: Sequence[str],
    ahead: Callable[[Sequence[str]], object] | None = None,
) -> int:
    """Write the shards that are not there yet.

    Args:
        shards: All of them.
        out: The folder.
        read: The bytes of a picture, by its path.
        classes: Names of the classes, by their numbers; none where nothing has a label.
        ahead: Is told the paths of pictures that will be read soon, in this order; None where they lie on a disk.

    Returns:
        How many were written.

    Raises:
        ConfigError: The folder holds other tars, is written to by another process or removed, or the disk is too small.
        DataError: A picture cannot be read.
        OSError: The folder cannot be written to.
    """
    out.mkdir(parents=True, exist_ok=True)
    lock = Lock(out / ".vitcli-pack.lock")
    if (holder := lock.take()) is not None:
        raise ConfigError(f"--out {out}: is written to by {holder}; wait for it, or name another folder")
    try:
        return _pack(shards, out, read, classes, ahead)
    except FileNotFoundError as error:
        if out.is_dir():
            raise
        raise ConfigError(f"--out {out}: is gone, removed while it was written to; start again") from error
    finally:
        lock.release()


def _pack(
    shards: Sequence[Planned],
    out: Path,
    read: Callable[[str], bytes],
    classes: Sequence[str],
    ahead: Callable[[Sequence[str]], object] | None,
) -> int:
    sweep(out)
    before = Packing.of(_content(out / NAME))
    here = {file.name for file in out.iterdir() if not file.name.startswith(".")}
    if here and before is None:
        raise ConfigError(f"--out {out}: is not empty, and vitcli pack has not written it; name a new folder")
    known = before.shards if before is not None else {}
    names = {shard.name for shard in shards}
    others = {name for name in here if extension(name) == TAR} - names - known.keys()
    if others:
        raise ConfigError(f"--out {out}: holds {min(others)} too, which is none of its shards; move it away")
    stay = {shard.name: known[shard.name] for shard in shards if _stands(shard, out, known)}
    todo = [shard for shard in shards if shard.name not in stay]
    listed = "".join(f"{name}\n" for name in classes).encode()
    if before is not None and before.is_whole and stay == known and not todo and _content(out / NAMES) == listed:
        return 0
    _check_room(out, todo)
    packing = Packing(stay)
    packing.write(out)
    for name in known.keys() - names:
        (out / name).unlink(missing_ok=True)
    if listed:
        with replacing(out / NAMES) as part:
            part.write_bytes(listed)
    else:
        (out / NAMES).unlink(missing_ok=True)
    pictures = [picture for shard in todo for picture in shard.pictures]
    total = sum(picture.entry.size for picture in pictures)
    bar = tqdm(total=total, desc="packing", unit="B", unit_scale=True, disable=None, leave=False)
    with bar, contextlib.closing(_contents(pictures, read, ahead)) as contents:
        for shard in todo:
            packing.shards[shard.name] = _written(shard, out, contents, bar.update)
            packing.write(out)
    Packing({shard.name: packing.shards[shard.name] for shard in shards}, is_whole=True).write(out)
    return len(todo)


def _content(file: Path) -> bytes:
    with contextlib.suppress(OSError):
        return file.read_bytes()
    return b""


def _stands(shard: Planned, out: Path, known: Mapping[str, Packed]) -> bool:
    """Whether a shard was written from the same pictures, and is there as it was written, by its size."""
    told = known.get(shard.name)
    if told is None or told.plan != shard.plan:
        return False
    with contextlib.suppress(OSError):
        return (out / shard.name).stat().st_size == told.bytes
    return False


def _check_room(out: Path, todo: Sequence[Planned]) -> None:
    wanted = sum(shard.bytes for shard in todo)
    free = shutil.disk_usage(out).free - RESERVE_BYTES
    if wanted > free:
        raise ConfigError(
            f"--out {out}: {wanted / 1e9:,.2f} GB are to be written, and {max(0, free) / 1e9:,.2f} GB are free there "
            f"beside a reserve of {RESERVE_BYTES / 1e9:.2f} GB; make room, or name another disk"
        )


def _written(
    shard: Planned, out: Path, contents: Iterator[tuple[Picture, bytes]], tell: Callable[[int], object]
) -> Packed:
    """Write a shard, which is there once it is whole, of the next pictures."""
    with replacing(out / shard.name) as part, part.open("wb") as stream:
        hashing = _Hashing(stream)
        # pax, which has headers of its own only for long names and for letters beyond ASCII
        with tarfile.open(fileobj=hashing, mode="w|", format=tarfile.PAX_FORMAT) as opened:
            for picture, content in itertools.islice(contents, len(shard.pictures)):
                _add(opened, f"{picture.key}{_ending(picture, content)}", content)
                if picture.number is not None:
                    _add(opened, f"{picture.key}.cls", str(picture.number).encode())
                if picture.is_renamed:
                    told = json.dumps({PATH_FIELD: picture.entry.path}, ensure_ascii=True)
                    _add(opened, f"{picture.key}.json", told.encode())
                tell(picture.entry.size)
        size = hashing.size
    return Packed(size, len(shard.pictures), hashing.digest.hexdigest(), shard.plan)


def _contents(
    pictures: Sequence[Picture], read: Callable[[str], bytes], ahead: Callable[[Sequence[str]], object] | None
) -> Generator[tuple[Picture, bytes]]:
    """The pictures of all shards with their bytes, some of which are read before they are asked for."""

    def one(picture: Picture) -> bytes:
        path = picture.entry.path
        try:
            return read(path)
        except UnreadableImage as error:
            raise DataError(
                f"data.root: {printable(path)} cannot be read ({error}); repair it, or leave it out with a list for "
                "data.quarantine"
            ) from error

    lots = [pictures[start : start + AHEAD] for start in range(0, len(pictures), AHEAD)]

    def tell(lot: Sequence[Picture]) -> None:
        if ahead is not None:
            ahead([picture.entry.path for picture in lot])

    with ThreadPoolExecutor(max(4, cores()), thread_name_prefix="pack") as pool:
        for lot in lots[:LOTS]:
            tell(lot)
        for number, lot in enumerate(lots):
            for coming in lots[number + LOTS : number + LOTS + 1]:
                tell(coming)
            yield from zip(lot, pool.map(one, lot), strict=True)


def _add(opened: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    opened.addfile(member, io.BytesIO(content))


def _ending(picture: Picture, content: bytes) -> str:
    """The ending of a picture's path, or where that says nothing, of its format."""
    path = picture.entry.path
    ending = path[len(path) - len(extension(path)) :]
    if ending.lower() in IMAGE_EXTENSIONS:
        return ending
    found = next((of for magic, of in MAGIC.items() if content.startswith(magic)), "")
    found = found or (".webp" if content[:4] == b"RIFF" and content[8:12] == b"WEBP" else "")
    if not found:
        raise DataError(
            f"data.root: {printable(path)} has no ending of a picture such as .jpg, by which shards tell what a member "
            "is; rename it"
        )
    return found


@final
class _Hashing(io.RawIOBase):
    """A file to write to, whose hash is known in the end."""

    def __init__(self, stream: IO[bytes]) -> None:
        self.stream = stream
        self.digest = hashlib.sha256()
        self.size = 0

    def writable(self) -> bool:
        return True

    def write(self, content: Any) -> int:
        self.digest.update(content)
        self.size += len(content)
        return self.stream.write(content)
