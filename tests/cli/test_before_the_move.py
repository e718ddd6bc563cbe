"""Checkpoints and configs written before modules moved into rooms (at fd66d04) load and go on."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from vitcli.__main__ import main
from vitcli.table.row import Row
from vitcli.table.rows import read_rows

KEPT = Path(__file__).parent / "before_the_move"
BOTH = pytest.mark.parametrize("name", ["vanilla", "linformer"])


@pytest.fixture
def run(name: str, here: Path) -> Path:
    return shutil.copytree(KEPT / name, here / "runs" / name)


@BOTH
def test_an_old_checkpoint_predicts_what_it_did(run: Path):
    before = list(read_rows(run / "predictions.test.csv"))
    assert main(["test", "--ckpt_path", str(run / "checkpoints" / "last.ckpt")]) == 0
    after = list(read_rows(run / "predictions.test.csv"))
    assert [(row.path, row.label, row.width, row.status) for row in after] == [
        (row.path, row.label, row.width, row.status) for row in before
    ]
    assert [row.predicted for row in after if is_clear(row)] == [row.predicted for row in before if is_clear(row)]
    for one, other in zip(before, after, strict=True):
        # another processor sums in another order
        assert one.probabilities == pytest.approx(other.probabilities, abs=1e-5)


@pytest.mark.slow
@BOTH
def test_an_old_run_goes_on(run: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["fit", "--ckpt_path", str(run), "--trainer.max_epochs", "3"]) == 0
    told = capsys.readouterr().out
    assert f"going on from {run}/checkpoints/last.ckpt, step 8" in told
    assert "done: 3 epochs, 12 steps" in told


@pytest.mark.slow
@BOTH
def test_an_old_config_starts_a_run(run: Path, name: str, capsys: pytest.CaptureFixture[str]):
    words = ["--run.dir", "again", "--trainer.max_epochs", "1"]
    assert main(["fit", "--config", str(run / "config.yaml"), *words]) == 0
    assert f"run: again/{name} " in capsys.readouterr().out


def is_clear(row: Row) -> bool:
    return row.confidence is not None and row.confidence > 0.501
