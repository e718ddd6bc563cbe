"""Plan: the batches still to come in an epoch, in arrays: a million samples are 8 MB, not a million objects."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, final, overload

import numpy as np
from numpy.typing import NDArray


class Spot(NamedTuple):
    """A sample's place in an epoch.

    Args:
        position: In the listing.
        copy: How often it appeared in this epoch before; each copy is augmented anew.
    """

    position: int
    copy: int = 0


class BatchKey(NamedTuple):
    """What a batch is made from.

    Args:
        epoch: From 0.
        number: Of the batch in its epoch, from 0.
        spots: Its samples.
        ahead: Positions of samples of batches to come, which whoever makes this one will be asked for.
    """

    epoch: int
    number: int
    spots: list[Spot]
    ahead: Sequence[int] = ()


@final
class Order(Sequence[Spot]):
    """The samples of an epoch in their order; each is an object only while it is asked for.

    Args:
        positions: int64 (samples,), in the listing.
        copies: int64 (samples,), how often each appeared before; None where each appears once.
    """

    def __init__(self, positions: NDArray[np.int64], copies: NDArray[np.int64] | None = None) -> None:
        self.positions = positions
        self.copies = copies

    def __len__(self) -> int:
        return len(self.positions)

    @overload
    def __getitem__(self, place: int) -> Spot: ...
    @overload
    def __getitem__(self, place: slice | NDArray[np.int64]) -> Order: ...
    def __getitem__(self, place: Any) -> Any:
        if isinstance(place, slice | np.ndarray):
            return Order(self.positions[place], None if self.copies is None else self.copies[place])
        return Spot(int(self.positions[place]), 0 if self.copies is None else int(self.copies[place]))

    def spots(self) -> list[Spot]:
        """All of them."""
        if self.copies is None:
            return list(map(Spot, self.positions.tolist()))
        return list(map(Spot, self.positions.tolist(), self.copies.tolist()))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and self.spots() == list(other)

    __hash__ = None  # type: ignore[assignment]


@final
class Batched(Sequence[BatchKey]):
    """The batches of an epoch, or those of them that are still to come; each is a key only while it is asked for.

    Args:
        epoch: From 0.
        batches: The samples of each.
        numbers: Of each in its epoch; None counts them from 0.
    """

    def __init__(self, epoch: int, batches: Sequence[Order], numbers: Sequence[int] | None = None) -> None:
        self.epoch = epoch
        self.batches = batches
        self.numbers = range(len(batches)) if numbers is None else numbers

    def __len__(self) -> int:
        return len(self.batches)

    @overload
    def __getitem__(self, place: int) -> BatchKey: ...
    @overload
    def __getitem__(self, place: slice) -> Batched: ...
    def __getitem__(self, place: Any) -> Any:
        if isinstance(place, slice):
            return Batched(self.epoch, self.batches[place], self.numbers[place])
        return BatchKey(self.epoch, self.numbers[place], self.batches[place].spots())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]


def copies_of(positions: NDArray[np.int64]) -> NDArray[np.int64]:
    """How often the sample at each place appeared before it.

    Args:
        positions: int64 (samples,), in their order.
    """
    by_sample = np.argsort(positions, kind="stable")
    same = positions[by_sample]
    firsts = np.flatnonzero(np.concatenate([[True], same[1:] != same[:-1]])[: len(same)])
    counted = np.arange(len(same)) - np.repeat(firsts, np.diff([*firsts, len(same)]))
    copies = np.empty(len(positions), dtype=np.int64)
    copies[by_sample] = counted
    return copies
