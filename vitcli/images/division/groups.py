"""Groups of images that are kept in one split: photos of one animal or patient by path or table, and equal files."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Self, final

import numpy as np
from numpy.typing import NDArray

from vitcli.errors import ConfigError
from vitcli.images.division.splits import Pool
from vitcli.images.index.facts import DIGEST_BYTES, NOTHING
from vitcli.images.index.index import Index
from vitcli.names import printable

EMPTY = hashlib.blake2b(b"", digest_size=DIGEST_BYTES).digest()


@final
@dataclass(frozen=True)
class Groups:
    """The group of each image: those of one group are never in two splits.

    Args:
        setting: What says so and its value, as typed, for messages.
        names: The group of each path; a path without one is a group of its own.
    """

    setting: str
    names: Mapping[str, str]

    @classmethod
    def found_by(cls, pattern: re.Pattern[str], pools: Mapping[str, Pool], folders: Mapping[str, str]) -> Self:
        """The groups that a pattern finds in paths: its group 1, or else the whole match.

        Args:
            pattern: See compiled.
            pools: The images.
            folders: The folder of a pool, below which it searches; where there is none, in the whole path.

        Raises:
            ConfigError: It finds nothing in some of them.
        """
        names, without, example = {}, 0, ""
        for path, searched in _searched(pools, folders):
            match = pattern.search(searched)
            # of alternatives, one may have no group 1
            name = "" if match is None else match[0] if not pattern.groups or match[1] is None else match[1]
            if not name:
                without += 1
                example = example or searched
            names[path] = name
        setting = f"data.group_pattern {pattern.pattern}"
        if without:
            some = f"{without:,} of {len(names):,} paths" if without < len(names) else f"any of {len(names):,} paths"
            remedy = (
                "correct it; |.+ behind it makes each such image a group of its own"
                if without < len(names)
                else "its group 1, or else all that it matches, names the group of an image; correct it"
            )
            raise ConfigError(f"{setting}: finds nothing in {some}, such as '{printable(example)}'; {remedy}")
        return cls(setting, names)

    def __len__(self) -> int:
        """The number of different groups."""
        return len({*self.names.values()} - {""})

    def of(self, path: str) -> str:
        """The group of an image; empty if it has none."""
        return self.names.get(path, "")

    def lot(self, path: str, seed: int) -> float | None:
        """A number of the image's group, uniform in [0, 1), a hash of its name; None if it has none."""
        if not (name := self.of(path)):
            return None
        drawn = hashlib.sha256(f"{seed}:group:{name}".encode("utf-8", "surrogateescape")).digest()
        return int.from_bytes(drawn[:8], "big") / 2**64


def _searched(pools: Mapping[str, Pool], folders: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Every path, and what of it a pattern sees."""
    for part, pool in pools.items():
        start = f"{folders[part]}/" if folders.get(part) else ""
        yield from ((path, path.removeprefix(start)) for path in pool.index.paths.take(pool.all_rows))


def compiled(pattern: str | None) -> re.Pattern[str] | None:
    """A pattern of groups.

    Raises:
        ConfigError: It is no regular expression, or has several groups.
    """
    if pattern is None:
        return None
    try:
        found = re.compile(pattern)
    except re.error as error:
        raise ConfigError(f"data.group_pattern {pattern}: is no regular expression ({error}); correct it") from error
    if found.groups > 1:
        raise ConfigError(
            f"data.group_pattern {pattern}: has {found.groups} groups; give one that names the group of an image, and "
            "write the others (?:...)"
        )
    return found


def kept_together(index: Index, rows: NDArray[np.int64], groups: Groups | None) -> NDArray[np.int64]:
    """The number of each image's group, from 0 on: as its groups say, else equal files are together.

    With groups, equal files may be in several: one blank picture of every patient would make all of them one group.

    Args:
        index: Where the images are; without groups, their contents were looked at.
        rows: Those that are meant.
        groups: Of the images, if there are some.
    """
    if groups is not None:
        named = [groups.of(path) or f"\0{path}" for path in index.paths.take(rows)]
        numbers = {name: number for number, name in enumerate(dict.fromkeys(named))}
        return np.array([numbers[name] for name in named], dtype=np.int64)
    digests = index.columns["digest"][rows]
    alone = np.isin(digests, np.array([NOTHING, EMPTY], dtype=digests.dtype))
    _, numbers_of_content = np.unique(digests, return_inverse=True)
    together = numbers_of_content.astype(np.int64)
    together[alone] = len(rows) + np.arange(int(alone.sum()))
    _, dense = np.unique(together, return_inverse=True)
    return dense.astype(np.int64)
