"""A process that gets a signal at a chosen moment of its training: at the n-th call of one of Lightning's hooks."""

from __future__ import annotations

import os
from typing import Any

from lightning.pytorch.trainer import call

# what a program runs instead of the command alone
CODE = """
import sys
from tests.train.safety.stopper import stop_at
stop_at({hook!r}, {at}, {number})
from vitcli.__main__ import command
sys.exit(command())
"""


def stop_at(hook: str, at: int, number: int) -> None:
    """Send this process a signal before the callbacks of a hook are called for the n-th time in fit, or in predict.

    Args:
        hook: Such as on_train_batch_end.
        at: From 1.
        number: Of the signal.
    """
    plain, calls = call._call_callback_hooks, 0

    def counted(trainer: Any, name: str, *args: Any, **options: Any) -> None:
        nonlocal calls
        if name == hook and trainer.state.fn == ("predict" if "predict" in hook else "fit"):
            calls += 1
            if calls == at:
                os.kill(os.getpid(), number)
        plain(trainer, name, *args, **options)

    call._call_callback_hooks = counted
