"""Backend: the abstract transformer inside the ViT, which any other one derives from."""

from __future__ import annotations

import inspect
import sys
import typing
from abc import ABC, abstractmethod
from typing import Any

from jaxtyping import Float
from torch import Tensor, nn

LATE = ("tokens", "dim")
UNNAMED = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


class Backend(nn.Module, ABC):
    """The transformer inside the ViT: (batch, tokens, dim) -> (batch, tokens, dim).

    The net builds it, as ``backend(tokens, dim)``, so a config states only its own choices. A subclass takes
    ``tokens`` (a number that also knows the prefix and the grid, see Tokens) and ``dim`` first, gives every other
    argument a default, and stores each of those as an attribute of the same name. It has no norm at its end; the ViT
    has one, unless its final_norm is none.
    """

    @abstractmethod
    def forward(self, tokens: Float[Tensor, "batch tokens dim"]) -> Float[Tensor, "batch tokens dim"]:
        """Tokens after attending to each other."""

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
    """A backend's constructor arguments but tokens and dim, those that it hands on as ``**options`` first."""
    parameters = [
        parameter
        for constructor in _constructors(kind)
        for parameter in list(inspect.signature(constructor).parameters.values())[1:]
        if parameter.name not in LATE and parameter.kind not in UNNAMED
    ]
    return {parameter.name: parameter for parameter in parameters}


def argument_types(kind: type[Backend]) -> dict[str, Any]:
    """The types of a backend's constructor arguments."""
    return {
        name: hint for constructor in _constructors(kind) for name, hint in typing.get_type_hints(constructor).items()
    }


def _constructors(kind: type[Backend]) -> list[Any]:
    """A class's constructor behind those of the classes above it to which it hands on ``**options``."""
    found: list[Any] = []
    for above in kind.__mro__:
        if "__init__" in vars(above):
            found.insert(0, vars(above)["__init__"])
            kinds = [parameter.kind for parameter in inspect.signature(found[0]).parameters.values()]
            if inspect.Parameter.VAR_KEYWORD not in kinds:
                break
    return found


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
