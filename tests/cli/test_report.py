"""``vitcli report`` as people type it: a run, a table, a comparison, and mistakes as one line each."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import TINY
from tests.report.tables import drawn_rows, write_table
from tests.report.test_write import FIVE, words
from tests.train.safety.disk import disk
from vitcli.__main__ import main


def mistake(capsys: pytest.CaptureFixture[str], *typed: str) -> str:
    """The one line that a mistake ends with."""
    assert main(["report", *typed]) == 2
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert told.startswith("vitcli report: error: ")
    return told


@pytest.mark.slow
def test_a_run_is_told_from_its_files_alone(copied: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["test", "--ckpt_path", str(copied), "--trainer.accelerator", "cpu"]) == 0
    capsys.readouterr()
    assert main(["report", str(copied)]) == 0
    assert capsys.readouterr().out == f"report: {copied}/report.html\n"
    told = words(copied / "report.html")
    assert "of 7 test images are predicted right" in told
    assert "Training" in told
    assert "Training images as the net sees them" in told
    assert f"vitcli test --ckpt_path {copied}" in told
    assert "7 small pictures of 7 images" in told
    assert {path.name for path in (copied / "report").glob("*.png")} >= {"loss.png", "accuracy.png", "confusion.png"}
    # the pictures and the checkpoints may go; of the splits, one is chosen
    Path("photos").rename("moved")
    # which says where the photos of the run lie, of which this one is a copy
    (copied / "about.json").unlink(missing_ok=True)
    shutil.rmtree(copied / "checkpoints")
    shutil.copy(copied / "predictions.test.csv", copied / "predictions.val.csv")
    assert main(["report", str(copied), "--split", "val", "--out", "elsewhere"]) == 0
    assert "of 7 val images are predicted right" in words(Path("elsewhere/report.html"))
    assert "only their paths are shown" in words(Path("elsewhere/report.html"))
    assert main(["report", str(copied), "--images", "moved", "--out", "elsewhere"]) == 0
    assert "7 small pictures of 7 images" in words(Path("elsewhere/report.html"))


def test_a_table_has_a_folder_of_its_own_and_names_of_columns_can_be_said(here: Path):
    Path("theirs.csv").write_text("file,y,p\na.png,cat,cat\nb.png,dog,cat\nc.png,dog,dog\n")
    Path("report.html").write_text("mine")
    assert main(["report", "theirs.csv", "--columns", "path=file,label=y,predicted=p"]) == 0
    assert "66.7 % of 3 images are predicted right" in words(Path("theirs-report/report.html"))
    assert Path("report.html").read_text() == "mine"


def test_a_comparison_puts_tables_side_by_side_with_the_paired_test(here: Path):
    rows = drawn_rows(("cat", "dog"), 80, right=0.7)
    better = [(path, label, (0.9, 0.1) if label == "cat" else (0.1, 0.9)) for path, label, _ in rows]
    one = write_table(Path("one.csv"), ("cat", "dog"), rows)
    two = write_table(Path("two.csv"), ("cat", "dog"), better)
    assert main(["report", str(one), "--compare", str(two), str(one), "--out", "out"]) == 0
    wrong = sum(label != ("cat", "dog")[row[1] > row[0]] for _, label, row in rows)
    said = words(Path("out/report.html"))
    assert f"two.csv is right on {wrong / 80 * 100:.1f} percentage points more of the images than" in said
    assert "more than chance explains (McNemar" in said
    assert f"of 80 images, {wrong} are right only in" in said
    assert "are right on the very same images" in said
    assert "Right only in" in said


def test_other_peoples_pages_and_charts_are_not_replaced_and_a_refusal_leaves_no_folder(
    here: Path, capsys: pytest.CaptureFixture[str]
):
    write_table(here / "t.csv", ("cat", "dog"), FIVE)
    (here / "mine").mkdir()
    (here / "mine" / "report.html").write_text("<h1>mine</h1>")
    (here / "charts" / "report").mkdir(parents=True)
    (here / "charts" / "report" / "roc.png").write_bytes(b"mine")
    assert "--out mine: its report.html is none that" in mistake(capsys, "t.csv", "--out", "mine")
    assert "--out charts: its report/ would receive charts" in mistake(capsys, "t.csv", "--out", "charts")
    assert main(["report", "t.csv", "--out", "new"]) == 0
    assert main(["report", "t.csv", "--out", "new"]) == 0
    assert "--images nope: no such folder" in mistake(capsys, "t.csv", "--images", "nope", "--out", "nothing")
    write_table(here / "other.csv", ("cat", "dog"), [("cat/1.png", "dog", (0.9, 0.1)), *FIVE[1:]])
    assert "other.csv and t.csv have different labels" in mistake(
        capsys, "t.csv", "--compare", "other.csv", "--out", "nothing"
    )
    assert not (here / "nothing").exists()


def test_mistakes_are_one_line_each(here: Path, capsys: pytest.CaptureFixture[str]):
    assert "RUN|TABLE; see vitcli report -h" in mistake(capsys)
    assert "nowhere: no such run or table" in mistake(capsys, "nowhere")
    assert "--colour" in mistake(capsys, "nowhere", "--colour", "green")
    assert "--split: invalid choice: 'train'" in mistake(capsys, "nowhere", "--split", "train")
    assert "--columns label: 'label' names no column" in mistake(capsys, "nowhere", "--columns", "label")
    Path("folder").mkdir()
    assert "folder: is no run" in mistake(capsys, "folder")
    Path("folder/config.yaml").write_text("trainer: {}\n")
    assert "write one by vitcli test folder" in mistake(capsys, "folder")
    assert "write one by vitcli validate folder" in mistake(capsys, "folder", "--split", "val")
    Path("empty.csv").touch()
    assert "empty.csv: is empty" in mistake(capsys, "empty.csv")
    Path("words.csv").write_text("one,two\n1,2\n")
    assert "words.csv: has no column of predictions" in mistake(capsys, "words.csv")
    table = write_table(Path("five.csv"), ("cat", "dog"), FIVE)
    Path("cut.csv").write_bytes(table.read_bytes()[:-30])
    assert "cut.csv" in mistake(capsys, "cut.csv")
    assert "--out five.csv/out" in mistake(capsys, "five.csv", "--out", "five.csv/out")
    assert "nowhere" in mistake(capsys, "five.csv", "--images", "nowhere")
    write_table(Path("unlabelled.csv"), ("cat", "dog"), [(path, "", row) for path, _, row in FIVE])
    assert "has no labels" in mistake(capsys, "unlabelled.csv", "--compare", "five.csv")
    assert "has no labels" in mistake(capsys, "five.csv", "--compare", "unlabelled.csv")
    assert not Path("five-report").exists()


def test_a_run_that_is_read_only_is_told_with_the_option_that_helps(here: Path, capsys: pytest.CaptureFixture[str]):
    with disk(here / "run", 4) as mounted:
        (mounted.folder / "checkpoints").mkdir()
        write_table(mounted.folder / "predictions.test.csv", ("cat", "dog"), FIVE)
        mounted.become_read_only()
        told = "run: cannot be written to; name another folder for the report with --out"
        assert told in mistake(capsys, "run")
        assert main(["report", "run", "--out", "page"]) == 0
    assert Path("page/report.html").is_file()


def test_the_modules_of_the_report_are_imported_without_torch():
    code = "import sys, vitcli.cli.verbs.report, vitcli.report.write; print(*{'torch', 'lightning'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "\n"


@pytest.mark.slow
def test_mistakes_and_unsure_successes_are_explained_where_that_is_asked_for(
    copied: Path, capsys: pytest.CaptureFixture[str]
):
    words_of_test = ["test", "--ckpt_path", str(copied), "--trainer.accelerator", "cpu", "--report.write", "false"]
    assert main(words_of_test) == 0
    capsys.readouterr()
    assert main(["report", str(copied), "--explain"]) == 0
    assert capsys.readouterr().out == f"report: {copied}/report.html\n"
    page = (copied / "report.html").read_text()
    assert page.count('<span class="pair">') == 7
    assert "7 of them have a map beside them (" in words(copied / "report.html")
    assert len(page) < 300_000
    # the pictures or the checkpoint may go
    Path("photos").rename("moved")
    (copied / "about.json").unlink(missing_ok=True)
    assert main(["report", str(copied), "--explain", "--out", "gone"]) == 0
    assert "maps: none in the report: the pictures are not where they were\n" in capsys.readouterr().out
    assert "map beside" not in Path("gone/report.html").read_text()
    shutil.rmtree(copied / "checkpoints")
    assert main(["report", str(copied), "--explain", "--images", "moved", "--out", "gone"]) == 0
    told = capsys.readouterr().out.splitlines()
    assert len(told) == 2
    assert told[0].startswith(f"maps: none in the report: {copied}: a folder without checkpoints; name")
    assert "7 small pictures of 7 images" in words(Path("gone/report.html"))


@pytest.mark.slow
@pytest.mark.parametrize("verb", ["fit", "validate", "test", "predict"])
def test_the_report_that_a_verb_ends_with_has_maps_where_report_explain_is_true(copied: Path, verb: str):
    wanted = ["--trainer.accelerator", "cpu", "--report.write", "true", "--report.explain", "true"]
    fit = ["fit", "--data.root", "photos", "--trainer.max_epochs", "1", "--run.name", "own", *TINY]
    typed, page, images = {
        "fit": (fit, Path("runs/own"), 8),
        "validate": (["validate", str(copied)], copied, 8),
        "test": (["test", str(copied)], copied, 7),
        "predict": (["predict", str(copied), "photos/test"], copied / "report.predict", 7),
    }[verb]
    assert main([*typed, *wanted]) == 0
    assert f"{images} of them have a map beside them (" in words(page / "report.html")


def test_a_table_of_no_run_cannot_be_explained(here: Path, capsys: pytest.CaptureFixture[str]):
    write_table(Path("five.csv"), ("cat", "dog"), FIVE)
    assert "--explain: five.csv is of no run" in mistake(capsys, "five.csv", "--explain")
