"""What do all tests share? One torch thread, a folder of their own to run in, and small pictures of two kinds."""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ["WANDB_MODE"] = "offline"

import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

REPOSITORY = Path(__file__).parents[1]
# a net that steps in milliseconds; what is tested is the run around it
TINY = [
    "--model.net.image_size=16",
    "--model.net.patch_size=8",
    "--model.net.dim=16",
    "--model.net.backend.depth=1",
    "--model.net.backend.heads=2",
]
CPU = ["--trainer.accelerator=cpu"]

torch.set_num_threads(1)

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # a shell lets what it starts in the background ignore Ctrl-C, and all that this starts would do so too
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def shared_data() -> Path:
    """The folder of real photos; the test is skipped, visibly, where there is none."""
    folder = Path(os.environ.get("VITCLI_SHARED_DATA", REPOSITORY.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no shared data in {folder}; set VITCLI_SHARED_DATA")
    return folder


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of the test's own, in which it runs."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="session")
def _drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from vitcli.data import ShapesData
    from vitcli.preprocess import Preprocess

    root = tmp_path_factory.mktemp("drawn") / "photos"
    data = ShapesData(preprocess=Preprocess(size=(24, 32)))
    data.write(root / "train", "train", 24)
    data.write(root / "val", "val", 8)
    data.write(root / "test", "test", 7)
    return root


@pytest.fixture
def photos(_drawn: Path, here: Path) -> Path:
    """``photos/{train,val,test}/{circle,square}/*.png``: 24, 8 and 7 drawn pictures."""
    shutil.copytree(_drawn, here / "photos")
    return here / "photos"


@pytest.fixture
def vitcli(here: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """The real program, in a process of its own."""

    def run(*words: str, **options: object) -> subprocess.CompletedProcess[str]:
        command = [str(Path(sys.executable).with_name("vitcli")), *map(str, words)]
        return subprocess.run(command, capture_output=True, text=True, cwd=here, timeout=300, check=False)

    return run


@pytest.fixture
def fitted(photos: Path) -> Path:
    """The folder of a run of one epoch on the drawn photos."""
    from vitcli.__main__ import main

    words = ["fit", "--data.root", "photos", "--data.batch_size", "8", "--trainer.max_epochs", "1", *TINY, *CPU]
    assert main([*words, "--trainer.log_every_n_steps", "1"]) == 0
    return Path("runs/photos")
