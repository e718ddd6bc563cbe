"""Backend: what any transformer must be to stand inside the ViT."""

from __future__ import annotations

import inspect
import sys
from abc import ABC, abstractmethod
from typing import Any

from jaxtyping import Float
from torch import Tensor, nn

LATE = ("tokens", "dim")


class Backend(nn.Module, ABC):
    """The transformer inside the ViT: (batch, tokens, dim) -> (batch, tokens, dim).

    It is built late, as ``backend(tokens, dim)``, so a config states only its own choices. A subclass takes
    ``tokens`` (a number that also knows the prefix and the grid, see Tokens) and ``dim`` first, gives every other
    argument a default, and stores each of those as an attribute of the same name. It has no norm at its end; the ViT
    has one, unless its final_norm is none.
    """

    @abstractmethod
    def forward(self, tokens: Float[Tensor, "batch tokens dim"]) -> Float[Tensor, "batch tokens dim"]:
        """Tokens that have seen each other."""

    def settings(self) -> dict[str, Any]:
        """The constructor's arguments but tokens and dim, as plain values; what a checkpoint holds.

        Raises:
            TypeError: A subclass does not store an argument as an attribute of the same name, or it is not plain.
        """
        name = type(self).__name__
        settings = {}
        for argument in arguments(type(self)):
            if argument not in vars(self):
                raise TypeError(
                    f"{name} does not store its argument {argument!r}; set self.{argument} in its __init__, "
                    "so that a checkpoint can rebuild it"
                )
            value = vars(self)[argument]
            value = list(value) if isinstance(value, tuple) else value
            if not is_plain(value):
                raise TypeError(
                    f"{name}.{argument} is a {type(value).__name__}; a checkpoint holds numbers, words and lists"
                )
            settings[argument] = value
        return settings


def arguments(kind: type[Backend]) -> dict[str, inspect.Parameter]:
    """A backend's own constructor arguments: all but self, tokens and dim."""
    parameters = dict(inspect.signature(kind.__init__).parameters)
    return {name: parameter for name, parameter in list(parameters.items())[1:] if name not in LATE}


def class_path(kind: type) -> str:
    """Path a class is imported from, the shortest one: vitcli.net.Linformer, whichever file of the room defines it."""
    parts = kind.__module__.split(".")
    for length in range(1, len(parts)):
        module = ".".join(parts[:length])
        if getattr(sys.modules.get(module), kind.__qualname__, None) is kind:
            return f"{module}.{kind.__qualname__}"
    return f"{kind.__module__}.{kind.__qualname__}"


def is_plain(value: Any) -> bool:
    """Whether a value is a number, a word, none, or a list of such."""
    if isinstance(value, list):
        return all(is_plain(part) for part in value)
    return value is None or type(value) in (bool, int, float, str)
