"""An evaluation: hand-computed values on five rows, unreadable images, tables without all probabilities, JSON."""

from __future__ import annotations

import dataclasses
import json
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import top_k_accuracy_score

from tests.evaluate.tables import FIVE, scored, write
from vitcli.errors import DataError
from vitcli.evaluate.evaluate import evaluate, from_json, to_json
from vitcli.evaluate.evaluation import Evaluation
from vitcli.evaluate.intervals import wilson
from vitcli.evaluate.read import read_scored
from vitcli.table.row import Row


def of_rows(tmp_path: Path, rows: list[Row] | tuple[Row, ...]) -> Evaluation:
    return evaluate(read_scored(write(tmp_path / "t.csv", rows)), tables=["t.csv"])


def test_five_rows_give_the_numbers_computed_by_hand(tmp_path: Path):
    told = of_rows(tmp_path, FIVE)
    assert (told.images, told.scored, told.unreadable, told.unlabelled) == (5, 5, 0, 0)
    assert (told.commonest, told.guessing) == ("cat", 0.4)
    assert told.accuracy.value == 0.8
    assert (told.accuracy.low, told.accuracy.high) == (
        pytest.approx(0.375535, abs=1e-6),
        pytest.approx(0.963776, abs=1e-6),
    )
    assert told.accuracy_of_all == told.accuracy
    assert told.confusion == ((1, 1, 0), (0, 2, 0), (0, 0, 1))
    assert told.balanced_accuracy.value == pytest.approx(2.5 / 3)
    assert told.macro["precision"].value == pytest.approx((1 + 2 / 3 + 1) / 3)
    assert told.macro["f1"].value == pytest.approx((2 / 3 + 0.8 + 1) / 3)
    assert told.weighted["f1"].value == pytest.approx((2 * 2 / 3 + 2 * 0.8 + 1) / 5)
    assert told.kappa.value == pytest.approx((0.8 - 0.36) / (1 - 0.36))
    assert told.matthews.value == pytest.approx((0.8 - 0.36) / math.sqrt(0.56 * 0.64))
    assert told.auroc is not None
    assert told.auroc.value == pytest.approx((1 + 5 / 6 + 1) / 3)
    assert told.average_precision is not None
    assert told.average_precision.value == pytest.approx((1 + (1 + 2 / 3) / 2 + 1) / 3)
    assert told.log_loss is not None
    assert told.log_loss.value == pytest.approx(-sum(map(math.log, (0.7, 0.3, 0.8, 0.5, 0.7))) / 5)
    assert told.brier is not None
    assert told.brier.value == pytest.approx((0.14 + 0.86 + 0.06 + 0.38 + 0.14) / 5)
    assert told.expected_error is not None
    assert told.expected_error.value == pytest.approx(0.8 - 0.66)
    cat, dog, _ = told.per_class
    assert (cat.name, cat.support, cat.predicted) == ("cat", 2, 1)
    assert cat.precision is not None
    assert cat.recall is not None
    assert cat.f1 is not None
    assert (cat.precision.value, cat.recall.value, cat.f1.value) == (1, 0.5, pytest.approx(2 / 3))
    assert dog.auroc == pytest.approx(5 / 6)
    assert told.top_k == {}
    assert told.calibrated is None
    assert told.binary is None


def test_unreadable_images_count_in_both_figures(tmp_path: Path):
    bad = [Row("6.jpg", "owl", status="error", error="truncated"), Row("7.jpg", status="error", error="truncated")]
    told = of_rows(tmp_path, [*FIVE, *bad, Row("8.jpg", "", "cat", 1.0, (1.0, 0.0, 0.0))])
    assert (told.images, told.scored, told.unreadable, told.unlabelled) == (8, 5, 2, 1)
    assert told.accuracy.value == 0.8
    # of the labelled ones, with the unreadable one counted as wrong
    assert told.accuracy_of_all.value == pytest.approx(4 / 6)


@pytest.mark.parametrize(
    "rows", [[Row("1.jpg", "", "cat", 1.0, (1.0, 0.0, 0.0))], [Row("1.jpg", "cat", status="error", error="gone")]]
)
def test_a_table_without_anything_to_score_is_one_line(tmp_path: Path, rows: list[Row]):
    with pytest.raises(DataError, match=r"t.csv: .*label"):
        of_rows(tmp_path, rows)


def test_the_likeliest_k_are_scikit_learns():
    table = scored(300, 12)
    told = evaluate(table, tables=["t"], resamples=10).top_k
    assert set(told) == {2, 3, 5}
    for k, estimate in told.items():
        theirs = top_k_accuracy_score(table.labels, table.probabilities, k=k)
        assert estimate.value == pytest.approx(theirs, abs=1e-12)
        assert estimate.low == pytest.approx(float(wilson(theirs * 300, 300)[0]))


