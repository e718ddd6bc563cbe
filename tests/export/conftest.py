"""One tiny net of a run, and its plain ONNX file, for all tests of export."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.conftest import CPU, TINY
from vitcli.__main__ import main


@pytest.fixture(scope="session")
def trained(drawn: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of one epoch on the drawn photos, which tests leave as it is; the photos lie beside it."""
    folder = tmp_path_factory.mktemp("trained")
    shutil.copytree(drawn, folder / "photos")
    words = ["--data.root", str(folder / "photos"), "--run.dir", str(folder), "--run.name", "run", *TINY, *CPU]
    assert main(["fit", *words, "--trainer.max_epochs", "1", "--data.batch_size", "8"]) == 0
    return folder / "run"


@pytest.fixture(scope="session")
def exported(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run as model.onnx, with its model card beside it."""
    out = tmp_path_factory.mktemp("exported") / "model.onnx"
    assert main(["export", str(trained), "--out", str(out)]) == 0
    return out
