"""predict with an exported net beside predict with its checkpoint: whole processes on the same photos, in turns.

    python benchmarks/light.py runs/photos photos.onnx photos/ [--rounds 5]

Each turn is a command of its own, from its start to its end: one photo, which is the start alone, and the whole folder.
Told are the medians over the rounds of wall time, of CPU time (user and system, of all its processes), and the largest
resident set; the CPU time is the one to compare where the machine has other work. The tables are compared at the end.
Linux only.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from vitcli.images.source.walk import find_files
from vitcli.table.rows import read_rows

VITCLI = [sys.executable, "-m", "vitcli", "predict"]


class Turn(NamedTuple):
    """What a command cost: seconds, CPU seconds, and the largest resident set in bytes."""

    seconds: float
    cpu_seconds: float
    peak_bytes: int


def turn(words: Sequence[str]) -> Turn:
    """Run a command to its end."""
    began = time.perf_counter()
    process = subprocess.Popen([*VITCLI, *words], stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in (0, 3):
        sys.exit(f"{' '.join(words)}: ended with {process.returncode}")
    return Turn(seconds, used.ru_utime + used.ru_stime, used.ru_maxrss * 1024)


def compared(one: Path, other: Path) -> str:
    """How far two tables are apart, in words."""
    labels, apart = 0, 0.0
    for first, second in zip(read_rows(one), read_rows(other), strict=True):
        if (first.path, first.status, first.error) != (second.path, second.status, second.error):
            sys.exit(f"{first.path}: {first} and {second}")
        labels += first.predicted != second.predicted
        ours, theirs = (np.array([*row.probabilities, *(share for _, share in row.top)]) for row in (first, second))
        apart = max(apart, float(np.abs(ours - theirs).max(initial=0)))
    return f"{labels} labels differ, largest difference of a probability {apart:.1e}"


def main() -> None:
    """Measure, and print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run")
    parser.add_argument("model")
    parser.add_argument("images")
    parser.add_argument("--rounds", type=int, default=5)
    told = parser.parse_args()
    count = len(find_files(told.images)[0].paths)
    photo = str(Path(told.images, min(find_files(told.images)[0].paths)))
    with tempfile.TemporaryDirectory() as folder:
        nets = {
            "checkpoint": ([told.run] if Path(told.run).is_dir() else ["--weights", told.run])
            + ["--trainer.accelerator=cpu"],
            "onnx": ["--model", told.model],
        }
        commands = {
            (name, what): [
                *net,
                "--data.root",
                images,
                "--run.dir",
                f"{folder}/runs",
                "--predictions.path",
                f"{folder}/{name}.csv",
            ]
            for what, images in (("one photo", photo), (f"{count} images", told.images))
            for name, net in nets.items()
        }
        turns: dict[tuple[str, str], list[Turn]] = {key: [] for key in commands}
        for _ in range(told.rounds):
            for key, words in commands.items():
                turns[key].append(turn(words))
        print(f"{'':<24}{'wall s':>8}{'CPU s':>8}{'MB':>7}{'load':>7}")
        load = os.getloadavg()[0]
        for (name, what), found in turns.items():
            seconds, cpu, peak = (statistics.median(column) for column in zip(*found, strict=True))
            print(f"{name + ', ' + what:<24}{seconds:>8.2f}{cpu:>8.2f}{peak / 1e6:>7.0f}{load:>7.1f}")
        print(compared(Path(folder, "checkpoint.csv"), Path(folder, "onnx.csv")))


if __name__ == "__main__":
    main()
