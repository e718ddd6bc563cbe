"""How Lightning starts and ends processes, with vitcli's own answers to signals in place of its."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, final

from lightning.fabric.utilities.distributed import _set_num_threads_if_needed
from lightning.pytorch.strategies.launchers import _SubprocessScriptLauncher
from lightning.pytorch.trainer.connectors.checkpoint_connector import _CheckpointConnector

from vitcli.machine.signals import end_with_parent
from vitcli.train.safety.meeting import meet_apart

if TYPE_CHECKING:
    import lightning.pytorch as pl

    from vitcli.train.safety.ranks import Ranks

# the process that has started this one as a rank of its job
PARENT = "VITCLI_PARENT"


def take_over(trainer: pl.Trainer, ranks: Ranks) -> None:
    """Keep Lightning from answering signals, from asking all processes for them in every step, and from others' files.

    Its handler of SIGTERM starts a collective, which hangs; each step of several processes would wait for the device to
    ask whether it was called. Under SLURM it writes ``hpc_ckpt_1.ckpt`` into the folder of all runs, and goes on with
    one that lies there, whichever run's it is.

    Args:
        trainer: Before its first use.
        ranks: Are told which processes are started.
    """
    meet_apart()
    trainer._signal_connector = Unheard()  # type: ignore[assignment]
    trainer.fit_loop.epoch_loop._broadcast_sigterm_tensor = _ask_nobody  # type: ignore[method-assign]
    trainer._checkpoint_connector = OwnCheckpoints(trainer)
    strategy: Any = trainer.strategy
    launcher = strategy.launcher
    if type(launcher) is _SubprocessScriptLauncher:
        strategy._launcher = Launcher(launcher, ranks)


def join_parent() -> None:
    """End together with the process that has started this one as a rank; until there are Ranks to tell of its end."""
    parent = os.environ.get(PARENT, "")
    if parent.isdecimal() and int(parent) != os.getpid():
        end_with_parent(int(parent))


@final
class Unheard:
    """Lightning's connector of signals, which hears none."""

    received_sigterm = False

    def register_signal_handlers(self) -> None:
        """Leave the handlers as they are."""

    def teardown(self) -> None:
        """Leave the handlers as they are."""


@final
class OwnCheckpoints(_CheckpointConnector):
    """Lightning's connector of checkpoints, which takes up no file that it was not given."""

    @property
    def _hpc_resume_path(self) -> str | None:
        return None


@final
class Launcher(_SubprocessScriptLauncher):
    """Starts the other processes of this machine, and leaves it to Ranks to watch and end them.

    Lightning's own kills this process as soon as another one has ended with a code, also while a checkpoint is written.

    Args:
        other: Lightning's, in whose place it comes.
        ranks: Are told of the processes.
    """

    def __init__(self, other: _SubprocessScriptLauncher, ranks: Ranks) -> None:
        super().__init__(other.cluster_environment, other.num_processes, other.num_nodes)
        self._ranks = ranks

    def launch(self, function: Callable[..., Any], *args: Any, trainer: Any = None, **kwargs: Any) -> Any:
        """Start the others, unless someone else does, and do this process's part."""
        environment = self.cluster_environment
        environment.validate_settings(num_devices=self.num_processes, num_nodes=self.num_nodes)
        if not environment.creates_processes_externally:
            os.environ[PARENT] = str(os.getpid())
            self._call_children_scripts()
            first = environment.node_rank() * self.num_processes
            self._ranks.watch({first + local: child for local, child in enumerate(self.procs, 1)})
        _set_num_threads_if_needed(num_processes=self.num_processes)
        return function(*args, **kwargs)

    def kill(self, signum: Any) -> None:
        """Leave them to Ranks."""


def _ask_nobody() -> None:
    pass
