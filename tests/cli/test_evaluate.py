"""``vitcli evaluate``: what it prints and writes, for tables, runs, folds and pairs, and each mistake as one line."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from tests.evaluate.tables import FIVE, probabilities, write
from vitcli.__main__ import main
from vitcli.evaluate.evaluate import evaluate, from_json, to_json
from vitcli.evaluate.read import read_scored
from vitcli.images.index.quarantine import read_quarantine
from vitcli.table.row import Row


def rows(images: int = 120, classes: tuple[str, ...] = ("cat", "dog"), seed: int = 0, skill: float = 2.0) -> list[Row]:
    labels = np.random.default_rng(7).integers(0, len(classes), images)
    matrix = probabilities(labels, len(classes), seed, skill)
    return [
        Row(
            f"{classes[label]}/{number}.jpg",
            classes[label],
            classes[int(row.argmax())],
            float(row.max()),
            tuple(row.tolist()),
        )
        for number, (label, row) in enumerate(zip(labels, matrix, strict=True))
    ]


def write_run(name: str, *, val: bool = True) -> Path:
    """The folder of a run with its tables, as fit and test leave it."""
    folder = Path("runs") / name
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text(yaml.safe_dump({"data": {"root": "photos"}}))
    write(folder / "predictions.test.csv", rows(seed=1), ("cat", "dog"))
    if val:
        write(folder / "predictions.val.csv", rows(seed=2), ("cat", "dog"))
    return folder


def printed(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    capsys.readouterr()
    assert main(["evaluate", *words]) == 0, capsys.readouterr().err
    captured = capsys.readouterr()
    assert captured.err == ""
    return captured.out


def complaint(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    before = sorted(Path().rglob("*"))
    capsys.readouterr()
    assert main(["evaluate", *words]) == 2
    captured = capsys.readouterr()
    assert (captured.err.count("\n"), captured.out) == (1, ""), captured.err
    assert sorted(Path().rglob("*")) == before, "something was left behind"
    return captured.err


def test_five_rows_are_told_in_a_short_table(here: Path, capsys: pytest.CaptureFixture[str]):
    write(here / "t.csv", FIVE)
    told = printed(["t.csv"], capsys).splitlines()
    assert told[:2] == [
        "t.csv: 5 images, 3 classes",
        "  accuracy              0.800 [0.376, 0.964]  (always cat: 0.400)",
    ]
    assert told[9:] == [
        "",
        "classes    images  precision             recall                F1",
        "cat             2  1.000 [0.207, 1.000]  0.500 [0.095, 0.905]  0.667",
        "dog             2  0.667 [0.208, 0.939]  1.000 [0.342, 1.000]  0.800",
        "owl             1  1.000 [0.207, 1.000]  1.000 [0.207, 1.000]  1.000",
        "confused most: cat as dog (1)",
    ]


def test_every_headline_has_its_interval(here: Path, capsys: pytest.CaptureFixture[str]):
    write(here / "t.csv", FIVE)
    names = (
        "balanced accuracy",
        "F1, mean of classes",
        "AUROC",
        "Matthews correlation",
        "log loss",
        "calibration error",
    )
    told = printed(["t.csv"], capsys)
    for name in names:
        line = next(line for line in told.splitlines() if line.strip().startswith(name))
        assert line.count("[") == line.count("]") == 1


def test_a_thousand_classes_are_told_in_a_screen(here: Path, capsys: pytest.CaptureFixture[str]):
    classes = tuple(f"class-{number}" for number in range(300))
    made = [
        Row(f"{number}", classes[number % 300], classes[number * 7 % 300], 0.5, label_probability=0.2, label_rank=2)
        for number in range(900)
    ]
    write(here / "t.parquet", made, classes, top=5)
    told = printed(["t.parquet"], capsys).splitlines()
    assert len(told) < 35
    assert any(line.startswith("the worst 12 of 300 classes") for line in told)


def test_the_folder_of_a_run_means_its_test_and_else_its_val(here: Path, capsys: pytest.CaptureFixture[str]):
    run = write_run("photos")
    assert printed([str(run)], capsys).startswith("runs/photos/predictions.test.csv: 120 images")
    assert printed([str(run), "--split", "val"], capsys).startswith("runs/photos/predictions.val.csv: ")
    (run / "predictions.test.csv").unlink()
    assert printed([str(run)], capsys).startswith("runs/photos/predictions.val.csv: ")
    write(run / "predictions.test.parquet", rows(), ("cat", "dog"))
    assert printed([str(run)], capsys).startswith("runs/photos/predictions.test.parquet: ")


@pytest.mark.slow
def test_a_real_run_is_evaluated_as_its_test_was(copied: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["test", str(copied)]) == 0
    accuracy = json.loads((copied / "metrics.test.json").read_text())["test/accuracy"]
    assert f"  accuracy              {accuracy:.3f} [" in printed([str(copied)], capsys)


def test_the_temperature_of_a_test_is_fitted_on_val(here: Path, capsys: pytest.CaptureFixture[str]):
    run = write_run("photos")
    val = read_scored(run / "predictions.val.csv")
    fitted = evaluate(val, tables=["t"], fit_temperature=True, resamples=5)
    assert fitted.calibrated is not None
    temperature = fitted.calibrated.temperature
    assert f"at temperature {temperature:.3g})" in printed([str(run)], capsys)
    assert f"at temperature {temperature:.3g})" in printed([str(run), "--split", "val"], capsys)
    assert "at temperature 2)" in printed([str(run), "--temperature", "2"], capsys)
    (run / "predictions.val.csv").unlink()
    assert "at temperature" not in printed([str(run)], capsys)
    # what validate has kept needs no table
    (run / "metrics.val.json").write_text(json.dumps({"val/accuracy": 0.5, "evaluation": to_json(fitted)}))
    assert f"at temperature {temperature:.3g})" in printed([str(run)], capsys)


def test_the_numbers_are_written_for_machines(here: Path, capsys: pytest.CaptureFixture[str]):
    write(here / "t.csv", FIVE)
    assert printed(["t.csv", "--out", "new/scores.json"], capsys).endswith("\nscores: new/scores.json\n")
    content = json.loads(Path("new/scores.json").read_text())
    assert content["schema_version"] == 1
    assert content["accuracy"] == {
        "value": 0.8,
        "low": pytest.approx(0.3755, abs=1e-4),
        "high": pytest.approx(0.9638, abs=1e-4),
    }
    assert from_json(content) == from_json(to_json(evaluate(read_scored(Path("t.csv")), tables=["t.csv"])))


def test_unreadable_images_are_told_with_both_figures(here: Path, capsys: pytest.CaptureFixture[str]):
    write(
        here / "t.csv",
        [*FIVE, Row("bad.jpg", "owl", status="error", error="gone"), Row("6.jpg", "", "cat", 1, (1, 0, 0))],
    )
    told = printed(["t.csv"], capsys).splitlines()
    assert told[0] == "t.csv: 5 images, 3 classes"
    assert told[1].startswith(
        "without a prediction: 1 image, which count in nothing below; counted as wrong, accuracy is 0.667"
    )
    assert told[2] == "without a label: 1 image, which count in nothing below"


def test_another_tools_table_is_evaluated(here: Path, capsys: pytest.CaptureFixture[str]):
    (here / "theirs.csv").write_text("file,y,p\na,cat,cat\nb,dog,cat\n")
    told = printed(["theirs.csv", "--columns", "label=y,predicted=p", "--columns", "path=file"], capsys)
    assert "accuracy              0.500" in told
    assert "confused most: dog as cat (1)" in told


def test_two_classes_get_thresholds_with_what_they_cost(here: Path, capsys: pytest.CaptureFixture[str]):
    write(here / "t.csv", rows(), ("cat", "dog"))
    told = printed(["t.csv", "--costs", "fp=1,fn=5", "--precision", "0.8", "--recall", "0.7"], capsys)
    lines = [line for line in told.splitlines() if line[:2] in ("0.", "1.")]
    assert [line.split("  ")[0].split(maxsplit=1)[0][:2] for line in lines] == ["0."] * 5
    goals = ("the likelier class", "best F1", "precision >= 0.8", "recall >= 0.7", "lowest cost (fp=1, fn=5)")
    assert all(goal in line for goal, line in zip(goals, lines, strict=True))
    assert "dog if its probability is at least" in told
    assert "cost an image" in told


def test_two_runs_are_compared_image_by_image(here: Path, capsys: pytest.CaptureFixture[str]):
    first, second = write_run("photos"), write_run("photos-2")
    write(second / "predictions.test.csv", rows(seed=9, skill=0.5), ("cat", "dog"))
    told = printed([str(first), "--compare", str(second), "--out", "c.json"], capsys)
    assert "runs/photos/predictions.test.csv and runs/photos-2/predictions.test.csv: 120 images, image by image" in told
    assert "(McNemar): runs/photos/predictions.test.csv is better" in told
    content = json.loads(Path("c.json").read_text())["comparison"]
    assert content["only_first"] - content["only_second"] == round(120 * content["differences"]["accuracy"]["value"])


def test_folds_are_told_as_one(here: Path, capsys: pytest.CaptureFixture[str]):
    made = rows()
    for number in range(3):
        folder = write_run(f"fold{number}")
        shutil.copy(write(here / "part.csv", made[number::3], ("cat", "dog")), folder / "predictions.val.csv")
    told = printed([f"runs/fold{number}" for number in range(3)] + ["--split", "val"], capsys)
    assert "3 folds as one table" in told
    assert "120 images" in told
    assert "over the tables)" in told


def test_seeds_are_told_as_means(here: Path, capsys: pytest.CaptureFixture[str]):
    write_run("one")
    write_run("two")
    told = printed(["runs/one", "runs/two"], capsys)
    assert "2 nets on the same images" in told


def test_labels_that_look_wrong_become_a_quarantine(here: Path, capsys: pytest.CaptureFixture[str]):
    made = rows(skill=3.0)
    name = "cat/caf\\udce9.jpg"
    made += [Row(name, "cat", "dog", 0.99, (0.01, 0.99)), Row("dog/=1.jpg", "dog", "cat", 0.97, (0.97, 0.03))]
    write(here / "t.csv", made, ("cat", "dog"))
    told = printed(["t.csv", "--quarantine", "lists/doubtful.txt"], capsys)
    assert "labels that look wrong: " in told
    assert "for --data.quarantine" in told
    listed = read_quarantine("lists/doubtful.txt")
    # as it stands on disk, and as a file of that very name would
    assert {name, "cat/caf\udce9.jpg", "dog/=1.jpg"} <= listed
    assert len(listed) < 10


def test_images_that_were_trained_on_are_told_and_not_accused(here: Path, capsys: pytest.CaptureFixture[str]):
    run = write_run("photos")
    made = [*rows(seed=1, skill=3.0), Row("cat/x.jpg", "cat", "dog", 0.99, (0.01, 0.99))]
    write(run / "predictions.test.csv", made, ("cat", "dog"))
    (run / "splits.csv").write_text("path,split,digest\ncat/x.jpg,train,\ndog/1.jpg,test,\n")
    told = printed([str(run)], capsys)
    assert "warning: the net was trained on 1 image of these; the numbers flatter it" in told
    assert "cat/x.jpg" not in told
    # a test of other images says nothing of images that happen to have the same names
    (run / "config.test.yaml").write_text(yaml.safe_dump({"data": {"root": "others"}}))
    assert "warning" not in printed([str(run)], capsys)


def test_names_that_a_terminal_would_act_upon_are_printed_escaped(here: Path, capsys: pytest.CaptureFixture[str]):
    classes = ("a\x1b[31m", "b\nc")
    made = [
        Row("1\r", classes[0], classes[1], 0.75, (0.25, 0.75)),
        Row("2", classes[1], classes[1], 0.75, (0.25, 0.75)),
    ]
    write(here / "t.csv", made, classes)
    told = printed(["t.csv"], capsys)
    assert "\x1b" not in told
    assert "a\\x1b[31m as b\\nc (1)" in told


def test_earlier_scores_and_lists_are_replaced(here: Path, capsys: pytest.CaptureFixture[str]):
    write(here / "t.csv", rows(), ("cat", "dog"))
    words = ["t.csv", "--out", "scores.json", "--quarantine", "list.txt"]
    first = printed(words, capsys)
    assert printed(words, capsys) == first
    (here / "list.txt").write_text("")
    assert printed(words, capsys) == first


def test_a_threshold_is_told_in_all_its_digits(here: Path, capsys: pytest.CaptureFixture[str]):
    highest = "".join(f"{i},b,{p!r},{1 - p!r}\n" for i, p in enumerate([4e-5, 3e-5, 2e-5]))
    (here / "t.csv").write_text(f"path,label,prob_a,prob_b\n{highest}x,a,0.00005,0.99995\ny,a,0.9,0.1\n")
    told = printed(["t.csv", "--costs", "fp=1,fn=0"], capsys)
    assert re.search(r"^0\.99996 +best F1", told, re.MULTILINE)
    assert re.search(r"^above 1 +lowest cost \(fp=1, fn=0\)", told, re.MULTILINE)
    assert main(["report", "t.csv", "--out", "page"]) == 0
    assert '<td class="number">0.99996</td>' in (here / "page" / "report.html").read_text()


def test_classes_that_differ_in_spelling_alone_are_warned_of(here: Path, capsys: pytest.CaptureFixture[str]):
    for first, second in (("01", "1"), ("1.0", "1"), ("caf\u00e9", "cafe\u0301"), (" cat", "Cat")):
        (here / "t.csv").write_text(f"path,label,predicted\n1,{first},{second}\n2,{first},{second}\n", encoding="utf-8")
        told = printed(["t.csv"], capsys)
        assert "warning: classes " in told
        assert "spell them alike" in told
    (here / "t.csv").write_text("path,label,predicted\n1,nan,dog\n2,inf,dog\n")
    assert "warning" not in printed(["t.csv"], capsys)


def test_rows_of_json_need_not_have_all_columns_not_even_the_first(here: Path, capsys: pytest.CaptureFixture[str]):
    told = [json.loads(line) for line in write(here / "t.jsonl", rows(), ("cat", "dog")).read_text().splitlines()]
    whole = printed(["t.jsonl"], capsys)
    failed = {"path": "first", "label": "cat", "status": "error", "error": "broken"}
    unlabelled = {key: value for key, value in told[0].items() if key != "label"} | {"path": "second"}
    lines = [json.dumps(row) for row in (failed, unlabelled, *told)]
    (here / "t.jsonl").write_text("".join(f"{line}\n" for line in lines))
    found = printed(["t.jsonl"], capsys)
    assert "without a label: 1 image" in found
    assert [line for line in found.splitlines() if "AUROC" in line] == [
        line for line in whole.splitlines() if "AUROC" in line
    ]


MISTAKES = {
    "nothing": ([], ["TABLE"]),
    "missing": (["nowhere.csv"], ["nowhere.csv", "no such"]),
    "no run": (["empty"], ["empty", "is no run"]),
    "no table": (["runs/bare"], ["runs/bare", "predictions.test.csv", "vitcli test runs/bare"]),
    "no val": (["runs/bare", "--split", "val"], ["predictions.val.csv", "vitcli validate runs/bare"]),
    "other split": (["t.csv", "--split", "train"], ["--split", "train"]),
    "empty table": (["empty.csv"], ["empty.csv: is empty"]),
    "no labels": (["unlabelled.csv"], ["unlabelled.csv: has no labels", "--columns label="]),
    "no predictions": (["labels.csv"], ["labels.csv", "--columns predicted="]),
    "unknown columns": (["t.csv", "--columns", "label=y"], ["no column y", "path, label, predicted"]),
    "unknown role": (["t.csv", "--columns", "truth=y"], ["truth=y", "label"]),
    "no pair": (["t.csv", "--columns", "label"], ["--columns label"]),
    "twice": (["twice.csv"], ["twice.csv: path 1.jpg stands there 2 times"]),
    "NaN": (["nan.csv"], ["nan.csv", "probability nan of 1.jpg"]),
    "sums": (["sums.csv"], ["sums.csv", "1.jpg sum to 1.7"]),
    "cut off": (["cut.csv"], ["cut.csv", "cut off"]),
    "cut off in between": (["cut.parquet"], ["cut.parquet", "cut off"]),
    "a checkpoint": (["best.ckpt"], ["best.ckpt: is no table, but a net; name its run's folder"]),
    "other ending": (["t.txt"], ["t.txt", ".parquet"]),
    "out": (["t.csv", "--out", "scores.txt"], ["--out scores.txt", ".json"]),
    "out into a file": (["t.csv", "--out", "t.csv/scores.json"], ["t.csv"]),
    "costs": (["t.csv", "--costs", "5"], ["--costs 5", "fp=1,fn=5"]),
    "negative costs": (["two.csv", "--costs", "fp=-1,fn=5"], ["--costs fp=-1,fn=5"]),
    "costs of three": (["t.csv", "--costs", "fp=1,fn=5"], ["--costs", "3 classes"]),
    "precision": (["two.csv", "--precision", "95"], ["precision", "95"]),
    "temperature": (["two.csv", "--temperature", "0"], ["temperature", "0"]),
    "temperature of a table without": (["bare.csv", "--quarantine", "q.txt"], ["--quarantine q.txt", "probabilities"]),
    "other images": (["t.csv", "--compare", "two.csv"], ["t.csv and two.csv", "0 are in both, of 5 and 120"]),
    "one against two": (["t.csv", "two.csv", "--compare", "t.csv"], ["--compare t.csv"]),
    "overlap": (["t.csv", "four.csv"], ["t.csv and four.csv share 4 of their 5 and 4 images"]),
    "option": (["t.csv", "--classes", "3"], ["--classes", "vitcli evaluate -h"]),
    "a table as the list": (["t.csv", "--quarantine", "t.csv"], ["--quarantine t.csv: is there, and is none"]),
    "other numbers as scores": (["t.csv", "--out", "mine.json"], ["--out mine.json: is there, and is none"]),
    "out where nothing can be": (["t.csv", "--out", "/proc/1/x.json"], ["--out /proc/1/x.json"]),
    "other labels": (
        ["two.csv", "swapped.csv"],
        ["two.csv and swapped.csv have other labels for 2 images, such as dog/0.jpg"],
    ),
    "a cost twice": (["two.csv", "--costs", "fp=1,fn=2,fp=3"], ["--costs fp=1,fn=2,fp=3"]),
    "a column twice": (["t.csv", "--columns", "label=a,label=b"], ["label is both a and b"]),
    "small temperature": (["two.csv", "--temperature", "1e-310"], ["--temperature", "1e-310"]),
    "split of a table": (["runs/bare/predictions.val.csv", "--split", "test"], ["--split test", "is the table of val"]),
    "per cent": (["percent.csv"], ["percent.csv: probability 10 of 1", "divide per cent by 100"]),
    "per cent in words": (["signs.csv"], ["signs.csv: column prob_a holds '90%', which is no number"]),
    "lists in JSON lines": (["nested.jsonl"], ["nested.jsonl", "column confidence holds [0.9, 0.1]"]),
    "lists in Parquet": (["nested.parquet"], ["nested.parquet: cannot be read as .parquet"]),
    "no line break at the end": (["open.csv"], ["open.csv: has no line break at its end"]),
}


@pytest.mark.parametrize("kind", MISTAKES)
def test_each_mistake_is_one_line(here: Path, kind: str, capsys: pytest.CaptureFixture[str]):
    write(here / "t.csv", FIVE)
    write(here / "four.csv", FIVE[:4])
    write(here / "two.csv", rows(), ("cat", "dog"))
    write(here / "unlabelled.csv", [Row("1.jpg", "", "cat", 1.0, (1.0, 0.0, 0.0))])
    write(here / "twice.csv", [*FIVE, FIVE[0]])
    (here / "empty").mkdir()
    (here / "runs" / "bare" / "checkpoints").mkdir(parents=True)
    text = (here / "t.csv").read_text()
    (here / "empty.csv").touch()
    (here / "t.txt").write_text(text)
    (here / "best.ckpt").write_bytes(b"PK")
    (here / "labels.csv").write_text("path,label\n1,a\n")
    (here / "bare.csv").write_text("label,predicted\na,a\n")
    (here / "nan.csv").write_text(text.replace(",0.7,0.2,", ",nan,0.2,"))
    (here / "sums.csv").write_text(text.replace(",0.7,0.2,", ",0.7,0.9,"))
    (here / "cut.csv").write_text(text[:-30])
    (here / "mine.json").write_text("[1]")
    first, second = (replace(row, label={"cat": "dog", "dog": "cat"}[row.label]) for row in rows()[:2])
    write(here / "swapped.csv", [first, second, *rows()[2:]], ("cat", "dog"))
    write(
        here / "runs" / "bare" / "predictions.val.csv", rows(), ("cat", "dog")
    ) if kind == "split of a table" else None
    (here / "percent.csv").write_text("label,prob_a,prob_b\na,90,10\nb,20,80\n")
    (here / "signs.csv").write_text("label,prob_a,prob_b\na,90%,10%\nb,20%,80%\n")
    (here / "nested.jsonl").write_text('{"path":"1","label":"a","predicted":"a","confidence":[0.9,0.1]}\n')
    pq.write_table(pa.table({"label": [["a"], ["b"]], "predicted": ["a", "b"]}), here / "nested.parquet")
    (here / "open.csv").write_text(text[:-1])
    table = write(here / "cut.parquet", FIVE)
    table.write_bytes(table.read_bytes()[:-9])
    words, named = MISTAKES[kind]
    told = complaint(words, capsys)
    assert all(part in told for part in named), told
