"""Stored objects: place, size and version, from what a store tells of each without reading it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, NamedTuple, final

# what changes with an object's content, the best first: checksums, then times
VERSIONS = (
    *("md5Hash", "crc32c", "content_md5", "Content-MD5", "Digest", "sha256", "blob_id", "ETag", "etag", "generation"),
    *("LastModified", "last_modified", "Last-Modified", "updated", "mtime"),
)


@final
class Stored(NamedTuple):
    """An object of a store.

    Args:
        place: As fsspec names it.
        size: In bytes; -1 where the store does not tell.
        version: A number made of its checksum, its ETag or its time of change, below 2**63; 0 where there is none.
    """

    place: str
    size: int
    version: int


def stored(place: str, facts: Mapping[str, Any]) -> Stored:
    """An object as a store describes it.

    Args:
        place: As fsspec names it.
        facts: As fsspec has them.
    """
    size = facts.get("size")
    return Stored(place, int(size) if size is not None else -1, version(facts))


def version(facts: Mapping[str, Any]) -> int:
    """A number below 2**63 that changes with an object's content; 0 if nothing tells.

    Args:
        facts: As fsspec has them: the names differ by store.
    """
    known = {**facts, **_inner(facts, "content_settings"), **_inner(facts, "lfs")}
    for name in VERSIONS:
        if known.get(name):
            told = known[name]
            text = bytes(told).hex() if isinstance(told, bytes | bytearray) else str(told)
            return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big") >> 1
    return 0


def _inner(facts: Mapping[str, Any], name: str) -> dict[str, Any]:
    held = facts.get(name)
    return dict(held) if isinstance(held, Mapping) else dict(getattr(held, "__dict__", {}))
