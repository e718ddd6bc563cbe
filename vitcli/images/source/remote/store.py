"""Store: an object store through fsspec: objects listed, and ranges of them read, with retries and time-outs."""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, TypeVar, final

from vitcli.errors import DeniedError, StoreError, UserError
from vitcli.images.source.remote.address import WEB, Address
from vitcli.images.source.remote.filesystem import opened
from vitcli.images.source.remote.options import Remote
from vitcli.images.source.remote.refused import Kind, kind_of, told
from vitcli.images.source.remote.stored import Stored, stored
from vitcli.images.source.remote.web import linked_files

Result = TypeVar("Result")

# before the first retry; each waits for twice as long as the one before, and for no longer than the last
FIRST_WAIT_SECONDS, LAST_WAIT_SECONDS = 0.2, 8.0
# so often a refusal is asked about again: keys that have expired are then read anew from the environment
REFUSALS = 2
# a slow line is no stall
SLOWEST_BYTES_A_SECOND = 100_000


@final
class Store:
    """The objects of one store, by whichever library fsspec has for its scheme; it is opened anew in each process.

    Credentials are none of ours: the library takes them from its own environment.

    Args:
        address: Of the root, for its scheme and for messages.
        remote: Requests at once, retries and time-outs.
    """

    def __init__(self, address: Address, remote: Remote) -> None:
        self.address = address
        self.remote = remote
        # whether ranges can be read; some servers send the whole object, whatever is asked for
        self.has_ranges = True
        self._opened: tuple[int, Any] | None = None
        # not the global state, on which the numbers of a training may depend
        self._random = random.SystemRandom()

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "_opened": None}

    def __setstate__(self, state: dict[str, object]) -> None:
        self.__dict__.update(state)

    def listed(self) -> list[Stored]:
        """All objects below the root; the root itself, if it is one.

        Raises:
            StoreError: There is no such bucket, or it cannot be listed.
        """
        if self.address.scheme in WEB:
            return self._linked()
        found: dict[str, dict[str, Any]] = self._asked("", lambda fs: fs.find(self.address.place, detail=True))
        if not found:
            raise StoreError(told(Kind.MISSING, FileNotFoundError(), self.address))
        return [
            stored(place, facts)
            for place, facts in found.items()
            # some stores have empty objects in the place of folders
            if facts.get("type", "file") == "file" and not place.endswith("/")
        ]

    def _linked(self) -> list[Stored]:
        files = linked_files(self.address.place, lambda page: self._asked("", lambda fs: fs.ls(page, detail=False)))
        if not files:
            raise StoreError(
                f"data.root {self.address.root}: the server lists no files there; name an archive (.zip, .tar) or a "
                "table, or a store that can be listed"
            )
        return self.facts(files)

    def facts(self, places: Sequence[str]) -> list[Stored]:
        """The size and version of objects, several asked for at once; those that are not there are left out.

        Raises:
            StoreError: The store refuses, or has failed after all retries.
        """

        def ask(place: str) -> Stored | None:
            with suppress(FileNotFoundError):
                return stored(place, self._asked(self._path(place), lambda fs: fs.info(place), is_object=True))
            return None

        if len(places) == 1:
            found = [ask(places[0])]
        else:
            with ThreadPoolExecutor(self.remote.requests, thread_name_prefix="facts") as pool:
                found = list(pool.map(ask, places))
        return [one for one in found if one is not None]

    def _path(self, place: str) -> str:
        return self.address.path(place) or ""

    def read(self, place: str, start: int, size: int, whole: int, what: str) -> bytes:
        """Exactly so many bytes of an object.

        Args:
            place: As fsspec names it.
            start: The first byte.
            size: How many.
            whole: How many the object has.
            what: Its path below the root, for messages.

        Raises:
            FileNotFoundError: It is not there.
            StoreError: The store refuses, or has failed after all retries.
        """
        if size <= 0:
            return b""
        limit = self.remote.timeout_seconds + size / SLOWEST_BYTES_A_SECOND

        def take(fs: Any) -> bytes:
            ends = start + size
            if fs.async_impl:
                content = _within(limit, fs, fs._cat_file(place, start=start, end=ends))
            else:
                content = fs.cat_file(place, start=start, end=ends)
            if len(content) == whole > size:
                self.has_ranges = False
                content = content[start:ends]
            if len(content) != size:
                raise EOFError(f"{len(content):,} bytes of {size:,} came")
            return bytes(content)

        return self._asked(what, take, is_object=True)

    def _asked(self, what: str, do: Callable[[Any], Result], *, is_object: bool = False) -> Result:
        """What the store answers; what has failed is asked for again.

        Args:
            what: The object, for messages.
            do: Asks.
            is_object: Whether a single object may be missing, which is for the caller to say.
        """
        tried = refused = 0
        while True:
            fs = self._fs()
            try:
                return do(fs)
            except UserError:
                raise
            except Exception as error:
                kind = kind_of(error)
                if kind is Kind.MISSING and is_object:
                    raise FileNotFoundError("no such object in the store") from error
                tried += 1
                refused += kind is Kind.DENIED
                if kind in (Kind.MISSING, Kind.NOBODY) or refused > REFUSALS or tried > self.remote.retries:
                    refusal = DeniedError if kind is Kind.DENIED else StoreError
                    raise refusal(told(kind, error, self.address, what)) from error
                if kind is Kind.DENIED:
                    self._opened = os.getpid(), opened(self.address, self.remote, fs)
            self._wait(tried)

    def _wait(self, tried: int) -> None:
        """Wait before the next try, for a time that differs by process, so that they do not all come back at once."""
        most = min(LAST_WAIT_SECONDS, FIRST_WAIT_SECONDS * 2 ** (tried - 1))
        time.sleep(self._random.uniform(most / 2, most))

    def _fs(self) -> Any:
        """The store as this process has opened it: connections are not shared with one that was forked from it."""
        held = self._opened
        if held is None or held[0] != os.getpid():
            held = self._opened = os.getpid(), opened(self.address, self.remote)
        return held[1]


def _within(seconds: float, fs: Any, asked: Coroutine[Any, Any, Result]) -> Result:
    """What a coroutine of a file system returns; it is cancelled if that takes too long.

    Raises:
        TimeoutError: It takes longer.
    """
    waiting = asyncio.run_coroutine_threadsafe(asyncio.wait_for(asked, seconds), fs.loop)
    try:
        return waiting.result()
    finally:
        waiting.cancel()
