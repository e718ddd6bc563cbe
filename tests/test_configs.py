"""Every shipped run, under every overlay, is a run: it parses, and it fits two batches."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from PIL import Image

from tests.conftest import CPU, REPOSITORY
from vitcli.__main__ import main

CONFIGS = REPOSITORY / "configs"
RUNS = sorted(CONFIGS.glob("*.yaml"))
# what vitcli search takes, and what wandb does
OTHERS = ("spaces", "sweeps")
OVERLAYS = sorted(path for path in CONFIGS.glob("*/*.yaml") if path.parent.name not in OTHERS)


def name(path: Path) -> str:
    return str(path.relative_to(CONFIGS).with_suffix(""))


@pytest.fixture
def cats_and_dogs(here: Path) -> Path:
    for split in ("train", "val"):
        for kind in ("cat", "dog"):
            folder = here / "animals" / split / kind
            folder.mkdir(parents=True)
            for number in range(2):
                Image.new("RGB", (64, 48), (60 * number, 90, 200)).save(folder / f"{number}.jpg")
    return here / "animals"


def print_config(words: list[str], capsys: pytest.CaptureFixture[str]) -> dict[str, dict[str, object]]:
    capsys.readouterr()
    with pytest.raises(SystemExit) as stopped:
        main(["fit", *words, "--print_config"])
    assert stopped.value.code == 0
    return yaml.safe_load(capsys.readouterr().out)


@pytest.mark.slow
@pytest.mark.parametrize("overlay", [None, *OVERLAYS], ids=lambda path: name(path) if path else "alone")
@pytest.mark.parametrize("run", RUNS, ids=name)
def test_every_run_parses_under_every_overlay(
    here: Path, capsys: pytest.CaptureFixture[str], run: Path, overlay: Path | None
):
    words = ["--config", str(run)] + (["--config", str(overlay)] if overlay else [])
    root = [] if "ShapesData" in run.read_text() else ["--data.root", "photos"]
    config = print_config([*words, *root], capsys)
    said = yaml.safe_load((overlay or run).read_text())
    for section, values in said.get("trainer", {}).items():
        stored = config["trainer"][section]
        assert str(values) in str(stored) or isinstance(values, dict)


@pytest.mark.parametrize("size", ["tiny", "small", "base"])
def test_size_and_backend_overlays_commute(here: Path, capsys: pytest.CaptureFixture[str], size: str):
    overlays = [["--config", str(CONFIGS / f"model/{one}.yaml")] for one in (size, "linformer")]
    run = ["--config", str(CONFIGS / "folder.yaml"), "--data.root", "photos"]
    one = print_config([*run, *overlays[0], *overlays[1]], capsys)
    other = print_config([*run, *overlays[1], *overlays[0]], capsys)
    assert one["model"] == other["model"]
    assert one["model"]["net"]["backend"]["class_path"] == "vitcli.net.Linformer"


def test_linformers_own_k_does_not_leak_back(here: Path, capsys: pytest.CaptureFixture[str]):
    run = ["--config", str(CONFIGS / "high_resolution.yaml"), "--data.root", "photos"]
    vanilla = print_config([*run, "--config", str(CONFIGS / "model/vanilla.yaml")], capsys)
    assert "k" not in vanilla["model"]["net"]["backend"]["init_args"]
    assert vanilla["model"]["net"]["backend"]["init_args"]["depth"] == 12


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:model.net.backend.k")
@pytest.mark.parametrize("run", RUNS, ids=name)
def test_every_run_fits_two_batches(cats_and_dogs: Path, run: Path):
    words = ["--config", str(run), "--config", str(CONFIGS / "trainer/debug.yaml"), "--trainer.precision=32-true"]
    words += [] if "ShapesData" in run.read_text() else ["--data.root", "animals"]
    # the high-resolution run at a size that two batches of it take seconds, not minutes
    words += ["--model.net.image_size=256", "--model.net.dim=64"] if run.stem == "high_resolution" else []
    assert main(["fit", *words, "--data.batch_size=2", *CPU]) == 0
    assert Path(f"runs/{run.stem}/checkpoints/last.ckpt").is_file()


@pytest.mark.parametrize("path", [*RUNS, *OVERLAYS], ids=name)
def test_every_config_opens_with_what_it_is_for_and_how_it_is_started(path: Path):
    comments = [line for line in path.read_text().splitlines() if line.startswith("# ")]
    assert len(comments) >= 2
    if path in RUNS:
        assert re.search(r"^# Reaches:  .*\d{4}-\d{2}-\d{2}", path.read_text(), re.MULTILINE)
        assert f"# Command:  vitcli fit --config {name(path)}" in path.read_text()
    else:
        assert f"--config {name(path)} " in path.read_text()


def test_no_config_states_a_derived_number():
    for path in (*RUNS, *OVERLAYS):
        assert "tokens" not in str(yaml.safe_load(path.read_text()))
        assert "'classes'" not in str(yaml.safe_load(path.read_text()))
