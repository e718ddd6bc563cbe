"""Elastic: when a machine is lost, those that are left keep the global batch and go on from the checkpoint."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.train.hosts.job import Job, learned
from tests.train.hosts.machines import Machines
from tests.train.safety.test_exact import differing, outcome

pytestmark = pytest.mark.slow


def test_the_machine_that_is_left_learns_what_both_would_have_learned(hosts: Machines, photos: Path):
    hosts.plug()
    # what is drawn in a step (dropout, mixup) belongs to the images, not to the rank
    words = ["--model.net.dropout", "0.1", "--data.augment.mixup", "0.4", "--run.save_minutes", "0.01"]
    straight = Job(hosts, "straight", *words)
    assert straight.ended() == [0, 0], straight.told()
    job = Job(hosts, "r", *words, nodes="1:2", restarts=3)
    job.until("data.global_batch 4: batches of 2 on 2 ranks")
    job.until("epoch 3/")
    job.kill("machine", 1)
    assert job.sides[0].done(400) == 0, job.told()
    assert "data.global_batch 4: batches of 2 on 1 rank, 2 summed up" in job.told()
    assert "going on from runs/r/checkpoints/last.ckpt" in job.told()
    assert differing(learned(outcome(Path("runs/r"))), learned(outcome(Path("runs/straight")))) == []


def test_a_global_batch_that_those_left_cannot_deal_out_is_refused_in_a_line(hosts: Machines, photos: Path):
    hosts.plug()
    job = Job(hosts, "r", "--data.global_batch", "3")
    assert 0 not in job.ended()
    assert "vitcli fit: error: data.global_batch 3: cannot be dealt out evenly to 2 processes" in job.told()
