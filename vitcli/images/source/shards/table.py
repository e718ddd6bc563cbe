"""Table of shards, in columns: each picture's path, its place in its shard, and its labels; kept in a file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, final

import numpy as np
from numpy.typing import NDArray

from vitcli.images.source.columns import keep_columns, kept_columns
from vitcli.images.source.entries import Entry
from vitcli.images.source.paths import Paths
from vitcli.images.source.rows import hashed

# version of the file's layout, and of what is found in a shard; another one is not read
LAYOUT = 1
# where a label may stand beside a picture
KINDS = ("cls", "json", "txt")
NONE = -1


class Shard(NamedTuple):
    """A shard, and what of it is in no row.

    Args:
        name: Below the root.
        size: In bytes.
        version: Changes with its content.
        rows: How many pictures it holds.
        left_out: How many members, by reason.
    """

    name: str
    size: int
    version: int
    rows: int
    left_out: dict[str, int]


@final
@dataclass
class Table:
    """Pictures of some shards, one shard behind another, a row each.

    Args:
        shards: In their order.
        paths: Of each picture in its shard.
        starts: int64 (rows,), where its content begins in the shard.
        sizes: int64 (rows,), in bytes.
        hashes: uint64 (rows,), of the path.
        codes: int32 (kinds, rows), the place of each label among the words, NONE where there is none; see KINDS.
        words: Labels, each once.
    """

    shards: list[Shard]
    paths: Paths
    starts: NDArray[np.int64]
    sizes: NDArray[np.int64]
    hashes: NDArray[np.uint64]
    codes: NDArray[np.int32]
    words: list[str]

    def __len__(self) -> int:
        return len(self.starts)

    @classmethod
    def of(
        cls,
        entry: Entry,
        left_out: dict[str, int],
        paths: Sequence[str],
        starts: Sequence[int],
        sizes: Sequence[int],
        labels: Sequence[Sequence[str | None]],
    ) -> Table:
        """The table of one shard.

        Args:
            entry: The shard.
            left_out: How many members are no picture, by reason.
            paths: Of the pictures.
            starts: Where they begin.
            sizes: In bytes.
            labels: For each kind, the label of each picture.
        """
        places = {word: place for place, word in enumerate(dict.fromkeys(w for kind in labels for w in kind if w))}
        codes = [[NONE if word is None else places[word] for word in kind] for kind in labels]
        return cls(
            [Shard(entry.path, entry.size, entry.version, len(paths), left_out)],
            Paths.of(paths),
            np.array(starts, dtype=np.int64),
            np.array(sizes, dtype=np.int64),
            hashed(paths),
            np.array(codes, dtype=np.int32).reshape(len(KINDS), len(paths)),
            list(places),
        )

    @property
    def firsts(self) -> NDArray[np.int64]:
        """The first row of each shard, and behind the last one the number of rows."""
        return np.cumsum([0, *(shard.rows for shard in self.shards)], dtype=np.int64)

    def apart(self) -> dict[str, Table]:
        """The table of each shard by itself, by name."""
        firsts = self.firsts.tolist()
        return {
            shard.name: self._cut(shard, first, end)
            for shard, first, end in zip(self.shards, firsts, firsts[1:], strict=False)
        }

    def _cut(self, shard: Shard, first: int, end: int) -> Table:
        begin = int(self.paths.ends[first - 1]) if first else 0
        ends = self.paths.ends[first:end] - begin
        joined = self.paths.joined[begin : begin + (int(ends[-1]) if len(ends) else 0)]
        codes = self.codes[:, first:end]
        used, places = np.unique(codes, return_inverse=True)
        words = [self.words[code] for code in used.tolist() if code != NONE]
        shift = 1 if len(used) and used[0] == NONE else 0
        return Table(
            [shard],
            Paths(joined, ends),
            self.starts[first:end],
            self.sizes[first:end],
            self.hashes[first:end],
            (places.reshape(codes.shape) - shift).astype(np.int32),
            words,
        )

    @classmethod
    def together(cls, tables: Sequence[Table]) -> Table:
        """The tables of several shards as one."""
        places: dict[str, int] = {}
        codes, ends, begin = [], [], 0
        for table in tables:
            known = [places.setdefault(word, len(places)) for word in table.words]
            codes.append(np.array([*known, NONE], dtype=np.int32)[table.codes])
            ends.append(table.paths.ends + begin)
            begin += len(table.paths.joined)
        nothing = np.zeros((len(KINDS), 0), dtype=np.int32)
        return cls(
            [shard for table in tables for shard in table.shards],
            Paths(b"".join(table.paths.joined for table in tables), _joined(ends, np.int64)),
            _joined((table.starts for table in tables), np.int64),
            _joined((table.sizes for table in tables), np.int64),
            _joined((table.hashes for table in tables), np.uint64),
            np.concatenate([nothing, *codes], axis=1),
            list(places),
        )

    def save(self, file: Path, field: str) -> None:
        """Keep the table in a file, which is there as a whole or not at all.

        Args:
            file: An ``.npz``.
            field: By which labels were looked for in JSON.

        Raises:
            OSError: It cannot be written.
        """
        about = {"field": field, "shards": self.shards, "words": self.words}
        columns: dict[str, NDArray[Any]] = {
            "starts": self.starts,
            "sizes": self.sizes,
            "hashes": self.hashes,
            "codes": self.codes,
        }
        keep_columns(file, LAYOUT, about, self.paths, columns)

    @classmethod
    def load(cls, file: Path, field: str) -> Table | None:
        """What save has kept; None if it is missing, damaged, or of another layout or field."""

        def made(about: dict[str, Any], paths: Paths, held: Mapping[str, NDArray[Any]]) -> Table | None:
            if about["field"] != field:
                return None
            shards = [Shard(*shard) for shard in about["shards"]]
            columns: dict[str, Any] = {name: held[name] for name in ("starts", "sizes", "hashes", "codes")}
            table = cls(shards, paths, words=about["words"], **columns)
            return table if table._is_sound() else None

        return kept_columns(file, LAYOUT, made)

    def _is_sound(self) -> bool:
        rows = int(self.firsts[-1])
        shapes = [self.paths.ends.shape, self.starts.shape, self.sizes.shape, self.hashes.shape, self.codes.shape[1:]]
        if any(shape != (rows,) for shape in shapes) or len(self.codes) != len(KINDS):
            return False
        return not rows or (
            int(self.paths.ends[-1]) == len(self.paths.joined)
            and bool((np.diff(self.paths.ends) >= 0).all())
            and int(self.codes.min()) >= NONE
            and int(self.codes.max()) < len(self.words)
        )


def _joined(parts: Iterable[NDArray[Any]], kind: Any) -> NDArray[Any]:
    return np.concatenate([np.zeros(0, dtype=kind), *parts])
