"""A row of the table says what the net has found, or why it has found nothing."""

from __future__ import annotations

import csv
import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from lightning.pytorch import Trainer

from tests.conftest import CPU, TINY
from vitcli.__main__ import main
from vitcli.answers.rows import NO_NUMBER
from vitcli.data import FolderData
from vitcli.table.columns import writable
from vitcli.table.rows import read_rows
from vitcli.train.classifier import Classifier
from vitcli.train.metrics import never_right
from vitcli.train.output.predictions import PredictionWriter


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
    assert main([verb, "--ckpt_path", str(copied), *words, *CPU]) == 3
    rows = list(read_rows(copied / ("predictions.csv" if verb == "predict" else "predictions.test.csv")))
    assert len(rows) == 7
    assert {(row.status, row.error, row.predicted) for row in rows} == {("error", NO_NUMBER, "")}
    assert {(row.confidence, row.probabilities, row.width, row.height) for row in rows} == {(None, (), 32, 24)}
    assert {row.label for row in rows} == ({"circle", "square"} if verb == "test" else {""})


def test_an_output_that_is_no_number_is_never_counted_as_right(
    copied: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spoil(copied / "checkpoints/best.ckpt", "net.head", float("nan"))
    assert main(["test", "--ckpt_path", str(copied), *CPU]) == 3
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


@pytest.mark.parametrize("ending", [".csv", ".jsonl", ".parquet"])
def test_a_name_of_any_bytes_has_its_row(copied: Path, ending: str) -> None:
    names = [b"a\rb.png", b"\r.png", b"a\nb.png", b"caf\xe9.png", b'"=1,2".png', b"'.png", b"\xff\rtorn"]
    Path("odd").mkdir()
    for name in names:
        shutil.copy("photos/test/circle/0000.png", os.fsdecode(b"odd/" + name))
    Path(os.fsdecode(b"odd/" + names[-1])).write_bytes(b"no picture")
    assert main(["predict", str(copied), "odd", "--predictions.path", f"table{ending}", *CPU]) == 0
    rows = list(read_rows(Path(f"table{ending}")))
    assert {row.path for row in rows} == {writable(os.fsdecode(name)) for name in names}
    assert [row.path for row in rows if row.status == "error"] == ["\\udcff\rtorn"]


def test_a_carriage_return_loses_no_table_of_a_run(photos: Path) -> None:
    shutil.copy(photos / "test/circle/0000.png", photos / "test/circle/a\rb.png")
    for part in ("train", "val"):
        (photos / part / "circle/to\rrn.png").write_bytes(b"no picture")
    words = ["--data.root", "photos", "--trainer.max_epochs", "1", "--data.max_errors", "1", *TINY, *CPU]
    assert main(["fit", *words]) == 0
    assert main(["test", "runs/photos", *CPU]) == 0
    assert main(["validate", "runs/photos", *CPU]) == 0
    assert "test/circle/a\rb.png" in {row.path for row in read_rows(Path("runs/photos/predictions.test.csv"))}
    assert "val/circle/to\rrn.png" in {row.path for row in read_rows(Path("runs/photos/predictions.val.csv"))}
    for name in ("left_out.csv", "splits.csv", "metrics.csv"):
        with Path("runs/photos", name).open(newline="") as file:
            lines = list(csv.reader(file))
        assert {len(line) for line in lines} == {len(lines[0])}
        assert name == "metrics.csv" or any("circle/to\rrn.png" in line for cells in lines for line in cells)


def test_a_wide_table_names_the_best_classes_and_the_labels_rank(copied: Path) -> None:
    tables = []
    for words in (
        [],
        ["--predictions.probabilities", "top"],
        ["--predictions.probabilities=top", "--predictions.top_k=1"],
    ):
        assert main(["test", str(copied), *words, "--predictions.path", "table.csv", *CPU]) == 0
        tables.append(list(read_rows(Path("table.csv"))))
    for narrow, wide, single in zip(*tables, strict=True):
        shares = sorted(zip(narrow.probabilities, ("circle", "square"), strict=True), reverse=True)
        assert wide.top == tuple((name, share) for share, name in shares)
        assert single.top == wide.top[:1]
        assert (wide.predicted, wide.confidence) == wide.top[0]
        assert wide.top[(wide.label_rank or 0) - 1] == (wide.label, wide.label_probability)
        assert not wide.probabilities


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--predictions.top_k", "3"], "predictions.top_k 3: the table has the probabilities of all 2 classes; say"),
        (["--predictions.top_k", "0"], "predictions.top_k 0: below 1; 5 is usual"),
        (["--predictions.max_errors", "2"], "predictions.max_errors 2.0: outside [0, 1]; give a share such as 0.5"),
        (["--predictions.path", "a.xls"], "predictions.path a.xls: its ending .xls is no format of a table; let the"),
        (["--predictions.path", "a"], "predictions.path a: its ending (none) is no format of a table; let the name"),
        (
            ["--predictions.path", "a.jsonl", "--predictions.escape_formulas", "true"],
            "predictions.escape_formulas true: no spreadsheet finds formulas in .jsonl; leave it out, or let",
        ),
    ],
)
def test_a_table_that_cannot_be_is_refused_in_a_line(
    copied: Path, words: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["test", str(copied), *words, *CPU]) == 2
    assert capsys.readouterr().err.startswith(f"vitcli test: error: {told}")
    assert not (copied / "config.test.yaml").exists()


