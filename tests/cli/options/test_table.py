"""Every option of every verb is in the tables beside this file, with the test that shows how it acts; or it is refused.

Whoever adds an option adds it to tables/*.toml, under the test that shows what it does on each verb that takes it; one
that a verb has no use for is refused by vitcli/cli/idle.py, and stands in no table.
"""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.cli.options.parsers import classes_of, options_of
from vitcli.cli.idle import idle
from vitcli.cli.trainer.arguments import LINKED
from vitcli.cli.usage import VERBS

TESTS = Path(__file__).parents[2]
TABLES = sorted((Path(__file__).parent / "tables").glob("*.toml"))


class Entry(NamedTuple):
    """A test, and the options that it shows to act, on which verbs."""

    test: str
    verbs: tuple[str, ...]
    options: tuple[str, ...]


@cache
def entries() -> tuple[Entry, ...]:
    tables = [tomllib.loads(file.read_text(encoding="utf-8")) for file in TABLES]
    return tuple(
        Entry(entry["test"], tuple(entry["verbs"].split()), tuple(entry["options"]))
        for table in tables
        for entry in table["acts"]
    )


def is_refused(verb: str, option: str) -> bool:
    if VERBS[verb].trains and any(option == f"data.{name}" or option.startswith(f"data.{name}.") for name in LINKED):
        return True
    return all(idle(verb, option, data=kind) for kind in classes_of(verb, option) or [""])


@pytest.mark.parametrize("verb", VERBS)
def test_every_option_of_a_verb_is_known_to_act_or_is_refused(verb: str) -> None:
    known = {option for entry in entries() if verb in entry.verbs for option in entry.options}
    acting = {option for option in options_of(verb) if not is_refused(verb, option)}
    assert sorted(acting - known) == [], "say in tests/cli/options/tables which test shows that these act"
    assert sorted(known - acting) == [], "there is no such option, or it is refused; take it out of the tables"


def test_the_tables_name_verbs_that_there_are() -> None:
    assert {verb for entry in entries() for verb in entry.verbs} <= set(VERBS)


@pytest.mark.parametrize("entry", entries(), ids=lambda entry: entry.test.rpartition("::")[2])
def test_the_test_of_an_option_exists_and_speaks_of_it(entry: Entry) -> None:
    path, _, name = entry.test.partition("::")
    text = spoken(TESTS / f"{path}.py", name)
    unsaid = [option for option in entry.options if not re.search(rf"\b{re.escape(last(option))}\b", text)]
    assert unsaid == [], f"{entry.test} does not speak of them"


def last(option: str) -> str:
    return option.rpartition(".")[2]


@cache
def spoken(file: Path, name: str) -> str:
    """The source of a test, and of what of its module it names, directly or through others."""
    pieces = pieces_of(file)
    assert name in pieces, f"there is no test {name} in {file}"
    found, ahead = {name}, [name]
    while ahead:
        words = set(re.findall(r"\w+", pieces[ahead.pop()]))
        ahead += (new := (words & pieces.keys()) - found)
        found |= new
    return "\n".join(pieces[key] for key in found)


@cache
def pieces_of(file: Path) -> dict[str, str]:
    """The source of each function, class and constant of a module."""
    text = file.read_text(encoding="utf-8")
    return {key: piece for node in ast.parse(text).body for key, piece in named(node, text)}


def named(node: ast.stmt, text: str) -> Iterator[tuple[str, str]]:
    piece = ast.get_source_segment(text, node) or ""
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        yield node.name, "\n".join([piece, *(ast.get_source_segment(text, made) or "" for made in node.decorator_list)])
    elif isinstance(node, ast.Assign | ast.AnnAssign):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        for target in targets:
            if isinstance(target, ast.Name):
                yield target.id, piece
