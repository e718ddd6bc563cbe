"""Two machines train as one does: a lost side, a slow cable and lost packets change no bit of what is learned."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.train.hosts.job import WORDS, Job, learned
from tests.train.hosts.machines import Machines
from tests.train.hosts.wire import Wire
from tests.train.safety.test_exact import differing, outcome
from tests.warm import Warm

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def kept() -> dict[str, Any]:
    """What the tests of this module have found out already."""
    return {}


@pytest.fixture
def straight(kept: dict[str, Any], hosts: Machines, photos: Path) -> dict[str, Any]:
    """What two machines reach that nothing disturbs, on a cable that stays."""
    hosts.plug()
    if "straight" not in kept:
        job = Job(hosts, "straight")
        assert job.ended() == [0, 0], job.told()
        kept["straight"] = outcome(Path("runs/straight"))
    return dict(kept["straight"])


def test_one_machine_with_the_same_global_batch_learns_the_same_bits(
    straight: dict[str, Any], programs: Warm, photos: Path
):
    # of two ranks: a sum of two halves has one order
    done = programs.run(*WORDS, "--data.root", "photos", "--run.name", "alone")
    assert done.returncode == 0, done.stderr
    assert "data.global_batch 4: batches of 2 on 1 rank, 2 summed up" in done.stdout
    assert differing(learned(outcome(Path("runs/alone"))), learned(straight)) == []


@pytest.mark.parametrize("what", ["rank", "torchrun"])
def test_a_side_that_is_killed_ends_the_other_and_a_new_start_ends_with_the_same_bits(
    what: str, straight: dict[str, Any], hosts: Machines
):
    job = Job(hosts, "r")
    job.until("epoch 3/")
    job.kill(what, 1)
    assert 0 not in job.ended(), job.told()
    died = r"has died|the process that has launched it is gone"
    assert re.search(rf"vitcli fit: rank 1 \(process \d+ on machine1\).*({died})", job.sides[0].told()), job.told()
    again = Job(hosts, "r")
    assert again.ended() == [0, 0], again.told()
    assert "going on from runs/r/checkpoints/last.ckpt" in again.told()
    assert differing(outcome(Path("runs/r")), straight) == []


def test_a_cable_that_is_cut_ends_both_with_a_line_and_a_new_start_ends_with_the_same_bits(
    straight: dict[str, Any], hosts: Machines
):
    job = Job(hosts, "r")
    job.until("epoch 3/")
    ranks = [side.ranks()[0] for side in job.sides]
    hosts.cut(1)
    for number, other in ((0, 1), (1, 0)):
        silent = rf"vitcli fit: rank {other} \(process {ranks[other]} on machine{other}\) has not answered for \d+ s"
        job.sides[number].until("has not answered")
        assert re.search(silent, job.sides[number].told()), job.told()
    # the torchrun that is cut off from the meeting point waits for it for minutes
    job.sides[1].kill()
    assert job.sides[0].done(400) != 0
    hosts.mend(1)
    again = Job(hosts, "r")
    assert again.ended() == [0, 0], again.told()
    assert differing(outcome(Path("runs/r")), straight) == []


@pytest.mark.parametrize("number", [0, 1])
def test_torchrun_starts_both_sides_again_by_itself(number: int, straight: dict[str, Any], hosts: Machines):
    job = Job(hosts, "r", restarts=1)
    job.until("epoch 3/")
    job.kill("rank", number)
    assert job.ended() == [0, 0], job.told()
    assert "going on from runs/r/checkpoints/last.ckpt" in job.told()
    assert differing(outcome(Path("runs/r")), straight) == []


def test_late_and_lost_packets_make_it_slower_and_change_no_bit(straight: dict[str, Any], hosts: Machines):
    hosts.unplug()
    wire = Wire(hosts, delay_seconds=0.003, loss=0.01)
    try:
        job = Job(hosts, "r")
        assert job.ended() == [0, 0], job.told()
    finally:
        wire.close()
    assert wire.dropped > 10
    assert differing(outcome(Path("runs/r")), straight) == []


def test_two_ranks_on_each_of_two_machines_learn_what_one_does_to_the_rounding_of_a_sum(
    hosts: Machines, programs: Warm, photos: Path
):
    hosts.plug()
    few = ["--data.batch_size", "1", "--trainer.max_epochs", "4"]
    job = Job(hosts, "four", *few, ranks=2)
    assert job.ended() == [0, 0], job.told()
    done = programs.run(*WORDS, "--data.root", "photos", "--run.name", "alone", *few)
    assert done.returncode == 0, done.stderr
    four, alone = (
        torch.load(f"runs/{name}/checkpoints/last.ckpt", weights_only=True)["state_dict"] for name in ("four", "alone")
    )
    # float32: four gradients are added up in another order, and AdamW divides by their size
    assert max(float((four[key] - alone[key]).abs().max()) for key in alone) < 1e-4
