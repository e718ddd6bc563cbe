"""A job that SLURM warns is put back into its queue, and only then."""

from __future__ import annotations

from pathlib import Path

import pytest

from vitcli.cli.trainer.requeue import requeue_if_warned

WARNED = 138


@pytest.fixture
def scontrol(here: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stand-in for SLURM's command, which writes down what it was asked for, and fails for job 13."""
    for name in ("SLURM_JOB_ID", "SLURM_ARRAY_JOB_ID", "SLURM_ARRAY_TASK_ID"):
        monkeypatch.delenv(name, raising=False)
    stand_in = here / "bin" / "scontrol"
    stand_in.parent.mkdir()
    asked = here / "asked"
    stand_in.write_text(f'#!/bin/sh\necho "$@" >> {asked}\nif [ "$2" = 13 ]; then echo no such job >&2; exit 1; fi\n')
    stand_in.chmod(0o755)
    monkeypatch.setenv("PATH", str(stand_in.parent), prepend=":")
    return asked


def test_a_job_that_was_warned_is_requeued(
    scontrol: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setenv("SLURM_JOB_ID", "12")
    requeue_if_warned("fit", WARNED)
    assert scontrol.read_text() == "requeue 12\n"
    assert capsys.readouterr().out == "requeued SLURM job 12\n"


def test_of_an_array_it_is_this_task(scontrol: Path, monkeypatch: pytest.MonkeyPatch):
    for name, value in (("JOB_ID", "14"), ("ARRAY_JOB_ID", "12"), ("ARRAY_TASK_ID", "3")):
        monkeypatch.setenv(f"SLURM_{name}", value)
    requeue_if_warned("fit", WARNED)
    assert scontrol.read_text() == "requeue 12_3\n"


def test_a_job_that_slurm_does_not_take_is_told(
    scontrol: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setenv("SLURM_JOB_ID", "13")
    requeue_if_warned("fit", WARNED)
    told = "vitcli fit: SLURM has not requeued job 13: no such job; submit it again\n"
    assert capsys.readouterr().err == told
    monkeypatch.setenv("PATH", "")
    requeue_if_warned("fit", WARNED)
    assert "not requeued job 13" in capsys.readouterr().err


def test_nothing_else_requeues_a_job(scontrol: Path, monkeypatch: pytest.MonkeyPatch):
    requeue_if_warned("fit", WARNED)
    monkeypatch.setenv("SLURM_JOB_ID", "12")
    for code in (0, 1, 2, 143):
        requeue_if_warned("fit", code)
    assert not scontrol.exists()
