"""fit, validate, test and predict: parse, build and do, and how each of them ends."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack

from jsonargparse import set_dumper

from vitcli.cli.exit import DONE, ended
from vitcli.cli.parser_errors import known
from vitcli.cli.trainer.cli import Cli, cli_of, is_first
from vitcli.cli.trainer.config_file import bound_parser
from vitcli.cli.trainer.finished import Finished
from vitcli.cli.trainer.quiet import quieten
from vitcli.cli.trainer.refusals import refusal
from vitcli.cli.trainer.requeue import requeue_if_warned
from vitcli.cli.trainer.yaml_text import to_yaml
from vitcli.names import quoted
from vitcli.train.safety.launch import join_parent
from vitcli.train.safety.signals import Interrupted


def run(verb: str, words: Sequence[str]) -> int:
    """Do a verb.

    Args:
        verb: fit, validate, test or predict.
        words: The words after the verb.

    Returns:
        Exit code: 0 done, 2 a mistake of the user's, told in one line, 3 a table with too many errors, 75 another
        process of the job is lost, 128 + n stopped by signal n, such as 130 by Ctrl-C and 143 by SIGTERM.
    """
    join_parent()
    quieten()
    set_dumper("yaml", to_yaml)
    bound_parser()
    # what is told of an error comes before what loggers tell of their end
    begun: list[Cli] = []

    def told(error: Exception) -> str | None:
        accepted = any(cli.callbacks.accepted.is_accepted for cli in begun)
        return known(error) if accepted else refusal(error, words)

    # to tell other processes is the last thing: a launcher may end them when this one has
    with ExitStack() as others:
        with ExitStack() as loggers:
            code = ended(verb, lambda: _do(verb, words, loggers, others, begun), known=told)
        if is_first():
            requeue_if_warned(verb, code)
    return code


def _do(verb: str, words: Sequence[str], loggers: ExitStack, others: ExitStack, begun: list[Cli]) -> int:
    try:
        cli = cli_of(verb, words)
    except Finished as finished:
        if is_first():
            print(finished, flush=True)
        return DONE
    begun.append(cli)
    others.callback(cli.ranks.close)
    loggers.callback(cli.abandon)
    loggers.callback(cli.close)
    try:
        with cli.ranks.told():
            return cli.execute()
    except Interrupted as interrupted:
        if cli.run is not None:
            where, step = cli.run.folder, cli.trainer.global_step
            print(f"stopped at step {step}; go on with: vitcli fit --ckpt_path {quoted(where)}", flush=True)
        return interrupted.code
    except SystemExit as stop:
        # Lightning turns Ctrl-C into an exit of its own, with 1
        if stop.code != 1:
            raise
        raise KeyboardInterrupt from stop
