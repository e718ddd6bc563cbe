"""Wherever a run is stopped or killed, and however often: resumed, it ends with the bytes of one that was not."""

from __future__ import annotations

import json
import signal
import socket
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from lightning.pytorch.callbacks import Callback

from tests.train.safety.stopper import CODE
from tests.train.safety.test_exact import EPOCHS, WORDS, differing, outcome
from tests.warm import Program, Warm
from vitcli.errors import ConfigError
from vitcli.train.compiled import check_compiler

# moments of which an epoch of 6 batches, and a validation of 2, have so many
HOOKS = {
    "on_train_batch_start": 6,
    "on_train_batch_end": 6,
    "on_before_zero_grad": 6,
    "on_validation_batch_start": 2,
    "on_validation_batch_end": 2,
    "on_validation_start": 1,
    "on_validation_end": 1,
    "on_train_epoch_start": 1,
    "on_train_epoch_end": 1,
}
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1, signal.SIGKILL)
SETTINGS = {
    "plain": [],
    "workers": ["--data.num_workers", "2", "--data.augment.mixup", "0.4"],
    "accumulated": ["--trainer.accumulate_grad_batches", "2", "--model.net.backend.dropout", "0.2"],
    "validated": ["--trainer.val_check_interval", "2", "--data.sampler", "balanced"],
    "averaged": ["--ema.decay", "0.9", "--trainer.accumulate_grad_batches", "4", "--trainer.val_check_interval", "4"],
    "everything": [
        *("--ema.decay", "0.9", "--trainer.accumulate_grad_batches", "2", "--trainer.val_check_interval", "2"),
        *("--data.num_workers", "2", "--data.augment.cutmix", "0.5", "--stop.patience", "50"),
    ],
    "from scratch": ["--model.net.stem", "conv", "--model.optimizer.matrices", "muon"],
    "compiled": ["--model.compile", "true"],
}
# with those of the compiled net, 158 runs that are stopped or killed
CUTS = 22
# each of its processes compiles, for seconds
COMPILED_CUTS = 4
# of two processes, in tests that may run side by side
PAIRED_CUTS, PAIRED_PARTS = 30, 3


def ask(*words: object, settings: list[str], name: str) -> list[str]:
    """The one command of a job, which begins a run, goes on with it, or finds it finished."""
    options = ["--trainer.max_epochs", EPOCHS, "--run.name", name, "--run.resume", "auto"]
    return [str(word) for word in ("fit", *WORDS, *settings, *options, *words)]


@pytest.mark.slow
@pytest.mark.parametrize("setting", SETTINGS)
def test_a_run_stopped_at_any_moment_by_any_signal_ends_as_one_that_was_not(setting: str, photos: Path, programs: Warm):
    settings = SETTINGS[setting]
    if setting == "compiled":
        try:
            check_compiler()
        except ConfigError as error:
            pytest.skip(str(error))
    assert programs.run(*ask(settings=settings, name="straight")).returncode == 0
    straight = outcome(Path("runs", "straight"))
    rng = np.random.default_rng(list(SETTINGS).index(setting))
    for number in range(COMPILED_CUTS if setting == "compiled" else CUTS):
        cuts = []
        # most are stopped once, some again after they went on
        for _ in range(1 + (number % 5 == 0)):
            hook = str(rng.choice(list(HOOKS)))
            cut = hook, int(rng.integers(1, HOOKS[hook] * EPOCHS + 1)), int(rng.choice(SIGNALS))
            cuts.append(cut)
            hook, at, signum = cut
            ended = programs.run(
                *ask(settings=settings, name=f"cut{number}"), code=CODE.format(hook=hook, at=at, number=signum)
            )
            assert ended.returncode in (0, 128 + signum, -signum), (cuts, ended.stderr)
        again = programs.run(*ask(settings=settings, name=f"cut{number}"))
        assert again.returncode == 0, (cuts, again.stderr)
        assert differing(outcome(Path("runs", f"cut{number}")), straight) == [], cuts


