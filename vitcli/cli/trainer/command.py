"""fit, validate, test and predict: parse, build and do, and how each of them ends."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import ExitStack

from jsonargparse import set_dumper
from lightning.pytorch.utilities.exceptions import SIGTERMException

from vitcli.cli.exit import TERMINATED, ended
from vitcli.cli.parser_errors import known
from vitcli.cli.shipped import configs_first
from vitcli.cli.trainer.cli import Cli
from vitcli.cli.trainer.imports import allow, take_allowed
from vitcli.cli.trainer.positional import with_options
from vitcli.cli.trainer.quiet import quieten
from vitcli.cli.trainer.refusals import refusal
from vitcli.cli.trainer.yaml_text import to_yaml
from vitcli.names import quoted
from vitcli.train.safety.last import Interrupted


def run(verb: str, words: Sequence[str]) -> int:
    """Do a verb.

    Args:
        verb: fit, validate, test or predict.
        words: The words after the verb.

    Returns:
        Exit code: 0 done, 2 a mistake of the user's, told in one line, 3 a table with too many errors, 130 stopped by
        Ctrl-C.
    """
    quieten()
    set_dumper("yaml", to_yaml)
    # what is told of an error comes before what loggers tell of their end
    begun: list[Cli] = []

    def told(error: Exception) -> str | None:
        accepted = any(cli.accepted.is_accepted for cli in begun)
        return known(error) if accepted else refusal(error, words)

    with ExitStack() as loggers:
        return ended(verb, lambda: _do(verb, words, loggers, begun), known=told)


def _do(verb: str, words: Sequence[str], loggers: ExitStack, begun: list[Cli]) -> int:
    rest, opened = take_allowed(words)
    allow(opened)
    cli = Cli(verb, configs_first(with_options(verb, rest)), opened)
    begun.append(cli)
    loggers.callback(cli.abandon)
    loggers.callback(cli.close)
    try:
        return cli.execute()
    except Interrupted as interrupted:
        if cli.run is not None:
            where, step = cli.run.folder, cli.trainer.global_step
            print(f"stopped at step {step}; go on with: vitcli fit --ckpt_path {quoted(where)}", flush=True)
        return 128 + interrupted.by
    except SIGTERMException:
        # of validate, test and predict, whose table goes on by the same command
        print(f"vitcli {verb}: stopped by SIGTERM", file=sys.stderr)
        return TERMINATED
    except SystemExit as stop:
        # Lightning turns Ctrl-C into an exit of its own, with 1
        if stop.code != 1:
            raise
        raise KeyboardInterrupt from stop
