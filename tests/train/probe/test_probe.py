"""A probe is an ordinary run without an epoch; with epochs, the best checkpoint is never worse than its head."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
import torch

from tests.conftest import CPU, TINY
from tests.warm import Warm
from vitcli.__main__ import main
from vitcli.net import ViT
from vitcli.table.rows import read_rows
from vitcli.train.classifier import Classifier
from vitcli.train.probe import features

FIT = [
    "fit",
    "--data.root",
    "photos",
    "--data.batch_size",
    "8",
    *TINY,
    *CPU,
    "--run.name",
    "run",
    "--probe.solve",
    "true",
]
PROBE = [*FIT, "--trainer.max_epochs", "0"]
BEST, LAST = (Path("runs/run/checkpoints", name) for name in ("best.ckpt", "last.ckpt"))
TABLE = Path("runs/run/predictions.val.csv")


def logged() -> dict[str, str]:
    with Path("runs/run/metrics.csv").open() as file:
        return next(iter(csv.DictReader(file)))


def test_a_probe_is_a_run_that_is_tested_predicted_and_finished(photos: Path, capsys: pytest.CaptureFixture[str]):
    assert main(PROBE) == 0
    told = capsys.readouterr().out
    assert "probe: head found on " in told
    assert "done: 0 epochs, 0 steps, best val/accuracy " in told
    best = Classifier.load_from_checkpoint(BEST)
    assert torch.equal(best.net.head.weight, Classifier.load_from_checkpoint(LAST).net.head.weight)
    assert TABLE.is_file()
    # what the features say of val is what the net says of it
    scores = json.loads(Path("runs/run/metrics.val.json").read_text())
    for key in ("val/accuracy", "val/loss"):
        assert float(logged()[key]) == pytest.approx(scores[key], abs=2e-3)
    assert main(["test", "--ckpt_path", "runs/run"]) == 0
    assert main([*PROBE, "--run.resume", "auto"]) == 0
    assert "finished already: runs/run" in capsys.readouterr().out


def test_the_net_sees_each_image_once_and_the_table_is_that_of_validate(photos: Path, monkeypatch: pytest.MonkeyPatch):
    seen, features_of = [], ViT.features

    def counted(net: ViT, images: torch.Tensor, *words: object) -> torch.Tensor:
        seen.append(len(images))
        return features_of(net, images, *words)

    monkeypatch.setattr(ViT, "features", counted)
    assert main(PROBE) == 0
    table = list(read_rows(TABLE))
    assert len(table) == 8
    # one, whose operations are counted; train, val
    assert seen == [1, 24, 8]
    assert main(["validate", "runs/run"]) == 0
    assert seen[3:] == [8]
    for by_features, by_net in zip(table, read_rows(TABLE), strict=True):
        assert by_features.path == by_net.path
        assert by_features.probabilities == pytest.approx(by_net.probabilities, abs=1e-6)


@pytest.mark.slow
def test_the_next_start_reads_the_features_that_were_kept(photos: Path, monkeypatch: pytest.MonkeyPatch):
    assert main(PROBE) == 0
    first = Classifier.load_from_checkpoint(BEST)

    def fail(*args: object) -> None:
        raise AssertionError

    monkeypatch.setattr(features.Extractor, "of", fail)
    assert main([*PROBE, "--run.name", "again"]) == 0
    second = Classifier.load_from_checkpoint("runs/again")
    assert torch.equal(first.net.head.weight, second.net.head.weight)


def test_weights_that_make_no_numbers_are_told_and_not_the_images(photos: Path, capsys: pytest.CaptureFixture[str]):
    assert main([*FIT, "--probe.solve", "false", "--trainer.max_epochs", "0", "--run.name", "drawn"]) == 0
    saved = torch.load(drawn := Path("runs/drawn/checkpoints/last.ckpt"), weights_only=True)
    saved["state_dict"]["net.backend.blocks.0.mlp.fc1.weight"].fill_(torch.nan)
    torch.save(saved, drawn)
    assert main([*PROBE, "--weights", str(drawn)]) == 2
    assert "what the net makes of the images is not a number" in capsys.readouterr().err
    assert not Path("runs/run").exists()


def test_epochs_that_only_lose_do_not_replace_the_head(photos: Path, capsys: pytest.CaptureFixture[str]):
    ruin = ["--trainer.max_epochs", "1", "--model.optimizer.lr", "10", "--trainer.gradient_clip_val", "null"]
    # by the loss, which is never equal
    assert main([*FIT, *ruin, "--checkpoint.monitor", "val/loss"]) == 0
    saved = torch.load(BEST, weights_only=True)
    assert saved["global_step"] == 0
    assert torch.load(LAST, weights_only=True)["global_step"] > 0
    scores = json.loads(Path("runs/run/metrics.val.json").read_text())
    assert float(logged()["val/loss"]) == pytest.approx(scores["val/loss"], abs=2e-3)


def test_a_few_val_images_that_an_epoch_gets_right_by_chance_do_not_replace_the_head(
    photos: Path, capsys: pytest.CaptureFixture[str]
):
    # a head that says hardly anything, which each epoch surpasses by its monitor, and not by its errors on 8 images
    weak = ["--probe.strength", "1e-9", "--trainer.max_epochs", "2", "--model.optimizer.lr", "1e-3"]
    weak += ["--checkpoint.monitor", "val/loss", "--checkpoint.mode", "max"]
    assert main([*FIT, *weak, "--run.name", "run"]) == 0
    said = "probe: best.ckpt is still its head, with "
    assert said in capsys.readouterr().out
    assert torch.load(BEST, weights_only=True)["global_step"] == 0
    assert main(["fit", "--ckpt_path", "runs/run", "--trainer.max_epochs", "3"]) == 0
    assert said in capsys.readouterr().out
    assert torch.load(BEST, weights_only=True)["global_step"] == 0


@pytest.mark.slow
def test_a_probe_goes_on_with_epochs(photos: Path, capsys: pytest.CaptureFixture[str]):
    assert main(PROBE) == 0
    head = Classifier.load_from_checkpoint(LAST).net.head.weight
    capsys.readouterr()
    assert main(["fit", "--ckpt_path", "runs/run", "--trainer.max_epochs", "1", "--model.optimizer.lr", "1e-12"]) == 0
    assert "probe: head found" not in capsys.readouterr().out
    after = Classifier.load_from_checkpoint(LAST).net.head.weight
    assert after.shape == head.shape
    assert (after - head).abs().max() < 1e-6


@pytest.mark.slow
def test_each_option_finds_another_head(photos: Path, capsys: pytest.CaptureFixture[str]):
    def found(*words: str) -> tuple[str, list[float]]:
        assert main([*PROBE, "--run.name", "one", *words]) == 0
        told = capsys.readouterr().out
        line = next((line for line in told.splitlines() if line.startswith("probe: ")), "").rpartition(" (")[0]
        folder = told.partition("run: ")[2].split()[0]
        return line, Classifier.load_from_checkpoint(folder).net.head.weight.flatten().tolist()

    plain, head = found("--probe.sees", "as_set")
    assert ", pool cls of 1 layer, " in plain
    assert found("--probe.sees", "auto", "--model.net.backend.depth=2")[0] != plain
    assert found("--probe.solve", "false")[0] == ""
    weak, small = found("--probe.sees", "as_set", "--probe.strength", "0.0001")
    assert ", strength 0.0001: no cross-validation" in weak
    assert max(map(abs, small)) < max(map(abs, head))
    assert found("--probe.sees", "as_set", "--probe.mirror", "true")[1] != head
    # the head is that of all images, what is told that of the folds
    assert found("--probe.sees", "as_set", "--probe.folds", "2")[0] != plain


@pytest.mark.slow
def test_two_processes_find_the_same_head(photos: Path, programs: Warm):
    assert main(PROBE) == 0
    alone = Classifier.load_from_checkpoint(BEST)
    done = programs.run(*PROBE, "--run.name", "two", "--trainer.devices", "2", "--trainer.strategy", "ddp", ranks=1)
    assert done.returncode == 0, done.stderr
    together = Classifier.load_from_checkpoint("runs/two")
    assert together.net.settings() == alone.net.settings()
    assert (together.net.head.weight - alone.net.head.weight).abs().max() < 1e-3


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--probe.strength", "0"], "probe.strength 0.0: must be above 0"),
        (["--model.net.pre_logits", "5"], "probe.solve true: not beside model.net.pre_logits 5"),
        (["--probe.folds", "1"], "probe.folds 1: below 2"),
        (["--probe.sees", "all"], "probe.sees all: must be one of auto, as_set"),
        (["--probe.solve", "false", "--probe.mirror", "true"], "probe.mirror true: acts beside probe.solve true only"),
    ],
)
def test_what_cannot_be_is_one_line(words: list[str], said: str, photos: Path, capsys: pytest.CaptureFixture[str]):
    assert main([*PROBE, *words]) == 2
    assert said in capsys.readouterr().err
    assert not Path("runs/run").exists()