def _as_torchrun(rank: int, port: int) -> dict[str, str]:
    """The environment of a rank."""
    said = {
        "RANK": rank,
        "LOCAL_RANK": rank,
        "GROUP_RANK": 0,
        "ROLE_RANK": rank,
        "WORLD_SIZE": 2,
        "LOCAL_WORLD_SIZE": 2,
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": port,
        "TORCHELASTIC_RUN_ID": "none",
    }
    return {name: str(value) for name, value in said.items()}


def pair(programs: Warm, words: list[str], **codes: str) -> list[Program]:
    """Two processes of one job, started as torchrun starts them.

    Args:
        programs: To fork from.
        words: Of the command line.
        codes: What a process runs instead of the command alone, by its rank.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    started = []
    for rank in range(2):
        code = codes.get(f"rank{rank}")
        options: dict[str, Any] = {} if code is None else {"code": code}
        options["environment"] = _as_torchrun(rank, port)
        started.append(programs.start(*words, "--trainer.devices", "2", "--trainer.strategy", "ddp", **options))
    return started


@pytest.mark.slow
@pytest.mark.parametrize("part", range(PAIRED_PARTS))
def test_two_processes_stopped_at_any_moment_end_as_two_that_were_not(part: int, photos: Path, programs: Warm):
    settings = SETTINGS["everything"]
    words = ask("--data.batch_size", "2", settings=settings, name="straight")
    assert [program.done(120).returncode for program in pair(programs, words)] == [0, 0]
    straight = outcome(Path("runs", "straight"))
    rng = np.random.default_rng([2, part])
    for number in range(PAIRED_CUTS // PAIRED_PARTS):
        words = ask("--data.batch_size", "2", settings=settings, name=f"cut{number}")
        hook = str(rng.choice(list(HOOKS)))
        at, signum = int(rng.integers(1, HOOKS[hook] * EPOCHS + 1)), int(rng.choice(SIGNALS))
        asked = {0: ["rank0"], 1: ["rank1"], 2: ["rank0", "rank1"]}[number % 3]
        if signum == signal.SIGKILL:
            asked = ["rank0", "rank1"]
        stopping = CODE.format(hook=hook, at=at, number=signum)
        ended = [program.done(120) for program in pair(programs, words, **dict.fromkeys(asked, stopping))]
        cut = hook, at, signum, asked, [one.stderr[-500:] for one in ended]
        assert all(one.returncode in (0, 128 + signum, -signum) for one in ended), cut
        again = [program.done(120) for program in pair(programs, words)]
        assert [one.returncode for one in again] == [0, 0], (cut, [one.stderr for one in again])
        assert differing(outcome(Path("runs", f"cut{number}")), straight) == [], cut


@pytest.mark.slow
@pytest.mark.parametrize("count", range(1, 8))
def test_val_and_test_have_the_same_scores_on_one_process_and_on_two(count: int, photos: Path, programs: Warm):
    for split in ("val", "test"):
        kept = sorted((photos / split).rglob("*.png"))
        for file in kept[count:]:
            file.unlink()
        for name in ("circle", "square"):
            (photos / split / name).mkdir(exist_ok=True)
    words = [*WORDS, "--trainer.max_epochs", "1", "--run.name", "run"]
    assert programs.run("fit", *words).returncode == 0
    for verb in ("validate", "test"):
        split = {"validate": "val", "test": "test"}[verb]
        asked = [verb, "--ckpt_path", "runs/run", "--report.write=false"]
        one = programs.run(*asked, "--trainer.accelerator", "cpu")
        assert one.returncode == 0, one.stderr
        file = Path("runs", "run", f"metrics.{split}.json")
        alone = _scores(file)
        file.unlink()
        two = [program.done(120) for program in pair(programs, [*asked, "--trainer.accelerator", "cpu"])]
        assert [ended.returncode for ended in two] == [0, 0], two[0].stderr
        assert _scores(file) == pytest.approx(alone, rel=1e-6, nan_ok=True)


def _scores(file: Path) -> dict[str, float]:
    content = json.loads(file.read_text())
    return {key: float("nan") if value is None else value for key, value in content.items() if "/" in key}


def test_the_hooks_at_which_runs_are_stopped_are_lightnings() -> None:
    # one that is never called would stop nothing
    assert all(hasattr(Callback, hook) for hook in HOOKS)
