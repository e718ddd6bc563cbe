"""A table that was stopped at any moment is finished by the same command, and is the one of a start without an end."""

from __future__ import annotations

import errno
import os
import random
import re
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch

from tests.conftest import CPU
from tests.train.output.broken import write_many
from tests.warm import Program, Warm
from vitcli.__main__ import main
from vitcli.table.journal import Journal, read_batches
from vitcli.table.rows import read_rows
from vitcli.table.work import Work

FEW = ["--data.batch_size", "2"]
SINGLE = ["--data.batch_size", "1"]


def predict(*words: str, table: str = "table.csv") -> list[str]:
    return ["predict", "runs/photos", "many", "--predictions.path", table, *SINGLE, *CPU, *words]


def kept(work: Path) -> int:
    """How many rows the journals hold."""
    return sum(len(batch) for journal in Work(work).journals() for batch in read_batches(journal, {}))


def kill_at(running: Program, work: Path, rows: int, with_: signal.Signals = signal.SIGKILL) -> bool:
    """Send a signal when there are so many rows; whether the program still ran."""
    while running.runs(0.001) and kept(work) < rows:
        pass
    still = running.runs()
    if still:
        running.send(with_)
    running.done(within=60)
    return still


@pytest.fixture
def many(copied: Path) -> Path:
    write_many(Path("many"), 300, broken=10)
    return copied


@pytest.mark.slow
def test_killed_again_and_again_the_table_is_byte_for_byte_the_uninterrupted_one(many: Path, programs: Warm):
    assert main(predict(table="whole.csv")) == 0
    work, before = Path("table.csv.parts"), 0
    for with_ in (signal.SIGKILL, signal.SIGTERM):
        running = programs.start(*predict())
        assert kill_at(running, work, before + random.Random(before).randrange(1, 40), with_), running.out
        assert f"{before} of 300 rows are kept" in running.out or not before
        assert not Path("table.csv").exists()
        assert kept(work) > before
        before = kept(work)
    done = programs.run(*predict())
    assert done.returncode == 0, done.stderr
    assert f"{before} of 300 rows are kept" in done.stdout
    assert Path("table.csv").read_bytes() == Path("whole.csv").read_bytes()
    assert not list(Path().glob("table.csv.*"))


@contextmanager
def full_after(batches: int) -> Iterator[None]:
    """A disk that is full when so many batches are written."""
    append, left = Journal.append, iter(range(batches))

    def fails(journal: Journal, *batch: object) -> None:
        if next(left, None) is None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(journal.path))
        append(journal, *batch)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Journal, "append", fails)
        yield


TEST = ["test", "runs/photos", *FEW, *CPU]
PREDICT = ["predict", "runs/photos", "photos/test", *FEW, *CPU]


@pytest.mark.slow
def test_a_test_that_goes_on_has_the_scores_and_the_table_of_one_without_an_end(
    copied: Path, capsys: pytest.CaptureFixture[str]
):
    Path("photos/test/circle/torn.png").write_bytes(b"no picture")
    assert main(TEST) == 0
    files = [copied / "metrics.test.json", copied / "predictions.test.csv"]
    whole = [file.read_bytes() for file in files]
    for file in files:
        file.unlink()
    with full_after(2):
        assert main(TEST) == 2
    told = capsys.readouterr().err
    assert "rows so far are kept in runs/photos/predictions.test.csv.parts; the same command goes on with them" in told
    assert "1-0.rows: No space left on device; make room and start again" in told
    assert not files[1].exists()
    with full_after(1):
        assert main(TEST) == 2
    assert main(TEST) == 0
    assert "going on with runs/photos/predictions.test.csv: 6 of 8 rows are kept\n" in capsys.readouterr().out
    assert [file.read_bytes() for file in files] == whole
    # killed between the table and the end of its work folder, all is kept
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Work, "remove", lambda _: os.kill(os.getpid(), signal.SIGINT))
        assert main(TEST) == 130
    assert main(TEST) == 0
    assert "8 of 8 rows are kept" in capsys.readouterr().out
    assert [file.read_bytes() for file in files] == whole
    assert not list(copied.glob("*.parts*"))


