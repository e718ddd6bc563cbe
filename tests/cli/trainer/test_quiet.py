"""What the libraries say of a run is silenced for a reason, and nothing that was asked for is lost."""

from __future__ import annotations

import importlib.util
import re
from importlib.metadata import version
from pathlib import Path

import pytest
from packaging.version import Version

from tests.conftest import CPU, TINY
from vitcli.__main__ import main
from vitcli.cli.trainer.quiet import SILENCED, Silenced

FIT = ["fit", "--data.root", "photos", "--trainer.max_epochs", "2", *TINY, *CPU]


def is_older(name: str) -> bool:
    """Whether a library is older than the version with which vitcli is developed."""
    locked = re.search(rf"^{name}==(\S+)", (Path(__file__).parents[3] / "requirements.lock").read_text(), re.MULTILINE)
    assert locked is not None
    return Version(version(name)) < Version(locked[1])


@pytest.mark.parametrize("silenced", SILENCED)
def test_a_warning_is_silenced_only_while_a_library_says_it(silenced: Silenced):
    found = importlib.util.find_spec(silenced.said_in)
    assert found is not None
    assert found.origin is not None
    # a text that the source holds in several lines
    source = re.sub(r'"\s*f?"', "", Path(found.origin).read_text(encoding="utf-8"))
    if not re.search(silenced.message, source) and silenced.said_in.startswith("torch.") and is_older("torch"):
        pytest.skip("this version of torch does not say it yet")
    assert re.search(silenced.message, source), f"filter {silenced.message!r} is not needed any more"
    assert silenced.reason


@pytest.mark.slow
def test_a_plain_run_says_nothing_on_standard_error(photos: Path, vitcli):
    done = vitcli(*FIT)
    assert (done.returncode, done.stderr) == (0, "")
    done = vitcli("fit", "--ckpt_path", "runs/photos", "--trainer.max_epochs", "3")
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.slow
def test_a_warning_that_is_not_silenced_is_one_line(photos: Path, vitcli):
    done = vitcli(*FIT, "--model.net.backend", "Linformer", "--model.net.backend.k", "64")
    assert done.returncode == 0
    (line,) = done.stderr.splitlines()
    assert line.startswith(
        "warning: model.net.backend.k 64: Linformer with k = 64 for 5 tokens costs more than it saves"
    )


@pytest.mark.slow
def test_what_callbacks_are_asked_to_say_is_said(photos: Path, vitcli):
    Path("stop.yaml").write_text(
        "trainer:\n  callbacks:\n"
        "  - {class_path: EarlyStopping, init_args: {monitor: val/loss, min_delta: 9.0, patience: 1, verbose: true}}\n"
    )
    done = vitcli(*FIT, "--config", "stop.yaml", "--checkpoint.verbose", "true")
    assert done.returncode == 0
    assert "Epoch 0, global step 1: 'val/accuracy' reached" in done.stderr
    assert "Monitored metric val/loss did not improve" in done.stderr
    assert "GPU available" not in done.stderr


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--trainer.limit_train_batches", "1"], "trainer.limit_train_batches 1: one batch; 1.0 takes them all"),
        (["--trainer.limit_train_batches", "1.0"], None),
        (["--trainer.val_check_interval", "1"], "trainer.val_check_interval 1: validates after each batch; 1.0"),
        (["--trainer.fast_dev_run", "true"], "trainer.fast_dev_run: 1 batch and one epoch, only to see"),
    ],
)
def test_a_setting_that_means_something_else_than_it_seems_to_is_explained(
    photos: Path, capsys: pytest.CaptureFixture[str], words: list[str], told: str | None
):
    assert main([*FIT, *words]) == 0
    out = capsys.readouterr().out
    assert told in out if told else "trainer." not in out


def test_a_limit_of_time_beside_a_timer_is_refused(photos: Path, capsys: pytest.CaptureFixture[str]):
    timer = "--trainer.callbacks=[{class_path: Timer, init_args: {duration: '00:00:20:00'}}]"
    assert main([*FIT, timer, "--trainer.max_time", "00:00:10:00"]) == 2
    assert capsys.readouterr().err == (
        "vitcli fit: error: trainer.max_time 00:00:10:00: has no effect beside a Timer in trainer.callbacks; leave one "
        "of them out\n"
    )
