"""Errors of the parser as one line that names what was typed, and what may have been meant."""

from __future__ import annotations

import difflib
import inspect
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

from jsonargparse import ArgumentParser
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.loggers import Logger
from lightning.pytorch.profilers import Profiler

from vitcli.data import ImageData
from vitcli.names import at_home, quoted
from vitcli.net import Backend

# the settings whose value is a class, and of which family
CHOICES: dict[str, type] = {
    "model.net.backend": Backend,
    "data": ImageData,
    "trainer.callbacks": Callback,
    "trainer.logger": Logger,
    "trainer.profiler": Profiler,
}
# what other tools call it
SYNONYMS = {
    "epochs": "trainer.max_epochs",
    "max_epochs": "trainer.max_epochs",
    "num_epochs": "trainer.max_epochs",
    "lr": "model.optimizer.lr",
    "learning_rate": "model.optimizer.lr",
    "weight_decay": "model.optimizer.weight_decay",
    "batch_size": "data.batch_size",
    "batch": "data.batch_size",
    "workers": "data.num_workers",
    "num_workers": "data.num_workers",
    "gpus": "trainer.devices",
    "devices": "trainer.devices",
    "device": "trainer.accelerator",
    "precision": "trainer.precision",
    "amp": "trainer.precision",
    "output": "run.dir",
    "output_dir": "run.dir",
    "out": "run.dir",
    "name": "run.name",
    "resume": "ckpt_path",
    "checkpoint_path": "ckpt_path",
    "ckpt": "ckpt_path",
    "pretrained": "weights",
    "seed": "seed_everything",
    "root": "data.root",
    "data_dir": "data.root",
    "img_size": "model.net.image_size",
    "image_size": "model.net.image_size",
    "patch_size": "model.net.patch_size",
    "backend": "model.net.backend",
}
LONGEST = 400
# known late, or from the model
LATE = {"tokens", "dim", "preprocess", "classes"}

COMPUTED = re.compile(r"Call to compute_fn of link .*? failed: (?P<why>[\w.]+ .*)")
NO_CLASS = re.compile(r"Expected a dot import path string: (?P<name>\S+)|Expected '(?P<other>[\w.]+)' to be a subclass")
# behind each |, how earlier versions of jsonargparse said it
NO_OPTION = re.compile(r"(?:Option|Key) '(?P<option>[\w.]+)' is not (?:accepted|expected)")
# behind the |, how earlier versions of jsonargparse said it
NO_CLASS_YET = re.compile(r"is abstract|Not a valid subclass of \w+ Subclass types expect")
NO_GROUP = re.compile(r"Unable to load config ['\"](?P<value>.*?)['\"]")
NO_KEY = re.compile(
    r"unrecognized arguments: --?(?P<typed>[^\s=]+)|"
    r"(?:Group '(?P<group>[\w.]+)' does not accept (?:nested )?|^(?:Validation failed: )?)"
    r"(?:option|key) '(?P<option>[\w.]+)'",
    re.IGNORECASE,
)
NOT_GIVEN = re.compile(
    r"arguments? (?:is|are) required: (?P<names>[\w, ]+?)(?: -|\.|$)|Key \"(?P<name>\w+)\" is required but"
)
NESTED = re.compile(r"NestedArg\(key='(?P<key>[\w.]+)', val='?(?P<value>.*?)'?\)")
PARSER_KEY = re.compile(r'Parser key "(?P<key>[\w.]+)":')
CLASS_PATH = re.compile(r"class_path[=\s]+'(?P<path>[\w.]+)'")
# of one type, and of each of several
EXPECTED = re.compile(r"Expected (?:an? |(?=<class|typing\.))(?P<type>(?:[^.]|\.(?=\w))*?)(?=[.]? (?:- |Got|Given)|$)")
TYPE = re.compile(r"<class '(?P<name>[\w.]+)'>|typing\.Literal\[(?P<words>[^]]*)\]")
# the words of a setting inside of a class, whose own parser alone knows them
LITERAL = re.compile(r"Expected an? typing\.Literal\[(?P<words>'[^]]*')\]\. Got value: (?P<value>\S+)")
GIVEN = re.compile(r"(?:Given value|Got value): (?P<value>.*?)(?= - |[.]? Got value|$)")


