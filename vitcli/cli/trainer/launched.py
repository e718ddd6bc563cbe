"""How many machines and processes there are (num_nodes, devices), where torchrun or SLURM has started them."""

from __future__ import annotations

import os
from typing import Any, NamedTuple

from jsonargparse import Namespace

from vitcli.errors import ConfigError
from vitcli.names import counted

# names of jobs under which SLURM gives a shell, whose commands are no ranks
SHELLS = ("bash", "interactive")


class Launched(NamedTuple):
    """What a launcher has started.

    Args:
        by: Its name.
        machines: How many.
        processes: Of this machine.
        world: Of all machines.
    """

    by: str
    machines: int
    processes: int
    world: int

    def __str__(self) -> str:
        return f"{self.by} has started {counted(self.world, 'rank')} on {counted(self.machines, 'machine')}"


def launched() -> Launched | None:
    """What torchrun or srun say in the environment; None if this process was started by neither.

    Sources: https://docs.pytorch.org/docs/stable/elastic/run.html and https://slurm.schedmd.com/srun.html
    """
    told = os.environ
    try:
        if "TORCHELASTIC_RUN_ID" in told:
            keys = ("GROUP_WORLD_SIZE", "LOCAL_WORLD_SIZE", "WORLD_SIZE")
            return Launched("torchrun", *(int(told[key]) for key in keys))
        if "SLURM_NTASKS" in told and told.get("SLURM_JOB_NAME") not in SHELLS:
            world, machines = int(told["SLURM_NTASKS"]), int(told.get("SLURM_NNODES", 1))
            return Launched("SLURM", machines, int(told.get("SLURM_NTASKS_PER_NODE", world // machines)), world)
    except (KeyError, ValueError):
        # whatever has set them, it is no launcher that we know
        return None
    return None


def as_launched(trainer: Namespace) -> dict[str, Any]:
    """What the Trainer is told of machines and devices, beside what the config says.

    A launcher knows how many there are, and torchrun's may be other ones after a restart (``--nnodes 1:4``), so that
    they need not be said, and what is said cannot be otherwise.

    Args:
        trainer: The config of the Trainer.

    Raises:
        ConfigError: The config says otherwise, or machines have different numbers of processes.
    """
    found = launched()
    if found is None:
        return {}
    if found.machines * found.processes != found.world:
        raise ConfigError(
            f"trainer.num_nodes {trainer.num_nodes}: {found}, but {found.processes} on this one; start as many on each"
        )
    if trainer.num_nodes not in (1, found.machines):
        raise ConfigError(f"trainer.num_nodes {trainer.num_nodes}: {found}; leave it out, as the launcher knows it")
    devices = _count(trainer.devices)
    if devices is not None and devices != found.processes:
        raise ConfigError(
            f"trainer.devices {trainer.devices}: {found}, {found.processes} of them on this one; leave it out, as the "
            "launcher knows it"
        )
    settings: dict[str, Any] = {"num_nodes": found.machines}
    if devices is None:
        settings["devices"] = found.processes
    return settings


def _count(devices: Any) -> int | None:
    """How many devices a setting names; None if it leaves that open."""
    if isinstance(devices, list):
        return len(devices)
    text = str(devices)
    if text in ("auto", "-1"):
        return None
    return int(text) if text.isdecimal() else len(text.split(","))
