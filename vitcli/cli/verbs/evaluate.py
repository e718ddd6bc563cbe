"""``vitcli evaluate``: the numbers of prediction tables with their intervals, and how two tables differ."""

from __future__ import annotations

import argparse
import math
import re
from collections.abc import Sequence
from pathlib import Path

from vitcli.cli.columns import columns_of
from vitcli.cli.exit import DONE, ended
from vitcli.cli.place import is_scores, place, place_of_quarantine
from vitcli.cli.plain_parser import PlainParser, number
from vitcli.errors import ConfigError
from vitcli.evaluate.as_json import plain, to_json
from vitcli.evaluate.binary import WISHED, Costs
from vitcli.evaluate.compare import Comparison, compare
from vitcli.evaluate.doubtful import doubtful
from vitcli.evaluate.evaluate import evaluate
from vitcli.evaluate.lines import comparison_lines, lines
from vitcli.evaluate.origin import SPLITS, Origin, find_origin, trained_on
from vitcli.evaluate.read import read_scored
from vitcli.evaluate.scored import Scored
from vitcli.evaluate.temperature import temperature_of
from vitcli.evaluate.together import together
from vitcli.machine.atomic import write_json
from vitcli.names import at_home, counted, printable

MOST_TEMPERATURE = 1e4


def run(verb: str, words: Sequence[str]) -> int:
    """Evaluate tables.

    Args:
        verb: evaluate.
        words: The words after it.

    Returns:
        Exit code: 0 done, 2 a mistake of the user's, told in one line.
    """
    return ended(verb, lambda: _evaluate(words))


def _evaluate(words: Sequence[str]) -> int:
    try:
        told = _parser().parse_args(list(words))
    except argparse.ArgumentError as error:
        raise ConfigError(str(error)) from error
    columns = columns_of(told.columns)
    if told.out and not told.out.endswith(".json"):
        raise ConfigError(f"--out {told.out}: the numbers are written as JSON; let the name end in .json")
    out, quarantine = place("--out", told.out, is_scores), place_of_quarantine(told.quarantine)
    if told.compare and len(told.tables) > 1:
        raise ConfigError(f"--compare {told.compare}: one table is compared with another; name one before it")
    origins = [find_origin(at_home(typed), told.split) for typed in told.tables]
    tables = [read_scored(origin.table, columns) for origin in origins]
    # each fold was trained on what the others score
    pairs = zip(origins, tables, strict=True)
    seen = frozenset[str]().union(*(trained_on(origin).intersection(table.paths) for origin, table in pairs))
    splits = {origin.split or told.split for origin in origins}
    evaluation = evaluate(
        tables,
        tables=[str(origin.table) for origin in origins],
        temperature=_temperature(told.temperature, origins),
        fit_temperature=told.temperature is None and splits == {"val"},
        costs=_costs(told.costs),
        precisions=told.precision or WISHED,
        recalls=told.recall or WISHED,
        seen=seen,
    )
    said = lines(evaluation)
    content = to_json(evaluation)
    if told.compare:
        comparison = _compare(origins[0], tables[0], at_home(told.compare), columns)
        said += ["", *comparison_lines(comparison)]
        content["comparison"] = plain(comparison)
    if quarantine is not None:
        said.append(_quarantine(tables, origins, seen, quarantine))
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        write_json(out, content, allow_nan=False)
        said.append(f"scores: {out}")
    # names of classes and files may hold anything
    print("\n".join(map(printable, said)))
    return DONE


def _parser() -> argparse.ArgumentParser:
    parser = PlainParser(prog="vitcli evaluate", exit_on_error=False, add_help=False, allow_abbrev=False)
    parser.add_argument("tables", nargs="+", metavar="TABLE")
    parser.add_argument("--compare")
    parser.add_argument("--split", choices=SPLITS)
    parser.add_argument("--columns", action="append", default=[])
    parser.add_argument("--costs")
    parser.add_argument("--precision", action="append", type=_share)
    parser.add_argument("--recall", action="append", type=_share)
    parser.add_argument("--temperature", type=_positive)
    parser.add_argument("--quarantine")
    parser.add_argument("--out")
    return parser


def _share(typed: str) -> float:
    found = number(typed)
    if not 0 < found <= 1:
        raise argparse.ArgumentTypeError(f"{typed} is not above 0 and at most 1")
    return found


def _positive(typed: str) -> float:
    found = number(typed)
    if not 1 / MOST_TEMPERATURE <= found <= MOST_TEMPERATURE:
        raise argparse.ArgumentTypeError(f"{typed} is not between {1 / MOST_TEMPERATURE:g} and {MOST_TEMPERATURE:g}")
    return found


def _costs(typed: str | None) -> Costs | None:
    if typed is None:
        return None
    told = [pair.partition("=")[::2] for pair in typed.split(",")]
    costs = {key.strip(): number(cost) for key, cost in told}
    if len(told) != 2 or costs.keys() != {"fp", "fn"} or not all(0 <= cost < math.inf for cost in costs.values()):
        raise ConfigError(f"--costs {typed}: is not understood; say what each mistake costs, as in fp=1,fn=5")
    return Costs(costs["fp"], costs["fn"])


def _temperature(typed: float | None, origins: Sequence[Origin]) -> float | None:
    """The temperature for a test's table: the one that its run keeps, else fitted on the run's val table."""
    origin = origins[0]
    if typed is not None or len(origins) > 1 or origin.run is None or origin.split != "test":
        return typed
    return temperature_of(origin.run)


def _compare(origin: Origin, scored: Scored, other: str, columns: dict[str, str]) -> Comparison:
    second = find_origin(other, origin.split or None)
    names = (str(origin.table), str(second.table))
    return compare(scored, read_scored(second.table, columns), tables=names)


def _quarantine(tables: Sequence[Scored], origins: Sequence[Origin], seen: frozenset[str], file: Path) -> str:
    """Write the images whose labels look wrong as a list for --data.quarantine; the line that says so."""
    # a tenth of a second, which only this needs
    from vitcli.images.index.quarantine import write_quarantine

    whole = together(tables, [str(origin.table) for origin in origins]).scored
    if whole.label_probability is None:
        raise ConfigError(
            f"--quarantine {file}: the table has no probabilities, so that nothing is known of its labels"
        )
    wrong = [image for image in doubtful(whole, seen, most=len(whole))[0] if image.is_wrong]
    reasons = {
        name: f"label {image.label} looks wrong: {image.likelier} by {image.probability:.3f}"
        for image in wrong
        for name in _names(image.path)
    }
    write_quarantine(str(file), {name: printable(reason) for name, reason in reasons.items()})
    return f"quarantine: {file} ({counted(len(wrong), 'image')}), for --data.quarantine"


def _names(path: str) -> list[str]:
    """The names that a path of a table may have on disk: bytes that are not UTF-8 stand there with backslashes."""
    raw = re.sub(r"\\udc([89a-f][0-9a-f])", lambda byte: chr(0xDC00 + int(byte[1], 16)), path)
    return list(dict.fromkeys((path, raw)))
