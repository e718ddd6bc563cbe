"""A training on two machines, as a user starts it: the same command by torchrun on each."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any, final

from tests.conftest import CPU, REPOSITORY, TINY
from tests.train.hosts.machines import Machines, Started

# 24 images in steps of 4: enough epochs that a kill falls between the first and the last
EPOCHS = 16
WORDS = ["fit", "--config", str(REPOSITORY / "configs" / "trainer" / "multi_node.yaml"), *TINY, *CPU]
WORDS += ["--trainer.precision", "32-true", "--data.batch_size", "2", "--data.global_batch", "4"]
WORDS += ["--trainer.max_epochs", str(EPOCHS), "--run.resume", "auto", "--run.timeout_seconds", "15"]
# for a machine that does other things too; idle, it is a tenth of that
END_SECONDS = 400


@final
class Job:
    """What was started on both machines.

    Args:
        hosts: The machines, with a cable.
        name: Of the run.
        words: Beside the usual ones.
        folders: Where each is started; one for both: they share it.
        options: Of torchrun, as ``Machines.torchrun`` has them.
    """

    def __init__(self, hosts: Machines, name: str, *words: str, folders: Sequence[Path] = (), **options: Any) -> None:
        where = [*folders, *folders][:2] or [Path.cwd()] * 2
        command = [*WORDS, "--data.root", "photos", "--run.name", name, *words]
        self.sides: list[Started] = [hosts.torchrun(i, *command, cwd=where[i], **options) for i in (0, 1)]

    def until(self, text: str, times: int = 1) -> None:
        """Wait until rank 0 has written this; it is the one that tells."""
        self.sides[0].until(text, times=times)

    def ended(self, within: float = END_SECONDS) -> list[int]:
        """The exit codes of both torchruns."""
        return [side.done(within) for side in self.sides]

    def kill(self, what: str, number: int) -> None:
        """Kill a side's ``rank``, its ``torchrun`` alone, or both: the ``machine``."""
        side = self.sides[number]
        if what == "rank":
            os.kill(side.ranks()[0], signal.SIGKILL)
        elif what == "torchrun":
            side.program.send(signal.SIGKILL)
        else:
            side.kill()

    def told(self) -> str:
        """What both sides have written."""
        return "\n".join(side.told() for side in self.sides)


def learned(found: dict[str, Any]) -> dict[str, Any]:
    """Weights, moments and schedule: all but scores, whose sums depend on who has added them up."""
    return {key: value for key, value in found.items() if not key.endswith(".csv")}
