"""Leaks: images of val or test whose very file, or another of whose group, lies in train too."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

import numpy as np
from numpy.typing import NDArray

from vitcli.images.division.groups import Groups
from vitcli.images.division.splits import Pool
from vitcli.images.index.facts import SOUND, SUSPICIOUS
from vitcli.images.index.index import Index
from vitcli.names import counted, printable, quoted

Found = list[tuple[str, str]]


def told_leaks(
    parts: Mapping[str, Pool],
    groups: Groups | None,
    left_out: Collection[str],
    look: Callable[[Index, NDArray[np.int64]], None],
    root: str,
) -> list[str]:
    """Lines on which images, and which groups, lie in train and in val or test too.

    Args:
        parts: Images of train, val and test.
        groups: Of the images, if there are some.
        left_out: Paths that are used in no split.
        look: Looks at the files of some rows of an index.
        root: Where they lie, for the command that tells more.
    """
    found: dict[str, dict[str, Found]] = {"file": {}, "group": {}}
    train = parts.get("train")
    if train is None:
        return []
    for split in ("val", "test"):
        if (pool := parts.get(split)) is None:
            continue
        if pool.index is train.index:
            # divided by us; a folder for test is looked at when it is scored
            look(pool.index, pool.all_rows)
        found["file"][split] = leaks(train, pool, left_out)
        found["group"][split] = leaking_groups(train, pool, groups, left_out)
    return [_told(what, pairs, root) for what, pairs in found.items() if any(pairs.values())]


def _told(what: str, found: Mapping[str, Found], root: str) -> str:
    said = " and ".join(counted(len(pairs), f"{split} image") for split, pairs in found.items() if pairs)
    one, other = map(printable, next(pairs[0] for pairs in found.values() if pairs))
    return (
        f"the same {what} in train too: {said}, such as {one} = {other}; scores will be too good "
        f"(see vitcli check {quoted(root)})"
    )


def told_trained(split: str, pool: Pool, trained: Collection[str], left_out: Collection[str]) -> list[str]:
    """A line on the images of a split that a run was trained on, whatever their names, if there are any.

    Args:
        split: Which one is scored.
        pool: Its images; files that were not looked at are not compared.
        trained: Digests of the contents of the training, in hexadecimal.
        left_out: Paths that are not scored.
    """
    rows = _sound(pool)
    scored = zip(_digests(pool.index, rows), pool.index.paths.take(rows), strict=True)
    found = [path for digest, path in scored if digest.hex() in trained and path not in left_out]
    if not found:
        return []
    which = counted(len(found), f"{split} image")
    return [f"the run was trained on {which}, such as {printable(found[0])}; scores will be too good"]


def leaks(train: Pool, other: Pool, left_out: Collection[str] = ()) -> Found:
    """Paths of the images of a split whose content lies in train too, each with the one there.

    Args:
        train: What is trained on; files that were not looked at are not compared.
        other: Val or test.
        left_out: Paths that are used in neither.
    """
    ours, theirs = _sound(train), _sound(other)
    # the first half of a digest sorts as a number, and nearly always decides
    heads = [_heads(train.index, ours), _heads(other.index, theirs)]
    ours, theirs = ours[np.isin(heads[0], heads[1])], theirs[np.isin(heads[1], heads[0])]
    held: dict[bytes, str] = {}
    for digest, path in zip(_digests(train.index, ours), train.index.paths.take(ours), strict=True):
        if path not in left_out:
            held.setdefault(digest, path)
    pairs = zip(_digests(other.index, theirs), other.index.paths.take(theirs), strict=True)
    return [(path, held[digest]) for digest, path in pairs if digest in held and path not in left_out]


def leaking_groups(train: Pool, other: Pool, groups: Groups | None, left_out: Collection[str] = ()) -> Found:
    """Paths of the images of a split whose group lies in train too, each with one of the group there.

    Args:
        train: What is trained on.
        other: Val or test.
        groups: Of the images, if there are some.
        left_out: Paths that are used in neither.
    """
    if groups is None:
        return []
    held: dict[str, str] = {}
    for path in train.index.paths.take(_ordered(train)):
        if path not in left_out and (name := groups.of(path)):
            held.setdefault(name, path)
    paths = (path for path in other.index.paths.take(_ordered(other)) if path not in left_out)
    return [(path, held[groups.of(path)]) for path in paths if groups.of(path) in held]


def _ordered(pool: Pool) -> NDArray[np.int64]:
    """The rows of a pool in natural order."""
    inside = np.zeros(len(pool.index), dtype=bool)
    inside[pool.all_rows] = True
    order: NDArray[np.int64] = pool.index.order[inside[pool.index.order]]
    return order


def _sound(pool: Pool) -> NDArray[np.int64]:
    """The rows of files that are pictures, in natural order."""
    rows = _ordered(pool)
    sound: NDArray[np.int64] = rows[np.isin(pool.index.columns["verdict"][rows], (SOUND, SUSPICIOUS))]
    return sound


def _heads(index: Index, rows: NDArray[np.int64]) -> NDArray[np.uint64]:
    return np.ascontiguousarray(index.columns["digest"][rows]).view(np.uint64)[::2]


def _digests(index: Index, rows: NDArray[np.int64]) -> list[bytes]:
    held: list[bytes] = index.columns["digest"][rows].tolist()
    return held
