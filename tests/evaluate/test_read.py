"""Tables of every format, vitcli's and others', are read as they were written, and what cannot be is one line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.evaluate.tables import FIVE, write
from vitcli.errors import ConfigError, DataError
from vitcli.evaluate.read import read_scored
from vitcli.table.row import Row

FORMATS = (".csv", ".jsonl", ".parquet")
NASTY = (
    *(
        "=1+1.jpg",
        "-2",
        "\r=1",
        "'=1",
        "''=1",
        "'a",
        "a\rb.png",
        "a\r\nb",
        'say "no", twice',
        "a,b;c",
        " x ",
        "caf\\udce9",
    ),
    *("2020-01-01", "1e5", "nan", "null", "true", "été ❄", "\u2028", "a\tb", "top1"),
)


@pytest.mark.parametrize("ending", FORMATS)
def test_a_table_of_predict_is_read_as_it_was_written(tmp_path: Path, ending: str):
    bad = Row("bad.jpg", "owl", status="error", error="truncated")
    scored = read_scored(write(tmp_path / f"t{ending}", [*FIVE, bad, Row("6.jpg", "", "owl", 0.5, (0.3, 0.2, 0.5))]))
    assert scored.paths == ("1.jpg", "2.jpg", "3.jpg", "4.jpg", "5.jpg", "bad.jpg", "6.jpg")
    assert scored.classes == ("cat", "dog", "owl")
    assert scored.labels.tolist() == [0, 0, 1, 1, 2, 2, -1]
    assert scored.predicted.tolist() == [0, 1, 1, 1, 2, -1, 2]
    assert scored.confidence.tolist()[:5] == [0.7, 0.6, 0.8, 0.5, 0.7]
    assert np.isnan(scored.confidence[5])
    assert scored.probabilities is not None
    assert scored.probabilities[1].tolist() == [0.3, 0.6, 0.1]
    assert np.isnan(scored.probabilities[5]).all()
    assert scored.label_probability is not None
    assert scored.label_probability.tolist()[:5] == [0.7, 0.3, 0.8, 0.5, 0.7]
    assert np.isnan(scored.label_probability[5:]).all()
    assert scored.label_rank is not None
    assert scored.label_rank.tolist() == [1, 2, 1, 1, 1, 0, 0]
    assert scored.sizes.tolist()[0] == [640, 480]
    assert scored.sizes.tolist()[5] == [0, 0]
    assert scored.errors == ("",) * 5 + ("truncated", "")
    assert scored.is_scored.tolist() == [True] * 5 + [False, False]


@pytest.mark.parametrize("ending", FORMATS)
def test_any_names_come_back(tmp_path: Path, ending: str):
    share = 1 / len(NASTY)
    rows = [Row(name, name, name, share, (share,) * len(NASTY), error="") for name in NASTY]
    scored = read_scored(write(tmp_path / f"t{ending}", rows, NASTY))
    assert scored.paths == NASTY
    assert scored.classes == NASTY
    assert scored.labels.tolist() == scored.predicted.tolist() == list(range(len(NASTY)))


@pytest.mark.parametrize("ending", FORMATS)
def test_a_table_of_the_best_classes_keeps_the_rank_of_the_label(tmp_path: Path, ending: str):
    rows = [
        Row("1", "b", "a", 0.5, top=(("a", 0.5), ("c", 0.3)), label_probability=0.125, label_rank=3),
        Row("2", "", "c", 0.9, top=(("c", 0.9), ("'-d", 0.05))),
        Row("3", "a", status="error", error="gone"),
    ]
    scored = read_scored(write(tmp_path / f"t{ending}", rows, ("a", "b", "c", "'-d", "e"), top=2))
    assert scored.probabilities is None
    assert set(scored.classes) == {"a", "b", "c", "'-d"}
    assert scored.label_rank is not None
    assert scored.label_rank.tolist() == [3, 0, 0]
    assert scored.label_probability is not None
    assert scored.label_probability[0] == 0.125
    assert scored.confidence.tolist()[:2] == [0.5, 0.9]


def test_another_tools_columns_are_named(tmp_path: Path):
    (tmp_path / "t.csv").write_text("file,y,p,score\na,1,0,0.6\nb,0,0,0.9\n")
    scored = read_scored(tmp_path / "t.csv", {"path": "file", "label": "y", "predicted": "p", "confidence": "score"})
    assert (scored.paths, scored.classes) == (("a", "b"), ("0", "1"))
    assert scored.labels.tolist() == [1, 0]
    assert scored.predicted.tolist() == [0, 0]
    assert scored.confidence.tolist() == [0.6, 0.9]
    assert scored.probabilities is None


def test_probabilities_alone_make_a_prediction_and_rows_are_numbered(tmp_path: Path):
    (tmp_path / "t.tsv").write_text("y\tp_no\tp_yes\tpath_length\nno\t0.5\t0.5\t7\nyes\t0.2\t0.8\t7\nno\t\t\t7\n")
    scored = read_scored(tmp_path / "t.tsv", {"label": "y", "prob": "p_"})
    assert (scored.paths, scored.classes) == (("1", "2", "3"), ("no", "yes"))
    assert scored.predicted.tolist() == [0, 1, -1]
    assert scored.errors[2] == "the table has no prediction for it"


def test_numbers_of_json_are_names_of_classes(tmp_path: Path):
    lines = [{"y": 3, "p": 3, "extra": [1]}, {"y": 4, "p": 3}, {"y": None, "p": 4}]
    (tmp_path / "t.jsonl").write_text("\n".join(map(json.dumps, lines)))
    scored = read_scored(tmp_path / "t.jsonl", {"label": "y", "predicted": "p"})
    assert scored.classes == ("3", "4")
    assert scored.labels.tolist() == [0, 1, -1]


def test_rounded_probabilities_are_scaled_to_one(tmp_path: Path):
    (tmp_path / "t.csv").write_text("prob_a,prob_b,prob_c\n0.33,0.33,0.33\n0.5,0.25,0.25\n")
    scored = read_scored(tmp_path / "t.csv")
    assert scored.probabilities is not None
    assert scored.probabilities[0] == pytest.approx([1 / 3] * 3)
    assert scored.probabilities[1].tolist() == [0.5, 0.25, 0.25]


HEAD = "path,label,predicted,confidence,prob_a,prob_b,status\n"
MISTAKES = {
    "no rows": (HEAD, "has no rows"),
    "empty": ("", "is empty"),
    "twice": (HEAD + "x,a,a,0.9,0.9,0.1,ok\n" * 2, "path x stands there 2 times"),
    "not a number": (HEAD + "x,a,a,0.9,nan,0.1,ok\n", "probability nan of x"),
    "no word": (HEAD + "x,a,a,0.9,many,0.1,ok\n", "many"),
    "too large": (HEAD + "x,a,a,1.5,0.9,0.1,ok\n", "confidence 1.5 of x"),
    "logits": (HEAD + "x,a,a,0.9,0.9,0.7,ok\n", "sum to 1.6"),
    "cut in a row": (HEAD + "x,a,a,0.9,0.9,0.1,ok\ny,a,a,0.", "cut off"),
    "cut in a cell": (HEAD + "x,a,a,0.9,0.9,0.1,ok\ny,a,a,0.9,0.9,0.1,o", "cut off"),
    "cut in quotes": (HEAD + 'x,a,a,0.9,0.9,0.1,ok\n"y,a', "cut off"),
    "of no class": (HEAD + "x,c,a,0.9,0.9,0.1,ok\n", "label c is none of the classes"),
    "no predictions": ("path,label\nx,a\n", "no column of predictions"),
    "two columns": ("predicted,predicted\nx,a\n", "twice"),
}


@pytest.mark.parametrize("kind", MISTAKES)
def test_what_cannot_be_is_one_line(tmp_path: Path, kind: str):
    text, why = MISTAKES[kind]
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(DataError) as told:
        read_scored(tmp_path / "t.csv")
    assert why in str(told.value)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("ending", [".jsonl", ".parquet"])
def test_a_table_that_is_cut_off_is_one_line(tmp_path: Path, ending: str):
    table = write(tmp_path / f"t{ending}", FIVE)
    table.write_bytes(table.read_bytes()[:-20])
    with pytest.raises(DataError, match="cut off"):
        read_scored(table)


def test_a_table_that_is_not_utf8_is_one_line(tmp_path: Path):
    (tmp_path / "t.csv").write_bytes(b"label,predicted\ncaf\xe9,caf\xe9\n")
    with pytest.raises(DataError, match="UTF"):
        read_scored(tmp_path / "t.csv")


@pytest.mark.parametrize("name", ["t.txt", "missing.csv"])
def test_what_is_no_table_is_one_line(tmp_path: Path, name: str):
    (tmp_path / "t.txt").write_text("x")
    with pytest.raises(DataError, match=name):
        read_scored(tmp_path / name)


def test_columns_that_are_not_there_are_named(tmp_path: Path):
    (tmp_path / "t.csv").write_text("path,p\nx,a\n")
    with pytest.raises(DataError, match=r"no column y .*path, p"):
        read_scored(tmp_path / "t.csv", {"label": "y", "predicted": "p"})
    with pytest.raises(DataError, match="no column q_"):
        read_scored(tmp_path / "t.csv", {"prob": "q_", "predicted": "p"})
    with pytest.raises(ConfigError, match="guess=p"):
        read_scored(tmp_path / "t.csv", {"guess": "p"})


def test_the_classes_of_a_table_are_as_they_were_said_to_be(tmp_path: Path):
    table = write(tmp_path / "t.csv", FIVE)
    assert read_scored(table, classes=("owl", "cat", "dog")).classes == ("cat", "dog", "owl")
    with pytest.raises(DataError, match="classes are cat, cow"):
        read_scored(table, classes=("cat", "cow"))
