"""The run to go on in: the same command, given again after it was stopped or killed, finds its unfinished table."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from vitcli.run import Run, of_name
from vitcli.table.work import Work


def unfinished_run(
    parent: Path, name: str, verb: str, table: Path | None, begun: Callable[[Path], Work | None]
) -> Run | None:
    """The run in which the same command has begun its table; None if it has not.

    Args:
        parent: Folder that holds the runs.
        name: What a new run would be called; later ones of that name are ``<name>-2``, ...
        verb: validate, test or predict.
        table: Where the user wants the table; None: in the run's folder.
        begun: The work folder of a table, if this very command has begun it.
    """
    work = None if table is None else begun(table)
    plan = None if work is None else work.plan()
    for run in of_name(parent, name):
        if table is None:
            if begun(run.predictions(verb)) is not None:
                return run
        elif plan is not None and plan["run"] == str(run.folder.absolute()):
            return run
    return None
