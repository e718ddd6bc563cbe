"""The block of versions that a bug report asks for."""

from __future__ import annotations

import platform

import pytest
import torch

from vitcli import __version__
from vitcli.__main__ import main


def test_verbose_version_is_a_block_of_lines(capsys: pytest.CaptureFixture[str]):
    assert main(["--version", "--verbose"]) == 0
    told = dict(line.split(": ", 1) for line in capsys.readouterr().out.splitlines())
    assert told["vitcli"] == __version__
    assert told["python"].startswith(platform.python_version())
    assert torch.__version__.startswith(told["torch"].split("+")[0])
    assert {"system", "lightning", "torchvision", "jsonargparse", "wandb", "CUDA", "CPU", "CPU flags"} <= set(told)
    assert all(told.values())
