"""Undrawn weights: a net whose tensors are loaded next is built without drawing random ones; a second for ViT-B."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_IS_UNDRAWN = ContextVar("undrawn", default=False)


@contextmanager
def undrawn() -> Iterator[None]:
    """Within this, the weights of a new net are zeros instead of random numbers, which take longest to make."""
    token = _IS_UNDRAWN.set(True)
    try:
        yield
    finally:
        _IS_UNDRAWN.reset(token)


def is_undrawn() -> bool:
    """Whether weights are loaded next."""
    return _IS_UNDRAWN.get()