def one_line(message: str, parser: ArgumentParser, words: Sequence[str]) -> str:
    """A complaint of jsonargparse as vitcli says it: key and value as typed, why, and a remedy.

    Args:
        message: What the parser raised.
        parser: The parser, which knows the keys there are.
        words: The words that were parsed.
    """
    text = " ".join(message.split())
    if computed := COMPUTED.search(text):
        # what follows from a setting was refused, in vitcli's own words
        return computed["why"]
    # the same key twice where a parser wraps its own error
    keys = list(dict.fromkeys(PARSER_KEY.findall(text)))
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
            kind = found[-1].rpartition(".")[2] if (found := CLASS_PATH.findall(text)) else ""
            of = f" of {kind}" if keys[0].startswith("trainer.") else ""
            return f"{names}{of}: not given; say it with --{names.split(', ')[0]}, or in a config"
        if keys[0].startswith("trainer.") and NO_CLASS_YET.search(text) and (nested := NESTED.search(text)):
            names = ", ".join(sorted(_subclasses(CHOICES[keys[0]])))
            typed = f"{keys[0]}.{nested['key']} {nested['value']}"
            return f"{typed}: a setting of no class; choose one first with --{keys[0]}, of {names}"
        if len(keys) == 1 and (name := NO_CLASS.search(text)):
            return _class(keys[0], name["name"] or name["other"])
    if unknown := NO_KEY.search(text):
        return _key(unknown["typed"] or ".".join(filter(None, (unknown["group"], unknown["option"]))), _keys(parser))
    if words_alone := re.search(r"unrecognized arguments: (?P<word>[^-\s]\S*)", text):
        word = words_alone["word"]
        meant = f"did you mean --data.root {quoted(word)}?" if Path(word).exists() else "every setting has a name"
        return f"{word}: no option stands before it; {meant}"
    if choices := _choices(key, parser):
        given = GIVEN.findall(text) or re.findall(rf"--{re.escape(key)}[ =](\S+)", " ".join(words))
        return f"{' '.join([key, *given[:1]])}: {_near((given or [''])[0], choices)}must be one of {', '.join(choices)}"
    if len(keys) > 1 and (literal := LITERAL.search(text)):
        words_there = re.findall(r"'([^']*)'", literal["words"])
        near = _near(literal["value"], words_there)
        return f"{key} {literal['value']}: {near}must be one of {', '.join(words_there)}"
    if keys and (group := NO_GROUP.search(text)):
        below = [name.removeprefix(f"{key}.") for name in sorted(_keys(parser)) if name.startswith(f"{key}.")]
        names = ", ".join(name for name in below if "." not in name)
        return f"{key} {group['value']}: is a group of settings, not a value; it has {names}"
    expected = [kind for kind in EXPECTED.findall(text) if "NoneType" not in kind]
    given = GIVEN.findall(text)
    if key and expected and given:
        kinds = list(dict.fromkeys(TYPE.sub(r"\g<name>\g<words>", kind) for kind in expected))
        if kinds == ["int", "tuple"]:
            return f"{key} {given[0]}: neither a number nor two; say a side, or [HEIGHT, WIDTH]"
        kind = "no number" if given[0].lower() == "nan" else f"not {' or '.join(kinds)}"
        return f"{key} {given[0]}: {kind}; give one"
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
    if key == "data" and Path(at_home(typed)).exists():
        return f"data {typed}: is a path, not a class; did you mean --data.root {quoted(typed)}?"
    names = sorted(_subclasses(CHOICES[key]))
    near = _near(typed.rpartition(".")[2], names)
    return f"{key} {typed}: there is no such class; {near}there are {', '.join(names)}"


def _option(key: str, option: str, message: str) -> str:
    found = [path.rpartition(".")[2] for path in CLASS_PATH.findall(message)]
    kind = next((_subclasses(CHOICES[key])[name] for name in found if name in _subclasses(CHOICES[key])), None)
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
    word = typed.lstrip("-").replace("-", "_")
    if word in SYNONYMS:
        return f"{typed}: there is no such setting; did you mean --{SYNONYMS[word]}?"
    parts = typed.split(".")
    known = 0
    while known < len(parts) and ".".join(parts[: known + 1]) in keys:
        known += 1
    parent = ".".join(parts[:known])
    siblings = {
        key.removeprefix(f"{parent}.").split(".")[0] for key in keys if key.startswith(f"{parent}." if parent else "")
    }
    near = difflib.get_close_matches(parts[known] if known < len(parts) else "", siblings, n=1, cutoff=0.7)
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
    return list(dict.fromkeys(choice for kind in kinds for choice in _literals(kind)))


def _literals(kind: Any) -> list[str]:
    """The words that a type allows, where it allows no more than words, numbers and none."""
    origin, parts = get_origin(kind), get_args(kind)
    if origin is Literal:
        return [str(part) for part in parts]
    if origin in (Union, UnionType) and all(get_origin(part) is Literal or part in (NoneType, bool) for part in parts):
        return [word for part in parts for word in (["true", "false"] if part is bool else _literals(part))]
    return []


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
        # of Lightning's, those that it shows; of ours, those that a config may name
        hidden = kind.__name__.startswith(("_", "Base", "Dummy")) or kind.__module__.startswith("vitcli.train")
        if not inspect.isabstract(kind) and not hidden:
            found[kind.__name__] = kind
        found |= _subclasses(kind)
    return found
