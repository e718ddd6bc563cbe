"""Stand-ins for SLURM's sbatch, srun and scontrol: one machine, real processes, and the limits of a real job.

``slurm.py sbatch [--option=value ...] script words`` reads the script's #SBATCH lines, runs it, sends the signal of
--signal to its ranks, and runs it again if it was requeued. The signal comes when the file STAND_IN_LIMIT has some
lines: a test knows what a job has done by then, and no time that any machine takes for it. ``srun`` and ``scontrol``
are this module too.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

# what the script's lines may say, and this does
KNOWN = {"job-name", "nodes", "ntasks-per-node", "gpus-per-node", "cpus-per-task", "time", "signal", "requeue"}
KNOWN |= {"open-mode", "output"}
STEP = Path("slurm-step")
REQUEUED = Path("slurm-requeued")
LINES = 5


def directives(text: str) -> dict[str, str]:
    """The options of a script's #SBATCH lines, which end at its first command; an unknown one is an error.

    Raises:
        SystemExit: As sbatch ends.
    """
    found = {}
    for line in text.splitlines()[1:]:
        if line and not line.startswith("#"):
            break
        if said := re.fullmatch(r"#SBATCH --([a-z-]+)(?:=(\S+))?", line):
            if said[1] not in KNOWN:
                raise SystemExit(f"sbatch: unrecognized option '--{said[1]}'")
            found[said[1]] = said[2] or ""
        elif line.startswith("#SBATCH"):
            raise SystemExit(f"sbatch: cannot read {line}")
    return found


def seconds(limit: str) -> int:
    """Of HH:MM:SS."""
    hours, minutes, rest = map(int, limit.split(":"))
    return 3600 * hours + 60 * minutes + rest


def sbatch(words: list[str]) -> int:
    """Run a job until it ends without being requeued; its exit code."""
    options = {}
    while words[0].startswith("--"):
        key, _, value = words.pop(0)[2:].partition("=")
        options[key] = value or words.pop(0)
    script = Path(words[0])
    options = {**directives(script.read_text()), **options}
    number = signal.Signals[f"SIG{options['signal'].partition('@')[0]}"]
    code, starts = 0, 0
    while starts == 0 or REQUEUED.exists():
        REQUEUED.unlink(missing_ok=True)
        environment = {
            **os.environ,
            "SLURM_JOB_ID": os.environ["STAND_IN_JOB_ID"],
            "SLURM_JOB_NAME": options["job-name"],
            "SLURM_NNODES": options["nodes"],
            "SLURM_NTASKS_PER_NODE": options["ntasks-per-node"],
            "SLURM_NTASKS": str(int(options["nodes"]) * int(options["ntasks-per-node"])),
            "SLURM_NODELIST": "localhost",
            "SLURM_RESTART_COUNT": str(starts),
        }
        job = subprocess.Popen(["bash", script, *words[1:]], env=environment)
        if starts == 0:
            threading.Thread(target=warn, args=[number], daemon=True).start()
        code = job.wait()
        starts += 1
    return code


def warn(number: signal.Signals) -> None:
    """Send a signal to all ranks of the step, not to the script (--signal without B:), near the limit."""
    limit = Path(os.environ["STAND_IN_LIMIT"])
    while not limit.exists() or len(limit.read_text().splitlines()) < LINES:
        time.sleep(0.02)
    for pid in STEP.read_text().split():
        os.kill(int(pid), number)


def srun(words: list[str]) -> int:
    """Start all ranks; the first code that is none of success is that of the step."""
    while words[0].startswith("--"):
        words.pop(0)
    ranks = []
    for rank in range(int(os.environ["SLURM_NTASKS"])):
        told = {"SLURM_PROCID": str(rank), "SLURM_LOCALID": str(rank), "SLURM_NODEID": "0"}
        ranks.append(subprocess.Popen(words, env={**os.environ, **told}))
    STEP.write_text(" ".join(str(rank.pid) for rank in ranks))
    codes = [rank.wait() for rank in ranks]
    return next((code for code in codes if code), 0)


def scontrol(words: list[str]) -> int:
    """Requeue the job; nothing else is known."""
    if words != ["requeue", os.environ["SLURM_JOB_ID"]]:
        print(f"scontrol: {' '.join(words)}: not this job", file=sys.stderr)
        return 1
    REQUEUED.touch()
    return 0


if __name__ == "__main__":
    sys.exit({"sbatch": sbatch, "srun": srun, "scontrol": scontrol}[sys.argv[1]](sys.argv[2:]))
