"""deploy/torchrun.sh trains on this machine, and on two; so does what SkyPilot runs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.conftest import CPU, REPOSITORY, TINY
from tests.train.hosts.conftest import _possible, hosts  # noqa: F401 -- fixtures
from tests.train.hosts.machines import Machines
from tests.train.safety.test_exact import differing, outcome

SCRIPT = REPOSITORY / "deploy" / "torchrun.sh"
WORDS = ["fit", "--config", "trainer/multi_node", "--data.root", "photos", "--data.batch_size", "2", *TINY, *CPU]
WORDS += ["--trainer.precision", "32-true", "--trainer.max_epochs", "2"]


def environment(**variables: str) -> dict[str, str]:
    return {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", **variables}


def test_several_machines_need_a_place_to_meet(here: Path):
    told = subprocess.run([SCRIPT, "fit"], env=environment(MACHINES="2"), capture_output=True, text=True, check=False)
    assert told.returncode != 0
    assert "FIRST: name the machine where all meet, with a port: FIRST=gpu1:29400" in told.stderr


@pytest.mark.slow
def test_one_machine_and_two_learn_the_same(hosts: Machines, photos: Path):  # noqa: F811
    command = [SCRIPT, *WORDS, "--run.name"]
    alone = subprocess.run([*command, "one"], env=environment(RANKS="2"), capture_output=True, text=True, check=False)
    assert alone.returncode == 0, alone.stderr
    hosts.plug()
    told = environment(MACHINES="2", FIRST="machine0:29400", RANKS="1", CARD="cable")
    files = [Path(f"side{number}.txt") for number in (0, 1)]
    sides = [hosts.start(number, [*command, "two"], told, file) for number, file in enumerate(files)]
    assert [side.wait(400) for side in sides] == [0, 0], "\n".join(file.read_text() for file in files)
    assert differing(outcome(Path("runs/one")), outcome(Path("runs/two"))) == []


@pytest.mark.slow
def test_what_skypilot_runs_trains(photos: Path):
    task = yaml.safe_load((REPOSITORY / "deploy" / "skypilot.yaml").read_text())
    run = task["run"].replace("deploy/torchrun.sh fit --config folder", f"{SCRIPT} fit")
    run = run.replace('$RUN" --run.resume auto', '$RUN" --run.resume auto ' + " ".join([*TINY, *CPU]))
    told = environment(
        SKYPILOT_NUM_NODES="1",
        SKYPILOT_NUM_GPUS_PER_NODE="1",
        SKYPILOT_NODE_IPS="127.0.0.1",
        SKYPILOT_NODE_RANK="0",
        PHOTOS="photos",
        RUN=task["envs"]["RUN"],
        RUNS="runs",
        HOME=str(Path.cwd()),
    )
    # the block ends with a line break
    run = run.rstrip() + " --trainer.precision 32-true --trainer.max_epochs 1 --data.global_batch 8 --data.batch_size 8"
    done = subprocess.run(["bash", "-c", run], env=told, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert Path("runs/photos/checkpoints/last.ckpt").is_file()
