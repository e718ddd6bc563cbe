"""The wheel works alone: built, installed beside its dependencies, and run from an empty folder."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY

CONFIGS = REPOSITORY / "configs"


def run(*words: str | Path, where: Path) -> str:
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME")}
    done = subprocess.run(
        list(map(str, words)), cwd=where, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", folder, where=REPOSITORY)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def command(wheel: Path) -> Path:
    """vitcli, installed from the wheel alone into an environment that has its dependencies."""
    environment = wheel.parent / "environment"
    run(sys.executable, "-m", "venv", "--without-pip", environment, where=wheel.parent)
    python = environment / "bin" / "python"
    ours = Path(run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", where=wheel.parent).strip())
    # of a folder that is named so, Python reads no .pth: an editable vitcli in it stays unseen
    (ours / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    pip = [sys.executable, "-m", "pip", "--python", python, "--disable-pip-version-check", "install", "--no-index"]
    run(*pip, "--quiet", "--no-deps", "--ignore-installed", wheel, where=wheel.parent)
    return environment / "bin" / "vitcli"


def test_the_wheel_holds_the_configs_and_the_mark_of_its_types(wheel: Path):
    held = set(zipfile.ZipFile(wheel).namelist())
    assert {f"vitcli/configs/{path.relative_to(CONFIGS)}" for path in CONFIGS.rglob("*.yaml")} <= held
    assert "vitcli/py.typed" in held
    assert {f"vitcli/report/templates/report.{ending}" for ending in ("html", "css", "js")} <= held
    assert {f"vitcli/serve/page/page.{ending}" for ending in ("html", "css", "js")} <= held
    assert not any(name.startswith(("tests/", "benchmarks/", "configs/")) for name in held)


def test_the_installed_wheel_lists_its_configs_in_an_empty_folder(command: Path, tmp_path: Path):
    listed = run(command, "configs", where=tmp_path)
    assert len(listed.splitlines()) == len(list(CONFIGS.rglob("*.yaml")))
    assert run(command, "configs", "cats_dogs", where=tmp_path) == (CONFIGS / "cats_dogs.yaml").read_text()


@pytest.mark.slow
def test_the_installed_wheel_trains_from_a_short_name_in_an_empty_folder(command: Path, tmp_path: Path):
    where = "import vitcli; print(vitcli.__file__)"
    assert str(command.parents[1]) in run(command.parent / "python", "-c", where, where=tmp_path)
    words = ["--data.train=8", "--data.val=4", "--data.batch_size=4", "--trainer.max_epochs=1", "--model.net.dim=16"]
    told = run(command, "fit", "--config", "shapes", *words, "--model.net.backend.depth=1", where=tmp_path)
    assert "done: 1 epoch, 2 steps" in told
    assert (tmp_path / "runs" / "shapes" / "checkpoints" / "last.ckpt").is_file()
