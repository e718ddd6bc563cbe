"""``vitcli search``: better settings for a config, by trials that are ordinary runs, on several machines too."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from vitcli.cli.exit import DONE, ended
from vitcli.cli.place import place
from vitcli.cli.search.asked import Asked, asked, space_file
from vitcli.errors import ConfigError
from vitcli.machine.signals import Stopped
from vitcli.names import at_home, counted, printable, quoted
from vitcli.run import RunOptions, is_name
from vitcli.search.space import Space, read_space
from vitcli.search.sweep import head, is_sweep, write_sweep

if TYPE_CHECKING:
    import optuna

    from vitcli.cli.search.checked import Shipped
    from vitcli.search.folder import StudyFolder
    from vitcli.search.study import Plan


def run(verb: str, words: Sequence[str]) -> int:
    """Search, or write a sweep file.

    Args:
        verb: search.
        words: The words after it.

    Returns:
        Exit code: 0 done or out of time, 2 a mistake of the user's, told in one line, 128 + n stopped by signal n.
    """
    return ended(verb, lambda: _search(asked(words)))


def _search(told: Asked) -> int:
    if told.to_wandb is None and importlib.util.find_spec("optuna") is None:
        raise ConfigError('search: needs optuna, which is not installed; pip install "vitcli[search]"')
    out = _sweep_file(told.to_wandb)
    space = read_space(space_file(told.space))
    # here, because fit's parser takes seconds to import, and a mistake in the words is told at once
    from vitcli.cli.search.checked import check_objective, check_shipped, check_space

    as_it_is = check_shipped(told.words)
    objective = told.objective or as_it_is.monitor
    if objective is None:
        raise ConfigError(
            "--objective is missing: checkpoint.monitor is null; say by what trials are compared: val/loss"
        )
    check_objective(objective, as_it_is)
    check_space(told.space, space, told.words)
    if out is not None:
        return _to_wandb(told, out, space, as_it_is, objective)
    return _study(told, space, as_it_is, objective)


def _sweep_file(typed: str | None) -> Path | None:
    """Where a sweep is written, perhaps in place of an earlier one; None if none is.

    Raises:
        ConfigError: It is no .yaml, cannot be written, or is somebody's own.
    """
    if typed is None:
        return None
    if Path(typed).suffix not in (".yaml", ".yml"):
        raise ConfigError(f"--to-wandb {typed}: is no .yaml; name one")
    return place("--to-wandb", typed, is_sweep)


def _to_wandb(told: Asked, out: Path, space: Space, as_it_is: Shipped, objective: str) -> int:
    own = [f"--checkpoint.monitor={objective}"] if objective != as_it_is.monitor else []
    write_sweep(
        out,
        space,
        [*told.words, *own],
        objective,
        lowest=as_it_is.lowest(objective),
        epochs=as_it_is.validations,
        header=head([*told.words, *(["--objective", objective] if own else [])], told.space, out),
    )
    _tell(f"sweep: {out}; next: wandb sweep {quoted(out)}")
    return DONE


def _study(told: Asked, space: Space, as_it_is: Shipped, objective: str) -> int:
    from vitcli.search.folder import StudyFolder
    from vitcli.search.searcher import Searcher, TimeIsUp
    from vitcli.search.study import Plan, open_study

    where = Path(at_home(told.study)) if told.study else Path(RunOptions().dir) / f"{as_it_is.name}-search"
    if not is_name(where.name):
        raise ConfigError(f"--study {told.study}: ends in no name for a folder; name one, such as runs/search")
    plan = Plan(
        words=tuple(told.words),
        space=space,
        objective=objective,
        lowest=as_it_is.lowest(objective),
        config=as_it_is.settings,
        shipped=space.within(as_it_is.settings),
        seed=as_it_is.seed,
        epochs=None if "trainer.max_epochs" in space.settings else as_it_is.validations,
        trials=told.trials,
        minutes=told.minutes,
        monitors=objective != as_it_is.monitor,
    )
    folder = StudyFolder(where)
    study = open_study(folder, plan)
    aim = "low" if plan.lowest else "high"
    searched = counted(len(space.settings), "setting")
    _tell(f"study: {where}, {counted(told.trials, 'trial')} of {searched}, {objective} as {aim} as possible")
    for key in space.settings:
        if key not in plan.shipped:
            _tell(f"{key} {as_it_is.settings.get(key)}: the config as it is, which lies outside of the space")
    try:
        Searcher(study, folder, plan, _tell).search()
    except TimeIsUp:
        _tell(f"{told.minutes:g} minutes are over; the same command goes on where this one has stopped")
    except Stopped:
        _results(study, folder, plan)
        _tell("the same command goes on where this one has stopped")
        raise
    _results(study, folder, plan)
    return DONE


def _results(study: optuna.Study, folder: StudyFolder, plan: Plan) -> None:
    """Write what was reached so far, and tell the best run and its command."""
    from vitcli.search.results import commands, verdict, write_results

    write_results(study, folder, plan)
    for sentence in verdict(study, folder, plan):
        _tell(sentence)
    found = commands(study, folder, plan)
    for name, command in zip(("command", *["next"] * len(found)), found, strict=False):
        _tell(f"{name}: {command}")
    _tell(f"page: {folder.page}")


def _tell(line: str) -> None:
    print(printable(line), flush=True)
