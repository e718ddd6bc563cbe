"""``vitcli report``: a run or a table as one page of HTML, with its charts beside it."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from vitcli.cli.columns import columns_of
from vitcli.cli.exit import DONE, ended
from vitcli.cli.plain_parser import PlainParser
from vitcli.errors import ConfigError
from vitcli.names import at_home, printable

if TYPE_CHECKING:
    from vitcli.cli.report_maps import ReportMaps
    from vitcli.evaluate.origin import Origin


def run(verb: str, words: Sequence[str]) -> int:
    """Write the report.

    Args:
        verb: report.
        words: The words after it.

    Returns:
        Exit code: 0, or 2 for a mistake of the user's, told in one line.
    """
    return ended(verb, lambda: _report(words))


def _report(words: Sequence[str]) -> int:
    told = _parser().parse_args(list(words))
    columns = columns_of(told.columns or ())
    # here, because matplotlib takes its time, and a mistake in the words is told at once
    from vitcli.evaluate.origin import find_origin
    from vitcli.report.write import check_out, write_report

    origin = find_origin(at_home(told.source), told.split)
    # a folder of its own keeps clear of what else lies beside a table
    own = origin.table.with_name(f"{origin.table.stem}-report")
    folder = origin.run.folder if origin.run is not None and origin.split else own
    out = Path(at_home(told.out)) if told.out else folder
    if told.out:
        check_out(out)
    maps = _maps(origin) if told.explain else None
    page = write_report(
        origin.run,
        origin.table,
        out,
        compare=[at_home(other) for typed in told.compare or () for other in typed],
        split=told.split or origin.split or None,
        columns=columns or None,
        images=at_home(told.images) if told.images else None,
        explains=maps,
    )
    print("\n".join(map(printable, [*(maps.lines if maps is not None else ()), f"report: {page}"])))
    return DONE


def _parser() -> argparse.ArgumentParser:
    parser = PlainParser(prog="vitcli report", add_help=False, allow_abbrev=False)
    parser.add_argument("source", metavar="RUN|TABLE")
    parser.add_argument("--compare", nargs="+", action="append")
    parser.add_argument("--split", choices=["val", "test"])
    parser.add_argument("--out")
    parser.add_argument("--images")
    parser.add_argument("--columns", nargs="+", action="extend")
    parser.add_argument("--explain", action="store_true")
    return parser


def _maps(origin: Origin) -> ReportMaps:
    """What explains the pictures: the net of the run."""
    if origin.run is None:
        raise ConfigError(f"--explain: {origin.table} is of no run, so that its net is not known; name a run's folder")
    # with torch, which a report does without
    from vitcli.cli.report_maps import ReportMaps

    return ReportMaps.of_run(origin.run, origin.split)
