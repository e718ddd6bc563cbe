"""RemoteRanges: ranges of the objects of a store, from the local disk, from what was fetched ahead, or anew."""

from __future__ import annotations

import fnmatch
import hashlib
import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple, final

from vitcli.errors import DataError, DeniedError, StoreError
from vitcli.images.source.braces import spelled_braces
from vitcli.images.source.entries import Entry
from vitcli.images.source.ranges import Ranges
from vitcli.images.source.remote.address import WEB, Address
from vitcli.images.source.remote.ahead import Ahead
from vitcli.images.source.remote.kept import Kept
from vitcli.images.source.remote.options import REMOTE, Remote
from vitcli.images.source.remote.store import Store
from vitcli.images.source.remote.stored import Stored

# A request of so many bytes takes longer than the wait for it on most lines, and what of it is not wanted now will be.
BLOCK_BYTES = 2**22
# what is fetched ahead and has no place on the disk, in each process
AHEAD_BYTES = 2**28
MOST_BESIDE = 2**26
PATTERN = "*?[{"


class Piece(NamedTuple):
    """Bytes that are fetched in one request: the name of their object, the first one, and how many."""

    name: str
    start: int
    size: int


@final
class RemoteRanges(Ranges):
    """Objects below an address, or those that a pattern names, or one alone.

    Where all of them fit into the cache on the local disk, blocks are fetched, so that each byte is asked for once, in
    few requests. Where they do not, exactly what is read is.

    Args:
        root: Such as ``s3://photos/train``, ``s3://shards/{000..012}.tar`` or ``s3://photos/train.zip``.
        remote: Cache, requests at once, retries and time-outs.
        alone: Whether the root is an object itself.

    Raises:
        DataError: It is no address of a store that is known, or holds a password.
    """

    block_bytes = BLOCK_BYTES

    def __init__(self, root: str, remote: Remote = REMOTE, *, alone: bool = False) -> None:
        super().__init__(root)
        self.remote = remote
        # the object, if it is one alone
        self.object = Address.of(root) if alone else None
        folder, self._patterns = ("", []) if alone else _divided(root)
        self.address = Address.of(folder) if self.object is None else self.object.above
        self.store = Store(self.address._replace(root=root), remote)
        self.kept = Kept(remote.folder, _hash(self.address.place)[:16], remote.most_bytes, 2 * remote.timeout_seconds)
        self._objects: dict[str, Stored] = {}
        self._in_blocks = False
        self._ahead: tuple[int, Ahead[Piece]] | None = None

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "_ahead": None}

    def names(self) -> list[Entry]:
        """The objects that are there now.

        Raises:
            StoreError: There is no such bucket or object, or the store refuses.
        """
        found = self._found()
        self._objects = {name: one for name, one in found.items() if one.size >= 0}
        self._try_ranges()
        total = sum(one.size for one in self._objects.values())
        self._in_blocks = bool(self.remote.most_bytes) and self.kept.room.fits(total)
        return [Entry(name, one.size, one.version) for name, one in self._objects.items()]

    def _try_ranges(self) -> None:
        """Find out from the smallest object whether a web server knows of ranges, before large ones are asked for."""
        several = [(one.size, name) for name, one in self._objects.items() if one.size > 1]
        if self.address.scheme in WEB and several:
            with suppress(FileNotFoundError):
                self._from_store(self._objects[min(several)[1]], Piece(min(several)[1], 0, 1))

    def _found(self) -> dict[str, Stored]:
        if self.object is not None:
            listed = self.store.facts([self.object.place + self.object.query])
            if not listed:
                raise StoreError(f"data.root {self.root}: no such bucket, folder or object; check the address")
            return {self.object.name: listed[0]}
        named = {self.address.path(one.place): one for one in self.store.listed()}
        found = {path: one for path, one in named.items() if path}
        if not found and named:
            raise DataError(
                f"data.root {self.root}: is an object, not a folder; name the folder that holds the images, or a zip "
                "or tar of it"
            )
        if self._patterns:
            whole = {pattern for pattern in self._patterns if not set(pattern) & set(PATTERN)}
            globs = [pattern.split("/") for pattern in self._patterns if pattern not in whole]
            found = {path: one for path, one in found.items() if path in whole or _matches(path.split("/"), globs)}
            if not found:
                raise DataError(f"data.root {self.root}: matches nothing; check the pattern")
        return found

    def read(self, name: str, start: int, size: int) -> bytes:
        """Exactly so many bytes of an object.

        Raises:
            FileNotFoundError: It is not there.
            StoreError: The store refuses, or has failed after all retries.
        """
        one = self._object(name)
        if start + size > one.size:
            raise EOFError(f"ends at byte {one.size:,}")
        parts = [self._part(piece, start, start + size) for piece in self._pieces(one, name, start, size)]
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def ahead(self, wanted: Sequence[tuple[str, int, int]]) -> None:
        """Fetch what will be read soon."""
        pieces = {
            piece: None
            for name, start, size in wanted
            if (one := self._objects.get(name)) is not None
            for piece in self._pieces(one, name, start, size)
        }
        # waking a thread for each of those on the disk would take much longer than to look for it
        missing = [piece for piece in pieces if not ((key := self._key(piece)) and self.kept.has(key))]
        self._fetcher().want(missing)

    def beside(self, name: str) -> bytes | None:
        """A small object in the folder of the root."""
        place = self.address.inside(name)
        try:
            found = self.store.facts([place])
        except DeniedError:
            # a store that lists nothing says so of what is not there; if all is denied, the root will tell
            return None
        if not found or not 0 <= found[0].size <= MOST_BESIDE:
            return None
        return self.store.read(place, 0, found[0].size, found[0].size, name)

    def folder(self) -> Path | None:
        """None: they are on no disk."""
        return None

    def where(self, name: str = "") -> str:
        """The address of an object."""
        start = self.address.root.rstrip("/")
        return f"{start}/{name}" if name else start

    def _object(self, name: str) -> Stored:
        one = self._objects.get(name)
        if one is None:
            raise FileNotFoundError("no such object in the store")
        return one

    def _pieces(self, one: Stored, name: str, start: int, size: int) -> Iterator[Piece]:
        """What is fetched for a range."""
        if not self.store.has_ranges:
            yield Piece(name, 0, one.size)
        elif not self._in_blocks:
            yield Piece(name, start, size)
        else:
            for block in range(start // BLOCK_BYTES * BLOCK_BYTES, start + max(size, 1), BLOCK_BYTES):
                yield Piece(name, block, min(BLOCK_BYTES, one.size - block))

    def _part(self, piece: Piece, start: int, end: int) -> bytes:
        """What of a piece lies in a range."""
        begin, stop = max(0, start - piece.start), min(piece.size, end - piece.start)
        key = self._key(piece)
        content = self._kept(key, piece, begin, stop)
        if content is not None:
            return content
        whole = self._fetcher().take(piece)
        if whole is None:
            content = self._kept(key, piece, begin, stop)
            if content is not None:
                return content
            whole = self._fetched(piece)[0]
        return whole if stop - begin == piece.size else whole[begin:stop]

    def _kept(self, key: str, piece: Piece, begin: int, stop: int) -> bytes | None:
        return self.kept.get(key, piece.size, begin, stop - begin) if key else None

    def _fetched(self, piece: Piece) -> tuple[bytes, bool]:
        """A piece from the store, and whether the disk keeps it now; of several processes, one fetches it."""
        one, key = self._object(piece.name), self._key(piece)
        if not key:
            return self._from_store(one, piece), False
        with self.kept.alone(key):
            content = self.kept.get(key, piece.size)
            if content is not None:
                return content, True
            content = self._from_store(one, piece)
            is_kept = self.kept.put(key, content)
        if not is_kept:
            # blocks of which most is thrown away would be fetched again and again
            self._in_blocks = False
        return content, is_kept

    def _from_store(self, one: Stored, piece: Piece) -> bytes:
        try:
            return self.store.read(one.place, piece.start, piece.size, one.size, piece.name)
        except StoreError:
            now = self.store.facts([one.place])
            if now and now[0][1:] != one[1:]:
                raise StoreError(
                    f"data.root {self.root}: {piece.name} was changed since it was listed; start again, and it is "
                    "looked at anew"
                ) from None
            raise

    def _fetch_ahead(self, piece: Piece) -> bytes | None:
        key = self._key(piece)
        if key and self.kept.has(key):
            return None
        content, is_kept = self._fetched(piece)
        return None if is_kept else content

    def _fetcher(self) -> Ahead[Piece]:
        """The threads of this process: those of one that it was forked from are not here."""
        held = self._ahead
        if held is None or held[0] != os.getpid():
            held = self._ahead = os.getpid(), Ahead(self._fetch_ahead, self.remote.requests, AHEAD_BYTES)
        return held[1]

    def _key(self, piece: Piece) -> str:
        """Under which a piece is kept on the disk; empty where nothing would tell that the object has changed."""
        one = self._object(piece.name)
        if not one.version or not self.remote.most_bytes:
            return ""
        return _hash(f"{one.place}\0{one.version}\0{one.size}\0{piece.start}\0{piece.size}")


def is_remote_pattern(root: str) -> bool:
    """Whether an address is a pattern: a question mark in one of a web server begins its query."""
    return bool(set(root) & (set(PATTERN) - set("?[") if Address.of(root).scheme in WEB else set(PATTERN)))


def _hash(text: str) -> str:
    return hashlib.blake2b(text.encode("utf-8", "surrogateescape"), digest_size=20).hexdigest()


def _divided(root: str) -> tuple[str, list[str]]:
    """The folder of a root, and the patterns of what is meant below it; none where it is no pattern."""
    if not is_remote_pattern(root):
        return root, []
    scheme, _, rest = root.partition("://")
    parts = rest.split("/")
    first = next(place for place, part in enumerate(parts) if set(part) & set(PATTERN))
    folder = f"{scheme}://{'/'.join(parts[:first])}"
    return folder, spelled_braces("/".join(parts[first:]))


def _matches(path: Sequence[str], patterns: Sequence[Sequence[str]]) -> bool:
    return any(len(pattern) == len(path) and all(map(fnmatch.fnmatchcase, path, pattern)) for pattern in patterns)
