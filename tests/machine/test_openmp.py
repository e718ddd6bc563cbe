"""Idle OpenMP threads wait briefly, unless the user has said how long."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from vitcli.machine.openmp import SPINS


@pytest.mark.parametrize(("given", "kept"), [(None, SPINS), ("7", "7")])
def test_it_is_decided_before_torch_is_imported(given: str | None, kept: str, tmp_path: Path) -> None:
    # a torch that says what it finds
    (tmp_path / "torch.py").write_text("import os, sys\nprint(os.environ.get('GOMP_SPINCOUNT'))\nsys.exit(5)\n")
    environment = {key: value for key, value in os.environ.items() if key != "GOMP_SPINCOUNT"}
    environment |= {"PYTHONPATH": str(tmp_path)} | ({} if given is None else {"GOMP_SPINCOUNT": given})
    words = [sys.executable, "-m", "vitcli", "import", "no such file", "--out", "never.safetensors"]
    done = subprocess.run(words, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (5, f"{kept}\n"), done.stderr