@pytest.mark.slow
def test_another_checkpoint_or_setting_or_folder_never_goes_on_with_a_table(
    copied: Path, capsys: pytest.CaptureFixture[str]
):
    assert main([*PREDICT, "--predictions.path", "whole.csv"]) == 0
    with full_after(2):
        assert main(PREDICT) == 2
    capsys.readouterr()
    best = copied / "checkpoints/best.ckpt"
    content = best.read_bytes()
    other = torch.load(best, weights_only=True)
    other["state_dict"]["net.head.bias"][0] += 1
    begins_anew = "predictions.csv.parts: an unfinished table with other {}; left as it is, and this one begins anew"
    shutil.copytree("photos/test", "elsewhere")
    for words, what in (
        ([*PREDICT, "--data.batch_size", "3"], "data.batch_size"),
        ([*PREDICT, "--predictions.features", "true"], "predictions.features"),
        (["predict", "runs/photos", "elsewhere", *FEW, *CPU], "data.root"),
        (PREDICT, "weights"),
    ):
        if what == "weights":
            torch.save(other, best)
        assert main(words) == 0
        assert begins_anew.format(what) in capsys.readouterr().out
    best.write_bytes(content)
    assert main(PREDICT) == 0
    assert "going on with runs/photos/predictions.csv: 4 of 7 rows are kept\n" in capsys.readouterr().out
    assert (copied / "predictions.csv").read_bytes() == Path("whole.csv").read_bytes()
    assert not list(copied.glob("*.parts*"))


@pytest.mark.slow
def test_files_that_came_changed_or_went_since_are_told_and_the_table_is_of_those_that_are_there(
    copied: Path, capsys: pytest.CaptureFixture[str]
):
    names = sorted(str(path) for path in Path("photos/test").rglob("*.png"))
    with full_after(2):
        assert main(PREDICT) == 2
    shutil.copy(names[4], "photos/test/circle/00.png")
    shutil.copy(names[4], names[1])
    Path(names[2]).unlink()
    os.utime(names[6])
    capsys.readouterr()
    assert main(PREDICT) == 0
    told = "2 of 7 rows are kept; since then 1 image came, 2 changed and 1 went\n"
    assert told in capsys.readouterr().out
    assert main([*PREDICT, "--predictions.path", "fresh.csv"]) == 0
    one, other = (list(read_rows(table)) for table in (copied / "predictions.csv", Path("fresh.csv")))
    assert [row.path for row in one] == [row.path for row in other]
    # in other batches
    assert all(a.probabilities == pytest.approx(b.probabilities, abs=1e-5) for a, b in zip(one, other, strict=True))


def test_images_of_a_list_that_changed_are_predicted_again(copied: Path, capsys: pytest.CaptureFixture[str]):
    names = sorted(str(path) for path in Path("photos/test").rglob("*.png"))
    Path("list.txt").write_text("\n".join(names))
    words = ["predict", "runs/photos", "list.txt", *FEW, *CPU]
    with full_after(2):
        assert main(words) == 2
    shutil.copy(names[4], names[1])
    Path("list.txt").write_text("\n".join(reversed(names)))
    assert main(words) == 0
    assert "3 of 7 rows are kept; since then 0 images came, 1 changed and 0 went" in capsys.readouterr().out
    assert [row.path for row in read_rows(copied / "predictions.csv")] == names[::-1]


@pytest.mark.parametrize("table", ["", "mine.jsonl"])
def test_without_a_run_of_its_own_the_same_command_goes_on_where_it_was(
    copied: Path, table: str, capsys: pytest.CaptureFixture[str]
):
    shutil.move(copied / "checkpoints/best.ckpt", "moved.ckpt")
    words = ["predict", "moved.ckpt", "photos/test", *FEW, *CPU, *(["--predictions.path", table] if table else [])]
    assert main(words) == 0
    with full_after(2):
        assert main(words) == 2
    with full_after(1):
        assert main([*words, "--data.batch_size", "3"]) == 2
    assert main(words) == 0
    assert "4 of 7 rows are kept" in capsys.readouterr().out
    assert sorted(path.name for path in Path("runs").glob("moved*")) == ["moved", "moved-2", "moved-3"]
    assert main(words) == 0
    assert Path("runs/moved-4").is_dir()


def test_a_few_batches_for_a_trial_are_neither_kept_nor_gone_on_with(copied: Path):
    words = [*PREDICT, "--trainer.limit_predict_batches", "2"]
    with full_after(1):
        assert main(words) == 2
    assert main(words) == 0
    assert len(list(read_rows(copied / "predictions.csv"))) == 4
    assert main(PREDICT) == 0
    assert len(list(read_rows(copied / "predictions.csv"))) == 7


@pytest.mark.slow
def test_on_a_disk_that_is_really_full_the_rows_so_far_are_kept(
    many: Path, programs: Warm, capsys: pytest.CaptureFixture[str]
):
    done = programs.run(*predict(), most=15_000)
    assert done.returncode == 2
    assert re.search(r"error: table.csv.parts/\S+: File too large; make room and start again\n$", done.stderr)
    before = kept(Path("table.csv.parts"))
    assert 0 < before < 300
    assert main(predict()) == 0
    assert f"{before} of 300 rows are kept" in capsys.readouterr().out
    assert len({row.path for row in read_rows(Path("table.csv"))}) == 300
