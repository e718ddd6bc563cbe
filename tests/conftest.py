"""What all tests share: one torch thread, a folder of their own to run in, small pictures, and vitcli in processes."""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ["WANDB_MODE"] = "offline"

import io
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from tests.warm import Warm, warm

REPOSITORY = Path(__file__).parents[1]
# a net that steps in milliseconds; what is tested is the run around it
TINY = [
    "--model.net.image_size=16",
    "--model.net.patch_size=8",
    "--model.net.dim=16",
    "--model.net.backend.depth=1",
    "--model.net.backend.heads=2",
]
# and no report, which takes longer than such a net to train; tests of the report ask for it
CPU = ["--trainer.accelerator=cpu", "--report.write=false"]

torch.set_num_threads(1)

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # a shell lets what it starts in the background ignore Ctrl-C, and all that this starts would do so too
    signal.signal(signal.SIGINT, signal.default_int_handler)


def photo(number: int = 0, size: tuple[int, int] = (60, 40)) -> Image.Image:
    """A picture with soft shapes, such as cameras take, of (width, height); another one for each number."""
    rng = np.random.default_rng(number)
    coarse = rng.integers(0, 256, (5, 6, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC)


def picture_bytes(number: int = 0, kind: str = "PNG", **options: object) -> bytes:
    """The file of a photo."""
    buffer = io.BytesIO()
    photo(number).save(buffer, kind, **options)
    return buffer.getvalue()


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """One more than there are cores: the tests wait for processes and timers a quarter of their time."""
    return len(os.sched_getaffinity(0)) + 1


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What starts processes takes longest and comes first, so that all workers of xdist end together."""
    items.sort(key=lambda item: "programs" not in getattr(item, "fixturenames", ()))


@pytest.fixture(autouse=True)
def hears_ctrl_c() -> Iterator[None]:
    """Lightning ignores Ctrl-C for good when it has met one, and the next test of this process would have none."""
    before = signal.getsignal(signal.SIGINT)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Chromium without a window; tests of pages are skipped, visibly, where there is none."""
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("no chromium on this machine; install Debian's package")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as started:
        running = started.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"])
        yield running
        running.close()


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


@pytest.fixture
def write_images(tmp_path: Path) -> Callable[..., None]:
    """A function that writes tiny pictures to paths below ``tmp_path``, each of its own grey."""

    def write(*paths: str, size: tuple[int, int] = (6, 4)) -> None:
        for number, path in enumerate(paths):
            file = tmp_path / path
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", size, (number % 256, 100, 50)).save(file)

    return write


@pytest.fixture
def write_photos(tmp_path: Path) -> Callable[..., None]:
    """A function that writes photos to paths below ``tmp_path``, each another one."""

    def write(*paths: str, first: int = 0, size: tuple[int, int] = (60, 40)) -> None:
        for number, path in enumerate(paths, first):
            file = tmp_path / path
            file.parent.mkdir(parents=True, exist_ok=True)
            photo(number, size).save(file)

    return write


@pytest.fixture(scope="session")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pictures of ``photos``, which tests leave as they are."""
    from vitcli.data import ShapesData
    from vitcli.preprocess import Preprocess

    root = tmp_path_factory.mktemp("drawn") / "photos"
    data = ShapesData(preprocess=Preprocess(size=(24, 32)))
    data.write(root / "train", "train", 24)
    data.write(root / "val", "val", 8)
    data.write(root / "test", "test", 7)
    return root


@pytest.fixture
def photos(drawn: Path, here: Path) -> Path:
    """``photos/{train,val,test}/{circle,square}/*.png``: 24, 8 and 7 drawn pictures."""
    shutil.copytree(drawn, here / "photos")
    return here / "photos"


@pytest.fixture(scope="session")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warm]:
    """Starts processes that have imported torch already."""
    with warm(tmp_path_factory.mktemp("programs")) as started:
        yield started


@pytest.fixture
def vitcli(programs: Warm, here: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """vitcli in a process of its own, which runs in a folder of the test's own."""
    return programs.run


@pytest.fixture
def fitted(photos: Path) -> Path:
    """The folder of a run of one epoch on the drawn photos."""
    return fit()


@pytest.fixture(scope="session")
def _fitted(drawn: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fitted")
    shutil.copytree(drawn, folder / "photos")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        fit()
    return folder


@pytest.fixture
def copied(_fitted: Path, here: Path) -> Path:
    """A copy of such a run and its photos: for tests that only read it, and do not go on with it."""
    shutil.copytree(_fitted, here, dirs_exist_ok=True)
    return Path("runs/photos")


def fit() -> Path:
    """Train for one epoch on the photos that lie here."""
    from vitcli.__main__ import main

    words = ["fit", "--data.root", "photos", "--data.batch_size", "8", "--trainer.max_epochs", "1", *TINY, *CPU]
    assert main([*words, "--trainer.log_every_n_steps", "1"]) == 0
    return Path("runs/photos")
