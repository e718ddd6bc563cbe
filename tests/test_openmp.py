"""Idle OpenMP threads wait briefly, unless the user has said how long."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from vitcli.machine.openmp import SPINS

PROGRAM = """
import os, sys
from vitcli.__main__ import main
assert "torch" not in sys.modules
main(["import", "no such file", "--out", "never.safetensors"])
assert "torch" in sys.modules
print(os.environ["GOMP_SPINCOUNT"])
"""


@pytest.mark.parametrize(("given", "kept"), [(None, SPINS), ("7", "7")])
def test_it_is_decided_before_torch_is_imported(given: str | None, kept: str) -> None:
    environment = {key: value for key, value in os.environ.items() if key != "GOMP_SPINCOUNT"}
    environment |= {} if given is None else {"GOMP_SPINCOUNT": given}
    done = subprocess.run([sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == kept
