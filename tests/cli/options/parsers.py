"""Options of every verb, as its real parser has them, with those of each class that --data and the backend may be."""

from __future__ import annotations

import argparse
import importlib
import inspect
from collections.abc import Iterator
from functools import cache

import pytest
from jsonargparse import ArgumentParser

from vitcli.cli.trainer.cli import Cli
from vitcli.cli.trainer.imports import OPTION
from vitcli.cli.usage import VERBS
from vitcli.data import ImageData
from vitcli.net import Backend

# what is chosen by the name of a class of ours, and what that class is told by the net alone
CLASSES: dict[str, tuple[type, frozenset[str]]] = {
    "data": (ImageData, frozenset()),
    "model.net.backend": (Backend, frozenset(("tokens", "dim"))),
}
# of jsonargparse: settings that hold others, and those that follow from another one and cannot be typed
NO_SETTINGS = ("_ActionConfigLoad", "ActionLink")


class Grabbed(Exception):  # noqa: N818 -- it is no error
    """The parser, before anything is parsed by it."""

    def __init__(self, parser: argparse.ArgumentParser) -> None:
        super().__init__()
        self.parser = parser


def grab(self: Cli, parser: argparse.ArgumentParser, args: object) -> None:
    raise Grabbed(parser)


def parser_of(verb: str) -> argparse.ArgumentParser | None:
    """The parser of a verb; None for one that takes words alone."""
    if not VERBS[verb].trains:
        make = getattr(importlib.import_module(VERBS[verb].module), "_parser", None)
        return None if make is None else make()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Cli, "parse_arguments", grab)
        with pytest.raises(Grabbed) as grabbed:
            Cli(verb, ["--help-all"])
    return grabbed.value.parser


@cache
def options_of(verb: str) -> frozenset[str]:
    """The options of a verb, without their dashes."""
    parser = parser_of(verb)
    if parser is None:
        return frozenset()
    found = set(named(parser))
    for key, (base, late) in CLASSES.items():
        if key in found:
            found |= {name for kind in concrete(base) for name in of_class(kind, key, late)}
    return frozenset(found | ({OPTION.lstrip("-")} if VERBS[verb].trains else set()))


@cache
def classes_of(verb: str, option: str) -> tuple[str, ...]:
    """The classes of --data that have an option, where it is one of theirs."""
    if not option.startswith("data.") or "data" not in options_of(verb):
        return ()
    return tuple(kind.__name__ for kind in concrete(ImageData) if option in of_class(kind, "data", frozenset()))


def named(parser: argparse.ArgumentParser) -> Iterator[str]:
    for action in parser._actions:
        if action.option_strings and type(action).__name__ not in NO_SETTINGS:
            name = max(action.option_strings, key=len).strip("-+")
            # the options of a class, to be printed
            if not name.endswith("help"):
                yield name


@cache
def of_class(kind: type, key: str, late: frozenset[str]) -> list[str]:
    parser = ArgumentParser(exit_on_error=False)
    parser.add_class_arguments(kind, key, skip=set(late))
    return list(named(parser))


def concrete(base: type) -> Iterator[type]:
    kinds: list[type] = base.__subclasses__()
    for kind in kinds:
        if not inspect.isabstract(kind) and kind.__module__.startswith("vitcli."):
            yield kind
        yield from concrete(kind)
