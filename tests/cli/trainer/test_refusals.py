"""What libraries raise for a setting before the first step is one line that names it; what we raise is not hidden."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import CPU, TINY
from vitcli.__main__ import main
from vitcli.cli.trainer.refusals import refusal
from vitcli.names import counted

FIT = ["fit", "--data.root", "photos", "--trainer.max_epochs", "1", *TINY, *CPU]


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["--trainer.accelerator", "tpuu"], "trainer.accelerator tpuu: "),
        (["--trainer.strategy", "foo"], "trainer.strategy foo: "),
        (["--trainer.val_check_interval", "100"], "trainer.val_check_interval 100: "),
        (["--trainer.limit_train_batches", "2.5"], "trainer.limit_train_batches 2.5: "),
        (["--trainer.devices", "0"], "trainer.devices 0: "),
        (["--trainer.gradient_clip_algorithm", "x"], "trainer.gradient_clip_algorithm x: "),
        (["--trainer.max_time", "soon"], "trainer.max_time soon: "),
        (["--trainer.max_time", "5"], "trainer.max_time 5: is no time; say DD:HH:MM:SS, such as 00:02:30:00"),
        (["--trainer.accumulate_grad_batches", "0"], "trainer.accumulate_grad_batches 0: below 1; "),
        (
            [
                "--trainer.callbacks=ModelCheckpoint",
                "--trainer.callbacks.monitor=val/accuracy",
                "--trainer.callbacks.mode=max",
            ],
            "trainer.callbacks ModelCheckpoint: keeps by val/accuracy what best.ckpt is; leave it out, or set ",
        ),
        (["--seed_everything", "true"], "seed_everything true: is no whole number from 0 to 4294967295; give one"),
        (["--seed_everything", "-1"], "seed_everything -1: is no whole number"),
        (["--seed_everything", "42949672950"], "seed_everything 42949672950: is no whole number"),
        (["--checkpoint.filename", "last"], "checkpoint.filename last: is the file to go on from; "),
        (["--ckpt_path", ""], "--ckpt_path: is empty, as of a variable that is not set; name a file, or leave it out"),
        (["--weights="], "--weights: is empty"),
        (["--run.spare_dir", "photos/train/circle/0000.png"], "run.spare_dir photos/train/circle/0000.png: "),
        (
            ["--stop.patience", "1", "--trainer.limit_val_batches", "0"],
            "stop.patience 1: waits for val/loss, and there is no validation; validate, or say --stop.monitor ",
        ),
        (["--model.optimizer.lr", ".inf"], "model.optimizer.lr inf: a learning rate must be above 0"),
        (
            ["--model.net.image_size", "16x8"],
            "model.net.image_size 16x8: neither a number nor two; say a side, or [HEIGHT, WIDTH]",
        ),
        (["--data.augment.mixup", "nan"], "data.augment.mixup nan: no number; give one"),
        (
            ["--data.sampler", "balanced", "--model.class_weights", "auto"],
            "model.class_weights auto: data.sampler balanced shows rare classes as often as the others already",
        ),
        (["--model.optimizer.weight_decay", ".nan"], "model.optimizer.weight_decay nan: must be a number from 0 up"),
        (["--model.optimizer.eps", "-1"], "model.optimizer.eps -1.0: must be a small number"),
        (["--trainer.barebones", "true"], "trainer.barebones true: "),
        (["--trainer.enable_checkpointing", "false"], "trainer.enable_checkpointing false: "),
        (["--trainer.callbacks", "LearningRateFinder"], "trainer.callbacks LearningRateFinder: "),
        (["--trainer.callbacks", "BackboneFinetuning"], "trainer.callbacks BackboneFinetuning: "),
        (["--trainer.callbacks", "EarlyStopping"], "trainer.callbacks.monitor of EarlyStopping: not given"),
        (
            ["--trainer.callbacks", "EarlyStoping"],
            "trainer.callbacks EarlyStoping: there is no such class; did you mean",
        ),
        (["--trainer.logger", "CSVLogger"], "trainer.logger.save_dir of CSVLogger: not given"),
        (["--trainer.logger", "Wandb"], "trainer.logger Wandb: there is no such class; did you mean WandbLogger? "),
        (["--trainer.logger.project", "x"], "trainer.logger.project x: a setting of no class; choose one first"),
        (
            ["--trainer.precision", "bf16_mixed"],
            "trainer.precision bf16_mixed: did you mean bf16-mixed? must be one",
        ),
        (["--trainer.deterministic", "maybe"], "trainer.deterministic maybe: must be one of true, false, warn"),
        (["--model.optimizer", "SGD"], "model.optimizer SGD: is a group of settings, not a value; it has "),
        (["--trainer", "5"], "trainer 5: is a group of settings, not a value; it has "),
        (["--data", "photos"], "data photos: is a path, not a class; did you mean --data.root photos?"),
        (["--data.seed", "5"], "data.seed: follows from seed_everything; set --seed_everything instead"),
        (
            ["--data.preprocess.resize=pad"],
            "data.preprocess.resize: follows from model.preprocess; set --model.pre",
        ),
        (["--data.classes", "[a,b]"], "data.classes: follows from model.classes; set --model.classes instead"),
        (["--epochs", "5"], "epochs: there is no such setting; did you mean --trainer.max_epochs?"),
        (["--lr", "1e-3"], "lr: there is no such setting; did you mean --model.optimizer.lr?"),
        (["--batch-size", "4"], "batch-size: there is no such setting; did you mean --data.batch_size?"),
        (["--gpus", "2"], "gpus: there is no such setting; did you mean --trainer.devices?"),
        (["--resume", "runs/x"], "resume: there is no such setting; did you mean --ckpt_path?"),
        (["--optimizer", "adam"], "optimizer: there is no such setting; see --help-all"),
        (["--model.net.depth", "3"], "model.net.depth: there is no such setting; see --help-all"),
    ],
    ids=lambda words: " ".join(words) if isinstance(words, list) else "",
)
def test_a_setting_that_cannot_be_is_one_line_and_leaves_no_run(
    photos: Path, words: list[str], named: str, capsys: pytest.CaptureFixture[str]
):
    assert main([*FIT, *words]) == 2
    told = capsys.readouterr().err
    assert [line for line in told.splitlines() if "error: " in line] == [told.splitlines()[-1]]
    assert told.splitlines()[-1].startswith(f"vitcli fit: error: {named}")
    assert not Path("runs/photos").exists()


@pytest.mark.parametrize(
    "section",
    [
        *("run: runs2", "run: [a]", "checkpoint: null", "predictions: null", "model: {optimizer: null}", "data: [1]"),
        *("model: {net: {backend: null}}", "data: {init_args: [1]}", "trainer: 5", "model: {net: 3}", "trainer: []"),
        *("probe: [1]", "probe: null"),
    ],
)
def test_a_section_that_holds_no_settings_is_one_line(photos: Path, section: str, capsys: pytest.CaptureFixture[str]):
    Path("odd.yaml").write_text(section)
    assert main([*FIT, "--config", "odd.yaml"]) == 2
    told = capsys.readouterr().err
    assert told.startswith("vitcli fit: error: --config odd.yaml: ")
    assert told.endswith("but has settings inside; give some, or leave it out\n")


def test_an_error_of_our_own_is_no_refusal():
    with pytest.raises(ValueError) as raised:  # noqa: PT011 -- any of ours
        counted("no number", "image")  # type: ignore[arg-type]
    assert refusal(raised.value, []) is None


def test_the_traceback_is_shown_to_who_asks_for_it(photos: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("VITCLI_TRACEBACK", "1")
    with pytest.raises(ValueError, match="val_check_interval"):
        main([*FIT, "--trainer.val_check_interval", "100"])
