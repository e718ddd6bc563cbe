"""The command ``vitcli``: help and version answer at once, and only a verb that needs a net imports torch."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from contextlib import nullcontext

from vitcli import __version__
from vitcli.cli import usage
from vitcli.machine import process
from vitcli.machine.lean import lean_imports
from vitcli.machine.openmp import spin_briefly


def main(argv: Sequence[str] | None = None) -> int:
    """Run vitcli.

    Args:
        argv: The words after ``vitcli``; by default those of this process.

    Returns:
        Exit code: 0 done, 2 a mistake of the user's, 3 check found something, 130 stopped by
        Ctrl-C.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    first = words[0] if words else "--help"
    if first in {"-h", "--help", "help"}:
        print(usage.overview())
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

        print(f"vitcli: error: {printable(usage.unknown_verb(first))}", file=sys.stderr)
        return 2
    if {"-h", "--help"} & set(words[1:]):
        print(usage.of_verb(first))
        return 0
    spin_briefly()
    # a package that the user opens may use all that torchmetrics has
    opens = any(word.startswith("--allow-import") for word in words)
    with process.uncollected(), nullcontext() if opens else lean_imports():
        done_by = importlib.import_module(usage.VERBS[first].module)
    code: int = done_by.run(first, words[1:])
    return code


def command() -> int:
    """The command ``vitcli``: main in a process of its own."""
    process.open_streams()
    ending = process.Exit()
    try:
        ending.code = main()
    except SystemExit as asked:
        ending.code = asked.code if isinstance(asked.code, int) else None
        raise
    except KeyboardInterrupt:
        # while torch was imported, which takes seconds; what is run then says itself how far it came
        print("vitcli: stopped", file=sys.stderr)
        ending.code = 130
    except BrokenPipeError:
        # who read the output has left, as head does
        process.close_stdout()
        ending.code = 141
    return ending.code


if __name__ == "__main__":
    sys.exit(command())
