"""Whatever is typed: no traceback, exit code 0 or 2, and a run that is refused is as it was."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.conftest import CPU, TINY
from vitcli.__main__ import main
from vitcli.cli import usage

VALUES = [
    *(
        "",
        "0",
        "-1",
        "1e3",
        "1e-3",
        "nan",
        "inf",
        "true",
        "false",
        "null",
        "none",
        "auto",
        "cpu",
        "tpuu",
        "abc",
        "a b",
        "~",
    ),
    *(
        "photos",
        "nowhere",
        "runs/photos",
        "runs/none",
        "last",
        "best",
        "[]",
        "[1,2]",
        "{}",
        "{a: 1}",
        "x.jsonl",
        "é",
        "../..",
    ),
    *(
        "Linformer",
        "VanillaTransformer",
        "FolderData",
        "UnlabelledData",
        "ManifestData",
        "WandbLogger",
        "bf16_mixed",
        "val/loss",
    ),
]
MORE = [
    *("--trainer.callbacks", "--trainer.val_check_interval", "--trainer.limit_val_batches", "--trainer.strategy"),
    *(
        "--trainer.profiler",
        "--trainer.gradient_clip_val",
        "--trainer.max_steps",
        "--trainer.max_time",
        "--checkpoint.mode",
    ),
    *("--checkpoint.monitor", "--checkpoint.save_top_k", "--model.freeze", "--model.class_weights", "--model.classes"),
    *("--model.preprocess.resize", "--model.schedule.warmup_fraction", "--data.augment.policy", "--data.sampler"),
    *(
        "--data.preprocess",
        "--data.splits",
        "--run",
        "--trainer",
        "--model",
        "--model.net",
        "--epochs",
        "--lr",
        "--gpus",
    ),
    *(
        "--allow-import",
        "--print_config",
        "--nonsense",
        "-x",
        "photos",
        "holiday",
        "--data.help",
        "--model.net.backend.k",
    ),
]
DONE = {"fit": [*TINY, *CPU, "--trainer.max_epochs=1"], "validate": CPU, "test": CPU, "predict": CPU}


def words_of(rng: random.Random) -> list[str]:
    """A command line with up to three settings, of which some make no sense."""
    verb = rng.choice([*usage.VERBS, "fit", "fit", "fit", "test", "predict"])
    known = [*usage.VERBS[verb].options, *MORE]
    words = [verb]
    for _ in range(rng.choice((0, 1, 1, 2, 3))):
        option, value = rng.choice(known), rng.choice(VALUES)
        words += [f"{option}={value}"] if rng.random() < 0.5 else [option, value]
    # most are begun on the run or the images that there are, to come further
    if rng.random() < 0.7 and verb in DONE:
        given = ["--data.root", "photos"] if verb in ("fit", "predict") else []
        words += [*given, *([] if verb == "fit" else ["--ckpt_path", "runs/photos"]), *DONE[verb]]
    return words


def content(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def try_all(seed: int, count: int, run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rng = random.Random(seed)
    codes = []
    for _ in range(count):
        words = words_of(rng)
        before = content(run)
        try:
            code = main(words)
        except SystemExit as stopped:
            code = stopped.code
        captured = capsys.readouterr()
        # check has an exit code for findings
        assert code in ((0, 2, 3) if words[0] == "check" else (0, 2)), words
        assert "Traceback" not in captured.err, words
        if code == 2:
            (line,) = [line for line in captured.err.splitlines() if ": error: " in line]
            assert line.startswith(("vitcli: error: ", f"vitcli {words[0]}: error: ")), words
            assert len(line) > len(f"vitcli {words[0]}: error: "), words
            assert content(run) == before, words
        codes.append(code)
    assert set(codes) >= {0, 2}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_fifty_command_lines_by_chance(copied: Path, capsys: pytest.CaptureFixture[str]):
    try_all(1, 50, copied, capsys)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_two_hundred_command_lines_by_chance(copied: Path, capsys: pytest.CaptureFixture[str]):
    try_all(2, 200, copied, capsys)