def test_features_are_what_the_head_sees_whatever_the_batch_size(copied: Path) -> None:
    from pyarrow import parquet

    Path("photos/test/circle/torn.png").write_bytes(b"no picture")
    found = []
    for size, table in (("1", "a.csv"), ("3", "b.jsonl"), ("64", "c.parquet")):
        words = ["--predictions.features", "true", "--data.batch_size", size, "--predictions.path", table]
        assert main(["predict", str(copied), "photos/test", *words, *CPU]) == 0
        column = parquet.read_table(table)["features"].to_numpy() if table == "c.parquet" else None
        found.append(np.load(f"{table}.features.npy") if column is None else np.stack(column))
    assert not Path("c.parquet.features.npy").exists()
    rows = list(read_rows(Path("a.csv")))
    torn = [row.status == "error" for row in rows]
    assert all(np.isnan(features[torn]).all() and np.isfinite(features[~np.array(torn)]).all() for features in found)
    assert np.allclose(found[0], found[1], atol=1e-5, equal_nan=True)
    assert np.allclose(found[0], found[2], atol=1e-5, equal_nan=True)
    net = Classifier.load_from_checkpoint(copied / "checkpoints/best.ckpt").net
    with torch.no_grad():
        shares = net.logits(torch.from_numpy(found[0][~np.array(torn)])).softmax(dim=1)
    assert shares.tolist() == [pytest.approx(row.probabilities, abs=1e-6) for row in rows if row.status == "ok"]


@pytest.mark.parametrize(("words", "code"), [([], 3), (["--predictions.max_errors", "0.75"], 0)])
def test_a_table_of_errors_ends_with_3(
    copied: Path, words: list[str], code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("a", "b", "c"):
        Path(f"new/{name}").parent.mkdir(exist_ok=True)
        Path(f"new/{name}").write_bytes(b"no picture")
    shutil.copy("photos/test/circle/0000.png", "new")
    assert main(["predict", str(copied), "new", *words, *CPU]) == code
    assert len(list(read_rows(copied / "predictions.csv"))) == 4
    told = "too many images without a prediction: more than predictions.max_errors 0.5 of them"
    assert (told in capsys.readouterr().out) == (code == 3)


def test_validate_writes_its_table_and_so_it_does_behind_fit(photos: Path) -> None:
    (photos / "val/circle/torn.png").write_bytes(b"no picture")
    words = ["--data.root", "photos", "--trainer.max_epochs", "1", "--data.max_errors", "1", *TINY, *CPU]
    assert main(["fit", *words]) == 0
    assert main(["validate", "runs/photos", *CPU]) == 0
    alone = list(read_rows(Path("runs/photos/predictions.val.csv")))
    assert [row.path for row in alone if row.status == "error"] == ["val/circle/torn.png"]
    assert len(alone) == 9
    model = Classifier.load_from_checkpoint("runs/photos")
    data = FolderData("photos", preprocess=model.preprocess, classes=model.classes, max_errors=1.0)
    writer = PredictionWriter("behind.csv")
    trainer = Trainer(accelerator="cpu", max_epochs=1, logger=False, enable_checkpointing=False, callbacks=[writer])
    trainer.fit(model, data)
    assert not list(Path().glob("behind*"))
    best = Classifier.load_from_checkpoint("runs/photos")
    model.load_state_dict(best.state_dict())
    trainer.validate(model, data, verbose=False)
    assert list(read_rows(Path("behind.csv"))) == alone
    assert not list(Path().glob("behind.csv.*"))
