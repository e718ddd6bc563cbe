"""Holding a run's folder against other processes of the same verb while this one writes into it."""

from __future__ import annotations

import errno

from vitcli.cli.trainer.resume import Start
from vitcli.errors import ConfigError
from vitcli.machine.atomic import sweep
from vitcli.machine.lock import Lock
from vitcli.run import Run

UNWRITABLE = (errno.EROFS, errno.EACCES, errno.EPERM)


def held(run: Run, verb: str, start: Start, table: str | None) -> Lock | None:
    """The lock of a verb on a run's folder, taken; what killed processes have left in the folder is removed.

    A table that goes elsewhere is held by its own work folder, so that predict may write several from one run at once.

    Args:
        run: The run.
        verb: fit, validate, test or predict.
        start: Where the verb starts.
        table: Where the user wants the table; None: in the run's folder.

    Raises:
        ConfigError: Another process has it or has gone on with it, or the folder cannot be written to.
    """
    lock = Lock(run.lock(verb))
    if lock.path.is_symlink():
        raise ConfigError(f"{lock.path}: is a link, and would be written through to another file; remove it")
    try:
        holder = lock.take()
    except OSError as error:
        if error.errno not in UNWRITABLE:
            raise
        do = f"say where {'to go on' if verb == 'fit' else 'the table shall go'}, --run.dir DIR"
        raise ConfigError(f"{run.folder}: cannot be written to: {error.strerror}; {do}") from error
    if holder is not None and verb == "predict" and table is not None:
        return None
    if holder is not None:
        raise ConfigError(
            f"{run.folder}: another vitcli {verb} is writing into it, {holder}; wait for its end, or name another run "
            f"with --run.name; if that process is gone, remove {lock.path}"
        )
    try:
        if verb == "fit":
            start.check_unchanged(run)
    except ConfigError:
        lock.release()
        raise
    for folder in (run.folder, run.checkpoints):
        sweep(folder)
    return lock
