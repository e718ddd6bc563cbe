"""Each mistake of a user's: one line that names what was typed, exit code 2, and nothing left behind."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch

from tests.conftest import CPU, TINY
from vitcli.__main__ import main

FIT = ["fit", "--data.root", "photos", "--trainer.max_epochs", "1", *TINY, *CPU]


def complaint(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    before = sorted(Path().rglob("*"))
    capsys.readouterr()
    assert main(words) == 2
    captured = capsys.readouterr()
    assert captured.err.count("\n") == 1, captured.err
    assert "Traceback" not in captured.err
    assert captured.out == ""
    assert sorted(Path().rglob("*")) == before, "something was left behind"
    return captured.err


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["--data.root", "nowhere"], ["data.root nowhere", "no such folder"]),
        (["--data.root", "empty"], ["data.root empty"]),
        (["--data.root", "a_file"], ["data.root a_file", "file"]),
        (["--model.net.backend", "Linforme"], ["Linforme", "did you mean Linformer", "VanillaTransformer"]),
        (["--model.net.backend", "torch.nn.Linear"], ["torch.nn.Linear", "Linformer", "VanillaTransformer"]),
        (
            ["--model.net.backend", "Linformer", "--model.net.backend.kk", "3"],
            ["model.net.backend.kk", "Linformer", "k"],
        ),
        (["--model.net.backend.k", "16"], ["model.net.backend.k", "VanillaTransformer"]),
        (["--model.net.backend", "Linformer", "--model.net.backend.tokens", "16"], ["model.net.backend.tokens"]),
        (["--model.net.backend.depth", "two"], ["model.net.backend.depth two", "int"]),
        (["--model.net.pool", "max"], ["model.net.pool max", "mean_patches"]),
        (["--data", "FolderDat"], ["FolderDat", "did you mean FolderData", "CatsDogsData"]),
        (["--data.rot", "photos"], ["data.rot", "did you mean root"]),
        (["--traner.max_epochs", "3"], ["traner.max_epochs", "did you mean trainer.max_epochs"]),
        (["--trainer.max_epoch", "3"], ["trainer.max_epoch", "did you mean trainer.max_epochs"]),
        (["--trainer.max_epochs", "many"], ["trainer.max_epochs many", "int"]),
        (["--model.net.image_size", "20"], ["image_size", "20", "patch_size"]),
        (["--model.net.backend.heads", "3"], ["model.net.backend.heads 3"]),
        (["--model.net.dim", "0"], ["model.net.dim 0"]),
        (["--model.optimizer.lr", "-1"], ["model.optimizer.lr -1"]),
        (["--model.optimizer.lr", "fast"], ["error: model.optimizer.lr fast: not float or 'auto'; give one"]),
        (["--data.batch_size", "x"], ["error: data.batch_size x: not int or 'auto'; give one"]),
        (["--data.batch_size", "0"], ["data.batch_size 0"]),
        (["--trainer.max_epochs", "-1"], ["trainer.max_epochs -1"]),
        (["--trainer.use_distributed_sampler", "true"], ["trainer.use_distributed_sampler"]),
        (["--run.name", "a/b"], ["--run.name", "a/b"]),
        (["--config", "nowhere.yaml"], ["--config nowhere.yaml"]),
        (["--ckpt_path", "last"], ["--ckpt_path last", "runs/photos"]),
        (["--ckpt_path", "nowhere.ckpt"], ["--ckpt_path nowhere.ckpt"]),
    ],
    ids=lambda value: " ".join(value[:2]) if value and value[0].startswith("--") else "",
)
def test_a_mistake_in_a_word_is_one_line(
    photos: Path, capsys: pytest.CaptureFixture[str], words: list[str], named: list[str]
):
    Path("empty").mkdir()
    Path("a_file").touch()
    line = complaint([*FIT, *words], capsys)
    assert line.startswith("vitcli fit: error: ")
    assert [part for part in named if part not in line] == []


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("model:\n  nett:\n    dim: 8\n", ["model.nett", "did you mean model.net"]),
        ("traner:\n  max_epochs: 8\n", ["traner", "did you mean trainer"]),
        ("model:\n  net:\n    bakend: {depth: 2}\n", ["bakend", "backend"]),
        ("model:\n  net:\n    backend: {class_path: Linforme}\n", ["Linforme", "Linformer"]),
        ("model: [1\n", ["mine.yaml", "not YAML"]),
        ("- 1\n", ["mine.yaml"]),
        ("", ["--config mine.yaml: holds no settings; give some, or leave it out"]),
        ("# model:\n", ["--config mine.yaml: holds no settings; give some, or leave it out"]),
    ],
)
def test_a_mistake_in_a_config_is_one_line(
    photos: Path, capsys: pytest.CaptureFixture[str], text: str, named: list[str]
):
    Path("mine.yaml").write_text(text)
    line = complaint([*FIT, "--config", "mine.yaml"], capsys)
    assert [part for part in named if part not in line] == []


def test_a_missing_root_is_asked_for(here: Path, capsys: pytest.CaptureFixture[str]):
    assert "data.root" in complaint(["fit"], capsys)


def test_a_class_folder_missing_in_val_is_named(photos: Path, capsys: pytest.CaptureFixture[str]):
    shutil.rmtree(photos / "val" / "square")
    line = complaint(FIT, capsys)
    assert "val" in line
    assert "square" in line


def test_a_class_unknown_to_the_training_is_named(photos: Path, capsys: pytest.CaptureFixture[str]):
    (photos / "val" / "square").rename(photos / "val" / "sqare")
    assert "sqare" in complaint(FIT, capsys)


@pytest.mark.parametrize("verb", ["validate", "test", "predict"])
def test_weights_are_asked_for_and_random_ones_never_scored(
    photos: Path, capsys: pytest.CaptureFixture[str], verb: str
):
    line = complaint([verb, "--data.root", "photos"], capsys)
    assert "--ckpt_path is missing" in line


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["--model.net.backend", "Linformer"], ["model.net.backend Linformer", "VanillaTransformer"]),
        (["--model.net.dim", "32"], ["model.net.dim 32", "16"]),
        (["--model.net.backend.depth", "2"], ["model.net.backend.depth 2"]),
        (["--model.preprocess.crop_fraction", "0.5"], ["model.preprocess.crop_fraction 0.5"]),
        (["--model.classes", "[square, circle]"], ["model.classes"]),
    ],
)
@pytest.mark.parametrize("verb", ["fit", "validate", "test"])
def test_a_setting_that_contradicts_the_checkpoint_is_named(
    copied: Path, capsys: pytest.CaptureFixture[str], verb: str, words: list[str], named: list[str]
):
    line = complaint([verb, "--ckpt_path", "runs/photos", *words], capsys)
    assert [part for part in named if part not in line] == []


def test_an_optimisation_setting_is_not_ignored_where_nothing_is_trained(
    copied: Path, capsys: pytest.CaptureFixture[str]
):
    assert "model.optimizer.lr" in complaint(
        ["test", "--ckpt_path", "runs/photos", "--model.optimizer.lr", "1"], capsys
    )


class Evil:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return Path.touch, (Path("executed"),)


def truncated(content: bytes) -> bytes:
    return content[: len(content) // 2]


@pytest.mark.parametrize("verb", ["fit", "test", "predict"])
@pytest.mark.parametrize("kind", ["truncated", "empty", "random", "text", "code", "tensors", "stranger"])
def test_a_checkpoint_that_is_none_is_refused(copied: Path, capsys: pytest.CaptureFixture[str], verb: str, kind: str):
    good = (copied / "checkpoints" / "best.ckpt").read_bytes()
    bad = Path("bad.ckpt")
    if kind == "code":
        torch.save({"state_dict": {}, "hyper_parameters": Evil()}, bad)
    elif kind == "tensors":
        torch.save({"weight": torch.zeros(3)}, bad)
    elif kind == "stranger":
        torch.save({"state_dict": {}, "hyper_parameters": {"lr": 1}, "pytorch-lightning_version": "2.6.6"}, bad)
    else:
        content = {"truncated": truncated(good), "empty": b"", "random": bytes(range(256)) * 9, "text": b"hello\n"}
        bad.write_bytes(content[kind])
    line = complaint([verb, "--ckpt_path", "bad.ckpt", "--data.root", "photos"], capsys)
    assert "bad.ckpt" in line
    assert not Path("executed").exists()


@pytest.mark.parametrize(
    ("section", "value"),
    [
        ("net.backend", {"class_path": "evil.Evil", "init_args": {}}),
        ("net.pool", {"class_path": "evil.Evil"}),
        ("preprocess", {"class_path": "evil.Evil", "init_args": {}}),
        ("preprocess", {"class_path": "evil.Evil"}),
        ("schedule", {"class_path": "evil.Evil", "warmup_fraction": 0.1}),
        ("preprocess.mean", {"class_path": "evil.Evil"}),
        ("optimizer", {"class_path": "evil.Evil", "init_args": {}}),
        ("optimizer", "evil.Evil"),
        ("schedule.final_fraction", {"class_path": "evil.Evil"}),
        ("label_smoothing", {"class_path": "evil.Evil"}),
        ("extra", {"class_path": "evil.Evil"}),
        ("classes", [["evil.Evil"]]),
    ],
)
def test_a_checkpoint_that_names_a_module_imports_nothing(
    copied: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    section: str,
    value: object,
):
    Path("evil.py").write_text("from pathlib import Path\nPath('executed').touch()\nclass Evil:\n    pass\n")
    monkeypatch.syspath_prepend(".")
    content = torch.load(copied / "checkpoints" / "best.ckpt", weights_only=True)
    *parents, key = section.split(".")
    place = content["hyper_parameters"]
    for parent in parents:
        place = place[parent]
    place[key] = value
    torch.save(content, "bad.ckpt")
    line = complaint(["predict", "--ckpt_path", "bad.ckpt", "--data.root", "photos"], capsys)
    assert "bad.ckpt" in line or section in line
    assert not Path("executed").exists()


MINE = """
from typing import final
import torch
from vitcli.net import Backend

@final
class Mine(Backend):
    def __init__(self, tokens: int, dim: int, width: int = 8) -> None:
        super().__init__()
        self.width = width
        self.layer = torch.nn.Linear(dim, dim)

    def forward(self, tokens):
        return self.layer(tokens)
"""


def test_a_backend_of_ones_own_is_trained_and_used_where_the_user_names_it(
    photos: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    Path("mine.py").write_text(MINE)
    monkeypatch.syspath_prepend(".")
    words = [word for word in FIT if "backend" not in word]
    assert main([*words, "--model.net.backend", "mine.Mine", "--model.net.backend.width", "4"]) == 0
    assert "mine.Mine" in complaint(["test", "--ckpt_path", "runs/photos"], capsys)
    assert main(["test", "--ckpt_path", "runs/photos", "--model.net.backend", "mine.Mine", *CPU]) == 0
