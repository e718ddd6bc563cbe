"""The command ``vitcli``: help and version answer at once, and only a verb that needs a net imports torch."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext

from vitcli import __version__
from vitcli.cli import help_texts, usage
from vitcli.machine import process
from vitcli.machine.blas import one_thread
from vitcli.machine.openmp import spin_briefly
from vitcli.machine.signals import SIGNALS, Stopped, end_workers


def main(argv: Sequence[str] | None = None) -> int:
    """Run vitcli.

    Args:
        argv: The words after ``vitcli``; by default those of this process.

    Returns:
        Exit code: 0 done, 2 a mistake of the user's, 3 check found something, 128 + n stopped by signal n,
        such as 130 by Ctrl-C and 143 by SIGTERM.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    first = words[0] if words else "--help"
    if first in {"-h", "--help", "help"}:
        print(help_texts.overview())
        return 0
    if first in {"-V", "--version", "version"}:
        if "--verbose" not in words:
            print(f"vitcli {__version__}")
            return 0
        from vitcli.cli.versions import versions

        print(versions())
        return 0
    if first not in usage.VERBS:
        from vitcli.names import printable

        print(f"vitcli: error: {printable(help_texts.unknown_verb(first))}", file=sys.stderr)
        return 2
    if {"-h", "--help"} & set(words[1:]):
        print(help_texts.of_verb(first))
        return 0
    try:
        with SIGNALS.listening():
            return _do(first, words[1:])
    except Stopped as stopped:
        # between two of what says itself how far it came
        print(f"vitcli: {stopped.reason}", file=sys.stderr)
        return stopped.code


def _do(verb: str, words: list[str]) -> int:
    spin_briefly()
    one_thread()
    # a package that the user opens may use all that torchmetrics has
    opens = any(word.startswith("--allow-import") for word in words)
    module = usage.VERBS[verb].done_by(words)
    SIGNALS.is_importing = True
    try:
        with process.uncollected(), nullcontext() if opens or module == usage.VERBS[verb].light else _leanly():
            done_by = importlib.import_module(module)
    except ModuleNotFoundError as error:
        return _lacking(verb, error)
    SIGNALS.is_importing = False
    code: int = done_by.run(verb, words)
    return code


def _leanly() -> AbstractContextManager[None]:
    # here, because to import it takes as long as many a command
    from vitcli.machine.lean import lean_imports

    return lean_imports()


def _lacking(verb: str, error: ModuleNotFoundError) -> int:
    """Tell what is to be installed for a verb; an error of another kind stays one."""
    from vitcli.cli.exit import tell
    from vitcli.cli.missing import missing

    told = missing(error)
    if told is None:
        raise error
    return tell(verb, told)


def command() -> int:
    """The command ``vitcli``: main in a process of its own."""
    process.open_streams()
    ending = process.Exit()
    SIGNALS.listen()
    try:
        ending.code = main()
    except SystemExit as asked:
        ending.code = asked.code if isinstance(asked.code, int) else None
        raise
    except KeyboardInterrupt:
        # before vitcli listens to signals, or of a library that raises it
        print("vitcli: stopped", file=sys.stderr)
        ending.code = 130
    except BrokenPipeError:
        # who read the output has left, as head does
        process.close_stdout()
        ending.code = 141
    finally:
        # a first signal is late now, a second one still ends it
        SIGNALS.is_leaving = True
        # they leave signals to this process, and so would outlive it where one of them hangs
        end_workers()
    return ending.code


if __name__ == "__main__":
    sys.exit(command())
