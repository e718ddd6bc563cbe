"""A trial has one process at a time: a dead one's is free, and a training that outlived its searcher is not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from vitcli.machine.lock import Holder, Lock
from vitcli.search import folder as module
from vitcli.search.folder import Heartbeat, Owners, StudyFolder

HOLD = """
import sys
from pathlib import Path
from vitcli.machine.lock import Lock
assert Lock(Path(sys.argv[1])).take() is None
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def study(tmp_path: Path) -> StudyFolder:
    (tmp_path / "study" / "trial-000").mkdir(parents=True)
    return StudyFolder(tmp_path / "study")


@pytest.fixture(params=[".search.lock", ".fit.lock"])
def other(study: StudyFolder, request: pytest.FixtureRequest) -> Iterator[subprocess.Popen[str]]:
    """Another process that has a lock in the folder of a trial: a searcher, or a training without one."""
    command = [sys.executable, "-c", HOLD, str(study.run(0).folder / request.param)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_a_trial_of_a_process_that_lives_is_left_alone_and_of_one_that_was_killed_is_taken(
    study: StudyFolder, other: subprocess.Popen[str]
):
    assert Owners(study).take(0) is None
    other.kill()
    other.wait()
    lock = Owners(study).take(0)
    assert lock is not None
    lock.release()
    assert not list(study.run(0).folder.glob(".*.lock"))


def test_a_trial_of_another_machine_is_taken_only_when_its_owner_gave_no_sign_of_life(
    study: StudyFolder, monkeypatch: pytest.MonkeyPatch
):
    """As on a network disk that is mounted with locks of this machine alone: the lock itself would be free."""
    file = study.run(0).folder / ".search.lock"
    file.write_text(json.dumps(Holder("elsewhere", os.getpid(), 1, "today")._asdict()))
    now = time.monotonic()
    monkeypatch.setattr(module.time, "monotonic", lambda: now)
    owners = Owners(study)
    for _ in range(3):
        assert owners.take(0) is None
        now += 0.9 * module.SILENT_SECONDS
        touched = file.stat().st_mtime_ns
        heart = Heartbeat(Lock(file))
        heart.beat()
        assert file.stat().st_mtime_ns > touched
    assert owners.take(0) is None
    now += 1.1 * module.SILENT_SECONDS
    assert owners.take(0) is not None
