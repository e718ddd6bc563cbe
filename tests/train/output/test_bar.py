"""What a person sees of a running training: epochs from 1, images, the time left, and no line behind a bar."""

from __future__ import annotations

import io
import os
import re
import select
import signal
import struct
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from tqdm import tqdm

from tests.conftest import CPU, TINY
from vitcli.__main__ import main
from vitcli.train.output import console
from vitcli.train.output.bar import ImageBar, in_words, say
from vitcli.train.output.console import LossBar, batches_left

FIT = ["fit", "--data.root", "photos", "--data.batch_size", "10", *TINY, *CPU]
BAR = ["--trainer.enable_progress_bar", "true"]


@pytest.fixture
def left(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How many batches were to come after each one of training."""
    told: list[float] = []
    end = LossBar.on_train_batch_end

    def note(self: LossBar, trainer: Any, *rest: Any) -> None:
        told.append(batches_left(trainer))
        end(self, trainer, *rest)

    monkeypatch.setattr(LossBar, "on_train_batch_end", note)
    monkeypatch.setattr(console, "READ_AFTER", 0.0)
    return told


@pytest.mark.usefixtures("photos")
def test_the_bar_counts_images_in_epochs_from_one_and_tells_the_time_left(
    left: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*FIT, *BAR, "--trainer.max_epochs", "2"]) == 0
    shown = capsys.readouterr().out
    # 24 images in batches of 10, of which the last is smaller
    counted = re.findall(r"epoch 1/2: +\d+%\|[^|]*\| (\d+/\d+) images", shown)
    assert list(dict.fromkeys(counted)) == ["0/24", "10/24", "20/24", "24/24"]
    assert "| 24/24 images, " in shown
    assert re.search(r"validation: +100%\|[^|]*\| 8/8 images", shown)
    assert re.search(r"run left=\d+ s, train/loss_step=\d", shown)
    assert not re.search("Epoch|DataLoader|Training|Validation", shown)
    assert left == [5, 4, 3, 2, 1, 0]
    # a line of its own for the epoch, between the bars
    assert re.search(r"[\r\n]epoch 1/2  train/loss [\d.]+ .* s\n", shown)


@pytest.mark.usefixtures("photos")
@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--trainer.max_steps", "4", "--trainer.max_epochs", "9"], [3, 2, 1, 0]),
        (["--trainer.max_epochs", "2", "--trainer.limit_train_batches", "2"], [3, 2, 1, 0]),
        # 20 images and 4: the last step is of as many batches as the first
        (["--trainer.max_epochs", "1", "--trainer.accumulate_grad_batches", "2"], [3, 2, 1, 0]),
    ],
)
def test_the_batches_left_end_at_none(left: list[float], words: list[str], expected: list[int]) -> None:
    assert main([*FIT, *BAR, *words]) == 0
    assert left == expected


@pytest.mark.usefixtures("photos")
def test_a_resumed_run_knows_what_is_left_of_it(left: list[float], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*FIT, *BAR, "--trainer.max_epochs", "1"]) == 0
    left.clear()
    capsys.readouterr()
    assert main(["fit", "--ckpt_path", "runs/photos", *BAR, "--trainer.max_epochs", "3"]) == 0
    assert left == [5, 4, 3, 2, 1, 0]
    shown = capsys.readouterr().out
    assert "epoch 2/3: " in shown
    assert "epoch 3/3: " in shown


@pytest.mark.usefixtures("photos")
def test_the_bars_of_test_and_predict_count_images(copied: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for verb, words in (("testing", ["test"]), ("predicting", ["predict", "--data.root", "photos/test"])):
        assert main([*words, "--ckpt_path", str(copied), *BAR, *CPU]) == 0
        assert re.search(rf"{verb}: +100%\|[^|]*\| 7/7 images", capsys.readouterr().out)


def test_a_line_is_printed_above_a_bar_and_not_behind_it(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = io.StringIO()
    monkeypatch.setattr(sys, "stdout", screen)
    monkeypatch.setattr(sys, "stderr", screen)
    with ImageBar(batch=10, images=24, total=3, file=screen, ncols=60) as bar:
        bar.update(3)
        bar.refresh()
        say("Ctrl-C: stopping", screen, typed=True)
    shown = screen.getvalue()
    assert "| 24/24 [" in shown
    assert re.search(r"\r +\rCtrl-C: stopping\n", shown)


def test_a_line_without_a_bar_is_printed_below_what_was_typed(capsys: pytest.CaptureFixture[str]) -> None:
    say("a line", sys.stderr)
    say("Ctrl-C: stopping", sys.stderr, typed=True)
    assert capsys.readouterr().err == "a line\n\nCtrl-C: stopping\n"


def test_a_signal_while_a_bar_is_written_still_tells(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def reentrant(*_: object, **__: object) -> None:
        raise RuntimeError("reentrant call inside <_io.BufferedWriter>")

    monkeypatch.setattr(tqdm, "write", reentrant)
    with ImageBar(batch=1, images=1, total=1, file=io.StringIO()):
        say("Ctrl-C: stopping", sys.stderr, typed=True)
    assert capsys.readouterr().err == "\nCtrl-C: stopping\n"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.4, "0 s"), (40, "40 s"), (720, "12 min"), (12000, "3 h 20 min"), (187200, "2 d 4 h")],
)
def test_a_time_is_told_in_the_units_that_matter(seconds: float, words: str) -> None:
    assert in_words(seconds) == words


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs a pseudo terminal")
def test_on_a_terminal_ctrl_c_is_told_on_a_line_of_its_own(photos: Path) -> None:
    import fcntl
    import pty
    import termios

    words = [*FIT, "--trainer.max_epochs", "10000"]
    process, terminal = pty.fork()
    if process == 0:
        os.execv(sys.executable, [sys.executable, "-m", "vitcli", *words])
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 100, 0, 0))
    shown, typed, until = b"", False, time.monotonic() + 120
    while time.monotonic() < until:
        if not select.select([terminal], [], [], 0.2)[0]:
            continue
        try:
            read = os.read(terminal, 65536)
        except OSError:
            break
        if not read:
            break
        shown += read
        if b"epoch 3/" in shown and not typed:
            typed = os.write(terminal, b"\x03") == 1
    else:
        os.kill(process, signal.SIGKILL)
    _, status = os.waitpid(process, 0)
    assert os.waitstatus_to_exitcode(status) == 130
    text = shown.decode()
    assert re.search(r"[\r\n](\^C)?Ctrl-C: stopping after this step; once more stops at once\r\n", text)
    assert re.search(r"\nstopped at step \d+; go on with: vitcli fit --ckpt_path runs/photos\r\n", text)
