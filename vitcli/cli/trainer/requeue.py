"""Requeueing a SLURM job that was warned of its end by SIGUSR1 (``#SBATCH --signal=USR1@120``)."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

TIMEOUT_SECONDS = 30


def requeue_if_warned(verb: str, code: int) -> None:
    """Have SLURM start the job again, if it was stopped by its warning; the last thing that is done, for SLURM ends it.

    Args:
        verb: What the job does, for messages.
        code: Its exit code.
    """
    job = os.environ.get("SLURM_JOB_ID")
    if code != 128 + signal.SIGUSR1 or not job:
        return
    if array := os.environ.get("SLURM_ARRAY_JOB_ID"):
        job = f"{array}_{os.environ.get('SLURM_ARRAY_TASK_ID', '')}"
    try:
        asked = subprocess.run(
            ["scontrol", "requeue", job], capture_output=True, text=True, timeout=TIMEOUT_SECONDS, check=False
        )
        why = " ".join(asked.stderr.split()) if asked.returncode else ""
    except (OSError, subprocess.TimeoutExpired) as error:
        why = str(error)
    if why:
        print(f"vitcli {verb}: SLURM has not requeued job {job}: {why}; submit it again", file=sys.stderr, flush=True)
    else:
        print(f"requeued SLURM job {job}", flush=True)
