"""How predict asks the net: a threshold of two classes, a temperature, mirror images; scores agree with their table."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path

import pytest

from tests.conftest import CPU
from vitcli.__main__ import main
from vitcli.errors import ConfigError
from vitcli.evaluate.origin import kept_temperature
from vitcli.net import ViT
from vitcli.predictor import Predictor
from vitcli.run import Run
from vitcli.table.row import Row
from vitcli.table.rows import read_rows


def predicted(run: Path, *words: str) -> list[Row]:
    table = Path("asked.csv")
    assert main(["predict", str(run), "photos/test", *words, *CPU, "--predictions.path", str(table)]) == 0
    rows = list(read_rows(table))
    table.unlink()
    return rows


def test_a_threshold_decides_between_two_classes(copied: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plain = predicted(copied)
    second = sorted(row.probabilities[1] for row in plain)
    for threshold, count in [(second[2], 5), (0, 7), (1, 0)]:
        rows = predicted(copied, "--predictions.threshold", str(threshold))
        assert [row.probabilities for row in rows] == [row.probabilities for row in plain]
        found = [row.probabilities[1] >= threshold for row in rows]
        assert sum(row.predicted == "square" for row in rows) == pytest.approx(count, abs=1)
        # a table has seven digits of the probability that was compared
        assert [row.predicted == "square" for row in rows] == found or threshold == second[2]
        assert [row.confidence for row in rows] == [row.probabilities[row.predicted == "square"] for row in rows]
    assert f"predictions.threshold {threshold:g}: square from this probability on" in capsys.readouterr().out


def test_a_threshold_is_for_two_classes_alone(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from vitcli.weights import save_tensors

    net = ViT(image_size=16, patch_size=8, dim=16, classes=3)
    save_tensors(net, "three.safetensors", classes=["a", "b", "c"], preprocess={})
    Path("photos").mkdir()
    Path("photos/x").touch()
    words = ["predict", "--weights", "three.safetensors", "--data.root", "photos", *CPU]
    assert main([*words, "--predictions.threshold", "0.5"]) == 2
    assert "predictions.threshold 0.5: is for two classes, and there are 3" in capsys.readouterr().err
    assert not Path("runs").exists()


@pytest.mark.parametrize(
    ("verb", "words", "told"),
    [
        ("predict", ["threshold", "1.2"], "predictions.threshold 1.2: outside [0, 1]"),
        ("predict", ["temperature", "0"], "predictions.temperature 0: must be above 0"),
        ("predict", ["temperature", "warm"], "predictions.temperature"),
        ("predict", ["tta", "rotate"], "predictions.tta"),
        ("test", ["threshold", "0.5"], "scores are of the likelier class"),
        ("validate", ["temperature", "2"], "vitcli evaluate says both"),
    ],
)
def test_what_cannot_be_asked_is_a_line(
    copied: Path, capsys: pytest.CaptureFixture[str], verb: str, words: list[str], told: str
) -> None:
    assert main([verb, str(copied), "photos", f"--predictions.{words[0]}", words[1], *CPU]) == 2
    error = capsys.readouterr().err
    assert told in error
    assert error.count("\n") == 1


def test_a_temperature_divides_the_logits(copied: Path) -> None:
    for plain, divided in zip(predicted(copied), predicted(copied, "--predictions.temperature", "2"), strict=True):
        logits = [math.log(share) / 2 for share in plain.probabilities]
        whole = sum(map(math.exp, logits))
        assert divided.probabilities == pytest.approx([math.exp(logit) / whole for logit in logits], rel=1e-5)
        assert divided.predicted == plain.predicted


@pytest.mark.slow
def test_the_temperature_of_val_is_kept_and_used(copied: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["--predictions.temperature", "auto"]
    assert main(["validate", str(copied), *CPU]) == 0
    known = kept_temperature(Run(copied))
    assert known is not None
    capsys.readouterr()
    rows = predicted(copied, *asked)
    assert f"predictions.temperature {known:.4g}: the one that fits the run's val images" in capsys.readouterr().out
    assert rows == predicted(copied, "--predictions.temperature", repr(known))
    for given in (copied, copied / "checkpoints" / "best.ckpt"):
        assert Predictor(given, device="cpu", temperature="auto").predict("photos/test") == rows
    scores = copied / "metrics.val.json"
    told = json.loads(scores.read_text())
    predict = ["predict", str(copied), "photos/test", *asked, *CPU]
    for content, what in [
        (told | {"step": 99}, "was fitted at step 99, and this checkpoint is of step"),
        ({}, "keeps none; run vitcli validate runs/photos first"),
    ]:
        scores.write_text(json.dumps(content))
        assert main(predict) == 2
        assert what in capsys.readouterr().err
    scores.unlink()
    assert main(predict) == 2
    assert "run vitcli validate runs/photos first" in capsys.readouterr().err
    shutil.copy(copied / "checkpoints/best.ckpt", "lone.ckpt")
    assert main(["predict", "lone.ckpt", "photos/test", *asked, *CPU]) == 2
    assert "lie in no run" in capsys.readouterr().err
    with pytest.raises(ConfigError, match=r"^temperature auto: these weights lie in no run"):
        Predictor("lone.ckpt", temperature="auto")


@pytest.mark.parametrize("verb", ["validate", "test"])
def test_mirror_images_count_in_every_verb_and_in_its_scores(
    copied: Path, capsys: pytest.CaptureFixture[str], verb: str
) -> None:
    split = {"validate": "val", "test": "test"}[verb]
    assert main([verb, str(copied), "--predictions.tta", "flip", *CPU]) == 0
    assert "the mean of those to an image and to its mirror image" in capsys.readouterr().out
    rows = list(read_rows(copied / f"predictions.{split}.csv"))
    scores = json.loads((copied / f"metrics.{split}.json").read_text())
    right = [row.probabilities[row.label == "square"] for row in rows]
    assert scores[f"{split}/loss"] == pytest.approx(-sum(map(math.log, right)) / len(right), rel=1e-5)
    assert scores[f"{split}/accuracy"] == pytest.approx(sum(row.label == row.predicted for row in rows) / len(rows))
    if verb == "test":
        again, once = predicted(copied, "--predictions.tta", "flip"), predicted(copied)
        shares = [row.probabilities[0] for row in rows]
        assert [row.probabilities[0] for row in again] == pytest.approx(shares, rel=1e-5)
        assert [row.probabilities[0] for row in once] != pytest.approx(shares, rel=1e-5)


@pytest.mark.slow
def test_an_unfinished_table_is_not_gone_on_with_when_the_net_is_asked_otherwise(
    copied: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from vitcli.train.output.predictions import PredictionWriter

    words = ["predict", str(copied), "photos/test", *CPU, "--data.batch_size", "2"]
    write = PredictionWriter._write

    def stop(self, *arguments):
        write(self, *arguments)
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PredictionWriter, "_write", stop)
        assert main(words) == 130
    for option, value in [("temperature", "2"), ("tta", "flip"), ("threshold", "0.6")]:
        capsys.readouterr()
        path = ["--predictions.path", str(copied / "predictions.csv")]
        assert main([*words, *path, f"--predictions.{option}", value]) == 0
        assert f"an unfinished table with other predictions.{option}" in capsys.readouterr().out
    assert main(words) == 0
    assert "2 of 7 rows are kept" in capsys.readouterr().out


def test_features_are_the_mean_of_both_images_too(copied: Path) -> None:
    import numpy as np

    for tta in ("none", "flip"):
        predicted(copied, "--predictions.features", "true", "--predictions.tta", tta)
        Path("asked.csv.features.npy").rename(f"{tta}.npy")
    assert np.abs(np.load("flip.npy") - np.load("none.npy")).max() > 0
