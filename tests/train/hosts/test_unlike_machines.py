"""Machines that do not hold the same are told so before the first step, in a line that names what differs."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.train.hosts.job import Job
from tests.train.hosts.machines import Machines

pytestmark = pytest.mark.slow

SHORT = ["--trainer.max_epochs", "1"]


def apart(photos: Path) -> list[Path]:
    """A folder for each machine, with the photos."""
    folders = [Path.cwd() / f"disk{number}" for number in (0, 1)]
    for folder in folders:
        shutil.copytree(photos, folder / "photos")
    return folders


def test_a_run_that_lies_on_one_machine_alone_is_trained_and_not_gone_on_with(hosts: Machines, photos: Path):
    hosts.plug()
    folders = apart(photos)
    job = Job(hosts, "r", *SHORT, folders=folders)
    assert job.ended() == [0, 0], job.told()
    written = [folder for folder in folders if (folder / "runs" / "r").exists()]
    assert len(written) == 1
    again = Job(hosts, "r", "--trainer.max_epochs", "2", folders=folders)
    assert 0 not in again.ended()
    here = "last.ckpt, step 6"
    told = again.told()
    assert "checkpoint to go on from: none for rank 1 on machine" in told, told
    assert f"but {here} for rank 0 on machine" in told, told
    assert "the folder of runs has to be one that all machines share, see --run.dir" in told


def test_images_that_differ_are_told(hosts: Machines, photos: Path):
    hosts.plug()
    folders = apart(photos)
    next((folders[1] / "photos" / "train" / "circle").iterdir()).rename(folders[1] / "photos/train/circle/other.png")
    job = Job(hosts, "r", *SHORT, folders=folders)
    assert 0 not in job.ended()
    assert "images of train, by names and labels: " in job.told()
    assert "all machines need the same images" in job.told()
    assert not list(Path.cwd().glob("disk*/runs/r"))
