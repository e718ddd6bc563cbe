"""torchrun and SLURM say how many machines and processes there are, and a setting cannot say otherwise."""

from __future__ import annotations

import pytest
from jsonargparse import Namespace

from vitcli.cli.trainer.launched import as_launched
from vitcli.errors import ConfigError

NAMES = ("TORCHELASTIC_RUN_ID", "GROUP_WORLD_SIZE", "LOCAL_WORLD_SIZE", "WORLD_SIZE")
NAMES += ("SLURM_NTASKS", "SLURM_NNODES", "SLURM_NTASKS_PER_NODE", "SLURM_JOB_NAME")


@pytest.fixture(autouse=True)
def unlaunched(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)


def by_torchrun(monkeypatch: pytest.MonkeyPatch, machines: int, processes: int, world: int) -> None:
    for name, value in zip(NAMES[:4], ("run", machines, processes, world), strict=True):
        monkeypatch.setenv(name, str(value))


def trainer(num_nodes: int = 1, devices: object = "auto") -> Namespace:
    return Namespace(num_nodes=num_nodes, devices=devices)


def test_without_a_launcher_the_config_decides():
    assert as_launched(trainer(2, 4)) == {}


def test_torchrun_knows_machines_and_processes(monkeypatch: pytest.MonkeyPatch):
    by_torchrun(monkeypatch, 2, 4, 8)
    assert as_launched(trainer()) == {"num_nodes": 2, "devices": 4}
    assert as_launched(trainer(devices=-1)) == {"num_nodes": 2, "devices": 4}
    for same in (4, "4", [0, 1, 2, 3], "0,1,2,3"):
        assert as_launched(trainer(2, same)) == {"num_nodes": 2}


def test_slurm_knows_them_too_but_not_in_a_shell_of_its_own(monkeypatch: pytest.MonkeyPatch):
    for name, value in zip(NAMES[4:], ("16", "2", "8", "vitcli"), strict=True):
        monkeypatch.setenv(name, value)
    assert as_launched(trainer()) == {"num_nodes": 2, "devices": 8}
    monkeypatch.setenv("SLURM_JOB_NAME", "interactive")
    assert as_launched(trainer()) == {}


@pytest.mark.parametrize(
    ("machines", "processes", "world", "given", "told"),
    [
        (1, 2, 2, trainer(2), "trainer.num_nodes 2: torchrun has started 2 ranks on 1 machine; leave it out"),
        (
            2,
            2,
            4,
            trainer(devices=1),
            "trainer.devices 1: torchrun has started 4 ranks on 2 machines, 2 of them on this",
        ),
        (2, 2, 3, trainer(), "torchrun has started 3 ranks on 2 machines, but 2 on this one; start as many on each"),
    ],
)
def test_what_contradicts_the_launcher_is_refused(
    machines: int, processes: int, world: int, given: Namespace, told: str, monkeypatch: pytest.MonkeyPatch
):
    by_torchrun(monkeypatch, machines, processes, world)
    with pytest.raises(ConfigError, match=told):
        as_launched(given)