def test_a_table_of_the_best_classes_has_all_numbers_that_it_can(tmp_path: Path):
    rows = [
        Row(
            f"{number}",
            "b",
            name,
            0.5,
            top=((name, 0.5),),
            label_probability=0.125 if name == "a" else 0.5,
            label_rank=rank,
        )
        for number, (name, rank) in enumerate([("a", 4), ("b", 1), ("b", 1), ("a", 6)])
    ]
    names = tuple("abcdefgh")
    table = read_scored(write(tmp_path / "t.csv", rows, names, top=1), classes=names)
    told = evaluate(table, tables=["t"], resamples=10)
    assert told.accuracy.value == 0.5
    assert told.top_k[5].value == 0.75
    assert told.log_loss is not None
    assert told.log_loss.value == pytest.approx((2 * math.log(8) + 2 * math.log(2)) / 4)
    assert told.expected_error is not None
    assert (told.auroc, told.brier, told.calibration) == (None, None, None)


def test_a_table_of_predicted_classes_alone_has_its_confusion(tmp_path: Path):
    (tmp_path / "t.csv").write_text("label,predicted\na,a\na,b\nb,b\n")
    told = evaluate(read_scored(tmp_path / "t.csv"), tables=["t"])
    assert told.confusion == ((1, 1), (0, 1))
    assert (told.log_loss, told.expected_error, told.auroc, told.binary, told.doubtful) == (None, None, None, None, ())


def test_a_single_class_has_no_agreement_beyond_chance(tmp_path: Path):
    (tmp_path / "t.csv").write_text("label,predicted\na,a\na,a\n")
    told = evaluate(read_scored(tmp_path / "t.csv"), tables=["t"])
    assert (told.kappa, told.matthews) == (None, None)
    assert told.accuracy.value == 1


def test_the_same_table_gives_the_same_numbers_and_another_seed_other_intervals():
    table = scored(100, 3)
    first, again, other = (evaluate(table, tables=["t"], seed=seed, resamples=100) for seed in (0, 0, 1))
    assert first == again
    assert first.balanced_accuracy.value == other.balanced_accuracy.value
    assert first.balanced_accuracy.low != other.balanced_accuracy.low


def test_every_interval_holds_its_value():
    told = evaluate(scored(200, 4), tables=["t"])
    singles = [told.accuracy, told.balanced_accuracy, told.auroc, told.average_precision, told.kappa, told.matthews]
    singles += [told.log_loss, told.brier, told.expected_error, *told.macro.values(), *told.weighted.values()]
    singles += [each for scores in told.per_class for each in (scores.precision, scores.recall, scores.f1)]
    assert all(each is not None and each.low < each.value < each.high for each in singles)


@pytest.mark.parametrize("classes", [1, 2, 3, 30])
@pytest.mark.parametrize("images", [1, 2, 5, 60])
def test_an_evaluation_comes_back_from_json(images: int, classes: int):
    told = evaluate(scored(images, classes), tables=["t.csv"], fit_temperature=True, resamples=20)
    text = json.dumps(to_json(told), allow_nan=False)
    assert json.loads(text)["schema_version"] == 1
    again = from_json(json.loads(text))
    assert to_json(again) == to_json(told)
    assert repr(again) == repr(told)


def test_every_field_of_an_evaluation_comes_back_with_its_type():
    told = evaluate(scored(100, 2), tables=["t.csv"], resamples=20)
    again = from_json(json.loads(json.dumps(to_json(told))))
    assert dataclasses.asdict(again) == dataclasses.asdict(told)


def test_json_of_another_schema_is_one_line():
    with pytest.raises(DataError, match="schema_version 99"):
        from_json({"schema_version": 99})


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("right", [0, 1])
@pytest.mark.parametrize("classes", [1, 2, 3])
def test_all_right_and_all_wrong_give_numbers_without_a_warning(classes: int, right: int):
    labels = np.arange(30) % classes
    table = scored(30, classes, labels=labels)
    assert table.probabilities is not None
    moved = np.eye(classes)[labels if right else (labels + 1) % classes] * 0.8 + 0.2 / classes
    worst = dataclasses.replace(
        table, probabilities=moved, predicted=moved.argmax(axis=1), label_probability=moved[np.arange(30), labels]
    )
    told = evaluate(worst, tables=["t"], fit_temperature=True, resamples=50)
    assert told.accuracy.value == (right if classes > 1 else 1)
    assert 0 <= told.accuracy.low < told.accuracy.high <= 1


def test_nothing_that_takes_long_is_imported():
    heavy = ("torch", "lightning", "sklearn", "matplotlib", "scipy.stats", "scipy.optimize", "jinja2", "PIL", "pyarrow")
    code = f"import sys, vitcli.cli.verbs.evaluate; sys.exit(repr([name for name in {heavy} if name in sys.modules]))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False).stderr == "[]\n"
