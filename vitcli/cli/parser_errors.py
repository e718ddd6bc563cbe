"""Errors of the parser as one line that names what was typed, and what may have been meant."""

from __future__ import annotations

import difflib
import inspect
import re
from collections.abc import Iterable, Sequence
from typing import Literal, get_args, get_origin

from jsonargparse import ArgumentParser
from lightning.fabric.utilities.exceptions import MisconfigurationException

from vitcli.data import ImageData
from vitcli.net import Backend

# the settings whose value is a class, and of which family
CHOICES: dict[str, type] = {"model.net.backend": Backend, "data": ImageData}
LONGEST = 400
# known late, or from the model
LATE = {"tokens", "dim", "preprocess", "classes"}

NO_CLASS = re.compile(r"Expected a dot import path string: (?P<name>\S+)|Expected '(?P<other>[\w.]+)' to be a subclass")
# behind each |, how earlier versions of jsonargparse said it
NO_OPTION = re.compile(r"(?:Option|Key) '(?P<option>[\w.]+)' is not (?:accepted|expected)")
NO_KEY = re.compile(
    r"unrecognized arguments: --?(?P<typed>[^\s=]+)|"
    r"(?:Group '(?P<group>[\w.]+)' does not accept (?:nested )?|^(?:Validation failed: )?)"
    r"(?:option|key) '(?P<option>[\w.]+)'",
    re.IGNORECASE,
)
NOT_GIVEN = re.compile(
    r"arguments? (?:is|are) required: (?P<names>[\w, ]+?)(?: -|\.|$)|Key \"(?P<name>\w+)\" is required but"
)
PARSER_KEY = re.compile(r'Parser key "(?P<key>[\w.]+)":')
CLASS_PATH = re.compile(r"class_path[=\s]+'(?P<path>[\w.]+)'")
EXPECTED = re.compile(r"Expected an? (?P<type>[^.]*?)(?=[.]? (?:- |Got|Given)|$)")
GIVEN = re.compile(r"(?:Given value|Got value): (?P<value>.*?)(?= - |[.]? Got value|$)")


def one_line(message: str, parser: ArgumentParser, words: Sequence[str]) -> str:
    """A complaint of jsonargparse as vitcli says it: key and value as typed, why, and a remedy.

    Args:
        message: What the parser raised.
        parser: The parser, which knows the keys there are.
        words: The words that were parsed.
    """
    text = " ".join(message.split())
    keys = PARSER_KEY.findall(text)
    key = ".".join(keys).replace(".init_args", "")
    if keys and keys[0] in CHOICES:
        paths = [
            path for path in CLASS_PATH.findall(text) if path.rpartition(".")[2] not in _subclasses(CHOICES[keys[0]])
        ]
        if paths and "Option" not in text:
            return _class(keys[0], paths[-1])
        if option := NO_OPTION.search(text):
            return _option(keys[0], option["option"], text)
        if missing := NOT_GIVEN.search(text):
            names = ", ".join(f"{keys[0]}.{name.strip()}" for name in (missing["names"] or missing["name"]).split(","))
            return f"{names}: not given; say it with --{names.split(', ')[0]}, or in a config"
        if len(keys) == 1 and (name := NO_CLASS.search(text)):
            return _class(keys[0], name["name"] or name["other"])
    if unknown := NO_KEY.search(text):
        return _key(unknown["typed"] or ".".join(filter(None, (unknown["group"], unknown["option"]))), _keys(parser))
    if choices := _choices(key, parser):
        given = GIVEN.findall(text) or re.findall(rf"--{re.escape(key)}[ =](\S+)", " ".join(words))
        return f"{' '.join([key, *given[:1]])}: must be one of {', '.join(choices)}"
    expected = [kind for kind in EXPECTED.findall(text) if "NoneType" not in kind]
    given = GIVEN.findall(text)
    if key and expected and given:
        kinds = " or ".join(dict.fromkeys(re.sub(r"<class '([\w.]+)'>", r"\1", kind) for kind in expected))
        return f"{key} {given[0]}: not {kinds}; give one"
    return text[:LONGEST]


def known(error: Exception) -> str | None:
    """What to tell of an error of Lightning's or jsonargparse's that is a user's mistake; None for any other."""
    # older versions of jsonargparse keep of a constructor's error only the words, in a list of what it had tried
    if isinstance(error, ValueError) and (
        told := re.search(r"^  - ((?:data|model)\.\S+ .*)$", str(error), re.MULTILINE)
    ):
        return told[1]
    return f"trainer: {error}" if isinstance(error, MisconfigurationException) else None


def _class(key: str, typed: str) -> str:
    names = sorted(_subclasses(CHOICES[key]))
    near = _near(typed.rpartition(".")[2], names)
    return f"{key} {typed}: there is no such class; {near}there are {', '.join(names)}"


def _option(key: str, option: str, message: str) -> str:
    found = CLASS_PATH.findall(message)
    kind: type | None = _subclasses(CHOICES[key]).get(found[-1].rpartition(".")[2]) if found else None
    if kind is None:
        return f"{key}.{option}: not a setting of the class chosen"
    taken = [name for name in _arguments(kind) if name not in LATE]
    return f"{key}.{option}: not a setting of {kind.__name__}; {_near(option, taken)}it takes {', '.join(taken)}"


def _arguments(kind: type) -> list[str]:
    """The arguments of a class, with those that it hands on to the class above it, as a parser sees them."""
    parser = ArgumentParser(exit_on_error=False)
    parser.add_class_arguments(kind)
    return list(dict.fromkeys(str(action.dest).split(".")[0] for action in parser._actions if action.dest != "help"))


def _key(typed: str, keys: set[str]) -> str:
    parts = typed.split(".")
    known = 0
    while known < len(parts) and ".".join(parts[: known + 1]) in keys:
        known += 1
    parent = ".".join(parts[:known])
    siblings = {
        key.removeprefix(f"{parent}.").split(".")[0] for key in keys if key.startswith(f"{parent}." if parent else "")
    }
    near = difflib.get_close_matches(parts[known] if known < len(parts) else "", siblings, n=1, cutoff=0.5)
    meant = ".".join([*parts[:known], *near, *parts[known + 1 :]])
    if meant not in keys:
        meant = ".".join([*parts[:known], *near])
    hint = f"did you mean {meant}? " if near else ""
    return f"{typed}: there is no such setting; {hint}see --help-all for all of them"


def _near(typed: str, names: Iterable[str]) -> str:
    near = difflib.get_close_matches(typed, list(names), n=1, cutoff=0.5)
    return f"did you mean {near[0]}? " if near else ""


def _choices(key: str, parser: ArgumentParser) -> list[str]:
    kinds = [getattr(action, "_typehint", None) for action in parser._actions if action.dest == key]
    return [str(choice) for kind in kinds if get_origin(kind) is Literal for choice in get_args(kind)]


def _keys(parser: ArgumentParser) -> set[str]:
    keys = set()
    for action in parser._actions:
        parts = str(action.dest).split(".")
        keys |= {".".join(parts[:depth]) for depth in range(1, len(parts) + 1)}
    return keys


def _subclasses(base: type) -> dict[str, type]:
    found: dict[str, type] = {}
    kinds: list[type] = base.__subclasses__()
    for kind in kinds:
        if not inspect.isabstract(kind):
            found[kind.__name__] = kind
        found |= _subclasses(kind)
    return found
