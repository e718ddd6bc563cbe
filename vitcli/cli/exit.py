"""Exit codes, and the one line on stderr that tells a user's mistake, alike for all verbs."""

from __future__ import annotations

import errno
import os
import signal
import sys
from collections.abc import Callable

from vitcli.cli.missing import missing
from vitcli.errors import UserError, is_full, out_of_memory
from vitcli.machine.signals import Stopped
from vitcli.names import printable

DONE = 0
MISTAKE = 2
FINDINGS = 3
# 128 and the number of the signal, as shells have it: 130 Ctrl-C, 143 SIGTERM, 138 SIGUSR1, 129 SIGHUP
STOPPED = 130
# letters of a line; paths on Linux have at most 4,096
LONGEST = 10_000
# what the system says of a place where nothing can be read or written
REFUSED = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG)


def ended(
    verb: str,
    do: Callable[[], int],
    *,
    known: Callable[[Exception], str | None] = lambda _: None,
    stopped: str = "stopped",
) -> int:
    """Do a verb; a mistake of the user's and a signal end it with one line, anything else keeps its traceback.

    Args:
        verb: Its name.
        do: What it does, to its exit code.
        known: What to tell of an error that a library raises for a user's mistake; None for any other error.
        stopped: What to tell after Ctrl-C.

    Returns:
        Exit code: do's own, MISTAKE, STOPPED, or that of what has stopped it.
    """
    try:
        return do()
    except KeyboardInterrupt:
        print(f"vitcli {verb}: {stopped}", file=sys.stderr)
        return STOPPED
    except Stopped as signalled:
        why = stopped if signalled.by == signal.SIGINT else signalled.reason
        print(f"vitcli {verb}: {printable(why)}", file=sys.stderr)
        return signalled.code
    except BrokenPipeError:
        raise
    except Exception as error:
        told = users_mistake(error) or missing(error) or known(error)
        if told is None or os.environ.get("VITCLI_TRACEBACK") == "1":
            raise
        return tell(verb, told)


def tell(verb: str, mistake: str) -> int:
    """Tell a user's mistake in one line; the exit code for it."""
    told = " ".join(mistake.split())
    # the middle of what is typed may be as long as a file
    told = told if len(told) <= LONGEST else f"{told[: LONGEST // 2]} ... {told[-LONGEST // 2 :]}"
    print(f"vitcli {verb}: error: {printable(told)}", file=sys.stderr)
    return MISTAKE


def users_mistake(error: BaseException) -> str | None:
    """What to tell the user of an error; None for one that is no fault of theirs.

    A parser wraps what a constructor raises in errors of its own, so that their causes are looked at too.
    """
    if (told := out_of_memory(error)) is not None:
        return told
    if not isinstance(error, UserError | ValueError | OSError):
        return None
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, UserError):
            return str(cause)
        if isinstance(cause, OSError) and is_full(cause):
            return f"{cause.filename or 'the disk'}: {cause.strerror}; make room and start again"
        if isinstance(cause, OSError) and cause.errno in REFUSED and cause.filename:
            return f"{os.fsdecode(cause.filename)}: {cause.strerror}; name another place, or change its permissions"
        cause = cause.__cause__ or cause.__context__
    return None
