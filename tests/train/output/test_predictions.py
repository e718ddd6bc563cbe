"""A row of the table says what the net has found, or why it has found nothing."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch

from tests.conftest import CPU
from vitcli.__main__ import main
from vitcli.table.row import read_rows
from vitcli.train.metrics import never_right
from vitcli.train.output.predictions import NO_NUMBER


def spoil(checkpoint: Path, part: str, value: float) -> None:
    content = torch.load(checkpoint, weights_only=True)
    for name, tensor in content["state_dict"].items():
        if name.startswith(part):
            tensor.fill_(value)
    torch.save(content, checkpoint)


@pytest.mark.parametrize(("part", "value"), [("net.head.bias", float("nan")), ("net.patches", float("inf"))])
@pytest.mark.parametrize("verb", ["predict", "test"])
def test_an_output_that_is_no_number_is_an_error_in_each_row(copied: Path, part: str, value: float, verb: str) -> None:
    spoil(copied / "checkpoints/best.ckpt", part, value)
    words = ["--data.root", "photos/test"] if verb == "predict" else []
    assert main([verb, "--ckpt_path", str(copied), *words, *CPU]) == 0
    rows = list(read_rows(copied / ("predictions.csv" if verb == "predict" else "predictions.test.csv")))
    assert len(rows) == 7
    assert {(row.status, row.error, row.predicted) for row in rows} == {("error", NO_NUMBER, "")}
    assert {(row.confidence, row.probabilities, row.width, row.height) for row in rows} == {(None, (), 32, 24)}
    assert {row.label for row in rows} == ({"circle", "square"} if verb == "test" else {""})


def test_an_output_that_is_no_number_is_never_counted_as_right(
    copied: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spoil(copied / "checkpoints/best.ckpt", "net.head", float("nan"))
    assert main(["test", "--ckpt_path", str(copied), *CPU]) == 0
    scores = json.loads((copied / "metrics.test.json").read_text())
    assert (scores["test/accuracy"], scores["test/macro_f1"], scores["test/loss"]) == (0, 0, None)
    assert "7 of them" in capsys.readouterr().out


def test_a_table_without_formulas_names_the_same_files(copied: Path) -> None:
    folder = Path("odd")
    folder.mkdir()
    for number, name in enumerate(("=1+1.png", "-a.png", "'b.png", "'=c.png")):
        shutil.copy(f"photos/test/circle/{number:04}.png", folder / name)
    words = ["predict", "--ckpt_path", str(copied), "--data.root", "odd", *CPU]
    found = []
    for escape in ("false", "true"):
        assert main([*words, "--predictions.path", f"{escape}.csv", "--predictions.escape_formulas", escape]) == 0
        found.append(list(read_rows(Path(f"{escape}.csv"))))
    assert found[0] == found[1]
    assert all((folder / row.path).is_file() for row in found[0])
    assert "\n'=1+1.png," in Path("true.csv").read_text()


def test_only_rows_without_a_number_are_changed() -> None:
    probabilities = torch.tensor([[0.2, 0.8, 0.0], [float("nan"), 0.5, 0.5], [float("inf"), 0.0, 0.0]])
    labels = torch.tensor([1, 0, 2])
    assert never_right(probabilities, labels).tolist() == [probabilities[0].tolist(), [0, 1, 1], [1, 1, 0]]
    assert never_right(probabilities[:0], labels[:0]).shape == (0, 3)
