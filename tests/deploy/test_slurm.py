"""deploy/slurm.sbatch starts a rank for each task, saves before its limit, is requeued, and ends as a longer job."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import CPU, REPOSITORY, TINY
from tests.deploy.slurm import directives, seconds
from tests.train.safety.test_exact import differing, outcome
from tests.warm import Warm

SCRIPT = REPOSITORY / "deploy" / "slurm.sbatch"


def test_the_warning_leaves_time_to_save_and_the_job_may_be_requeued():
    said = directives(SCRIPT.read_text())
    assert "requeue" in said
    assert 60 < int(said["signal"].removeprefix("USR1@")) < seconds(said["time"]) / 10
    assert said["ntasks-per-node"] == said["gpus-per-node"]


def test_an_option_that_sbatch_does_not_know_is_refused():
    with pytest.raises(SystemExit, match="gpu-per-node"):
        directives(SCRIPT.read_text().replace("--gpus-per-node", "--gpu-per-node"))


@pytest.mark.slow
def test_a_job_that_reaches_its_limit_is_requeued_and_ends_with_the_bits_of_one_that_does_not(
    programs: Warm, photos: Path
):
    stand_ins = Path("bin")
    stand_ins.mkdir()
    for name in ("srun", "scontrol"):
        file = stand_ins / name
        file.write_text(f'#!/bin/sh\nexec {sys.executable} {REPOSITORY}/tests/deploy/slurm.py {name} "$@"\n')
        file.chmod(0o755)
    words = [*TINY, *CPU, "--data.root", "photos", "--data.batch_size", "2", "--trainer.max_epochs", "20"]
    straight = programs.run(
        "fit", *words, "--trainer.devices", "2", "--trainer.strategy", "ddp", "--run.name", "whole", ranks=1
    )
    assert straight.returncode == 0, straight.stderr
    limits = ["--nodes=1", "--ntasks-per-node=2"]
    told = subprocess.run(
        [sys.executable, REPOSITORY / "tests" / "deploy" / "slurm.py", "sbatch", *limits, SCRIPT, "fit", *words],
        env={
            **os.environ,
            "PATH": f"{stand_ins.absolute()}:{Path(sys.executable).parent}:{os.environ['PATH']}",
            "STAND_IN_JOB_ID": str(10_000 + os.getpid() % 10_000),
            "RUN": "job",
            "STAND_IN_LIMIT": "runs/job/metrics.csv",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 0, told.stdout + told.stderr
    assert "requeued SLURM job " in told.stdout
    assert "going on from runs/job/checkpoints/last.ckpt" in told.stdout
    assert differing(outcome(Path("runs/job")), outcome(Path("runs/whole"))) == []
