"""Streams that are closed, end early, or take ASCII alone: no traceback, and a training that does its work."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from tests.conftest import CPU, TINY

COMMAND = f"{sys.executable} -m vitcli"


def shell(line: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-o", "pipefail", "-c", line],
        env={**os.environ, **environment}, capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.mark.slow
def test_a_training_with_closed_streams_does_its_work(photos: Path):
    words = " ".join(["--data.root", "photos", "--trainer.max_epochs", "1", "--run.name", "quiet", *TINY, *CPU])
    assert shell(f"{COMMAND} fit {words} >&- 2>&- <&-").returncode == 0
    assert Path("runs/quiet/checkpoints/last.ckpt").is_file()
    # nothing that was to be printed has found its way into a file
    assert b"epoch 1/1" not in b"".join(path.read_bytes() for path in Path("runs/quiet").rglob("*") if path.is_file())


def test_a_reader_that_leaves_early_is_no_traceback(here: Path):
    ended = shell(f"{COMMAND} configs model/larger | true; {COMMAND} --help | head -1")
    assert ended.stdout.startswith("usage: vitcli")
    assert "Traceback" not in ended.stderr
    assert "BrokenPipe" not in ended.stderr


@pytest.mark.slow
def test_names_are_printed_on_a_terminal_of_ascii(here: Path):
    for number, name in enumerate(("été", "日本")):
        (here / "photos" / name).mkdir(parents=True)
        Image.new("RGB", (20, 20), (9, 200 * number, 90)).save(here / "photos" / name / "a.png")
    ended = shell(f"{COMMAND} check photos", PYTHONIOENCODING="ascii")
    assert ended.returncode in (0, 3)
    assert "Traceback" not in ended.stderr
    assert "\\xe9t\\xe9" in ended.stdout
